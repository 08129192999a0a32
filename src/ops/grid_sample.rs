//! Sampling at places that a grid names, and warping by a flow.

use std::ops::RangeInclusive;

use kinetograph_ref::grid_sample as reference;
use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("grid_sample");

/// The longest axis: places between elements are told apart in f32.
const LONGEST: usize = 1 << 22;

/// What is taken from around a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Sampling {
    /// A straight line between two elements, along each axis.
    #[default]
    #[serde(alias = "trilinear")]
    Bilinear,
    /// The nearest element; of two as near the one with the even index.
    Nearest,
    /// A cubic convolution between four elements, along H and W.
    Bicubic,
}

/// What lies outside the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SamplingPadding {
    /// Zeros.
    #[default]
    Zeros,
    /// The outermost elements, again and again.
    Border,
    /// The input's mirror image, about its outermost edges or, with [`GridSample::align_corners`], centres.
    Reflection,
}

/// What the numbers of a grid mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Coordinates {
    /// −1 and 1 are the outermost edges of the input or, with [`GridSample::align_corners`], the outermost centres.
    #[default]
    Normalized,
    /// The index of an element.
    Pixels,
    /// Elements from the output's own index on, as in an optical flow.
    Displacement,
}

/// Sampling at places that a grid names, as `torch.nn.functional.grid_sample`.
///
/// A place that is NaN gives zero with [`SamplingPadding::Zeros`], and stands for index 0 else; an infinite one is
/// outside, and stands for index 0 with [`SamplingPadding::Reflection`], as in PyTorch on a GPU. An element whose
/// weight is zero does not count, even if it is NaN or infinite.
///
/// Where tensors are stored as f16, a grid's numbers have 11 bits: normalised ones tell the pixels of a picture wider
/// than 1,000 no more apart; displacements do, as long as they are small.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GridSample {
    /// What is taken from around a place.
    pub mode: Sampling,
    /// What lies outside the input.
    pub padding_mode: SamplingPadding,
    /// Whether −1 and 1 are the centres of the outermost elements, and reflections are about them.
    pub align_corners: bool,
    /// What the numbers of the grid mean.
    pub coordinates: Coordinates,
    /// The cubic's coefficient, from −0.75, which it is if not given, to 0.
    pub cubic_coeff_a: Option<f64>,
}

impl GridSample {
    fn cubic(&self) -> f64 {
        self.cubic_coeff_a.unwrap_or(-0.75)
    }

    fn padding(&self) -> reference::Padding {
        match self.padding_mode {
            SamplingPadding::Zeros => reference::Padding::Zeros,
            SamplingPadding::Border => reference::Padding::Border,
            SamplingPadding::Reflection if self.align_corners => reference::Padding::ReflectCentres,
            SamplingPadding::Reflection => reference::Padding::ReflectEdges,
        }
    }

    fn mode(&self) -> reference::Mode {
        match self.mode {
            Sampling::Bilinear => reference::Mode::Linear,
            Sampling::Nearest => reference::Mode::Nearest,
            Sampling::Bicubic => reference::Mode::Cubic(self.cubic()),
        }
    }

    /// Elements that a unit of the grid is long, and the index at zero, along an axis.
    fn unit(&self, length: usize) -> (f64, f64) {
        let last = length as f64 - 1.0;
        match self.coordinates {
            Coordinates::Normalized if self.align_corners => (last / 2.0, last / 2.0),
            Coordinates::Normalized => (length as f64 / 2.0, last / 2.0),
            Coordinates::Pixels | Coordinates::Displacement => (1.0, 0.0),
        }
    }

    fn axes(&self, shape: &Shape) -> [reference::Axis; 3] {
        let [_, t, h, w, _] = five(shape);
        [t, h, w].map(|length| {
            let (scale, offset) = self.unit(length);
            let displacement = self.coordinates == Coordinates::Displacement;
            reference::Axis { length, scale, offset, displacement }
        })
    }

