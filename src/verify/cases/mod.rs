//! The named cases, one file an operator.

mod activation;
mod attention;
mod binary;
mod concat;
mod conv3d;
mod linear;
mod permute;
mod pool3d;
mod reduce;
mod slice;
mod softmax;

use super::Case;

/// Every case of every operator.
pub fn all() -> Vec<Case> {
    [
        activation::cases(),
        attention::cases(),
        binary::cases(),
        concat::cases(),
        conv3d::cases(),
        linear::cases(),
        permute::cases(),
        pool3d::cases(),
        reduce::cases(),
        slice::cases(),
        softmax::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
