//! The CPU reference of every kinetograph operator.
//!
//! Naive loops with f64 sums and nothing shared between operators, so that each can be checked by reading it.
//! Tensors are slices, the last axis contiguous; activations are channels last, `[N, T, H, W, C]`. Functions
//! trust their arguments: the operators check them before.

pub mod activation;
pub mod adaptive_pool3d;
pub mod attention;
pub mod batch_norm;
pub mod binary;
pub mod box_iou;
pub mod concat;
pub mod conv3d;
pub mod embedding;
pub mod group_norm;
pub mod linear;
pub mod local_response_norm;
pub mod max_unpool3d;
pub mod nms;
pub mod norm;
pub mod permute;
pub mod pool3d;
pub mod reduce;
pub mod roi_align;
pub mod roi_pool;
pub mod slice;
pub mod softmax;
pub mod vector_quantize;
