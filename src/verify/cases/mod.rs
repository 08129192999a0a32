//! The named cases, one file an operator.

mod activation;
mod affine_grid;
mod attention;
mod batch_norm;
mod binary;
mod blur_pool;
mod concat;
mod conv2d;
mod conv3d;
mod embedding;
mod grid_sample;
mod group_norm;
mod linear;
mod median;
mod norm;
mod permute;
mod pool3d;
mod reduce;
mod resize;
mod slice;
mod softmax;
mod tvl1;
mod upfirdn2d;
mod vector_quantize;

use super::Case;

/// Every case of every operator.
pub fn all() -> Vec<Case> {
    [
        activation::cases(),
        affine_grid::cases(),
        attention::cases(),
        batch_norm::cases(),
        binary::cases(),
        blur_pool::cases(),
        concat::cases(),
        conv2d::cases(),
        conv3d::cases(),
        embedding::cases(),
        grid_sample::cases(),
        group_norm::cases(),
        linear::cases(),
        median::cases(),
        norm::cases(),
        permute::cases(),
        pool3d::cases(),
        reduce::cases(),
        resize::cases(),
        slice::cases(),
        softmax::cases(),
        tvl1::cases(),
        upfirdn2d::cases(),
        vector_quantize::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
