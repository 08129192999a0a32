//! Operators made of other operators: a door, cases and golden values of their own, but neither a kernel nor a
//! reference. They add several nodes to a graph; what they add is compared node by node.

mod recurrent;

pub mod conv2d;
pub mod conv_gru;
pub mod conv_lstm;
pub mod gru;
pub mod lstm;

pub use conv_gru::ConvGru;
pub use conv_lstm::ConvLstm;
pub use conv2d::Conv2d;
pub use gru::Gru;
pub use lstm::Lstm;
pub use recurrent::{Direction, Recurrent, RecurrentWeights};
