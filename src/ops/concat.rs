//! Joining tensors along an axis.

use std::ops::RangeInclusive;

use kinetograph_ref::concat as reference;
use serde::Deserialize;

use super::attributes::{any_element, axis};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::shape::Shape;
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("concat");

/// Joins tensors along an axis, as `torch.cat`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Concat {
    /// The axis; negative ones count from the last.
    pub dim: isize,
}

impl Concat {
    fn output<'a>(&self, inputs: impl Iterator<Item = &'a Shape>) -> Result<Shape> {
        let mut inputs = inputs.enumerate();
        let (_, first) = inputs.next().ok_or_else(|| Error::bad_input("nothing to join"))?;
        let axis = axis(self.dim, first.rank())?;
        let mut dims = first.to_vec();
        for (i, shape) in inputs {
            let fits =
                shape.rank() == first.rank() && (0..first.rank()).all(|a| a == axis || shape[a] == first[a]);
            if !fits {
                return Err(Error::bad_input(format!(
                    "input {i} is {shape}, which differs from {first} along another axis than dim {}",
                    self.dim
                )));
            }
            dims[axis] = dims[axis].saturating_add(shape[axis]);
        }
        Shape::new(&dims)
    }

    /// The length along the axis times that of all axes after it.
    fn row(&self, shape: &Shape) -> Result<usize> {
        Ok(shape[axis(self.dim, shape.rank())?..].iter().product())
    }
}

impl Graph {
    /// Adds the join of one or more tensors along an axis; their other axes are equally long, and all of them are of
    /// floats or all of integers.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when they are not, when there is no such axis, or no tensor at all.
    pub fn concat(&mut self, inputs: &[Value], dim: isize) -> Result<Value> {
        self.push(Concat { dim }, inputs)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "concat",
    summary: "tensors joined along an axis",
    inputs: &[Port::variadic("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "dim=0",
    build: |g, v, a| Ok(vec![g.concat(v, a.read::<Concat>()?.dim)?]),
};

params! {
    struct ConcatParams {
        count: u32,
        row: u32,
        output_row: u32,
        offset: u32,
    }
}

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        1..=usize::MAX
    }

    fn takes(&self, dtype: DType) -> bool {
        any_element(dtype)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        if let Some(i) = inputs.iter().position(|t| t.dtype != inputs[0].dtype) {
            let (one, other) = (inputs[0].dtype, inputs[i].dtype);
            return Err(Error::bad_input(format!("input {i} is {other}, input 0 is {one}")));
        }
        Ok(vec![inputs[0].with_shape(&self.output(inputs.iter().map(|t| &t.shape))?)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = self.output(inputs.iter().map(Tensor::shape))?;
        let outer = shape.elements() / self.row(&shape)?;
        let y = if inputs[0].dtype() == DType::I32 {
            let rows = inputs.iter().map(|t| Ok((t.i32s()?, self.row(t.shape())?)));
            Tensor::new(&shape, reference::concat(&rows.collect::<Result<Vec<_>>>()?, outer))
        } else {
            let rows = inputs.iter().map(|t| Ok((t.f32s()?, self.row(t.shape())?)));
            Tensor::new(&shape, reference::concat(&rows.collect::<Result<Vec<_>>>()?, outer))
        };
        Ok(vec![y?])
    }

    fn flops(&self, _: &[TensorType], _: &[TensorType]) -> u64 {
        0
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let output_row = self.row(r.output(0))?;
        let mut offset = 0;
        for i in 0..r.inputs() {
            let row = self.row(r.input(i))?;
            let whole = [row, output_row, offset].iter().all(|n| n.is_multiple_of(4));
            let fours = whole && r.traits().family != Family::Direct;
            let width = if fours { 4 } else { 1 };
            let count = r.input(i).elements() / width;
            let params = ConcatParams {
                count: r.u32("elements", count)?,
                row: r.u32("length", row / width)?,
                output_row: r.u32("length", output_row / width)?,
                offset: r.u32("length", offset / width)?,
                ..Default::default()
            };
            r.dispatch(
                Dispatch::new(&KERNEL, "concat_direct", &params)
                    .tune("Elem", r.moved(r.dtype(i), fours))
                    .bind([Operand::Input(i), Operand::Output(0)])
                    .groups(count.div_ceil(64) as u64),
            );
            offset += row;
        }
        Ok(())
    }
}
