//! Operators made of other operators: a door, cases and golden values of their own, but neither a kernel nor a
//! reference. They add several nodes to a graph; what they add is compared node by node.

pub mod attention_probabilities;
pub mod conv2d;
pub mod einsum;
pub mod non_local;
pub mod prepend_tokens;

pub use conv2d::Conv2d;
pub use einsum::Einsum;
pub use non_local::{NonLocal, Weighting};
