//! Operators made of other operators: a door, cases and golden values of their own, but neither a kernel nor a
//! reference. They add several nodes to a graph; what they add is compared node by node.

pub mod attention_probabilities;
pub mod blur_pool;
pub mod conv2d;
pub mod einsum;
pub mod expand;
pub mod flip;
pub mod group_vector_quantize;
pub mod masked_fill;
pub mod non_local;
pub mod pixel_shuffle;
pub mod pixel_unshuffle;
pub mod prelu;
pub mod prepend_tokens;
pub mod repeat_interleave;
pub mod residual_vector_quantize;
pub mod split;
pub mod stack;
pub mod straight_through;

pub use blur_pool::BlurPool;
pub mod conv1d;
pub mod conv_transpose1d;
pub mod conv_transpose2d;

pub use conv_transpose1d::ConvTranspose1d;
pub use conv_transpose2d::ConvTranspose2d;
pub use conv1d::Conv1d;
pub use conv2d::Conv2d;
pub use einsum::Einsum;
pub use non_local::{NonLocal, Weighting};
mod recurrent;

pub mod conv_gru;
pub mod conv_lstm;
pub mod gru;
pub mod lstm;

pub use conv_gru::ConvGru;
pub use conv_lstm::ConvLstm;
pub use gru::Gru;
pub use lstm::Lstm;
pub use recurrent::{Direction, Recurrent, RecurrentWeights};
