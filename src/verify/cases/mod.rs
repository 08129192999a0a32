//! The named cases, one file an operator.

mod activation;
mod binary;
mod conv3d;
mod linear;

use super::Case;

/// Every case of every operator.
pub fn all() -> Vec<Case> {
    [activation::cases(), binary::cases(), conv3d::cases(), linear::cases()].into_iter().flatten().collect()
}
