//! Farnebäck's optical flow, from coarse to fine.

use super::frames;
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{
    Binary, FarnebackUpdate, FilterPadding, Interpolation, PolynomialExpansion, Resize, Upfirdn2d,
};
use crate::tensor::Tensor;

/// The sides below which no coarser level is made.
const SMALLEST: f64 = 32.0;

/// Farnebäck's optical flow (Two-Frame Motion Estimation Based on Polynomial Expansion, 2003) with the recipe and the
/// names of OpenCV's `calcOpticalFlowFarneback`: at each level both frames are blurred as wide as the level is coarse
/// and resized, quadratic polynomials are laid through their pixels' neighbourhoods
/// ([`PolynomialExpansion`]), and from these the flow is found anew some times ([`FarnebackUpdate`]).
///
/// The defaults are those of OpenCV's documented examples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Farneback {
    /// How long a level's sides are against those of the level before, more than 0 and less than 1.
    pub pyr_scale: f64,
    /// Coarser levels at most, the frames themselves not counted (OpenCV's documentation counts them, its code does
    /// not); none has a side below 32 pixels.
    pub levels: usize,
    /// Side of the window in which motion is taken to be one, 2 pixels or more.
    pub winsize: usize,
    /// How often the flow is found anew at each level.
    pub iterations: usize,
    /// Pixels on either side that a polynomial is laid through, 5 or 7 as a rule.
    pub poly_n: usize,
    /// Deviation of the Gaussian that weights them; 1.1 or 1.2 for 5 pixels, 1.5 for 7 as a rule.
    pub poly_sigma: f64,
    /// Whether the window's weights are those of a Gaussian (`OPTFLOW_FARNEBACK_GAUSSIAN`), and not all alike.
    pub gaussian: bool,
}

impl Default for Farneback {
    fn default() -> Self {
        Farneback {
            pyr_scale: 0.5,
            levels: 3,
            winsize: 15,
            iterations: 3,
            poly_n: 5,
            poly_sigma: 1.2,
            gaussian: false,
        }
    }
}

impl Farneback {
    /// What `dense_flow` takes, with which the flow of several published two-stream networks' data was made.
    pub fn dense_flow() -> Self {
        Farneback {
            pyr_scale: 0.702,
            levels: 5,
            winsize: 10,
            iterations: 2,
            poly_n: 7,
            poly_sigma: 1.5,
            gaussian: true,
        }
    }

    /// Adds the flow from the frames `first` to the frames `second`, both `[N, H, W, 1]` from 0 to 255: `[N, H, W, 2]`
    /// pixels along x and y. `initial`, of the same shape, is where to begin; nothing moves if it is not given.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when shapes or parameters do not fit.
    pub fn add(&self, g: &mut Graph, first: Value, second: Value, initial: Option<Value>) -> Result<Value> {
        let [n, height, width] = frames(g, first, second, initial)?;
        if !(self.pyr_scale > 0.0 && self.pyr_scale < 1.0) || self.iterations == 0 {
            return Err(Error::bad_input(format!(
                "pyr_scale {}, iterations {}: between 0 and 1, and one or more",
                self.pyr_scale, self.iterations
            )));
        }
        let expansion = PolynomialExpansion { poly_n: self.poly_n, poly_sigma: self.poly_sigma };
        let update = FarnebackUpdate { winsize: self.winsize, gaussian: self.gaussian };
        let grow = g.constant("1/pyr_scale", Tensor::new(&[1], vec![(1.0 / self.pyr_scale) as f32])?);
        let mut flow = None;
        for (level, scale) in self.scales([height, width]).into_iter().enumerate().rev() {
            flow = Some(g.scope(&format!("level{level}"), |g| {
                let size = [height, width].map(|n| (n as f64 * scale).round_ties_even() as usize);
                let mut expansions = Vec::new();
                for frame in [first, second] {
                    let frame = blurred(g, frame, scale)?;
                    let frame = g.resize(frame, &Resize::to(Interpolation::Linear, &size))?;
                    expansions.push(g.polynomial_expansion(frame, &expansion)?);
                }
                let mut flow = match (flow, initial) {
                    (Some(coarser), _) => {
                        let flow = g.resize(coarser, &Resize::to(Interpolation::Linear, &size))?;
                        g.binary(flow, grow, Binary::Mul)?
                    }
                    (None, Some(initial)) => averaged(g, initial, size, scale)?,
                    (None, None) => {
                        let still = Tensor::from_fn(&[n, size[0], size[1], 2], |_| 0.0)?;
                        g.constant("no motion", still)
                    }
                };
                for _ in 0..self.iterations {
                    flow = g.farneback_update(expansions[0], expansions[1], flow, &update)?;
                }
                Ok(flow)
            })?);
        }
        flow.ok_or_else(|| Error::internal("a pyramid without a level"))
    }

