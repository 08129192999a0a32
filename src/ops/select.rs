//! Elements of one tensor or another.

use std::ops::RangeInclusive;

use kinetograph_ref::select as reference;

use super::attributes::any_element;
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Graph, Op, Operand, Precision, Recorder, TensorType, Value};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("select");

/// The elements of one tensor where a condition holds and of another where it does not, as `torch.where`, with
/// broadcasting. The condition holds where it is not 0, NaN included; it may be of floats, as comparisons give it, or of
/// integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Select;

impl Graph {
    /// Adds a choice: `condition ≠ 0 ? a : b`, element by element. The three shapes broadcast; `a` and `b` are both of
    /// floats or both of integers.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when shapes or types do not fit each other.
    pub fn select(&mut self, condition: Value, a: Value, b: Value) -> Result<Value> {
        self.push(Select, &[condition, a, b])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "select",
    summary: "elements of one tensor where a condition is not 0, of another where it is, with broadcasting",
    inputs: &[
        Port::new("condition", Layout::Plain),
        Port::new("input", Layout::Plain),
        Port::new("other", Layout::Plain),
    ],
    output: Layout::Plain,
    attributes: "",
    build: |g, v, a| {
        a.none()?;
        Ok(vec![g.select(v[0], v[1], v[2])?])
    },
};

params! {
    struct SelectParams {
        count: u32,
        same: u32,
        pad: u32,
        dims: [u32; MAX_RANK],
        condition_steps: [u32; MAX_RANK],
        a_steps: [u32; MAX_RANK],
        b_steps: [u32; MAX_RANK],
    }
}

fn output(condition: &Shape, a: &Shape, b: &Shape) -> Result<Shape> {
    condition.broadcast(&a.broadcast(b)?)
}

impl Op for Select {
    fn name(&self) -> &'static str {
        "select"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        3..=3
    }

    fn takes(&self, dtype: DType) -> bool {
        any_element(dtype)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let [condition, a, b] = [0, 1, 2].map(|i| &inputs[i]);
        if a.dtype != b.dtype {
            return Err(Error::bad_input(format!("the input is {}, the other is {}", a.dtype, b.dtype)));
        }
        Ok(vec![a.with_shape(&output(&condition.shape, &a.shape, &b.shape)?)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = output(inputs[0].shape(), inputs[1].shape(), inputs[2].shape())?;
        let holds: Vec<bool> = match inputs[0].dtype() {
            DType::I32 => inputs[0].i32s()?.iter().map(|c| *c != 0).collect(),
            _ => inputs[0].f32s()?.iter().map(|c| *c != 0.0).collect(),
        };
        let steps = [0, 1, 2].map(|i| inputs[i].shape().steps_in(&shape));
        let steps = [0, 1, 2].map(|i| &steps[i][..]);
        let y = match inputs[1].dtype() {
            DType::I32 => {
                let (a, b) = (inputs[1].i32s()?, inputs[2].i32s()?);
                Tensor::new(&shape, reference::select(&holds, a, b, steps, &shape))
            }
            _ => {
                let (a, b) = (inputs[1].f32s()?, inputs[2].f32s()?);
                Tensor::new(&shape, reference::select(&holds, a, b, steps, &shape))
            }
        };
        Ok(vec![y?])
    }

    fn flops(&self, _: &[TensorType], _: &[TensorType]) -> u64 {
        0
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let shape = r.output(0);
        let count = shape.elements();
        let steps = |i: usize| r.innermost_first(&r.input(i).steps_in(shape), 0);
        let params = SelectParams {
            count: r.u32("elements", count)?,
            same: u32::from((0..3).all(|i| r.input(i) == shape)),
            dims: r.innermost_first(shape, 1)?,
            condition_steps: steps(0)?,
            a_steps: steps(1)?,
            b_steps: steps(2)?,
            ..Default::default()
        };
        let condition = match (r.dtype(0), r.traits().precision) {
            (DType::I32, _) => "i32",
            (_, Precision::F16) => "f16",
            _ => "f32",
        };
        r.dispatch(
            Dispatch::new(&KERNEL, "select_direct", &params)
                .elements(r.dtype(1))
                .tune("Condition", condition)
                .bind([Operand::Input(0), Operand::Input(1), Operand::Input(2), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
