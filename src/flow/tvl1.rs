//! TV-L1 optical flow, from coarse to fine.

mod pyramid;
mod warping;

use super::frames;
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Binary, Interpolation, Reduce, Reduction, Resize, Tvl1, Tvl1State};
use crate::tensor::Tensor;

pub use pyramid::Pyramid;
pub use warping::Warping;

/// What becomes of the brightness of the frames, which are given in 0 … 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Brightness {
    /// It stays as it is.
    #[default]
    Kept,
    /// The darkest pixel of each pair becomes 0, the brightest 255.
    Stretched,
    /// 255 becomes 1.
    Unit,
}

/// TV-L1 optical flow (Zach, Pock and Bischof, A Duality Based Approach for Realtime TV-L1 Optical Flow, 2007) from
/// coarse to fine: at each level of a pyramid several warps of the second frame, and the iterations of [`Tvl1`] after
/// each.
///
/// The default is the recipe of OpenCV 5's `DualTVL1OpticalFlow`, with its parameters (OpenCV 4 rounds the places of its
/// warps to 1/32 of a pixel and comes to slightly other flows); [`DualTvl1::ipol`] and [`DualTvl1::skimage`] are others.
///
/// NaN in a frame makes the flow NaN where it reaches, and spreads at coarse levels: such flows are of no use. Frames
/// may be as small as one pixel, of which nothing is seen to move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DualTvl1 {
    /// The iterations of each warp.
    pub solver: Tvl1,
    /// Levels of the pyramid at most; see [`Pyramid`] for how small the coarsest may be.
    pub scales: usize,
    /// Warps at each level.
    pub warps: usize,
    /// How long a level's sides are against those of the level before, more than 0 and less than 1.
    pub scale_step: f64,
    /// What becomes of the brightness.
    pub brightness: Brightness,
    /// Deviation of a Gaussian that the frames are smoothed by, in pixels; 0 for none. A frame must have more pixels a
    /// side than five deviations.
    pub smoothing: f64,
    /// How levels are made of each other.
    pub pyramid: Pyramid,
    /// How the second frame and its gradient are brought back along the flow.
    pub warping: Warping,
}

impl Default for DualTvl1 {
    fn default() -> Self {
        DualTvl1 {
            solver: Tvl1::default(),
            scales: 5,
            warps: 5,
            scale_step: 0.8,
            brightness: Brightness::Kept,
            smoothing: 0.0,
            pyramid: Pyramid::Bilinear,
            warping: Warping::Cubic,
        }
    }
}

impl DualTvl1 {
    /// The recipe and the parameters of Sánchez, Meinhardt-Llopis and Facciolo, TV-L1 Optical Flow Estimation (Image
    /// Processing On Line, 2013).
    pub fn ipol() -> DualTvl1 {
        DualTvl1 {
            solver: Tvl1 {
                flat: 1e-10,
                inner_iterations: 300,
                outer_iterations: 1,
                median_filtering: 0,
                ..Tvl1::default()
            },
            scales: 100,
            warps: 5,
            scale_step: 0.5,
            brightness: Brightness::Stretched,
            smoothing: 0.8,
            pyramid: Pyramid::Cubic,
            warping: Warping::CubicInside,
        }
    }

    /// The recipe and the parameters of scikit-image's `optical_flow_tvl1`, whose `attachment` is [`Tvl1::lambda`] and
    /// whose `tightness` is [`Tvl1::theta`]. A level's warps end for a pair when the flow comes no farther than
    /// [`Tvl1::epsilon`], the root of its `tol`, from the first step of the warp.
    pub fn skimage() -> DualTvl1 {
        DualTvl1 {
            solver: Tvl1 {
                lambda: 15.0,
                flat: 0.0,
                inner_iterations: 10,
                outer_iterations: 1,
                dual_iterations: 2,
                median_filtering: 0,
                ..Tvl1::default()
            },
            scales: 10,
            warps: 5,
            scale_step: 0.5,
            brightness: Brightness::Unit,
            smoothing: 0.0,
            pyramid: Pyramid::Reduce,
            warping: Warping::LinearThenGradient,
        }
    }

    /// Adds the flow from the frames `first` to the frames `second`, both `[N, H, W, 1]` from 0 to 255: `[N, H, W, 2]`
    /// pixels along x and y. `initial`, of the same shape, is where to begin; nothing moves if it is not given.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when shapes or parameters do not fit.
    pub fn add(&self, g: &mut Graph, first: Value, second: Value, initial: Option<Value>) -> Result<Value> {
        let [n, h, w] = frames(g, first, second, initial)?;
        if !(self.scale_step > 0.0 && self.scale_step < 1.0) || self.scales == 0 || self.warps == 0 {
            return Err(Error::bad_input(format!(
                "scales {}, warps {}, scale_step {}: one or more, one or more, and between 0 and 1",
                self.scales, self.warps, self.scale_step
            )));
        }
        if !(0.0..=MOST_SMOOTHING).contains(&self.smoothing) {
            return Err(Error::bad_input(format!(
                "smoothing {}: 0 to {MOST_SMOOTHING} is possible",
                self.smoothing
            )));
        }
        let sizes = self.pyramid.sizes([h, w], self.scales, self.scale_step);
        let mut levels = vec![self.prepared(g, first, second)?];
        for size in &sizes[1..] {
            let (a, b) = levels[levels.len() - 1];
            levels.push((self.smaller(g, a, *size)?, self.smaller(g, b, *size)?));
        }
        let mut flow = self.beginning(g, n, &sizes, initial)?;
        for (level, (first, second)) in levels.into_iter().enumerate().rev() {
            flow = g.scope(&format!("level{level}"), |g| {
                let [_, h, w, _] = g.shape(first).dims("the frames", "[N, H, W, 1]")?;
                let mut flow = flow;
                if g.shape(flow)[1..3] != [h, w] {
                    flow = self.pyramid.larger(g, flow, [h, w])?;
                    flow = self.lengthened(
                        g,
                        flow,
                        self.pyramid.growth(sizes[level + 1], [h, w], self.scale_step),
                    )?;
                }
                self.level(g, first, second, flow)
            })?;
        }
        if self.solver.channels() > 2 { g.slice_axis(flow, -1, 0, Some(2)) } else { Ok(flow) }
    }