    /// The scale of every level, the finest first.
    fn scales(&self, size: [usize; 2]) -> Vec<f64> {
        let mut scales = vec![1.0];
        while scales.len() <= self.levels {
            let scale = scales[scales.len() - 1] * self.pyr_scale;
            if size.into_iter().any(|n| n as f64 * scale < SMALLEST) {
                break;
            }
            scales.push(scale);
        }
        scales
    }
}

/// The Gaussian that the frames are blurred with before they are resized by `scale`.
fn gaussian(scale: f64) -> Vec<f32> {
    let sigma = (1.0 / scale - 1.0) / 2.0;
    let taps = ((5.0 * sigma).round_ties_even() as usize | 1).max(3);
    // OpenCV's table for a blur of three pixels without a width.
    if sigma == 0.0 {
        return vec![0.25, 0.5, 0.25];
    }
    let weight = |k: usize| (-(k.abs_diff(taps / 2).pow(2) as f64) / (2.0 * sigma * sigma)).exp();
    let all: f64 = (0..taps).map(weight).sum();
    (0..taps).map(|k| (weight(k) / all) as f32).collect()
}

/// The frame under the Gaussian of a scale, mirrored beyond its borders.
fn blurred(g: &mut Graph, frame: Value, scale: f64) -> Result<Value> {
    let [_, h, w, _] = g.shape(frame).dims("the frames", "[N, H, W, 1]")?;
    let filter = gaussian(scale);
    let (taps, reach) = (filter.len(), (filter.len() / 2) as isize);
    let mut frame = frame;
    for (axis, length, shape) in [(1, w, [1, taps]), (0, h, [taps, 1])] {
        // The mirror image of a single pixel is that pixel.
        if length > 1 {
            let name = ["gaussian along y", "gaussian along x"][axis];
            let weights = g.constant(name, Tensor::new(&shape, filter.clone())?);
            let mut padding = [[0; 2]; 2];
            padding[axis] = [reach; 2];
            let filtering =
                Upfirdn2d { padding, padding_mode: FilterPadding::Reflect, ..Upfirdn2d::default() };
            frame = g.upfirdn2d(frame, weights, &filtering)?;
        }
    }
    Ok(frame)
}

/// A flow made smaller, each pixel the mean of what it covers, OpenCV's `INTER_AREA`, and shorter by the same scale.
fn averaged(g: &mut Graph, flow: Value, [h, w]: [usize; 2], scale: f64) -> Result<Value> {
    let [_, height, width, _] = g.shape(flow).dims("the initial flow", "[N, H, W, 2]")?;
    if [h, w] == [height, width] {
        return Ok(flow);
    }
    let rows = g.constant("means along y", means(height, h, 1.0)?);
    let columns = g.constant("means along x", means(width, w, scale)?);
    let flow = g.einsum("oh,nhwc->nowc", &[rows, flow])?;
    g.einsum("ow,nhwc->nhoc", &[columns, flow])
}

/// The matrix `[to, from]` that takes `to` times a mean over `from / to` elements.
fn means(from: usize, to: usize, times: f64) -> Result<Tensor> {
    let step = from as f64 / to as f64;
    Tensor::from_fn(&[to, from], |i| {
        let (begin, element) = ((i / from) as f64 * step, (i % from) as f64);
        let covered = (begin + step).min(element + 1.0) - begin.max(element);
        (times * covered.max(0.0) / step) as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_end_at_thirty_two_pixels() {
        let scales = |h, w, levels| Farneback { levels, ..Farneback::default() }.scales([h, w]);
        assert_eq!(scales(240, 320, 3), [1.0, 0.5, 0.25]);
        assert_eq!(scales(240, 320, 1), [1.0, 0.5]);
        assert_eq!(scales(64, 640, 5), [1.0, 0.5]);
        assert_eq!(scales(63, 640, 5), [1.0]);
        assert_eq!(scales(480, 640, 0), [1.0]);
    }

    #[test]
    fn blurs_are_as_wide_as_a_level_is_coarse() {
        assert_eq!(gaussian(1.0), [0.25, 0.5, 0.25]);
        assert_eq!([0.5, 0.25, 0.125].map(|s| gaussian(s).len()), [3, 9, 19]);
        let sum: f32 = gaussian(0.25).iter().sum();
        assert!((sum - 1.0).abs() < 1e-6);
    }

    #[test]
    fn means_cover_what_they_stand_for() {
        let m = means(5, 2, 10.0).unwrap();
        assert_eq!(m.f32s().unwrap(), [4.0, 4.0, 2.0, 0.0, 0.0, 0.0, 0.0, 2.0, 4.0, 4.0]);
    }
}
