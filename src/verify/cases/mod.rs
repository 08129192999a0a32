//! The named cases, one file an operator.

mod activation;
mod affine_grid;
mod arg_reduce;
mod attention;
mod batch_norm;
mod binary;
mod bincount;
mod blur_pool;
mod concat;
mod conv2d;
mod conv3d;
mod cumulative;
mod ema_codebook;
mod embedding;
mod grid_sample;
mod group_norm;
mod group_vector_quantize;
mod linear;
mod median;
mod norm;
mod permute;
mod perplexity;
mod pool3d;
mod quantile;
mod reduce;
mod residual_vector_quantize;
mod resize;
mod scalar_quantize;
mod slice;
mod softmax;
mod sort;
mod straight_through;
mod tvl1;
mod upfirdn2d;
mod vector_quantize;

use super::Case;

/// Every case of every operator.
pub fn all() -> Vec<Case> {
    [
        activation::cases(),
        affine_grid::cases(),
        arg_reduce::cases(),
        attention::cases(),
        batch_norm::cases(),
        binary::cases(),
        bincount::cases(),
        blur_pool::cases(),
        concat::cases(),
        conv2d::cases(),
        conv3d::cases(),
        cumulative::cases(),
        ema_codebook::cases(),
        embedding::cases(),
        grid_sample::cases(),
        group_norm::cases(),
        group_vector_quantize::cases(),
        linear::cases(),
        median::cases(),
        norm::cases(),
        permute::cases(),
        perplexity::cases(),
        pool3d::cases(),
        quantile::cases(),
        reduce::cases(),
        residual_vector_quantize::cases(),
        resize::cases(),
        scalar_quantize::cases(),
        slice::cases(),
        softmax::cases(),
        sort::cases(),
        straight_through::cases(),
        tvl1::cases(),
        upfirdn2d::cases(),
        vector_quantize::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
