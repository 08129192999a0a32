//! Operators made of other operators: a door, cases and golden values of their own, but neither a kernel nor a
//! reference. They add several nodes to a graph; what they add is compared node by node.

pub mod adaptive_pool1d;
pub mod adaptive_pool2d;
pub mod attention_probabilities;
pub mod blur_pool;
pub mod conv1d;
pub mod conv2d;
pub mod conv_gru;
pub mod conv_lstm;
pub mod conv_transpose1d;
pub mod conv_transpose2d;
pub mod einsum;
pub mod expand;
pub mod flip;
pub mod global_pool;
pub mod group_vector_quantize;
pub mod gru;
pub mod lstm;
pub mod masked_fill;
pub mod max_unpool1d;
pub mod max_unpool2d;
pub mod non_local;
pub mod pixel_shuffle;
pub mod pixel_unshuffle;
pub mod pool1d;
pub mod pool2d;
pub mod prelu;
pub mod prepend_tokens;
mod recurrent;
pub mod repeat_interleave;
pub mod residual_vector_quantize;
pub mod split;
pub mod stack;
pub mod straight_through;

use crate::error::{Error, Result};
use crate::graph::{Graph, Value};

pub use blur_pool::BlurPool;
pub use conv_gru::ConvGru;
pub use conv_lstm::ConvLstm;
pub use conv_transpose1d::ConvTranspose1d;
pub use conv_transpose2d::ConvTranspose2d;
pub use conv1d::Conv1d;
pub use conv2d::Conv2d;
pub use einsum::Einsum;
pub use gru::Gru;
pub use lstm::Lstm;
pub use non_local::{NonLocal, Weighting};
pub use recurrent::{Direction, Recurrent, RecurrentWeights};

/// A view of `[N, H, W, C]` or `[N, W, C]`, as the number of axes says, with axes of length 1 for what lacks of
/// `[N, T, H, W, C]`.
fn as_video(g: &mut Graph, x: Value, rank: usize) -> Result<Value> {
    let shape = g.shape(x).clone();
    if shape.rank() != rank {
        let axes = if rank == 3 { "[N, W, C]" } else { "[N, H, W, C]" };
        return Err(Error::bad_input(format!("the input must be {axes}; its shape is {shape}")));
    }
    let lacking = vec![1; 5 - rank];
    g.view(x, &[&shape[..1], &lacking, &shape[1..]].concat())
}

/// The view of `rank` axes that [`as_video`] was given, of what was made of it.
fn of_video(g: &mut Graph, y: Value, rank: usize) -> Result<Value> {
    let shape = g.shape(y).clone();
    g.view(y, &[&shape[..1], &shape[shape.rank() + 1 - rank..]].concat())
}
