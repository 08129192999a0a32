//! The named cases, one file an operator.

mod activation;
mod attention;
mod batch_norm;
mod binary;
mod concat;
mod conv2d;
mod conv3d;
mod conv_gru;
mod conv_lstm;
mod embedding;
mod group_norm;
mod gru;
mod gru_cell;
mod linear;
mod lstm;
mod lstm_cell;
mod norm;
mod permute;
mod pool3d;
mod random;
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
        conv2d::cases(),
        conv3d::cases(),
        conv_gru::cases(),
        conv_lstm::cases(),
        embedding::cases(),
        group_norm::cases(),
        gru::cases(),
        gru_cell::cases(),
        linear::cases(),
        lstm::cases(),
        lstm_cell::cases(),
        norm::cases(),
        permute::cases(),
        pool3d::cases(),
        random::cases(),
        reduce::cases(),
        slice::cases(),
        softmax::cases(),
        vector_quantize::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
