//! GPU compute kernels for video networks, written by hand in WGSL, and a small graph executor that runs them
//! on any device that wgpu reaches (Vulkan, Metal, DX12), or on the processor.
//!
//! - [`Graph`] holds operators ([`ops`]) and is run by a plan of an [`Engine`].
//! - Activations are channels last everywhere: `[N, T, H, W, C]`.
//! - `verify` compares every kernel with its CPU reference on the user's own device.

#![forbid(unsafe_op_in_unsafe_fn)]

// Lets the `params!` macro name this crate by the same path inside it and outside.
extern crate self as kinetograph;

pub mod bench;
pub mod correspondence;
pub mod demo;
#[cfg(feature = "video")]
pub mod detection;
mod element;
pub mod error;
#[cfg(feature = "video")]
pub mod flow;
mod fs;
pub mod gpu;
pub mod graph;
pub mod labels;
pub mod models;
pub mod nn;
pub mod npy;
pub mod ops;
#[cfg(feature = "video")]
pub mod prepare;
pub mod random;
pub mod shape;
pub mod tensor;
pub mod verify;
#[cfg(feature = "video")]
pub mod video;
pub mod weights;

pub use bytemuck;
pub use wgpu;

pub use error::{Error, ErrorKind, Result};
pub use fs::write_atomic;
pub use gpu::DeviceRequest;
pub use graph::{Activation, Engine, Graph, Plan, PlanOptions, Precision, Value};
pub use shape::Shape;
pub use tensor::{DType, Data, Tensor};
