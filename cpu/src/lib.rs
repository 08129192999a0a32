//! The fast kernels of kinetograph's CPU executor.
//!
//! What costs most of a network's time is here a second time beside the naive `kinetograph-ref`, with f32 sums, vectors
//! of the width that the processor has (found at run time) and all its cores. Tensors are slices, the last axis
//! contiguous; activations are channels last, `[N, T, H, W, C]`. Functions trust their arguments: the operators check
//! them before.
//!
//! Every element is summed in an order that depends on its own place and the shapes alone: the bits of a result depend
//! neither on the number of threads nor on chance.

pub mod activation;
pub mod attention;
pub mod batch_norm;
pub mod binary;
pub mod conv3d;
pub mod group_norm;
pub mod linear;
mod math;
pub mod matmul;
pub mod norm;
pub mod permute;
pub mod pool3d;
mod product;
pub mod softmax;
pub mod sort;
pub mod tvl1;
pub mod vector_quantize;

pub use product::all_finite;

/// What is done in the end with parts of an output, each element of which is in one: an activation. Nothing public here is
/// generic, or it would be compiled as its callers are, in tests hardly optimised.
pub type Finish<'a> = &'a (dyn Fn(&mut [f32]) + Sync);
