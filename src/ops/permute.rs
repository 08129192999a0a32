//! Axes in another order.

use kinetograph_cpu::permute as fast;
use kinetograph_ref::permute as reference;
use serde::Deserialize;

use super::attributes::{any_element, axes, axis_list};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("permute");

/// The axes in another order, as `torch.permute`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Permute {
    /// Axis `i` of the output is axis `dims[i]` of the input; negative ones count from the last.
    #[serde(deserialize_with = "axis_list")]
    pub dims: Vec<isize>,
}

impl Permute {
    fn order(&self, shape: &Shape) -> Result<Vec<usize>> {
        let order = axes(&self.dims, shape.rank())?;
        if order.len() != shape.rank() {
            return Err(Error::bad_input(format!(
                "dims {:?} must name each of the {} axes once",
                self.dims,
                shape.rank()
            )));
        }
        Ok(order)
    }
}

impl Graph {
    /// Adds a copy of `x`, of floats or integers, with its axes in another order: axis `i` of the output is axis `dims[i]` of `x`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when `dims` does not name every axis once.
    pub fn permute(&mut self, x: Value, dims: &[isize]) -> Result<Value> {
        self.push(Permute { dims: dims.to_vec() }, &[x])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "permute",
    summary: "the axes in another order",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "dims",
    build: |g, v, a| Ok(vec![g.permute(v[0], &a.read::<Permute>()?.dims)?]),
};

params! {
    struct PermuteParams {
        count: u32,
        pad_0: u32,
        pad_1: u32,
        dims: [u32; MAX_RANK],
        steps: [u32; MAX_RANK],
    }
}

impl Op for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }

    fn takes(&self, dtype: DType) -> bool {
        any_element(dtype)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let shape = &inputs[0].shape;
        let dims: Vec<usize> = self.order(shape)?.into_iter().map(|a| shape[a]).collect();
        Ok(vec![inputs[0].with_shape(&dims)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = inputs[0].shape();
        let order = self.order(shape)?;
        let dims: Vec<usize> = order.iter().map(|&a| shape[a]).collect();
        Ok(vec![with_elements!(inputs[0], |x| Tensor::new(&dims, reference::permute(x, shape, &order)))?])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = inputs[0].shape();
        let (order, steps) = (self.order(shape)?, shape.strides());
        let dims: Vec<usize> = order.iter().map(|&a| shape[a]).collect();
        let axes: Vec<_> = order.iter().map(|&a| (shape[a], steps[a] as isize)).collect();
        Ok(vec![match inputs[0].dtype() {
            DType::I32 => Tensor::new(&dims, fast::integers(inputs[0].i32s()?, 0, &axes))?,
            _ => Tensor::new(&dims, fast::floats(inputs[0].f32s()?, 0, &axes))?,
        }])
    }

    fn flops(&self, _: &[TensorType], _: &[TensorType]) -> u64 {
        0
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let strides = r.input(0).strides();
        let mut steps: Vec<usize> = self.order(r.input(0))?.into_iter().map(|a| strides[a]).collect();
        let mut dims = r.output(0).to_vec();
        let fours = r.in_fours(&mut dims, &mut steps);
        let count: usize = dims.iter().product();
        let params = PermuteParams {
            count: r.u32("elements", count)?,
            dims: r.innermost_first(&dims, 1)?,
            steps: r.innermost_first(&steps, 0)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, "permute_direct", &params)
                .tune("Elem", r.moved(r.dtype(0), fours))
                .bind([Operand::Input(0), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
