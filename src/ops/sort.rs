//! Rows in order, or their first few.

use kinetograph_cpu::sort as fast;
use kinetograph_ref::sort as reference;
use serde::Deserialize;

use super::attributes::{around, axis};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Family, Graph, MOST_TURNS, Op, Operand, Recorder, TensorType, Value};
use crate::shape::Shape;
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("sort");

/// The most elements that a workgroup sorts, as in the kernel. More are put in order by counting, for each, what comes
/// before it: the square of the length.
const MOST_IN_GROUP: usize = 3072;

/// Up to this length counting is faster than the barriers of a sort, and from this on, where at most one in eight is
/// kept, finding the last of them is faster than sorting all.
const SHORT: usize = 256;
const LONG: usize = 512;

/// An axis in order, or the first `k` elements of it, with their places: `torch.sort` with `stable=True` and
/// `torch.topk`.
///
/// As in PyTorch NaN counts as larger than any number, whichever way the order goes. Of equals, the zeros among them,
/// the one that stood before comes first.
///
/// An axis of up to 60,000 elements can be sorted, and the first 3072 of an axis of up to two million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sort {
    /// The axis; negative ones count from the last.
    pub dim: isize,
    /// Whether the largest comes first.
    pub descending: bool,
    /// How many elements are kept; all, if nothing is said.
    pub k: Option<usize>,
}

impl Default for Sort {
    fn default() -> Self {
        Sort { dim: -1, descending: false, k: None }
    }
}

impl Sort {
    fn kept(&self, length: usize) -> usize {
        self.k.unwrap_or(length)
    }
}

impl Graph {
    /// Adds an axis of `x` put in order, of any shape but a scalar's: the values, and their places along the axis, i32.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is no such axis, it is too long, or `k` is not 1 to its length.
    pub fn sort(&mut self, x: Value, attributes: &Sort) -> Result<(Value, Value)> {
        let outputs = self.push_all(*attributes, &[x])?;
        Ok((outputs[0], outputs[1]))
    }

    /// Adds the `k` largest elements along an axis, the largest first, or the `k` smallest: values and places. See
    /// [`Sort`].
    ///
    /// # Errors
    /// As [`Graph::sort`].
    pub fn top_k(&mut self, x: Value, k: usize, dim: isize, largest: bool) -> Result<(Value, Value)> {
        self.sort(x, &Sort { dim, descending: largest, k: Some(k) })
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "sort",
    summary: "an axis in order or its first k: the values, and their places, i32, as second output",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "dim=-1, descending=false, k=null (all)",
    build: |g, v, a| {
        let (values, indices) = g.sort(v[0], &a.read()?)?;
        Ok(vec![values, indices])
    },
};

params! {
    struct SortParams {
        count: u32,
        length: u32,
        inner: u32,
        kept: u32,
        pairs: u32,
        digits: u32,
    }
}

/// Turns of an invocation in the bitonic network that sorts `count` elements.
fn network_turns(count: usize) -> usize {
    let stages = count.next_power_of_two().ilog2() as usize;
    stages * (stages + 1) / 2 * (count.next_power_of_two() / 2).div_ceil(256)
}

/// What sorts rows on the processor: elements, `[length, inner]`, how many are kept and whether the largest come first.
type Sorter = fn(&[f32], [usize; 2], usize, bool) -> (Vec<f32>, Vec<i32>);

impl Sort {
    fn by(&self, sort: Sorter, x: &Tensor) -> Result<Vec<Tensor>> {
        let axis = axis(self.dim, x.shape().rank())?;
        let [_, length, inner] = around(axis, x.shape());
        let kept = self.kept(length);
        let (values, places) = sort(x.f32s()?, [length, inner], kept, self.descending);
        let mut shape = x.shape().to_vec();
        shape[axis] = kept;
        Ok(vec![Tensor::new(&shape, values)?, Tensor::new(&shape, places)?])
    }
}

impl Op for Sort {
    fn name(&self) -> &'static str {
        "sort"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let axis = axis(self.dim, inputs[0].shape.rank())?;
        let length = inputs[0].shape[axis];
        let kept = self.kept(length);
        if kept == 0 || kept > length {
            return Err(Error::bad_input(format!("k {kept}: 1 to {length}, the length of the axis")));
        }
        if kept > MOST_IN_GROUP && length > MOST_TURNS {
            return Err(Error::bad_input(format!(
                "the first {kept} of {length} elements: at most {MOST_TURNS} can be sorted, or the first \
                 {MOST_IN_GROUP} of more"
            )));
        }
        let mut shape = inputs[0].shape.to_vec();
        shape[axis] = kept;
        let shape = Shape::new(&shape)?;
        let places = TensorType { shape: shape.clone(), dtype: DType::I32 };
        Ok(vec![TensorType { shape, dtype: DType::F32 }, places])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        self.by(reference::sort, &inputs[0])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        self.by(fast::sort, &inputs[0])
    }

    /// The comparisons of the slowest way that there is for such a length.
    fn flops(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        let Ok(axis) = axis(self.dim, inputs[0].shape.rank()) else { return 0 };
        let [length, kept] = [&inputs[0], &outputs[0]].map(|t| t.shape[axis]);
        let each = if kept > MOST_IN_GROUP { length } else { length.min(MOST_IN_GROUP / 8) };
        inputs[0].shape.elements() as u64 * each as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [outer, length, inner] = around(axis(self.dim, r.input(0).rank())?, r.input(0));
        let kept = self.kept(length);
        let (rows, count) = (outer * inner, r.input(0).elements());
        let digits = (usize::BITS - (length - 1).leading_zeros()).div_ceil(8) as usize;
        let most_counted = if r.traits().family == Family::Direct { MOST_TURNS } else { SHORT };
        let few = length > LONG && kept <= length / 8;
        let (entry, groups, turns, sorted) = if length <= most_counted || kept > MOST_IN_GROUP {
            ("sort_rank", count.div_ceil(64), length, kept)
        } else if few || length > MOST_IN_GROUP {
            let turns = (5 + digits) * length.div_ceil(256) + 64 + network_turns(kept) + kept.div_ceil(256);
            ("sort_select", rows, turns, kept)
        } else {
            ("sort_tiled", rows, network_turns(length) + 2 * length.div_ceil(256), length)
        };
        let params = SortParams {
            count: r.u32("elements", count)?,
            length: r.u32("length", length)?,
            inner: r.u32("length", inner)?,
            kept: r.u32("k", kept)?,
            pairs: r.u32("length", sorted.next_power_of_two() / 2)?,
            digits: r.u32("digits", digits)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .constant("DESCENDING", u32::from(self.descending))
                .bind([Operand::Input(0), Operand::Output(0), Operand::Output(1)])
                .turns(turns)
                .groups(groups as u64),
        );
        Ok(())
    }
}
