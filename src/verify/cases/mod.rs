//! The named cases, one file an operator.

mod activation;
mod attention;
mod batch_norm;
mod binary;
mod concat;
mod conv1d;
mod conv2d;
mod conv3d;
mod conv_transpose1d;
mod conv_transpose2d;
mod conv_transpose3d;
mod embedding;
mod group_norm;
mod linear;
mod norm;
mod pad;
mod permute;
mod pool3d;
mod reduce;
mod slice;
mod softmax;
mod vector_quantize;

use super::Case;

/// Every case of every operator.
pub fn all() -> Vec<Case> {
    [
        activation::cases(),
        attention::cases(),
        batch_norm::cases(),
        binary::cases(),
        concat::cases(),
        conv1d::cases(),
        conv2d::cases(),
        conv3d::cases(),
        conv_transpose1d::cases(),
        conv_transpose2d::cases(),
        conv_transpose3d::cases(),
        embedding::cases(),
        group_norm::cases(),
        linear::cases(),
        norm::cases(),
        pad::cases(),
        permute::cases(),
        pool3d::cases(),
        reduce::cases(),
        slice::cases(),
        softmax::cases(),
        vector_quantize::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
