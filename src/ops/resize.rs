//! Resizing along T, H and W.

mod weights;

use kinetograph_ref::resize as reference;
use serde::Deserialize;

use super::attributes::optional_list;
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::{kernel, params};

use weights::Axis;

static KERNEL: Kernel = kernel!("resize");

/// From this many elements an output on, the axes are resized one after the other.
const MANY_TAPS: usize = 17;

/// The longest axis: indices are worked out in f32, as PyTorch does.
const LONGEST: usize = 1 << 24;

/// What becomes of the places between elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Interpolation {
    /// The element where an output begins, `⌊i·scale⌋`, in f32.
    #[default]
    Nearest,
    /// The element under an output's centre, `⌊(i + ½)·scale⌋`, in f32, as PIL and scikit-image have it.
    #[serde(alias = "nearest-exact")]
    NearestExact,
    /// A straight line along each axis.
    #[serde(alias = "bilinear", alias = "trilinear")]
    Linear,
    /// A cubic convolution along each axis (Keys, Cubic Convolution Interpolation for Digital Image Processing,
    /// 1981).
    #[serde(alias = "bicubic")]
    Cubic,
    /// A sinc under a sinc three times as wide, along each axis; with [`Resize::antialias`] only.
    Lanczos,
    /// The mean of the elements that an output touches: adaptive average pooling.
    Area,
}

impl Interpolation {
    /// Every one.
    pub const ALL: [Interpolation; 6] = [
        Interpolation::Nearest,
        Interpolation::NearestExact,
        Interpolation::Linear,
        Interpolation::Cubic,
        Interpolation::Lanczos,
        Interpolation::Area,
    ];

    fn is_nearest(self) -> bool {
        matches!(self, Interpolation::Nearest | Interpolation::NearestExact)
    }
}

/// Attributes of a resizing, those of `torch.nn.functional.interpolate`, along one, two or three axes in every mode.
/// [`Resize::size`] or [`Resize::scale_factor`] must be given; of both, the one gives the lengths and the other the
/// steps, as in OpenCV's pyramids.
///
/// Without [`Resize::antialias`] an output is made of the one, two or four elements around it along each axis, those
/// beyond an end being the end itself; with it, of those under a filter as wide as the output, those beyond an end not
/// counting: so PIL resizes. Where PyTorch on a CPU differs from PyTorch on a GPU (a `scale_factor` that leaves an
/// axis as long as it was, or makes it exactly twice as long though it is not 2), it is the latter that is followed.
///
/// An element whose weight is zero does not count, even if it is NaN or infinite; in PyTorch its product with zero is
/// NaN.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resize {
    /// What becomes of the places between elements.
    pub mode: Interpolation,
    /// The new lengths, one for each of the axes between the first and the last, or one for all.
    #[serde(deserialize_with = "optional_list")]
    pub size: Option<Vec<usize>>,
    /// What the lengths are multiplied by and then rounded down, one for each of the axes, or one for all. The steps
    /// between outputs are its inverse.
    #[serde(deserialize_with = "optional_list")]
    pub scale_factor: Option<Vec<f64>>,
    /// Whether the steps between outputs are the quotient of the lengths, [`Resize::scale_factor`] giving only the
    /// lengths.
    pub recompute_scale_factor: bool,
    /// Whether the outermost centres of input and output meet, rather than the outermost edges; for linear and cubic.
    pub align_corners: bool,
    /// Whether what is made smaller is filtered over the width of an output; for linear, cubic and lanczos.
    pub antialias: bool,
    /// The cubic's coefficient; if not given −0.75, or −0.5 with [`Resize::antialias`], as PyTorch and PIL have it.
    pub cubic_coeff_a: Option<f64>,
}

impl Resize {
    /// A resizing to these lengths.
    pub fn to(mode: Interpolation, size: &[usize]) -> Self {
        Resize { mode, size: Some(size.to_vec()), ..Resize::default() }
    }

    /// A resizing by this factor along every axis.
    pub fn by(mode: Interpolation, scale_factor: f64) -> Self {
        Resize { mode, scale_factor: Some(vec![scale_factor]), ..Resize::default() }
    }

    /// With a filter over the width of an output.
    #[must_use]
    pub fn antialiased(self) -> Self {
        Resize { antialias: true, ..self }
    }

    fn cubic(&self) -> f64 {
        self.cubic_coeff_a.unwrap_or(if self.antialias { -0.5 } else { -0.75 })
    }

