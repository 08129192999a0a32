//! The CPU reference of every kinetograph operator.
//!
//! Naive loops with f64 sums and nothing shared between operators, so that each can be checked by reading it.
//! Tensors are slices, the last axis contiguous; activations are channels last, `[N, T, H, W, C]`. Functions
//! trust their arguments: the operators check them before.

pub mod activation;
pub mod attention;
pub mod batch_norm;
pub mod binary;
pub mod cast;
pub mod concat;
pub mod conv3d;
pub mod embedding;
pub mod gated;
pub mod gather;
pub mod group_norm;
pub mod linear;
pub mod norm;
pub mod one_hot;
pub mod permute;
pub mod pool3d;
pub mod reduce;
pub mod repeat;
pub mod roll;
pub mod scatter_add;
pub mod select;
pub mod slice;
pub mod softmax;
pub mod unary;
pub mod vector_quantize;
