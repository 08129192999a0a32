//! Joining tensors along an axis.

use std::ops::RangeInclusive;

use kinetograph_ref::concat as reference;
use serde::Deserialize;

use super::attributes::axis;
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::shape::Shape;
use crate::tensor::Tensor;
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
    /// Adds the join of one or more tensors along an axis; their other axes are equally long.
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

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::float(&self.output(inputs.iter().map(|t| &t.shape))?)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = self.output(inputs.iter().map(Tensor::shape))?;
        let rows = inputs.iter().map(|t| Ok((t.f32s()?, self.row(t.shape())?)));
        let outer = shape.elements() / self.row(&shape)?;
        Ok(vec![Tensor::new(&shape, reference::concat(&rows.collect::<Result<Vec<_>>>()?, outer))?])
    }

    fn flops(&self, _: &[TensorType], _: &[TensorType]) -> u64 {
        0
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let output_row = self.row(r.output(0))?;
        let mut offset = 0;
        for i in 0..r.inputs() {
            let row = self.row(r.input(i))?;
            let count = r.input(i).elements();
            let params = ConcatParams {
                count: r.u32("elements", count)?,
                row: r.u32("length", row)?,
                output_row: r.u32("length", output_row)?,
                offset: r.u32("length", offset)?,
                ..Default::default()
            };
            r.dispatch(
                Dispatch::new(&KERNEL, "concat_direct", &params)
                    .bind([Operand::Input(i), Operand::Output(0)])
                    .groups(count.div_ceil(64) as u64),
            );
            offset += row;
        }
        Ok(())
    }
}