    /// The elements that places as near to a grid's number as rounding may shift them are made of along an axis, none
    /// standing for a zero outside; and how far rounding may shift them.
    fn nearby(&self, axis: &reference::Axis, number: f32, own: usize) -> (Vec<Option<usize>>, f64) {
        let place = axis.place(number, own);
        let (length, padding) = (axis.length as f64, self.padding());
        let own = if axis.displacement { own as f64 } else { 0.0 };
        let reflects = self.padding_mode == SamplingPadding::Reflection;
        let steps = (f64::from(number) * axis.scale).abs()
            + if reflects { 5.0 } else { 2.0 } * place.abs()
            + axis.offset
            + own;
        let delta = if place.is_finite() { 2.0 * UNIT_ROUNDOFF * steps } else { 0.0 };
        let place = reference::defined(place, padding);
        let (low, high) = match reflects {
            true if delta >= length => (0.0, length - 1.0),
            true => (place - delta, place + delta),
            false => ((place - delta).clamp(-4.0, length + 3.0), (place + delta).clamp(-4.0, length + 3.0)),
        };
        let (low, high) = match self.mode {
            Sampling::Nearest => (low.round_ties_even(), high.round_ties_even()),
            Sampling::Bilinear => (low.floor(), high.floor() + 1.0),
            Sampling::Bicubic => (low.floor() - 1.0, high.floor() + 2.0),
        };
        let indices = low as i64..=high as i64;
        (indices.map(|i| reference::element(i, axis.length, padding)).collect(), delta)
    }

    fn sample(&self, x: &Tensor, grid: &Tensor, weight: fn(f64) -> f64) -> Result<Vec<f32>> {
        let [_, t, h, w, _] = five(grid.shape());
        Ok(reference::grid_sample(
            (x.f32s()?, five(x.shape())),
            (grid.f32s()?, [t, h, w]),
            &self.axes(x.shape()),
            self.mode(),
            self.padding(),
            weight,
        ))
    }
}

/// `[N, H, W, C]` or `[N, T, H, W, C]` as the latter.
fn five(shape: &Shape) -> [usize; 5] {
    let time = if shape.rank() == 5 { shape[1] } else { 1 };
    let [h, w, c] = std::array::from_fn(|i| shape[shape.rank() - 3 + i]);
    [shape[0], time, h, w, c]
}

impl Graph {
    /// Adds sampling of `x` `[N, H, W, C]` at the places that `grid` `[N, H', W', 2]` names, x (along W) before y, to
    /// `[N, H', W', C]`; or of `[N, T, H, W, C]` by `[N, T', H', W', 3]`, x, y, z. See [`GridSample`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other.
    pub fn grid_sample(&mut self, x: Value, grid: Value, attributes: &GridSample) -> Result<Value> {
        self.push(*attributes, &[x, grid])
    }

