//! Elements moved along axes, round their ends.

use kinetograph_ref::roll as reference;
use serde::Deserialize;

use super::attributes::{any_element, axes, axis_list};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("roll");

/// Elements moved along axes, those that leave one end coming in at the other, as `torch.roll` with dims.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Roll {
    /// How far along each of `dims`; backwards where negative.
    #[serde(deserialize_with = "axis_list")]
    pub shifts: Vec<isize>,
    /// The axes; negative ones count from the last.
    #[serde(deserialize_with = "axis_list")]
    pub dims: Vec<isize>,
}

impl Roll {
    /// The shift of every axis.
    fn each(&self, shape: &Shape) -> Result<Vec<isize>> {
        if self.shifts.len() != self.dims.len() || self.dims.is_empty() {
            return Err(Error::bad_input(format!(
                "shifts {:?} and dims {:?} must be equally many, and at least one",
                self.shifts, self.dims
            )));
        }
        let mut each = vec![0; shape.rank()];
        for (axis, shift) in axes(&self.dims, shape.rank())?.into_iter().zip(&self.shifts) {
            each[axis] = *shift;
        }
        Ok(each)
    }
}

impl Graph {
    /// Adds `x`, of floats or integers, with its elements moved by `shifts` along `dims`, round the ends.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are not as many shifts as axes, none at all, or an axis does not exist
    /// or is named twice.
    pub fn roll(&mut self, x: Value, shifts: &[isize], dims: &[isize]) -> Result<Value> {
        self.push(Roll { shifts: shifts.to_vec(), dims: dims.to_vec() }, &[x])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "roll",
    summary: "elements moved along axes, round their ends",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "shifts (required), dims (required)",
    build: |g, v, a| {
        let a: Roll = a.read()?;
        Ok(vec![g.roll(v[0], &a.shifts, &a.dims)?])
    },
};

params! {
    struct RollParams {
        count: u32,
        pad_0: u32,
        pad_1: u32,
        dims: [u32; MAX_RANK],
        steps: [u32; MAX_RANK],
        back: [u32; MAX_RANK],
    }
}

impl Op for Roll {
    fn name(&self) -> &'static str {
        "roll"
    }

    fn takes(&self, dtype: DType) -> bool {
        any_element(dtype)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        self.each(&inputs[0].shape)?;
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = inputs[0].shape();
        let shifts = self.each(shape)?;
        Ok(vec![with_elements!(inputs[0], |x| Tensor::new(shape, reference::roll(x, shape, &shifts)))?])
    }

    fn flops(&self, _: &[TensorType], _: &[TensorType]) -> u64 {
        0
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let shape = r.input(0);
        let shifts = self.each(shape)?;
        let back: Vec<usize> = shape
            .iter()
            .zip(shifts)
            .map(|(&length, shift)| {
                let far = shift.unsigned_abs() % length;
                if shift > 0 { (length - far) % length } else { far }
            })
            .collect();
        let (mut dims, mut steps) = (shape.to_vec(), shape.strides());
        let fours = back.last() == Some(&0) && r.in_fours(&mut dims, &mut steps);
        let count: usize = dims.iter().product();
        let params = RollParams {
            count: r.u32("elements", count)?,
            dims: r.innermost_first(&dims, 1)?,
            steps: r.innermost_first(&steps, 0)?,
            back: r.innermost_first(&back, 0)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, "roll_direct", &params)
                .tune("Elem", r.moved(r.dtype(0), fours))
                .bind([Operand::Input(0), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
