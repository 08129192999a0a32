//! The largest features under boxes.

use std::ops::RangeInclusive;

use kinetograph_ref::roi_pool as reference;
use serde::Deserialize;

use super::attributes::{each, positive};
use super::{Door, Layout, Port, four_lanes, under_boxes};
use crate::error::Result;
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("roi_pool");

/// The largest features under boxes, in the bins of a grid of whole cells: `torchvision.ops.roi_pool`, from "Fast R-CNN"
/// (Girshick, 2015).
///
/// Bins without cells are zero. NaN is larger than anything, where torchvision passes over it. A box that is not finite
/// gives NaN, and so does one of a sample that does not exist. Where rounding decides to which cell a corner belongs, it
/// decides here too.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoiPool {
    /// How many bins there are along H and W.
    #[serde(deserialize_with = "each")]
    pub output_size: [usize; 2],
    /// What boxes are multiplied with to be in cells of the features.
    pub spatial_scale: f32,
}

impl Default for RoiPool {
    fn default() -> Self {
        RoiPool { output_size: [0; 2], spatial_scale: 1.0 }
    }
}

impl Graph {
    /// Adds the largest features under boxes: `x` `[N, H, W, C]` and `boxes` `[K, 4]` (x1, y1, x2, y2) give
    /// `[K, H', W', C]`. `samples` `[K]` (i32) tells of which of the N each box is; without, N must be 1.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes, shapes or types do not fit each other.
    pub fn roi_pool(
        &mut self,
        x: Value,
        boxes: Value,
        samples: Option<Value>,
        attributes: &RoiPool,
    ) -> Result<Value> {
        let inputs: Vec<Value> = [x, boxes].into_iter().chain(samples).collect();
        self.push(*attributes, &inputs)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "roi_pool",
    summary: "the largest features under boxes, in the bins of a grid of whole cells",
    inputs: &[
        Port::new("input", Layout::Activation),
        Port::new("boxes", Layout::Plain),
        Port::optional("samples", Layout::Plain),
    ],
    output: Layout::Activation,
    attributes: "output_size (required), spatial_scale=1",
    build: |g, v, a| Ok(vec![g.roi_pool(v[0], v[1], v.get(2).copied(), &a.read()?)?]),
};

params! {
    struct RoiPoolParams {
        count: u32,
        channels: u32,
        in_n: u32,
        in_h: u32,
        in_w: u32,
        out_h: u32,
        out_w: u32,
        scale: f32,
        start: f32,
        nan: f32,
    }
}

impl Op for RoiPool {
    fn name(&self) -> &'static str {
        "roi_pool"
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
        let y = reference::roi_pool(
            inputs[0].f32s()?,
            shape,
            inputs[1].f32s()?,
            |k| samples.map_or(0, |s| s[k]),
            self.output_size,
            self.spatial_scale.into(),
        );
        let [h, w] = self.output_size;
        Ok(vec![Tensor::new(&[inputs[1].shape()[0], h, w, shape[3]], y)?])
    }

    /// A comparison for each cell of the features, were there one box over all of them.
    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        inputs[1].shape[0] as u64 * inputs[0].shape[1..].iter().product::<usize>() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [in_n, in_h, in_w, channels] = r.input(0).dims("the input", "[N, H, W, C]")?;
        let vectors = channels % 4 == 0 && r.traits().family != Family::Direct;
        let width = if vectors { 4 } else { 1 };
        let count = r.output(0).elements() / width;
        let n = |v: usize| r.u32("length", v);
        let params = RoiPoolParams {
            count: n(count)?,
            channels: n(channels / width)?,
            in_n: n(in_n.min(i32::MAX as usize))?,
            in_h: n(in_h)?,
            in_w: n(in_w)?,
            out_h: n(self.output_size[0])?,
            out_w: n(self.output_size[1])?,
            scale: self.spatial_scale,
            start: f32::NEG_INFINITY,
            nan: f32::NAN,
            ..Default::default()
        };
        let samples = if r.inputs() > 2 { Operand::Input(2) } else { Operand::Absent };
        let dispatch = Dispatch::new(&KERNEL, "roi_pool_direct", &params)
            .constant("HAS_SAMPLES", u32::from(r.inputs() > 2))
            .bind([Operand::Input(0), Operand::Input(1), samples, Operand::Output(0)])
            .turns(in_h.saturating_mul(in_w + 1))
            .groups(count.div_ceil(64) as u64);
        r.dispatch(if vectors { four_lanes(dispatch) } else { dispatch });
        Ok(())
    }
}
