//! The named cases, one file an operator.

mod activation;
mod attention;
mod batch_norm;
mod binary;
mod cast;
mod concat;
mod conv2d;
mod conv3d;
mod embedding;
mod expand;
mod flip;
mod gated;
mod gather;
mod group_norm;
mod linear;
mod masked_fill;
mod norm;
mod one_hot;
mod permute;
mod pixel_shuffle;
mod pixel_unshuffle;
mod pool3d;
mod prelu;
mod reduce;
mod repeat;
mod repeat_interleave;
mod roll;
mod scatter_add;
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
        cast::cases(),
        concat::cases(),
        conv2d::cases(),
        conv3d::cases(),
        embedding::cases(),
        expand::cases(),
        flip::cases(),
        gated::cases(),
        gather::cases(),
        group_norm::cases(),
        linear::cases(),
        masked_fill::cases(),
        norm::cases(),
        one_hot::cases(),
        permute::cases(),
        pixel_shuffle::cases(),
        pixel_unshuffle::cases(),
        pool3d::cases(),
        prelu::cases(),
        reduce::cases(),
        repeat::cases(),
        repeat_interleave::cases(),
        roll::cases(),
        scatter_add::cases(),
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