    /// Adds the warping of `x` `[N, H, W, C]` by an optical flow `[N, H, W, 2]`: each output is sampled, linearly,
    /// where the flow (x before y, in pixels) leads from its own place. Also for `[N, T, H, W, C]` and a flow of x, y
    /// and z.
    ///
    /// # Errors
    /// As [`Graph::grid_sample`].
    pub fn warp(&mut self, x: Value, flow: Value, padding_mode: SamplingPadding) -> Result<Value> {
        let coordinates = Coordinates::Displacement;
        self.grid_sample(x, flow, &GridSample { padding_mode, coordinates, ..GridSample::default() })
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "grid_sample",
    summary: "a picture or video at places that a grid names, or warped by a flow",
    inputs: &[Port::new("input", Layout::Activation), Port::new("grid", Layout::Plain)],
    output: Layout::Activation,
    attributes: "mode=bilinear (nearest, bicubic), padding_mode=zeros (border, reflection), align_corners=false, \
                 coordinates=normalized (pixels, displacement), cubic_coeff_a=-0.75 (to 0)",
    build: |g, v, a| Ok(vec![g.grid_sample(v[0], v[1], &a.read()?)?]),
};

params! {
    struct GridSampleParams {
        count: u32,
        channels: u32,
        in_t: u32,
        in_h: u32,
        in_w: u32,
        out_t: u32,
        out_h: u32,
        out_w: u32,
        scale_t: f32,
        scale_h: f32,
        scale_w: f32,
        offset_t: f32,
        offset_h: f32,
        offset_w: f32,
    }
}

impl Op for GridSample {
    fn name(&self) -> &'static str {
        "grid_sample"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        2..=2
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let (x, grid) = (&inputs[0].shape, &inputs[1].shape);
        let error = |text: String| Err(Error::bad_input(text));
        let (rank, numbers) = (x.rank(), x.rank().wrapping_sub(2));
        if !matches!(rank, 4 | 5) {
            return error(format!("the input must be [N, H, W, C] or [N, T, H, W, C]; its shape is {x}"));
        }
        if grid.rank() != rank || grid[rank - 1] != numbers || grid[0] != x[0] {
            let wanted = if rank == 4 { "[N, H', W', 2]" } else { "[N, T', H', W', 3]" };
            return error(format!("the grid must be {wanted} with {} for N; its shape is {grid}", x[0]));
        }
        if self.mode == Sampling::Bicubic && rank != 4 {
            return error("mode bicubic is for [N, H, W, C] alone".into());
        }
        match self.cubic_coeff_a {
            Some(_) if self.mode != Sampling::Bicubic => {
                return error("cubic_coeff_a is for mode bicubic".into());
            }
            Some(a) if !(-0.75..=0.0).contains(&a) => {
                return error(format!("cubic_coeff_a {a}: −0.75 to 0 is possible"));
            }
            _ => {}
        }
        if let Some(length) = x[1..rank - 1].iter().chain(&grid[1..rank - 1]).find(|n| **n > LONGEST) {
            return error(format!(
                "an axis of {length}: at most {LONGEST}, for places are told apart in f32"
            ));
        }
        let dims = [&grid[..rank - 1], &x[rank - 1..]].concat();
        Ok(vec![TensorType::float(&dims)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let dims =
            [&inputs[1].shape()[..inputs[1].shape().rank() - 1], &[five(inputs[0].shape())[4]]].concat();
        Ok(vec![Tensor::new(&dims, self.sample(&inputs[0], &inputs[1], |w| w)?)?])
    }

    /// With u the unit roundoff, a place `p = g·s + o` errs by `δ = 2u(|g·s| + 2|p| + |o|)`, and a reflection of it by
    /// `6u|p|` more. Where M is the largest magnitude among the elements that places within δ are made of:
    ///
    /// - a linear sample changes by at most 2M from element to element, a cubic one by less than 5M (the magnitudes of
    ///   the weights' slopes sum to at most 3, those of the other axis' weights to at most 1.4, and to less where a is
    ///   nearer to 0);
    /// - the weights of a cubic, below 1.4 in all, err by at most 20u each: 8·20u·1.4·M for two axes;
    /// - the sum errs as any sum of its products.
    ///
    /// Of the nearest element, any within δ may be taken.
    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let u = UNIT_ROUNDOFF;
        let (x, grid) = (inputs[0].f32s()?, inputs[1].f32s()?);
        let [n, t, h, w, c] = five(inputs[0].shape());
        let [_, out_t, out_h, out_w, numbers] = five(inputs[1].shape());
        let axes = self.axes(inputs[0].shape());
        let magnitudes = self.sample(&inputs[0].abs()?, &inputs[1], f64::abs)?;
        let want = reference[0].f32s()?;
        let (taps, slope, weights) = match self.mode {
            Sampling::Bicubic => (16.0, 5.0, 224.0 * u),
            _ => (8.0, 2.0, 0.0),
        };
        let mut bound = Vec::with_capacity(magnitudes.len());
        for position in 0..n * out_t * out_h * out_w {
            let own = [position / (out_h * out_w) % out_t, position / out_w % out_h, position % out_w];
            let first = position / (out_t * out_h * out_w) * t * h * w;
            let mut near: [Vec<Option<usize>>; 3] = std::array::from_fn(|_| vec![Some(0)]);
            let mut off = 0.0;
            for a in (0..3).filter(|a| 2 - a < numbers) {
                let delta;
                (near[a], delta) = self.nearby(&axes[a], grid[position * numbers + 2 - a], own[a]);
                // Where all is the same, the place does not matter.
                if near[a].iter().any(|element| *element != near[a][0]) {
                    off += delta.min(axes[a].length as f64);
                }
            }
            let mut elements = Vec::new();
            for a in &near[0] {
                for b in &near[1] {
                    elements.extend(near[2].iter().map(|d| Some(first + ((*a)? * h + (*b)?) * w + (*d)?)));
                }
            }
            for channel in 0..c {
                let values = elements.iter().map(|at| at.map_or(0.0, |at| f64::from(x[at * c + channel])));
                let i = bound.len();
                bound.push(if self.mode == Sampling::Nearest {
                    values.fold(0.0, |m: f64, v| m.max((v - f64::from(want[i])).abs()))
                } else {
                    let most = values.fold(0.0, |m: f64, v| m.max(v.abs()));
                    (slope * off + weights) * most + 2.0 * u * (taps + 8.0) * f64::from(magnitudes[i])
                });
            }
        }
        Ok(vec![Bound::Absolute(bound)])
    }

