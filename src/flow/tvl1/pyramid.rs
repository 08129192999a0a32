//! Levels of a pyramid, made of each other.

use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Conv2d, Coordinates, GridSample, Interpolation, Resize, Sampling, SamplingPadding};
use crate::tensor::Tensor;

/// The sides at which coarser levels end.
const SMALLEST: usize = 16;

/// How the levels of a pyramid are made of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Pyramid {
    /// Bilinear both ways, without a blur; pixels are squares, whose edges meet. No level but the first has a side below
    /// 16. So OpenCV does it.
    #[default]
    Bilinear,
    /// A Gaussian, then a cubic (a = −½) both ways; pixels are points, the first of which meet. As many levels as bring
    /// the diagonal to 16 pixels. So the program of Image Processing On Line does it.
    Cubic,
    /// A Gaussian, then bilinear down to halves, rounded up, and the nearest pixel up; no level is made of one with a
    /// side of 16/`scale_step` pixels or less. So scikit-image does it.
    Reduce,
}

/// The half of a Gaussian from its middle on, and whether a frame goes on, before its first and after its last pixels,
/// as its mirror image about them, or else about their outer edges.
pub(super) struct Gaussian {
    taps: Vec<f64>,
    about_pixels: [bool; 2],
}

fn gaussian(deviation: f64, radius: usize, about_pixels: [bool; 2]) -> Gaussian {
    let tap = |i: usize| (-((i * i) as f64) / (2.0 * deviation * deviation)).exp();
    let total: f64 = tap(0) + 2.0 * (1..=radius).map(tap).sum::<f64>();
    Gaussian { taps: (0..=radius).map(|i| tap(i) / total).collect(), about_pixels }
}

/// The Gaussian of the program of Image Processing On Line, which reaches five deviations.
pub(super) fn published_gaussian(deviation: f64) -> Gaussian {
    gaussian(deviation, (5.0 * deviation) as usize, [true, false])
}

impl Pyramid {
    /// Height and width of every level, the finest first.
    pub(super) fn sizes(self, full: [usize; 2], most: usize, step: f64) -> Vec<[usize; 2]> {
        let diagonal = (full[0] as f64).hypot(full[1] as f64);
        let by_diagonal = (1.0 + (diagonal / SMALLEST as f64).ln() / (1.0 / step).ln()).max(1.0) as usize;
        let most = if self == Pyramid::Cubic { most.min(by_diagonal) } else { most };
        let mut sizes = vec![full];
        while sizes.len() < most {
            let last = sizes[sizes.len() - 1];
            let ends = |next: [usize; 2]| match self {
                Pyramid::Bilinear => next.into_iter().any(|n| n < SMALLEST),
                Pyramid::Cubic => next.contains(&0) || next == last,
                Pyramid::Reduce => last.into_iter().any(|n| n as f64 <= SMALLEST as f64 / step),
            };
            let next = last.map(|n| {
                let exact = n as f64 * step;
                match self {
                    Pyramid::Bilinear => exact.round_ties_even() as usize,
                    Pyramid::Cubic => (exact + 0.5) as usize,
                    Pyramid::Reduce => exact.ceil() as usize,
                }
            });
            if ends(next) {
                break;
            }
            sizes.push(next);
        }
        sizes
    }

    /// The next coarser level of frames.
    pub(super) fn smaller(self, g: &mut Graph, x: Value, size: [usize; 2], step: f64) -> Result<Value> {
        match self {
            Pyramid::Bilinear => {
                // Steps of exactly 1/step, whatever the rounding of the sides.
                let to = Resize::to(Interpolation::Linear, &size);
                g.resize(x, &Resize { scale_factor: Some(vec![step]), ..to })
            }
            Pyramid::Cubic => {
                let deviation = 0.6 * (1.0 / (step * step) - 1.0).sqrt();
                let x = smoothed(g, x, &published_gaussian(deviation))?;
                sampled(g, x, size, Sampling::Bicubic, |_, i| i as f64 / step)
            }
            Pyramid::Reduce => {
                let deviation = 2.0 / step / 6.0;
                let x = smoothed(g, x, &gaussian(deviation, (4.0 * deviation + 0.5) as usize, [false; 2]))?;
                g.resize(x, &Resize::to(Interpolation::Linear, &size))
            }
        }
    }

