//! What self-supervised features are for: which places and moments of clips are the same, and how fast a clip may be played.

mod alignment;
mod label_propagation;
mod speedup;
mod time_warp;

pub use alignment::{Alignment, align};
pub use label_propagation::{LabelPropagation, Propagation};
pub use speedup::{RateCurve, Speedup, natural_rates, picked};
pub use time_warp::{distances, kendalls_tau, nearest_frames, time_warp};
