//! Optical flow: TV-L1 and Farnebäck's, files, measures, pictures, and what networks take of it.
//!
//! A flow is a float tensor `[H, W, 2]`: how many pixels each pixel of the first frame moves, along x (to the right) and
//! along y (down), so that `second(x + u, y + v) ≈ first(x, y)`. Where nothing is known both components are
//! [`UNKNOWN`], as Middlebury's files have it.

mod clip;
mod farneback;
mod file;
mod measure;
mod method;
mod picture;
mod recipe;
#[cfg(test)]
mod recipe_tests;
mod recipes;
mod stack;
mod tvl1;

use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::tensor::Tensor;

pub use clip::{FlowPlan, gray};
pub use farneback::Farneback;
pub use file::{read, write};
pub use measure::{Measures, measure};
pub use method::{Difference, Method};
pub use picture::{Coloring, arrows, difference_picture, longest, picture, warp};
pub use recipe::{FlowRecipe, Windows};
pub use recipes::FLOW_RECIPES;
pub use stack::{Encoding, Order, stack};
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

/// Number, height and width of the frames of a method, `[N, H, W, 1]` both, if the flow to begin with fits them.
fn frames(g: &Graph, first: Value, second: Value, initial: Option<Value>) -> Result<[usize; 3]> {
    let [n, h, w, c] = g.shape(first).dims("the frames", "[N, H, W, 1]")?;
    if c != 1 || g.shape(first) != g.shape(second) {
        let (a, b) = (g.shape(first), g.shape(second));
        return Err(Error::bad_input(format!("frames of {a} and {b}: both must be [N, H, W, 1]")));
    }
    if let Some(shape) = initial.map(|v| g.shape(v)).filter(|s| ***s != [n, h, w, 2]) {
        return Err(Error::bad_input(format!("an initial flow of {shape}: it must be [{n}, {h}, {w}, 2]")));
    }
    Ok([n, h, w])
}
