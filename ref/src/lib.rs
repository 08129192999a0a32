//! The CPU reference of every kinetograph operator.
//!
//! Naive loops with f64 sums and nothing shared between operators, so that each can be checked by reading it.
//! Tensors are slices, the last axis contiguous; activations are channels last, `[N, T, H, W, C]`. Functions
//! trust their arguments: the operators check them before.

pub mod activation;
pub mod adaptive_pool3d;
pub mod affine_grid;
pub mod arg_reduce;
pub mod attention;
pub mod batch_norm;
pub mod binary;
pub mod bincount;
pub mod box_iou;
pub mod cast;
pub mod concat;
pub mod conv3d;
pub mod conv_transpose3d;
pub mod cumulative;
pub mod ema_codebook;
pub mod embedding;
pub mod farneback_update;
pub mod gated;
pub mod gather;
pub mod grid_sample;
pub mod group_norm;
pub mod gru_cell;
pub mod linear;
pub mod local_response_norm;
pub mod lstm_cell;
pub mod matmul;
pub mod max_unpool3d;
pub mod median;
pub mod nms;
pub mod norm;
pub mod one_hot;
pub mod pad;
pub mod permute;
pub mod perplexity;
pub mod polynomial_expansion;
pub mod pool3d;
pub mod quantile;
pub mod random;
pub mod reduce;
pub mod relative_scores;
pub mod repeat;
pub mod resize;
pub mod roi_align;
pub mod roi_pool;
pub mod roll;
pub mod scalar_quantize;
pub mod scatter_add;
pub mod select;
pub mod slice;
pub mod softmax;
pub mod sort;
pub mod tvl1;
pub mod unary;
pub mod upfirdn2d;
pub mod vector_quantize;
pub mod window_attention;
