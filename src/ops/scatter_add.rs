//! Tensors added to another at indices along an axis.

use std::ops::RangeInclusive;

use kinetograph_ref::scatter_add as reference;
use serde::Deserialize;

use super::attributes::{any_element, axis, indexed_place};
use super::{Door, Layout, Port};
use crate::error::{At, Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("scatter_add");

/// A tensor with the elements of another added to it at i32 indices along an axis, in the order in which they stand.
///
/// The same bits come out every time: no atomics, each element of the result looks through all the indices that may name
/// it. That costs their number times the elements of the result, so it suits few or short targets (histograms, means of
/// codes, sparse frames) and not splatting into pictures. An index that names nothing adds nothing, where PyTorch refuses
/// it; constant ones are checked when the graph is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScatterAdd {
    /// The axis; a negative one counts from the last.
    pub dim: isize,
    /// Whether an index stands for all that shares its place along the axis, as in `torch.index_add`: the indices have
    /// one axis then, as long as the source's, whose other axes are the input's. Otherwise each stands for one element,
    /// as in `torch.scatter_add`: indices and source are of one shape, no longer than the input's, but for this axis.
    pub rows: bool,
}

impl ScatterAdd {
    /// The axis, once the three shapes fit each other.
    fn axis(&self, input: &Shape, index: &Shape, source: &Shape) -> Result<usize> {
        let axis = axis(self.dim, input.rank())?;
        let others = |fits: fn(usize, usize) -> bool| {
            source.rank() == input.rank() && (0..input.rank()).all(|a| a == axis || fits(source[a], input[a]))
        };
        if self.rows {
            let [count] = index.dims("the indices", "[K]")?;
            if !others(|s, i| s == i) || source[axis] != count {
                return Err(Error::bad_input(format!(
                    "the source is {source}, it must be {input} but for dim {}, which must have the length of {count} \
                     indices",
                    self.dim
                )));
            }
        } else if index != source || !others(|s, i| s <= i) {
            return Err(Error::bad_input(format!(
                "the indices are {index} and the source {source}, both must be one shape with the axes of {input}, none \
                 longer but dim {}",
                self.dim
            )));
        }
        Ok(axis)
    }
}

impl Graph {
    /// Adds `x` with the elements of `source` added at `indices`, i32, along an axis, see [`ScatterAdd`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is no such axis, the indices are no integers or the others no floats,
    /// the shapes do not fit each other, or when the indices are constant and one of them names nothing.
    pub fn scatter_add(
        &mut self,
        x: Value,
        indices: Value,
        source: Value,
        attributes: &ScatterAdd,
    ) -> Result<Value> {
        self.check_indices(indices, x, attributes.dim).at("scatter_add")?;
        self.push(*attributes, &[x, indices, source])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "scatter_add",
    summary: "a tensor with another added to it at i32 indices along an axis, in a fixed order",
    inputs: &[
        Port::new("input", Layout::Plain),
        Port::new("index", Layout::Plain),
        Port::new("source", Layout::Plain),
    ],
    output: Layout::Plain,
    attributes: "dim=0, rows=false (true: as index_add)",
    build: |g, v, a| Ok(vec![g.scatter_add(v[0], v[1], v[2], &a.read()?)?]),
};

params! {
    struct ScatterAddParams {
        count: u32,
        length: u32,
        places: u32,
        step: u32,
        source_step: u32,
        index_step: u32,
        pad: u32,
        dims: [u32; MAX_RANK],
        source_dims: [u32; MAX_RANK],
        source_steps: [u32; MAX_RANK],
        index_steps: [u32; MAX_RANK],
    }
}

impl Op for ScatterAdd {
    fn name(&self) -> &'static str {
        "scatter_add"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        3..=3
    }

    /// The indices are integers: `infer` tells which is which.
    fn takes(&self, dtype: DType) -> bool {
        any_element(dtype)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        self.axis(&inputs[0].shape, &inputs[1].shape, &inputs[2].shape)?;
        for (input, what, wanted) in
            [(0, "the input", DType::F32), (1, "the indices", DType::I32), (2, "the source", DType::F32)]
        {
            if inputs[input].dtype != wanted {
                let dtype = inputs[input].dtype;
                return Err(Error::bad_input(format!("{what} must be {wanted}, not {dtype}")));
            }
        }
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (x, indices, source) = (&inputs[0], inputs[1].i32s()?, &inputs[2]);
        let axis = self.axis(x.shape(), inputs[1].shape(), source.shape())?;
        let index = |place: &[usize]| indices[indexed_place(place, inputs[1].shape(), axis, self.rows)];
        let y = reference::scatter_add(x.f32s()?, x.shape(), source.f32s()?, source.shape(), axis, index);
        Ok(vec![Tensor::new(x.shape(), y)?])
    }

    /// As if everything along the axis came to one place.
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Bound>> {
        let magnitudes = self.reference(&[inputs[0].abs()?, inputs[1].clone(), inputs[2].abs()?])?;
        let axis = self.axis(inputs[0].shape(), inputs[1].shape(), inputs[2].shape())?;
        Ok(vec![Bound::sum(inputs[2].shape()[axis] + 1, &magnitudes[0])?])
    }

    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        inputs[2].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let (shape, source) = (r.input(0), r.input(2));
        let axis = self.axis(shape, r.input(1), source)?;
        let mut source_steps = source.strides();
        let mut index_steps = if self.rows {
            (0..shape.rank()).map(|a| usize::from(a == axis)).collect()
        } else {
            r.input(1).strides()
        };
        let source_step = std::mem::take(&mut source_steps[axis]);
        let index_step = std::mem::take(&mut index_steps[axis]);
        let length = source[axis];
        let mut source_dims = source.to_vec();
        source_dims[axis] = shape[axis];
        let count = shape.elements();
        let params = ScatterAddParams {
            count: r.u32("elements", count)?,
            length: r.u32("length", length)?,
            places: r.u32("length", shape[axis])?,
            step: r.u32("step", shape.strides()[axis])?,
            source_step: r.u32("step", source_step)?,
            index_step: r.u32("step", index_step)?,
            dims: r.innermost_first(shape, 1)?,
            source_dims: r.innermost_first(&source_dims, 1)?,
            source_steps: r.innermost_first(&source_steps, 0)?,
            index_steps: r.innermost_first(&index_steps, 0)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, "scatter_add_direct", &params)
                .bind([Operand::Input(0), Operand::Input(1), Operand::Input(2), Operand::Output(0)])
                .turns(length)
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
