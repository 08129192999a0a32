//! The named cases, one file an operator.

mod activation;
mod attention;
mod batch_norm;
mod binary;
mod concat;
mod conv2d;
mod conv3d;
mod embedding;
mod expand;
mod flip;
mod gated;
mod group_norm;
mod linear;
mod masked_fill;
mod norm;
mod permute;
mod pixel_shuffle;
mod pixel_unshuffle;
mod pool3d;
mod prelu;
mod reduce;
mod repeat;
mod repeat_interleave;
mod roll;
mod select;
mod slice;
mod softmax;
mod split;
mod stack;
mod unary;
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
        conv2d::cases(),
        conv3d::cases(),
        embedding::cases(),
        expand::cases(),
        flip::cases(),
        gated::cases(),
        group_norm::cases(),
        linear::cases(),
        masked_fill::cases(),
        norm::cases(),
        permute::cases(),
        pixel_shuffle::cases(),
        pixel_unshuffle::cases(),
        pool3d::cases(),
        prelu::cases(),
        reduce::cases(),
        repeat::cases(),
        repeat_interleave::cases(),
        roll::cases(),
        select::cases(),
        slice::cases(),
        softmax::cases(),
        split::cases(),
        stack::cases(),
        unary::cases(),
        vector_quantize::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
