//! What self-supervised features are for: which places and moments of clips are the same.

mod alignment;
mod label_propagation;

pub use alignment::{Alignment, align};
pub use label_propagation::{LabelPropagation, Propagation};
