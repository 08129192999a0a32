//! Elements at indices along an axis.

use std::ops::RangeInclusive;

use kinetograph_ref::gather as reference;
use serde::Deserialize;

use super::attributes::{any_element, axis, indexed_place};
use super::{Door, Layout, Port};
use crate::error::{At, Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("gather");

/// The elements of a tensor that i32 indices name along an axis.
///
/// What the indices are is not known when a graph is built, if they are no constant: one below 0 or beyond the axis gives
/// NaN, or of integers `i32::MIN`, where PyTorch refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gather {
    /// The axis; a negative one counts from the last.
    pub dim: isize,
    /// Whether an index stands for all that shares its place along the axis, as in `torch.index_select`: the indices have
    /// one axis then. Otherwise each stands for one element, as in `torch.gather`: they have as many axes as the tensor,
    /// none longer than its, but for this one.
    pub rows: bool,
}

impl Gather {
    /// The axis and the output's shape.
    fn output(&self, input: &Shape, index: &Shape) -> Result<(usize, Vec<usize>)> {
        let axis = axis(self.dim, input.rank())?;
        if self.rows {
            let [count] = index.dims("the indices", "[K]")?;
            let mut dims = input.to_vec();
            dims[axis] = count;
            return Ok((axis, dims));
        }
        let fits = |a: usize| a == axis || index[a] <= input[a];
        if index.rank() != input.rank() || !(0..input.rank()).all(fits) {
            return Err(Error::bad_input(format!(
                "the indices are {index}, they must have the axes of {input}, none longer but dim {}",
                self.dim
            )));
        }
        Ok((axis, index.to_vec()))
    }
}

impl Graph {
    /// Adds the elements of `x`, of floats or integers, that `indices`, i32, name along an axis, see [`Gather`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is no such axis, the indices are no integers or their shape does not
    /// fit, or when they are constant and one of them names nothing.
    pub fn gather(&mut self, x: Value, indices: Value, attributes: &Gather) -> Result<Value> {
        self.check_indices(indices, x, attributes.dim).at("gather")?;
        self.push(*attributes, &[x, indices])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "gather",
    summary: "elements, or whole rows, at i32 indices along an axis",
    inputs: &[Port::new("input", Layout::Plain), Port::new("index", Layout::Plain)],
    output: Layout::Plain,
    attributes: "dim=0, rows=false (true: as index_select)",
    build: |g, v, a| Ok(vec![g.gather(v[0], v[1], &a.read()?)?]),
};

params! {
    struct GatherParams {
        count: u32,
        length: u32,
        step: u32,
        none: f32,
        none_integer: i32,
        pad_0: u32,
        pad_1: u32,
        dims: [u32; MAX_RANK],
        input_steps: [u32; MAX_RANK],
        index_steps: [u32; MAX_RANK],
    }
}

impl Op for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        2..=2
    }

    /// The indices are integers: `infer` tells which is which.
    fn takes(&self, dtype: DType) -> bool {
        any_element(dtype)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let (_, dims) = self.output(&inputs[0].shape, &inputs[1].shape)?;
        if inputs[1].dtype != DType::I32 {
            return Err(Error::bad_input(format!("the indices must be i32, they are {}", inputs[1].dtype)));
        }
        Ok(vec![inputs[0].with_shape(&dims)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (x, indices) = (&inputs[0], inputs[1].i32s()?);
        let (axis, dims) = self.output(x.shape(), inputs[1].shape())?;
        let index = |place: &[usize]| indices[indexed_place(place, inputs[1].shape(), axis, self.rows)];
        let y = match x.dtype() {
            DType::I32 => {
                Tensor::new(&dims, reference::gather(x.i32s()?, x.shape(), &dims, axis, index, i32::MIN))
            }
            _ => Tensor::new(&dims, reference::gather(x.f32s()?, x.shape(), &dims, axis, index, f32::NAN)),
        };
        Ok(vec![y?])
    }

    fn flops(&self, _: &[TensorType], _: &[TensorType]) -> u64 {
        0
    }

    /// What is not named is not read.
    fn bytes(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        inputs[1].bytes() + 2 * outputs[0].bytes()
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let (axis, dims) = self.output(r.input(0), r.input(1))?;
        let mut input_steps = r.input(0).strides();
        let step = std::mem::take(&mut input_steps[axis]);
        let index_steps = if self.rows {
            (0..dims.len()).map(|a| usize::from(a == axis)).collect()
        } else {
            r.input(1).strides()
        };
        let count = r.output(0).elements();
        let params = GatherParams {
            count: r.u32("elements", count)?,
            length: r.u32("length", r.input(0)[axis].min(i32::MAX as usize + 1))?,
            step: r.u32("step", step)?,
            none: f32::NAN,
            none_integer: i32::MIN,
            dims: r.innermost_first(&dims, 1)?,
            input_steps: r.innermost_first(&input_steps, 0)?,
            index_steps: r.innermost_first(&index_steps, 0)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, "gather_direct", &params)
                .constant("INTEGERS", u32::from(r.dtype(0) == DType::I32))
                .elements(r.dtype(0))
                .bind([Operand::Input(0), Operand::Input(1), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
