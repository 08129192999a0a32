//! Tensors a number of times along each axis.

use kinetograph_ref::repeat as reference;
use serde::Deserialize;

use super::attributes::any_element;
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("repeat");

/// A tensor a number of times along each axis, as `torch.tile`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Repeat {
    /// How many times along each axis, one number for each; more numbers than axes stand for new axes before the first.
    pub repeats: Vec<usize>,
}

impl Repeat {
    /// The shape with new axes of length 1 before the first, as many as there are numbers.
    fn widened(&self, shape: &Shape) -> Result<Vec<usize>> {
        let new = self.repeats.len().checked_sub(shape.rank()).ok_or_else(|| {
            Error::bad_input(format!(
                "repeats has {} entries for {} axes, it must have one for each",
                self.repeats.len(),
                shape.rank()
            ))
        })?;
        Ok([&vec![1; new], &shape[..]].concat())
    }

    fn output(&self, shape: &Shape) -> Result<Vec<usize>> {
        if let Some(axis) = self.repeats.iter().position(|r| *r == 0) {
            return Err(Error::bad_input(format!("repeats 0 along axis {axis}: 1 or more is possible")));
        }
        Ok(self.widened(shape)?.iter().zip(&self.repeats).map(|(d, r)| d.saturating_mul(*r)).collect())
    }
}

impl Graph {
    /// Adds `x`, of floats or integers, `repeats` times along each axis. More numbers than axes stand for new axes
    /// before the first.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when a number is 0 or there are fewer numbers than axes.
    pub fn repeat(&mut self, x: Value, repeats: &[usize]) -> Result<Value> {
        self.push(Repeat { repeats: repeats.to_vec() }, &[x])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "repeat",
    summary: "a tensor a number of times along each axis",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "repeats=[1, …]",
    build: |g, v, a| Ok(vec![g.repeat(v[0], &a.read::<Repeat>()?.repeats)?]),
};

params! {
    struct RepeatParams {
        count: u32,
        pad_0: u32,
        pad_1: u32,
        dims: [u32; MAX_RANK],
        lengths: [u32; MAX_RANK],
        steps: [u32; MAX_RANK],
    }
}

impl Op for Repeat {
    fn name(&self) -> &'static str {
        "repeat"
    }

    fn takes(&self, dtype: DType) -> bool {
        any_element(dtype)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![inputs[0].with_shape(&self.output(&inputs[0].shape)?)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = inputs[0].shape();
        let (dims, output) = (self.widened(shape)?, self.output(shape)?);
        let times = &self.repeats;
        Ok(vec![with_elements!(inputs[0], |x| Tensor::new(&output, reference::repeat(x, &dims, times)))?])
    }

    fn flops(&self, _: &[TensorType], _: &[TensorType]) -> u64 {
        0
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let (mut lengths, mut steps) = (r.input(0).to_vec(), r.input(0).strides());
        let mut dims = r.output(0).to_vec();
        let fours = r.in_fours(&mut lengths, &mut steps);
        if let Some(last) = dims.last_mut().filter(|_| fours) {
            *last /= 4;
        }
        let count: usize = dims.iter().product();
        let params = RepeatParams {
            count: r.u32("elements", count)?,
            dims: r.innermost_first(&dims, 1)?,
            lengths: r.innermost_first(&lengths, 1)?,
            steps: r.innermost_first(&steps, 0)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, "repeat_direct", &params)
                .tune("Elem", r.moved(r.dtype(0), fours))
                .bind([Operand::Input(0), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
