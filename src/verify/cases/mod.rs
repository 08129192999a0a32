//! The named cases, one file an operator.

mod activation;
mod attention;
mod attention_probabilities;
mod batch_norm;
mod binary;
mod concat;
mod conv2d;
mod conv3d;
mod einsum;
mod embedding;
mod group_norm;
mod linear;
mod matmul;
mod non_local;
mod norm;
mod permute;
mod pool3d;
mod prepend_tokens;
mod reduce;
mod relative_scores;
mod slice;
mod softmax;
mod vector_quantize;
mod window_attention;

use super::Case;

/// Every case of every operator.
pub fn all() -> Vec<Case> {
    [
        activation::cases(),
        attention::cases(),
        attention_probabilities::cases(),
        batch_norm::cases(),
        binary::cases(),
        concat::cases(),
        conv2d::cases(),
        conv3d::cases(),
        einsum::cases(),
        embedding::cases(),
        group_norm::cases(),
        linear::cases(),
        matmul::cases(),
        non_local::cases(),
        norm::cases(),
        permute::cases(),
        pool3d::cases(),
        prepend_tokens::cases(),
        reduce::cases(),
        relative_scores::cases(),
        slice::cases(),
        softmax::cases(),
        vector_quantize::cases(),
        window_attention::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
