//! Non-maximum suppression.

use std::ops::RangeInclusive;

use kinetograph_ref::nms as reference;
use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::shape::Shape;
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("nms");

/// One workgroup goes through all boxes of a row, and as often through those after each that is left.
const MOST_BOXES: usize = 4096;

/// Non-maximum suppression, as `torchvision.ops.nms` and, with classes, `batched_nms`: of the boxes that overlap, the
/// one of the highest score.
///
/// Equal scores go by the boxes' numbers. A score that is NaN is the highest, and a box with NaN overlaps none. What
/// overlaps is compared as `intersection > iou_threshold · union` in f32: where both sides are equal but for rounding,
/// rounding decides, as it does in torchvision.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nms {
    /// The share of their union that two boxes may have in common, 0 to 1.
    pub iou_threshold: f64,
    /// Boxes whose score is not more than this do not take part.
    pub score_threshold: Option<f32>,
}

impl Default for Nms {
    fn default() -> Self {
        Nms::at(f64::NAN)
    }
}

impl Nms {
    /// Suppression of boxes that share more than this of their union.
    pub fn at(iou_threshold: f64) -> Self {
        Nms { iou_threshold, score_threshold: None }
    }
}

impl Graph {
    /// Adds a suppression: `boxes` `[…, K, 4]` (x1, y1, x2, y2), `scores` `[…, K]` and, if boxes of different classes
    /// leave each other alone, `classes` `[…, K]` (i32) give the numbers of the boxes that are left, `[…, K]` (i32) by
    /// falling score with −1 behind the last, and how many they are, `[…]` (i32). K is 4096 at most.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes, shapes or types do not fit each other, or there are more boxes.
    pub fn nms(
        &mut self,
        boxes: Value,
        scores: Value,
        classes: Option<Value>,
        attributes: &Nms,
    ) -> Result<(Value, Value)> {
        let inputs: Vec<Value> = [boxes, scores].into_iter().chain(classes).collect();
        let outputs = self.push_all(*attributes, &inputs)?;
        Ok((outputs[0], outputs[1]))
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "nms",
    summary: "the numbers of the boxes left by non-maximum suppression, -1 behind them; their count as second output",
    inputs: &[
        Port::new("boxes", Layout::Plain),
        Port::new("scores", Layout::Plain),
        Port::optional("classes", Layout::Plain),
    ],
    output: Layout::Plain,
    attributes: "iou_threshold (required), score_threshold=(none)",
    build: |g, v, a| {
        let (indices, count) = g.nms(v[0], v[1], v.get(2).copied(), &a.read()?)?;
        Ok(vec![indices, count])
    },
};

params! {
    struct NmsParams {
        count: u32,
        boxes: u32,
        iou_threshold: f32,
        score_threshold: f32,
    }
}

impl Op for Nms {
    fn name(&self) -> &'static str {
        "nms"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        2..=3
    }

    /// Classes are integers, boxes and scores are not: `infer` tells which is which.
    fn takes(&self, dtype: DType) -> bool {
        matches!(dtype, DType::F32 | DType::I32)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        if !(0.0..=1.0).contains(&self.iou_threshold) {
            return Err(Error::bad_input(format!(
                "iou_threshold {}: it must be given, 0 to 1",
                self.iou_threshold
            )));
        }
        if self.score_threshold.is_some_and(f32::is_nan) {
            return Err(Error::bad_input("score_threshold NaN: a number is needed"));
        }
        let [rows @ .., boxes, 4] = &inputs[0].shape[..] else {
            return Err(Error::bad_input(format!(
                "the boxes must be […, K, 4], they are {}",
                inputs[0].shape
            )));
        };
        if *boxes > MOST_BOXES {
            return Err(Error::bad_input(format!(
                "{boxes} boxes: {MOST_BOXES} at most; give those of the highest scores"
            )));
        }
        let wanted = Shape::new(&inputs[0].shape[..=rows.len()])?;
        let types = [("boxes", DType::F32), ("scores", DType::F32), ("classes", DType::I32)];
        for (i, (input, (what, dtype))) in inputs.iter().zip(types).enumerate() {
            if i > 0 && input.shape != wanted {
                return Err(Error::bad_input(format!(
                    "the {what} must be {wanted}, they are {}",
                    input.shape
                )));
            }
            if input.dtype != dtype {
                return Err(Error::bad_input(format!(
                    "the {what} must be {dtype}, they are {}",
                    input.dtype
                )));
            }
        }
        let counts = Shape::new(rows)?;
        Ok([wanted, counts].map(|shape| TensorType { shape, dtype: DType::I32 }).to_vec())
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = inputs[1].shape();
        let (&boxes, rows) = shape.split_last().ok_or_else(|| Error::internal("scores without an axis"))?;
        let classes = inputs.get(2).map(Tensor::i32s).transpose()?;
        let (mut indices, mut counts) = (Vec::new(), Vec::new());
        let all = inputs[0].f32s()?.chunks(4 * boxes).zip(inputs[1].f32s()?.chunks(boxes));
        for (i, (row, scores)) in all.enumerate() {
            let classes = classes.map(|c| &c[i * boxes..][..boxes]);
            let mut left = reference::nms(row, scores, classes, self.iou_threshold, self.score_threshold);
            counts.push(left.len() as i32);
            left.resize(boxes, -1);
            indices.extend(left);
        }
        Ok(vec![Tensor::new(shape, indices)?, Tensor::new(rows, counts)?])
    }

    /// A comparison of each score with each, and fifteen operations for each pair of boxes, were none suppressed.
    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        let scores = &inputs[1].shape;
        scores.elements() as u64 * scores.last().map_or(0, |boxes| 8 * *boxes as u64)
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let count = r.input(1).elements();
        let boxes = r.input(1).last().copied().unwrap_or(1);
        let params = NmsParams {
            count: r.u32("boxes", count)?,
            boxes: r.u32("boxes", boxes)?,
            iou_threshold: self.iou_threshold as f32,
            score_threshold: self.score_threshold.unwrap_or_default(),
            ..Default::default()
        };
        let has_least = u32::from(self.score_threshold.is_some());
        r.dispatch(
            Dispatch::new(&KERNEL, "nms_rank", &params)
                .constant("HAS_SCORE_THRESHOLD", has_least)
                .bind([Operand::Input(1), Operand::Output(0)])
                .turns(boxes)
                .groups(count.div_ceil(64) as u64),
        );
        let classes = if r.inputs() > 2 { Operand::Input(2) } else { Operand::Absent };
        r.dispatch(
            Dispatch::new(&KERNEL, "nms_suppress", &params)
                .constant("HAS_SCORE_THRESHOLD", has_least)
                .constant("HAS_CLASSES", u32::from(r.inputs() > 2))
                .bind([Operand::Input(1), Operand::Input(0), classes, Operand::Output(0), Operand::Output(1)])
                // Through the boxes, and for each through a 256th of those after it.
                .turns(boxes * 2 + boxes * boxes / 512 + 16)
                .groups((count / boxes) as u64),
        );
        Ok(())
    }
}
