//! Optical flow: TV-L1, files, measures and pictures.
//!
//! A flow is a float tensor `[H, W, 2]`: how many pixels each pixel of the first frame moves, along x (to the right) and
//! along y (down), so that `second(x + u, y + v) ≈ first(x, y)`. Where nothing is known both components are
//! [`UNKNOWN`], as Middlebury's files have it.

mod clip;
mod file;
mod measure;
mod picture;
mod tvl1;

use crate::error::{Error, Result};
use crate::tensor::Tensor;

pub use clip::{FlowPlan, gray};
pub use file::{read, write};
pub use measure::{Measures, measure};
pub use picture::{Coloring, arrows, longest, picture, warp};
pub use tvl1::{Brightness, DualTvl1, Pyramid, Warping};

/// Both components of the flow of a pixel of which nothing is known.
pub const UNKNOWN: f32 = 1.666_666_8e9;

/// Magnitudes of a component beyond this mean that nothing is known.
const MOST_KNOWN: f32 = 1e9;

fn is_known(pixel: &[f32]) -> bool {
    // Written so that NaN is not known.
    pixel.iter().all(|c| c.abs() <= MOST_KNOWN)
}

/// Height, width and components of a flow.
fn components(flow: &Tensor) -> Result<([usize; 2], &[f32])> {
    match flow.shape().dims("a flow", "[H, W, 2]")? {
        [h, w, 2] => Ok(([h, w], flow.f32s()?)),
        [_, _, c] => {
            Err(Error::bad_input(format!("a flow has 2 components, not {c}: its shape is {}", flow.shape())))
        }
    }
}
