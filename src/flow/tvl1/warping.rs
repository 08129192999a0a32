//! Frames and their gradients brought back along a flow.

use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{
    Binary, Conv2d, Coordinates, GridSample, PaddingMode, Reduce, Reduction, Sampling, SamplingPadding,
};
use crate::tensor::Tensor;

/// How a second frame and its gradient are brought back along a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Warping {
    /// Both by a cubic (a = −¾), of pixels that are zero beyond the frame. So OpenCV does it.
    #[default]
    Cubic,
    /// Both by a cubic (a = −½); zero where one of its sixteen pixels lies beyond the frame. So the program of Image
    /// Processing On Line does it.
    CubicInside,
    /// The frame bilinearly, its border going on outside, and then the gradient of what comes of it, one-sided at its
    /// border. So scikit-image does it.
    LinearThenGradient,
}

impl Warping {
    /// What is brought back: frames `[N, H, W, 1]`, or with their central differences along x and y `[N, H, W, 3]`.
    pub(super) fn source(self, g: &mut Graph, frames: Value) -> Result<Value> {
        match self {
            Warping::Cubic | Warping::CubicInside => derived(g, frames),
            Warping::LinearThenGradient => Ok(frames),
        }
    }

    /// The source where a flow `[N, H, W, 2]` leads, with derivatives: `[N, H, W, 3]`.
    pub(super) fn warp(self, g: &mut Graph, source: Value, flow: Value) -> Result<Value> {
        let [_, h, w, _] = g.shape(flow).dims("the flow", "[N, H, W, 2]")?;
        let cubic = GridSample {
            mode: Sampling::Bicubic,
            coordinates: Coordinates::Displacement,
            ..GridSample::default()
        };
        match self {
            Warping::Cubic => g.grid_sample(source, flow, &cubic),
            Warping::CubicInside => {
                let sample =
                    GridSample { padding_mode: SamplingPadding::Border, cubic_coeff_a: Some(-0.5), ..cubic };
                let warped = g.grid_sample(source, flow, &sample)?;
                let inside = inside(g, flow, [h, w])?;
                g.binary(warped, inside, Binary::Mul)
            }
            Warping::LinearThenGradient => {
                let warped = g.warp(source, flow, SamplingPadding::Border)?;
                let derived = derived(g, warped)?;
                // One-sided differences at the borders, which a repeated border halves.
                let ends = Tensor::from_fn(&[1, h, w, 3], |i| {
                    let (x, y) = (i / 3 % w, i / 3 / w);
                    let at_end = match i % 3 {
                        0 => false,
                        1 => x == 0 || x + 1 == w,
                        _ => y == 0 || y + 1 == h,
                    };
                    if at_end { 2.0 } else { 1.0 }
                })?;
                let ends = g.constant("ends", ends);
                g.binary(derived, ends, Binary::Mul)
            }
        }
    }
}

/// 1 where all sixteen pixels of a cubic lie inside the frame, else 0: `[N, H, W, 1]`.
fn inside(g: &mut Graph, flow: Value, [h, w]: [usize; 2]) -> Result<Value> {
    let own = Tensor::from_fn(&[1, h, w, 2], |i| if i % 2 == 0 { i / 2 % w } else { i / 2 / w } as f32)?;
    let own = g.constant("own places", own);
    let places = g.binary(flow, own, Binary::Add)?;
    let first = g.constant("first place inside", Tensor::new(&[1], vec![1.0])?);
    let end = g.constant("first place outside", Tensor::new(&[2], vec![w as f32 - 2.0, h as f32 - 2.0])?);
    let after = g.binary(places, first, Binary::Ge)?;
    let before = g.binary(places, end, Binary::Lt)?;
    let both = g.binary(after, before, Binary::Mul)?;
    g.reduce(both, &Reduce { keepdim: true, ..Reduce::over(Reduction::Prod, &[3]) })
}

/// Frames and their central differences, the border repeated.
fn derived(g: &mut Graph, frames: Value) -> Result<Value> {
    // [kH, kW, 1, 3]
    let weights = Tensor::from_fn(&[3, 3, 1, 3], |i| match (i / 9, i / 3 % 3, i % 3) {
        (1, 1, 0) => 1.0,
        (1, 0, 1) | (0, 1, 2) => -0.5,
        (1, 2, 1) | (2, 1, 2) => 0.5,
        _ => 0.0,
    })?;
    let weights = g.constant("derivatives", weights);
    let replicated =
        Conv2d { padding: [[1; 2]; 2], padding_mode: PaddingMode::Replicate, ..Conv2d::default() };
    g.conv2d(frames, weights, None, &replicated)
}