    /// Whether the attributes fit each other and a shape of so many axes.
    fn check(&self, shape: &Shape) -> Result<()> {
        use Interpolation::{Cubic, Lanczos, Linear};
        let error = |text: String| Err(Error::bad_input(text));
        let mode = format!("{:?}", self.mode).to_lowercase();
        if self.size.is_none() && self.scale_factor.is_none() {
            return error("size or scale_factor must be given".into());
        }
        if self.recompute_scale_factor && self.size.is_some() {
            return error("recompute_scale_factor is for scale_factor, not for size".into());
        }
        if self.align_corners && !matches!(self.mode, Linear | Cubic) {
            return error(format!("align_corners is for the modes linear and cubic, not {mode}"));
        }
        if self.antialias && !matches!(self.mode, Linear | Cubic | Lanczos) {
            return error(format!("antialias is for the modes linear, cubic and lanczos, not {mode}"));
        }
        if self.mode == Lanczos && !self.antialias {
            return error("mode lanczos needs antialias".into());
        }
        let Some(axes) = shape.rank().checked_sub(2).filter(|n| (1..=3).contains(n)) else {
            return error(format!(
                "the input must be [N, W, C], [N, H, W, C] or [N, T, H, W, C]; its shape is {shape}"
            ));
        };
        let lists = [
            ("size", self.size.as_ref().map(Vec::len)),
            ("scale_factor", self.scale_factor.as_ref().map(Vec::len)),
        ];
        for (name, entries) in lists {
            if let Some(n) = entries.filter(|n| *n != 1 && *n != axes) {
                return error(format!("{name} has {n} entries for {axes} axes; give one, or one each"));
            }
        }
        match self.cubic_coeff_a {
            Some(_) if self.mode != Cubic => error(format!("cubic_coeff_a is for mode cubic, not {mode}")),
            Some(a) if !(-4.0..=4.0).contains(&a) => error(format!("cubic_coeff_a {a}: −4 to 4 is possible")),
            _ => Ok(()),
        }
    }

    /// How one of the axes T, H, W is resized; one that the input has not has length 1 and stays so.
    fn axis(&self, shape: &Shape, axis: usize) -> Result<Axis> {
        let count = shape.rank() - 2;
        let Some(entry) = (axis + count).checked_sub(3) else { return Ok(Axis::staying(1)) };
        let (name, from) = (["T", "H", "W"][axis], shape[entry + 1]);
        let factor = self.scale_factor.as_ref().map(|f| f[entry % f.len()]);
        if let Some(factor) = factor.filter(|f| !(f.is_finite() && *f > 0.0)) {
            return Err(Error::bad_input(format!("scale_factor {factor} along {name}: a positive number")));
        }
        let to = match &self.size {
            Some(size) => size[entry % size.len()],
            None => (from as f64 * factor.unwrap_or(1.0)) as usize,
        };
        for (what, length) in [("input", from), ("output", to)] {
            if length == 0 || length > LONGEST {
                return Err(Error::bad_input(format!(
                    "the {what} would be {length} long along {name}: 1 to {LONGEST} is possible"
                )));
            }
        }
        let scale = match factor {
            _ if self.align_corners && to == 1 => 0.0,
            _ if self.align_corners => (from - 1) as f64 / (to - 1) as f64,
            Some(factor) if !self.recompute_scale_factor => 1.0 / factor,
            _ => from as f64 / to as f64,
        };
        Ok(Axis { from, to, scale })
    }
}

/// A resizing along some of the axes T, H, W, the others staying as they are.
#[derive(Debug, Clone)]
struct Pass {
    resize: Resize,
    along: [bool; 3],
}

impl Pass {
    fn axes(&self, shape: &Shape) -> Result<[Axis; 3]> {
        self.resize.check(shape)?;
        let [_, t, h, w, _] = five(shape);
        let mut axes = [t, h, w].map(Axis::staying);
        for (a, axis) in axes.iter_mut().enumerate().filter(|(a, _)| self.along[*a]) {
            *axis = self.resize.axis(shape, a)?;
        }
        Ok(axes)
    }

    /// The elements that every output along each axis is made of and their weights, by the reference.
    fn weights(&self, shape: &Shape) -> Result<[reference::Weights; 3]> {
        let r = &self.resize;
        let axes = self.axes(shape)?;
        let mode = match r.mode {
            Interpolation::Nearest => reference::Mode::Nearest,
            Interpolation::NearestExact => reference::Mode::NearestExact,
            Interpolation::Linear => reference::Mode::Linear,
            Interpolation::Cubic => reference::Mode::Cubic(r.cubic()),
            Interpolation::Lanczos => reference::Mode::Lanczos,
            Interpolation::Area => reference::Mode::Area,
        };
        Ok(std::array::from_fn(|a| {
            let entry = (a + shape.rank()).checked_sub(5);
            let entry = entry.filter(|_| self.along[a] && !r.recompute_scale_factor);
            let axis = reference::Axis {
                mode,
                from: axes[a].from,
                to: axes[a].to,
                scale_factor: r.scale_factor.as_ref().and_then(|f| entry.map(|e| f[e % f.len()])),
                align_corners: r.align_corners,
                antialias: r.antialias,
            };
            (0..axis.to).map(|o| axis.weights(o)).collect()
        }))
    }
}

/// A shape as `[N, T, H, W, C]`, the axes that it has not being 1 long.
fn five(shape: &Shape) -> [usize; 5] {
    let rank = shape.rank();
    let axis = |from_last: usize| if from_last + 1 < rank { shape[rank - 1 - from_last] } else { 1 };
    [shape[0], axis(3), axis(2), axis(1), shape[rank - 1]]
}