    /// All warps of a level.
    fn level(&self, g: &mut Graph, first: Value, second: Value, flow: Value) -> Result<Value> {
        let source = self.warping.source(g, second)?;
        let mut state = Tvl1State { flow, dual: None, settled: None };
        for _ in 0..self.warps {
            let leads = match self.solver.channels() {
                2 => state.flow,
                _ => g.slice_axis(state.flow, -1, 0, Some(2))?,
            };
            let warped = self.warping.warp(g, source, leads)?;
            state = g.tvl1(warped, first, state, &self.solver)?;
        }
        Ok(state.flow)
    }

    /// The frames of the finest level.
    fn prepared(&self, g: &mut Graph, first: Value, second: Value) -> Result<(Value, Value)> {
        let (mut first, mut second) = (first, second);
        match self.brightness {
            Brightness::Kept => {}
            Brightness::Unit => {
                (first, second) = (g.affine(first, 1.0 / 255.0, 0.0)?, g.affine(second, 1.0 / 255.0, 0.0)?);
            }
            Brightness::Stretched => {
                let mut of_both = |mode, function| {
                    let over = Reduce { keepdim: true, ..Reduce::over(mode, &[1, 2, 3]) };
                    let (a, b) = (g.reduce(first, &over)?, g.reduce(second, &over)?);
                    g.binary(a, b, function)
                };
                let low = of_both(Reduction::Min, Binary::Minimum)?;
                let high = of_both(Reduction::Max, Binary::Maximum)?;
                let range = g.binary(high, low, Binary::Sub)?;
                // Where all is the same nothing is stretched.
                let range = g.clamp(range, Some(1e-30), None)?;
                let mut stretched = |x| {
                    let x = g.binary(x, low, Binary::Sub)?;
                    let x = g.affine(x, 255.0, 0.0)?;
                    g.binary(x, range, Binary::Div)
                };
                (first, second) = (stretched(first)?, stretched(second)?);
            }
        }
        if self.smoothing > 0.0 {
            let smooth =
                |g: &mut Graph, x| pyramid::smoothed(g, x, &pyramid::published_gaussian(self.smoothing));
            (first, second) = (smooth(g, first)?, smooth(g, second)?);
        }
        Ok((first, second))
    }

    fn smaller(&self, g: &mut Graph, x: Value, size: [usize; 2]) -> Result<Value> {
        self.pyramid.smaller(g, x, size, self.scale_step)
    }

    /// The flow to begin with at the coarsest level.
    fn beginning(
        &self,
        g: &mut Graph,
        n: usize,
        sizes: &[[usize; 2]],
        initial: Option<Value>,
    ) -> Result<Value> {
        let [h, w] = sizes[sizes.len() - 1];
        let channels = self.solver.channels();
        let Some(mut flow) = initial else {
            return Ok(g.constant("no motion", Tensor::from_fn(&[n, h, w, channels], |_| 0.0)?));
        };
        for size in &sizes[1..] {
            // As OpenCV does it, whatever the frames' pyramid.
            let resize = Resize {
                scale_factor: Some(vec![self.scale_step]),
                ..Resize::to(Interpolation::Linear, size)
            };
            flow = g.resize(flow, &resize)?;
            let shrink = g.constant("scale_step", Tensor::new(&[1], vec![self.scale_step as f32])?);
            flow = g.binary(flow, shrink, Binary::Mul)?;
        }
        if channels == 2 {
            return Ok(flow);
        }
        let no_change = g.constant("no change of brightness", Tensor::from_fn(&[n, h, w, 1], |_| 0.0)?);
        g.concat(&[flow, no_change], -1)
    }

    /// The flow in longer units; a change of brightness stays as it is.
    fn lengthened(&self, g: &mut Graph, flow: Value, [x, y]: [f64; 2]) -> Result<Value> {
        let factors = [x as f32, y as f32, 1.0];
        let channels = self.solver.channels();
        let factors = g.constant("growth", Tensor::new(&[channels], factors[..channels].to_vec())?);
        g.binary(flow, factors, Binary::Mul)
    }
}

/// The largest deviation that frames are smoothed by.
const MOST_SMOOTHING: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_end_at_sixteen_pixels() {
        let sizes = |method: DualTvl1, h, w| method.pyramid.sizes([h, w], method.scales, method.scale_step);
        let defaults = DualTvl1::default();
        assert_eq!(sizes(defaults, 240, 320), [[240, 320], [192, 256], [154, 205], [123, 164], [98, 131]]);
        assert_eq!(sizes(defaults, 21, 100), [[21, 100], [17, 80]]);
        assert_eq!(sizes(defaults, 3, 4), [[3, 4]]);
        // 1 + log₂(hypot(51, 33) / 16) = 2.92 levels.
        assert_eq!(sizes(DualTvl1::ipol(), 33, 51), [[33, 51], [17, 26]]);
        assert_eq!(sizes(DualTvl1::ipol(), 5, 5), [[5, 5]]);
        assert_eq!(sizes(DualTvl1::skimage(), 67, 80), [[67, 80], [34, 40], [17, 20]]);
        assert_eq!(sizes(DualTvl1::skimage(), 32, 99), [[32, 99]]);
    }
}
