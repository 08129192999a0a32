//! Places of extremes along an axis.

use kinetograph_ref::arg_reduce as reference;
use serde::Deserialize;

use super::attributes::{around, axis};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Family, Graph, MOST_TURNS, Op, Operand, Recorder, TensorType, Value};
use crate::shape::Shape;
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("arg_reduce");

/// Rows from this length on are shared out over a workgroup on GPUs, if they are contiguous or too few to keep the
/// device busy.
const LONG: usize = 256;
const FEW_ROWS: usize = 4096;

/// Which extreme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Extreme {
    /// The largest element.
    #[default]
    Max,
    /// The smallest.
    Min,
}

/// The place of the largest or smallest element, as `torch.argmax` and `torch.argmin`: of equal elements the first, and
/// NaN comes before any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArgReduce {
    /// Which extreme.
    pub mode: Extreme,
    /// The axis; negative ones count from the last. Without one the place is that in the whole tensor, in row-major
    /// order.
    pub dim: Option<isize>,
    /// Whether the axis stays (without one: every axis), with length 1.
    pub keepdim: bool,
}

impl ArgReduce {
    /// The place along this axis, which goes.
    pub fn along(mode: Extreme, dim: isize) -> Self {
        ArgReduce { mode, dim: Some(dim), keepdim: false }
    }

    /// Lengths before, of and after the axis.
    fn lengths(&self, shape: &Shape) -> Result<[usize; 3]> {
        let Some(dim) = self.dim else { return Ok([1, shape.elements(), 1]) };
        Ok(around(axis(dim, shape.rank())?, shape))
    }

    fn output(&self, shape: &Shape) -> Result<Vec<usize>> {
        let gone = self.dim.map(|dim| axis(dim, shape.rank())).transpose()?;
        let of_axis = |(a, &d): (usize, &usize)| {
            let goes = gone.is_none_or(|gone| gone == a);
            if goes { self.keepdim.then_some(1) } else { Some(d) }
        };
        Ok(shape.iter().enumerate().filter_map(of_axis).collect())
    }
}

impl Graph {
    /// Adds the places, i32, of the largest or smallest elements of `x` along an axis, or of the whole of it. The axis
    /// goes, or stays with length 1 with [`ArgReduce::keepdim`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the axis does not exist or is longer than an i32 can count.
    pub fn arg_reduce(&mut self, x: Value, attributes: &ArgReduce) -> Result<Value> {
        self.push(*attributes, &[x])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "arg_reduce",
    summary: "the place, i32, of the largest or smallest element along an axis or of all",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "mode=max (min), dim=null (of all), keepdim=false",
    build: |g, v, a| Ok(vec![g.arg_reduce(v[0], &a.read()?)?]),
};

params! {
    struct ArgReduceParams {
        count: u32,
        length: u32,
        inner: u32,
    }
}

impl Op for ArgReduce {
    fn name(&self) -> &'static str {
        "arg_reduce"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let [_, length, _] = self.lengths(&inputs[0].shape)?;
        if i32::try_from(length).is_err() {
            return Err(Error::bad_input(format!("{length} elements, an i32 cannot count so many")));
        }
        let shape = Shape::new(&self.output(&inputs[0].shape)?)?;
        Ok(vec![TensorType { shape, dtype: DType::I32 }])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let [_, length, inner] = self.lengths(inputs[0].shape())?;
        let y = reference::arg_reduce(inputs[0].f32s()?, [length, inner], self.mode == Extreme::Max);
        Ok(vec![Tensor::new(&self.output(inputs[0].shape())?, y)?])
    }

    /// A comparison an element.
    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [outer, length, inner] = self.lengths(r.input(0))?;
        let count = outer * inner;
        let shared = r.traits().family == Family::Tiled && length >= LONG && (inner == 1 || count < FEW_ROWS);
        let (entry, groups, turns) = if shared || length > MOST_TURNS {
            ("arg_reduce_tree", count, length.div_ceil(256) + 8)
        } else {
            ("arg_reduce_direct", count.div_ceil(64), length)
        };
        let params = ArgReduceParams {
            count: r.u32("elements", count)?,
            length: r.u32("length", length)?,
            inner: r.u32("length", inner)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .constant("MODE", self.mode as u32)
                .bind([Operand::Input(0), Operand::Output(0)])
                .turns(turns)
                .groups(groups as u64),
        );
        Ok(())
    }
}
