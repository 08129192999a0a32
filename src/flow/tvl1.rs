//! TV-L1 optical flow, from coarse to fine.

use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{
    Binary, Conv2d, Coordinates, GridSample, Interpolation, PaddingMode, Resize, Sampling, Tvl1, Tvl1State,
};
use crate::tensor::Tensor;

/// The sides below which no coarser level is made.
const SMALLEST: usize = 16;

/// TV-L1 optical flow (Zach, Pock and Bischof, A Duality Based Approach for Realtime TV-L1 Optical Flow, 2007) with the
/// recipe, the parameters and the defaults of OpenCV 5's `DualTVL1OpticalFlow`: a pyramid by bilinear resizing, central
/// differences, and at each level several bicubic warps with the iterations of [`Tvl1`] after each.
///
/// OpenCV 4 rounds the places of its warps to 1/32 of a pixel and comes to slightly other flows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DualTvl1 {
    /// The iterations of each warp.
    pub solver: Tvl1,
    /// Levels of the pyramid at most; none has a side below 16 pixels, but for the first.
    pub scales: usize,
    /// Warps at each level.
    pub warps: usize,
    /// How long a level's sides are against those of the level before, more than 0 and less than 1.
    pub scale_step: f64,
}

impl Default for DualTvl1 {
    fn default() -> Self {
        DualTvl1 { solver: Tvl1::default(), scales: 5, warps: 5, scale_step: 0.8 }
    }
}

impl DualTvl1 {
    /// Adds the flow from the frames `first` to the frames `second`, both `[N, H, W, 1]` from 0 to 255: `[N, H, W, 2]`
    /// pixels along x and y. `initial`, of the same shape, is where to begin; nothing moves if it is not given.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when shapes or parameters do not fit.
    pub fn add(&self, g: &mut Graph, first: Value, second: Value, initial: Option<Value>) -> Result<Value> {
        let [n, h, w, c] = g.shape(first).dims("the frames", "[N, H, W, 1]")?;
        if c != 1 || g.shape(first) != g.shape(second) {
            let (a, b) = (g.shape(first), g.shape(second));
            return Err(Error::bad_input(format!("frames of {a} and {b}: both must be [N, H, W, 1]")));
        }
        if !(self.scale_step > 0.0 && self.scale_step < 1.0) || self.scales == 0 || self.warps == 0 {
            return Err(Error::bad_input(format!(
                "scales {}, warps {}, scale_step {}: one or more, one or more, and between 0 and 1",
                self.scales, self.warps, self.scale_step
            )));
        }
        let sizes = self.sizes([h, w]);
        let mut levels = vec![(first, second)];
        for size in &sizes[1..] {
            let (a, b) = levels[levels.len() - 1];
            levels.push((self.smaller(g, a, *size)?, self.smaller(g, b, *size)?));
        }
        let derivative = g.constant("derivatives", derivatives()?);
        let shrink = g.constant("scale_step", Tensor::new(&[1], vec![self.scale_step as f32])?);
        let mut flow = None;
        if let Some(initial) = initial {
            let mut scaled = initial;
            for size in &sizes[1..] {
                scaled = self.smaller(g, scaled, *size)?;
                scaled = g.binary(scaled, shrink, Binary::Mul)?;
            }
            flow = Some(scaled);
        }
        let mut flow = match flow {
            Some(flow) => flow,
            None => {
                let [h, w] = sizes[sizes.len() - 1];
                g.constant("no motion", Tensor::from_fn(&[n, h, w, 2], |_| 0.0)?)
            }
        };
        let grow = g.constant("1/scale_step", Tensor::new(&[1], vec![(1.0 / self.scale_step) as f32])?);
        for (level, (first, second)) in levels.into_iter().enumerate().rev() {
            flow = g.scope(&format!("level{level}"), |g| {
                let [_, h, w, _] = g.shape(first).dims("the frames", "[N, H, W, 1]")?;
                let mut flow = flow;
                if g.shape(flow)[1..3] != [h, w] {
                    flow = g.resize(flow, &Resize::to(Interpolation::Linear, &[h, w]))?;
                    flow = g.binary(flow, grow, Binary::Mul)?;
                }
                let replicated = Conv2d {
                    padding: [[1; 2]; 2],
                    padding_mode: PaddingMode::Replicate,
                    ..Conv2d::default()
                };
                let sampled = GridSample {
                    mode: Sampling::Bicubic,
                    coordinates: Coordinates::Displacement,
                    ..GridSample::default()
                };
                let derived = g.conv2d(second, derivative, None, &replicated)?;
                let mut state = Tvl1State { flow, dual: None, settled: None };
                for _ in 0..self.warps {
                    let warped = g.grid_sample(derived, state.flow, &sampled)?;
                    state = g.tvl1(warped, first, state, &self.solver)?;
                }
                Ok(state.flow)
            })?;
        }
        Ok(flow)
    }

    /// Height and width of every level, the finest first.
    fn sizes(&self, full: [usize; 2]) -> Vec<[usize; 2]> {
        let mut sizes = vec![full];
        while sizes.len() < self.scales {
            let last = sizes[sizes.len() - 1];
            let next = last.map(|n| (n as f64 * self.scale_step).round_ties_even() as usize);
            if next.into_iter().any(|n| n < SMALLEST) {
                break;
            }
            sizes.push(next);
        }
        sizes
    }

    /// The next coarser level: steps of exactly 1/scale_step, whatever the rounding of its sides.
    fn smaller(&self, g: &mut Graph, x: Value, size: [usize; 2]) -> Result<Value> {
        let resize =
            Resize { scale_factor: Some(vec![self.scale_step]), ..Resize::to(Interpolation::Linear, &size) };
        g.resize(x, &resize)
    }
}

/// The weights of a convolution that gives a frame and its central differences along x and y.
fn derivatives() -> Result<Tensor> {
    // [kH, kW, 1, 3]
    Tensor::from_fn(&[3, 3, 1, 3], |i| match (i / 9, i / 3 % 3, i % 3) {
        (1, 1, 0) => 1.0,
        (1, 0, 1) | (0, 1, 2) => -0.5,
        (1, 2, 1) | (2, 1, 2) => 0.5,
        _ => 0.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_end_at_sixteen_pixels() {
        let sizes = |h, w, scales| DualTvl1 { scales, ..DualTvl1::default() }.sizes([h, w]);
        assert_eq!(sizes(240, 320, 5), [[240, 320], [192, 256], [154, 205], [123, 164], [98, 131]]);
        assert_eq!(sizes(21, 100, 5), [[21, 100], [17, 80]]);
        assert_eq!(sizes(3, 4, 5), [[3, 4]]);
    }
}
