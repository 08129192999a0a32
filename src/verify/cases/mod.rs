//! The named cases, one file an operator.

mod activation;
mod affine_grid;
mod arg_reduce;
mod attention;
mod attention_probabilities;
mod batch_norm;
mod binary;
mod bincount;
mod blur_pool;
mod concat;
mod conv2d;
mod conv3d;
mod cumulative;
mod einsum;
mod ema_codebook;
mod embedding;
mod grid_sample;
mod group_norm;
mod group_vector_quantize;
mod linear;
mod matmul;
mod median;
mod non_local;
mod norm;
mod permute;
mod perplexity;
mod pool3d;
mod prepend_tokens;
mod quantile;
mod reduce;
mod relative_scores;
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
mod window_attention;

use super::Case;

/// Every case of every operator.
pub fn all() -> Vec<Case> {
    [
        activation::cases(),
        affine_grid::cases(),
        arg_reduce::cases(),
        attention::cases(),
        attention_probabilities::cases(),
        batch_norm::cases(),
        binary::cases(),
        bincount::cases(),
        blur_pool::cases(),
        concat::cases(),
        conv2d::cases(),
        conv3d::cases(),
        cumulative::cases(),
        einsum::cases(),
        ema_codebook::cases(),
        embedding::cases(),
        grid_sample::cases(),
        group_norm::cases(),
        group_vector_quantize::cases(),
        linear::cases(),
        matmul::cases(),
        median::cases(),
        non_local::cases(),
        norm::cases(),
        permute::cases(),
        perplexity::cases(),
        pool3d::cases(),
        prepend_tokens::cases(),
        quantile::cases(),
        reduce::cases(),
        relative_scores::cases(),
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
        window_attention::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