impl Graph {
    /// Adds a resizing of `x` `[N, W, C]`, `[N, H, W, C]` or `[N, T, H, W, C]` along the axes between the first and
    /// the last, see [`Resize`]. Where an output is made of many elements, each axis is a node of its own.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes do not fit each other or the shape, or a length becomes 0.
    pub fn resize(&mut self, x: Value, attributes: &Resize) -> Result<Value> {
        let whole = Pass { resize: attributes.clone(), along: [true; 3] };
        // What is wrong is said by the node.
        let Ok(axes) = whole.axes(self.shape(x)) else { return self.push(whole, &[x]) };
        let taps = axes.map(|axis| attributes.rows(&axis).1);
        if taps.iter().product::<usize>() < MANY_TAPS {
            return self.push(whole, &[x]);
        }
        let mut y = x;
        for a in [2, 1, 0] {
            if axes[a].from == axes[a].to && taps[a] == 1 {
                continue;
            }
            let mut along = [false; 3];
            along[a] = true;
            y = self.push(Pass { resize: attributes.clone(), along }, &[y])?;
        }
        Ok(y)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "resize",
    summary: "other lengths of time, height and width, by interpolation",
    inputs: &[Port::new("input", Layout::Activation)],
    output: Layout::Activation,
    attributes: "mode=nearest (nearest-exact, linear, cubic, lanczos, area), size or scale_factor (one number or one \
                 an axis), recompute_scale_factor=false, align_corners=false, antialias=false, cubic_coeff_a=-0.75 \
                 (-0.5 with antialias)",
    build: |g, v, a| Ok(vec![g.resize(v[0], &a.read()?)?]),
};

params! {
    struct ResizeParams {
        count: u32,
        channels: u32,
        in_t: u32,
        in_h: u32,
        in_w: u32,
        out_t: u32,
        out_h: u32,
        out_w: u32,
    }
}

impl Op for Pass {
    fn name(&self) -> &'static str {
        "resize"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let shape = &inputs[0].shape;
        let axes = self.axes(shape)?;
        let mut dims = shape.to_vec();
        let count = shape.rank() - 2;
        for (d, axis) in dims[1..=count].iter_mut().zip(&axes[3 - count..]) {
            *d = axis.to;
        }
        Ok(vec![TensorType::float(&dims)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = inputs[0].shape();
        let out = self.infer(&[TensorType::float(shape)?])?;
        let y = reference::resize(inputs[0].f32s()?, five(shape), &self.weights(shape)?);
        Ok(vec![Tensor::new(&out[0].shape, y)?])
    }

    /// Of a choice, exact. Else of a sum with a term for each tap; products with three weights and the rounding of
    /// these are six more operations.
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Bound>> {
        if self.resize.mode.is_nearest() {
            return Ok(vec![Bound::Exact]);
        }
        let shape = inputs[0].shape();
        let mut weights = self.weights(shape)?;
        weights.iter_mut().flatten().flatten().for_each(|(_, w)| *w = w.abs());
        let magnitudes = reference::resize(inputs[0].abs()?.f32s()?, five(shape), &weights);
        let taps = self.axes(shape)?.map(|axis| self.resize.rows(&axis).1);
        let magnitudes = Tensor::new(&[magnitudes.len()], magnitudes)?;
        Ok(vec![Bound::sum(taps.iter().product(), &magnitudes)?])
    }

    fn flops(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        let taps = self.axes(&inputs[0].shape).map(|axes| axes.map(|axis| self.resize.rows(&axis).1));
        taps.map_or(0, |taps| 2 * taps.iter().product::<usize>() as u64 * outputs[0].shape.elements() as u64)
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [_, in_t, in_h, in_w, channels] = five(r.input(0));
        let [_, out_t, out_h, out_w, _] = five(r.output(0));
        let vectors = channels % 4 == 0 && r.traits().family != Family::Direct;
        let (entry, width) = if vectors { ("resize_vec4", 4) } else { ("resize_direct", 1) };
        let count = r.output(0).elements() / width;
        let mut table = Vec::new();
        let mut taps = [1; 3];
        for (axis, taps) in self.axes(r.input(0))?.iter().zip(&mut taps) {
            let (rows, most) = self.resize.rows(axis);
            *taps = most;
            for (first, weights) in rows {
                table.push(r.u32("index", first)?);
                table.extend(weights.iter().map(|w| (*w as f32).to_bits()));
                table.resize(table.len() + most - weights.len(), 0f32.to_bits());
            }
        }
        let n = |v: usize| r.u32("length", v);
        let params = ResizeParams {
            count: n(count)?,
            channels: n(channels / width)?,
            in_t: n(in_t)?,
            in_h: n(in_h)?,
            in_w: n(in_w)?,
            out_t: n(out_t)?,
            out_h: n(out_h)?,
            out_w: n(out_w)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .constant("TAPS_T", taps[0] as u32)
                .constant("TAPS_H", taps[1] as u32)
                .constant("TAPS_W", taps[2] as u32)
                .bind([Operand::Input(0), Operand::Table, Operand::Output(0)])
                .table(table)
                .turns(taps[0] * (1 + taps[1] * (1 + taps[2])))
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
