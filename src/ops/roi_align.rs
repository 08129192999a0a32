//! Features under boxes.

use std::ops::RangeInclusive;

use kinetograph_ref::roi_align as reference;
use serde::Deserialize;

use super::attributes::{each, positive};
use super::{Door, Layout, Port, four_lanes, under_boxes};
use crate::error::Result;
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("roi_align");

/// Features under boxes, averaged over the bins of a grid: `torchvision.ops.roi_align`, from "Mask R-CNN" (He et al.,
/// 2017).
///
/// Samples more than a cell outside the features are zeros, others outside are those of the edge. A box that is not
/// finite gives NaN, and so does one of a sample that does not exist. Where rounding decides whether a side is a whole
/// number of cells, it decides the number of samples too, as in torchvision.
///
/// Boxes are floats, and rounded to 16 bits in a plan of that precision: beyond 512 such numbers are whole.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoiAlign {
    /// How many bins there are along H and W.
    #[serde(deserialize_with = "each")]
    pub output_size: [usize; 2],
    /// What boxes are multiplied with to be in cells of the features.
    pub spatial_scale: f32,
    /// Samples a bin along each axis; 0 or less for as many as there are cells in it, rounded up.
    pub sampling_ratio: i32,
    /// Whether half a cell is subtracted from the boxes, as is right; without, they also are one cell large at least.
    pub aligned: bool,
}

impl Default for RoiAlign {
    fn default() -> Self {
        RoiAlign { output_size: [0; 2], spatial_scale: 1.0, sampling_ratio: -1, aligned: false }
    }
}

impl RoiAlign {
    fn ratio(&self) -> usize {
        usize::try_from(self.sampling_ratio).unwrap_or(0)
    }

    fn reference_attributes(&self) -> reference::RoiAlign {
        reference::RoiAlign {
            output: self.output_size,
            scale: self.spatial_scale.into(),
            ratio: self.ratio(),
            aligned: self.aligned,
        }
    }
}

impl Graph {
    /// Adds features under boxes: `x` `[N, H, W, C]` and `boxes` `[K, 4]` (x1, y1, x2, y2) give `[K, H', W', C]`.
    /// `samples` `[K]` (i32) tells of which of the N each box is; without, N must be 1.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes, shapes or types do not fit each other.
    pub fn roi_align(
        &mut self,
        x: Value,
        boxes: Value,
        samples: Option<Value>,
        attributes: &RoiAlign,
    ) -> Result<Value> {
        let inputs: Vec<Value> = [x, boxes].into_iter().chain(samples).collect();
        self.push(*attributes, &inputs)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "roi_align",
    summary: "features under boxes, averaged over the bins of a grid",
    inputs: &[
        Port::new("input", Layout::Activation),
        Port::new("boxes", Layout::Plain),
        Port::optional("samples", Layout::Plain),
    ],
    output: Layout::Activation,
    attributes: "output_size (required), spatial_scale=1, sampling_ratio=-1, aligned=false",
    build: |g, v, a| Ok(vec![g.roi_align(v[0], v[1], v.get(2).copied(), &a.read()?)?]),
};

params! {
    struct RoiAlignParams {
        count: u32,
        channels: u32,
        in_n: u32,
        in_h: u32,
        in_w: u32,
        out_h: u32,
        out_w: u32,
        ratio: u32,
        scale: f32,
        offset: f32,
        least: f32,
        nan: f32,
    }
}

/// The samples of a bin along an axis, and how far rounding may carry them.
struct Axis {
    samples: Vec<f64>,
    all: f64,
    /// How far each may be off.
    off: f64,
    /// How many are so near an edge that they may count or not.
    at_edge: usize,
    /// Whether there may be another number of them.
    open: bool,
}

impl Axis {
    fn new(side: [f64; 2], bin: usize, bins: usize, length: usize, ratio: usize) -> Axis {
        let (samples, all) = reference::samples(side, bin, bins, length, ratio);
        let reach = side[0].abs().max((side[0] + side[1]).abs()) + 1.0;
        let off = 80.0 * UNIT_ROUNDOFF * reach;
        let near = |x: f64, edge: f64| (x - edge).abs() <= off;
        let at_edge = samples.iter().filter(|x| near(**x, -1.0) || near(**x, length as f64)).count();
        let cells = side[1] / bins as f64;
        // A whole number that is exact in f32 stays one.
        let exact = cells.fract() == 0.0 && (side[0] * 256.0).fract() == 0.0;
        let open = ratio == 0 && !exact && near(cells, cells.round());
        Axis { samples, all, off, at_edge, open }
    }
}

/// The largest magnitude of a sample's channel, and how much neighbours differ at most along H and W.
fn steepness(x: &[f32], [h, w, c]: [usize; 3], channel: usize) -> [f64; 3] {
    let at = |i: usize, j: usize| f64::from(x[(i * w + j) * c + channel]);
    let mut most = [0f64; 3];
    for i in 0..h {
        for j in 0..w {
            most[0] = most[0].max(at(i, j).abs());
            if i > 0 {
                most[1] = most[1].max((at(i, j) - at(i - 1, j)).abs());
            }
            if j > 0 {
                most[2] = most[2].max((at(i, j) - at(i, j - 1)).abs());
            }
        }
    }
    most
}

impl Op for RoiAlign {
    fn name(&self) -> &'static str {
        "roi_align"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        2..=3
    }

