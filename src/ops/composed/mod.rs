//! Operators made of other operators: a door, cases and golden values of their own, but neither a kernel nor a
//! reference. They add several nodes to a graph; what they add is compared node by node.

pub mod conv2d;
pub mod expand;
pub mod flip;
pub mod masked_fill;
pub mod pixel_shuffle;
pub mod pixel_unshuffle;
pub mod prelu;
pub mod repeat_interleave;
pub mod split;
pub mod stack;

pub use conv2d::Conv2d;
