//! Intersection over union of boxes.

use std::ops::RangeInclusive;

use kinetograph_ref::box_iou as reference;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Graph, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("box_iou");

/// The intersection over the union of every box of one list with every box of another, as `torchvision.ops.box_iou`.
///
/// A box is (x1, y1, x2, y2) with x1 ≤ x2 and y1 ≤ y2. NaN where a coordinate is, and where both boxes are empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BoxIou;

impl Graph {
    /// Adds the overlaps of boxes: `first` `[A, 4]` and `second` `[B, 4]` give `[A, B]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when an input is no list of boxes.
    pub fn box_iou(&mut self, first: Value, second: Value) -> Result<Value> {
        self.push(BoxIou, &[first, second])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "box_iou",
    summary: "intersection over union of every box with every box of another list",
    inputs: &[Port::new("boxes1", Layout::Plain), Port::new("boxes2", Layout::Plain)],
    output: Layout::Plain,
    attributes: "",
    build: |g, v, a| {
        a.none()?;
        Ok(vec![g.box_iou(v[0], v[1])?])
    },
};

params! {
    struct BoxIouParams {
        count: u32,
        second: u32,
        nan: f32,
    }
}

impl Op for BoxIou {
    fn name(&self) -> &'static str {
        "box_iou"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        2..=2
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let mut output = Vec::new();
        for (input, what) in inputs.iter().zip(["first", "second"]) {
            let [count, coordinates] = input.shape.dims(&format!("the {what} boxes"), "[K, 4]")?;
            if coordinates != 4 {
                return Err(Error::bad_input(format!(
                    "the {what} boxes have {coordinates} coordinates, not 4"
                )));
            }
            output.push(count);
        }
        Ok(vec![TensorType::float(&output)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let y = reference::box_iou(inputs[0].f32s()?, inputs[1].f32s()?);
        Ok(vec![Tensor::new(&[inputs[0].shape()[0], inputs[1].shape()[0]], y)?])
    }

    /// With u the unit roundoff: an area errs by 6u of itself, the union by that of its three parts and by 4u of the
    /// boxes' sum, the quotient by 5u and by what both err.
    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let u = UNIT_ROUNDOFF;
        let iou = reference[0].f32s()?;
        let mut bound = Vec::with_capacity(iou.len());
        for a in inputs[0].f32s()?.chunks(4) {
            for b in inputs[1].f32s()?.chunks(4) {
                let [intersection, union] = reference::areas(a, b);
                let boxes = reference::area(a).abs() + reference::area(b).abs();
                let union_off = 6.0 * u * (boxes + intersection) + 4.0 * u * boxes;
                let relative = 11.0 * u + union_off / union.abs();
                bound.push(f64::from(iou[bound.len()].abs()) * relative + f64::from(f32::MIN_POSITIVE));
            }
        }
        Ok(vec![Bound::Absolute(bound)])
    }

    /// Four operations a box, four for the intersection, three for union and quotient.
    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        15 * outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let count = r.output(0).elements();
        let params = BoxIouParams {
            count: r.u32("elements", count)?,
            second: r.u32("boxes", r.input(1)[0])?,
            nan: f32::NAN,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, "box_iou_direct", &params)
                .bind([Operand::Input(0), Operand::Input(1), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