    /// The numbers of samples are integers, the others are not: `infer` tells which is which.
    fn takes(&self, dtype: DType) -> bool {
        matches!(dtype, DType::F32 | DType::I32)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        positive("spatial_scale", self.spatial_scale)?;
        Ok(vec![under_boxes(inputs, self.output_size)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape: [usize; 4] = inputs[0].shape().dims("the input", "[N, H, W, C]")?;
        let samples = inputs.get(2).map(Tensor::i32s).transpose()?;
        let y = reference::roi_align(
            inputs[0].f32s()?,
            shape,
            inputs[1].f32s()?,
            |k| samples.map_or(0, |s| s[k]),
            &self.reference_attributes(),
        );
        let [h, w] = self.output_size;
        Ok(vec![Tensor::new(&[inputs[1].shape()[0], h, w, shape[3]], y)?])
    }

    /// With u the unit roundoff and M the reach of a box, of which its ends and its side are at most one and two: its
    /// begin errs by 4uM, a bin's begin by 26uM more (side 12uM, quotient and product 14uM), the place in the bin by
    /// 36uM and the two sums by 12uM, together less than 80uM. A sample errs by that times the steepest slope, and by
    /// all of itself where it may be beyond the edge or where there may be another number of samples.
    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let [n, h, w, c] = inputs[0].shape().dims("the input", "[N, H, W, C]")?;
        let p = self.reference_attributes();
        let samples = inputs.get(2).map(Tensor::i32s).transpose()?;
        let slopes: Vec<[f64; 3]> = inputs[0]
            .f32s()?
            .chunks(h * w * c)
            .flat_map(|x| (0..c).map(move |channel| steepness(x, [h, w, c], channel)))
            .collect();
        let mut bound = Vec::with_capacity(reference[0].shape().elements());
        for (k, b) in inputs[1].f32s()?.chunks(4).enumerate() {
            let sample = samples.map_or(Some(0), |s| usize::try_from(s[k]).ok());
            let sample = sample.filter(|s| *s < n && b.iter().all(|x| x.is_finite()));
            let Some(sample) = sample else {
                // NaN, and compared as that.
                bound.extend(std::iter::repeat_n(0.0, self.output_size[0] * self.output_size[1] * c));
                continue;
            };
            for i in 0..self.output_size[0] {
                let y = Axis::new(reference::side(b[1], b[3], &p), i, self.output_size[0], h, p.ratio);
                for j in 0..self.output_size[1] {
                    let x = Axis::new(reference::side(b[0], b[2], &p), j, self.output_size[1], w, p.ratio);
                    let all = (y.all * x.all).max(1.0);
                    let counted = (y.samples.len() * x.samples.len()) as f64;
                    let doubtful = (y.at_edge * x.samples.len() + x.at_edge * y.samples.len()) as f64 / all;
                    for channel in 0..c {
                        let [most, along_h, along_w] = slopes[sample * c + channel];
                        let rounding = 2.0 * UNIT_ROUNDOFF * (counted + 16.0) * most;
                        let moved = y.off * along_h + x.off * along_w;
                        let share = counted / all;
                        let other = if y.open || x.open { 2.0 * most } else { doubtful * most };
                        bound.push((rounding + moved) * share.min(1.0) + other);
                    }
                }
            }
        }
        Ok(vec![Bound::Absolute(bound)])
    }

    /// Seven operations a sample, were there one in each bin.
    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        let samples = self.ratio().max(1) as u64;
        7 * samples * samples * outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [in_n, in_h, in_w, channels] = r.input(0).dims("the input", "[N, H, W, C]")?;
        let vectors = channels % 4 == 0 && r.traits().family != Family::Direct;
        let width = if vectors { 4 } else { 1 };
        let count = r.output(0).elements() / width;
        let [h, w] = [in_h, in_w].map(|length| if self.ratio() > 0 { self.ratio() } else { length + 6 });
        let n = |v: usize| r.u32("length", v);
        let params = RoiAlignParams {
            count: n(count)?,
            channels: n(channels / width)?,
            in_n: n(in_n.min(i32::MAX as usize))?,
            in_h: n(in_h)?,
            in_w: n(in_w)?,
            out_h: n(self.output_size[0])?,
            out_w: n(self.output_size[1])?,
            ratio: n(self.ratio())?,
            scale: self.spatial_scale,
            offset: if self.aligned { 0.5 } else { 0.0 },
            least: if self.aligned { f32::MIN } else { 1.0 },
            nan: f32::NAN,
            ..Default::default()
        };
        let samples = if r.inputs() > 2 { Operand::Input(2) } else { Operand::Absent };
        let dispatch = Dispatch::new(&KERNEL, "roi_align_direct", &params)
            .constant("HAS_SAMPLES", u32::from(r.inputs() > 2))
            .bind([Operand::Input(0), Operand::Input(1), samples, Operand::Output(0)])
            .turns(h.saturating_mul(w + 1))
            .groups(count.div_ceil(64) as u64);
        r.dispatch(if vectors { four_lanes(dispatch) } else { dispatch });
        Ok(())
    }
}