    /// A flow at the next finer level, its vectors as long as before.
    pub(super) fn larger(self, g: &mut Graph, flow: Value, size: [usize; 2]) -> Result<Value> {
        let [_, h, w, _] = g.shape(flow).dims("the flow", "[N, H, W, 2]")?;
        let from = [h, w];
        match self {
            Pyramid::Bilinear => g.resize(flow, &Resize::to(Interpolation::Linear, &size)),
            Pyramid::Cubic => {
                let place = |axis: usize, i: usize| i as f64 * from[axis] as f64 / size[axis] as f64;
                sampled(g, flow, size, Sampling::Bicubic, place)
            }
            Pyramid::Reduce => {
                // The outermost centres meet; of two as near the later one.
                let place = |axis: usize, i: usize| {
                    let step = (from[axis] - 1) as f64 / size[axis].saturating_sub(1).max(1) as f64;
                    (i as f64 * step + 0.5).floor()
                };
                sampled(g, flow, size, Sampling::Nearest, place)
            }
        }
    }

    /// How much longer its vectors are then, along x and y.
    pub(super) fn growth(self, from: [usize; 2], to: [usize; 2], step: f64) -> [f64; 2] {
        match self {
            Pyramid::Reduce => [1, 0].map(|axis| to[axis] as f64 / from[axis] as f64),
            _ => [1.0 / step; 2],
        }
    }
}

/// `x` `[N, H, W, C]` at the places, in pixels, of a grid that `place` gives for each axis and index.
fn sampled(
    g: &mut Graph,
    x: Value,
    [h, w]: [usize; 2],
    mode: Sampling,
    place: impl Fn(usize, usize) -> f64,
) -> Result<Value> {
    let n = g.shape(x)[0];
    let places = Tensor::from_fn(&[1, h, w, 2], |i| match i % 2 {
        0 => place(1, i / 2 % w) as f32,
        _ => place(0, i / 2 / w) as f32,
    })?;
    let mut grid = g.constant("places", places);
    if n > 1 {
        grid = g.expand(grid, &[n, h, w, 2])?;
    }
    let cubic_coeff_a = (mode == Sampling::Bicubic).then_some(-0.5);
    let sample = GridSample {
        mode,
        padding_mode: SamplingPadding::Border,
        coordinates: Coordinates::Pixels,
        cubic_coeff_a,
        ..GridSample::default()
    };
    g.grid_sample(x, grid, &sample)
}

/// Frames `[N, H, W, 1]` under a Gaussian.
pub(super) fn smoothed(g: &mut Graph, x: Value, gaussian: &Gaussian) -> Result<Value> {
    let radius = gaussian.taps.len() - 1;
    let [_, h, w, _] = g.shape(x).dims("the frames", "[N, H, W, 1]")?;
    if h.min(w) <= radius {
        return Err(Error::bad_input(format!(
            "frames of {w}x{h} are too small for a Gaussian that reaches {radius} pixels: {} pixels a side are needed",
            radius + 1
        )));
    }
    let weights = Tensor::from_fn(&[2 * radius + 1], |i| gaussian.taps[i.abs_diff(radius)] as f32)?;
    let mut x = x;
    for (axis, kernel) in [(2, [1, 2 * radius + 1, 1, 1]), (1, [2 * radius + 1, 1, 1, 1])] {
        let weights = g.constant("gaussian", weights.reshape(&kernel)?);
        x = mirrored(g, x, axis, radius, gaussian.about_pixels)?;
        x = g.conv2d(x, weights, None, &Conv2d::default())?;
    }
    Ok(x)
}

/// More elements at both ends of an axis: the mirror image about the outermost pixels, or about their outer edges.
fn mirrored(g: &mut Graph, x: Value, axis: usize, reach: usize, about_pixels: [bool; 2]) -> Result<Value> {
    if reach == 0 {
        return Ok(x);
    }
    let length = g.shape(x)[axis];
    let [near, far] = about_pixels.map(usize::from);
    let dim = axis as isize;
    let before = g.slice_axis(x, dim, near as isize, Some((near + reach) as isize))?;
    let after = g.slice_axis(x, dim, (length - far - reach) as isize, Some((length - far) as isize))?;
    let (before, after) = (g.flip(before, &[dim])?, g.flip(after, &[dim])?);
    g.concat(&[before, x, after], dim)
}
