//! Weights: the files they are published in, the names they are published under, and what a model draws
//! them from.
//!
//! A [`Checkpoint`] is an opened file; a [`Convention`] says how its publisher names the tensors; [`Weights`]
//! hands them to a model by the model's own names and notes what does not fit.

mod checkpoint;
mod config;
mod convention;
#[cfg(test)]
mod fit_tests;
mod inflate;
mod pth;
mod random;
mod report;
mod safetensors;
mod sniff;
mod source;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(feature = "pth")]
mod torch_zip;

pub use checkpoint::{Checkpoint, Entry};
pub use config::{Config, Preprocessing};
pub use convention::{Convention, Fit, Naming};
pub use inflate::Inflation;
pub use safetensors::save_safetensors;
pub(crate) use source::long;
pub use source::{Weight, Weights};
