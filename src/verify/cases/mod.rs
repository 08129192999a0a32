//! The named cases, one file an operator.

mod activation;
mod arg_reduce;
mod attention;
mod batch_norm;
mod binary;
mod bincount;
mod concat;
mod conv2d;
mod conv3d;
mod cumulative;
mod ema_codebook;
mod embedding;
mod group_norm;
mod group_vector_quantize;
mod linear;
mod norm;
mod permute;
mod perplexity;
mod pool3d;
mod quantile;
mod reduce;
mod residual_vector_quantize;
mod scalar_quantize;
mod slice;
mod softmax;
mod sort;
mod straight_through;
mod vector_quantize;

use super::Case;

/// Every case of every operator.
pub fn all() -> Vec<Case> {
    [
        activation::cases(),
        arg_reduce::cases(),
        attention::cases(),
        batch_norm::cases(),
        binary::cases(),
        bincount::cases(),
        concat::cases(),
        conv2d::cases(),
        conv3d::cases(),
        cumulative::cases(),
        ema_codebook::cases(),
        embedding::cases(),
        group_norm::cases(),
        group_vector_quantize::cases(),
        linear::cases(),
        norm::cases(),
        permute::cases(),
        perplexity::cases(),
        pool3d::cases(),
        quantile::cases(),
        reduce::cases(),
        residual_vector_quantize::cases(),
        scalar_quantize::cases(),
        slice::cases(),
        softmax::cases(),
        sort::cases(),
        straight_through::cases(),
        vector_quantize::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