    fn flops(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        let axes = inputs[0].shape.rank() as u32 - 2;
        let taps = match self.mode {
            Sampling::Bilinear => 2u64.pow(axes),
            Sampling::Nearest => return 0,
            Sampling::Bicubic => 16,
        };
        2 * taps * outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [_, in_t, in_h, in_w, channels] = five(r.input(0));
        let [_, out_t, out_h, out_w, numbers] = five(r.input(1));
        let vectors = channels % 4 == 0 && r.traits().family != Family::Direct;
        let (entry, width) = if vectors { ("grid_sample_vec4", 4) } else { ("grid_sample_direct", 1) };
        let count = r.output(0).elements() / width;
        let taps = match self.mode {
            Sampling::Bilinear => 2u32,
            Sampling::Nearest => 1,
            Sampling::Bicubic => 4,
        };
        let n = |v: usize| r.u32("length", v);
        let [of_t, of_h, of_w] = [in_t, in_h, in_w].map(|length| self.unit(length));
        let params = GridSampleParams {
            count: n(count)?,
            channels: n(channels / width)?,
            in_t: n(in_t)?,
            in_h: n(in_h)?,
            in_w: n(in_w)?,
            out_t: n(out_t)?,
            out_h: n(out_h)?,
            out_w: n(out_w)?,
            scale_t: of_t.0 as f32,
            scale_h: of_h.0 as f32,
            scale_w: of_w.0 as f32,
            offset_t: of_t.1 as f32,
            offset_h: of_h.1 as f32,
            offset_w: of_w.1 as f32,
            ..Default::default()
        };
        let displacement = self.coordinates == Coordinates::Displacement;
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .constant("MODE", self.mode as u32)
                .constant("CUBIC", self.cubic() as f32)
                .constant("PADDING", self.padding_mode as u32)
                .constant("ALIGN", u32::from(self.align_corners))
                .constant("DISPLACEMENT", u32::from(displacement))
                .constant("AXES", numbers as u32)
                .constant("TAPS", taps)
                .constant("TAPS_T", if numbers == 3 { taps } else { 1 })
                .bind([Operand::Input(0), Operand::Input(1), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
