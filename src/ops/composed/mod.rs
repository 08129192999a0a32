//! Operators made of other operators: a door, cases and golden values of their own, but neither a kernel nor a
//! reference. They add several nodes to a graph; what they add is compared node by node.

pub mod conv1d;
pub mod conv2d;
pub mod conv_transpose1d;
pub mod conv_transpose2d;

pub use conv_transpose1d::ConvTranspose1d;
pub use conv_transpose2d::ConvTranspose2d;
pub use conv1d::Conv1d;
pub use conv2d::Conv2d;
