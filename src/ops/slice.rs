//! Parts of tensors.

use kinetograph_ref::slice as reference;
use serde::Deserialize;

use super::attributes::axis;
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("slice");

/// A part of a tensor, as Python's `x[start:stop:step, …]`: an entry an axis from the first on, axes without one
/// stay whole. Negative starts and stops count from the end; those beyond an end mean the end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Slice {
    /// The first element along each axis; none stands for 0.
    pub start: Vec<Option<isize>>,
    /// The element after the last along each axis; none stands for the end.
    pub stop: Vec<Option<isize>>,
    /// Steps between elements, at least 1; none stands for 1.
    pub step: Vec<Option<usize>>,
}

impl Slice {
    /// First element, number of elements and step along each axis.
    fn ranges(&self, shape: &Shape) -> Result<Vec<(usize, usize, usize)>> {
        let lists = [("start", self.start.len()), ("stop", self.stop.len()), ("step", self.step.len())];
        if let Some((name, entries)) = lists.into_iter().find(|(_, entries)| *entries > shape.rank()) {
            return Err(Error::bad_input(format!("{name} has {entries} entries for {} axes", shape.rank())));
        }
        let ranges = shape.iter().enumerate().map(|(axis, &length)| {
            let start = self.start.get(axis).copied().flatten().map_or(0, |s| place(s, length));
            let stop = self.stop.get(axis).copied().flatten().map_or(length, |s| place(s, length));
            let step = self.step.get(axis).copied().flatten().unwrap_or(1);
            if step == 0 {
                return Err(Error::bad_input(format!("step 0 along axis {axis}: 1 or more is possible")));
            }
            if start >= stop {
                return Err(Error::bad_input(format!(
                    "nothing is left of the {length} elements of axis {axis} from start {start} to stop {stop}"
                )));
            }
            Ok((start, (stop - start).div_ceil(step), step))
        });
        ranges.collect()
    }
}

/// Where a start or stop lies on an axis.
fn place(at: isize, length: usize) -> usize {
    match usize::try_from(at) {
        Ok(at) => at.min(length),
        Err(_) => length.saturating_sub(at.unsigned_abs()),
    }
}

impl Graph {
    /// Adds a part of `x`, see [`Slice`]. Every axis stays, however short.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when nothing is left of an axis, a step is 0, or there are more entries than
    /// axes.
    pub fn slice(&mut self, x: Value, attributes: &Slice) -> Result<Value> {
        self.push(attributes.clone(), &[x])
    }

    /// Adds the elements `start..stop` of one axis of `x`, see [`Graph::slice`].
    ///
    /// # Errors
    /// As [`Graph::slice`], and when there is no such axis.
    pub fn slice_axis(&mut self, x: Value, dim: isize, start: isize, stop: Option<isize>) -> Result<Value> {
        let axis = axis(dim, self.shape(x).rank())?;
        let mut attributes = Slice { start: vec![None; axis], stop: vec![None; axis], ..Slice::default() };
        attributes.start.push(Some(start));
        attributes.stop.push(stop);
        self.slice(x, &attributes)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "slice",
    summary: "a part of a tensor, with steps",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "start=[0, …], stop=[null (the end), …], step=[1, …]",
    build: |g, v, a| Ok(vec![g.slice(v[0], &a.read()?)?]),
};

params! {
    struct SliceParams {
        count: u32,
        offset: u32,
        pad: u32,
        dims: [u32; MAX_RANK],
        steps: [u32; MAX_RANK],
    }
}

impl Op for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let dims: Vec<usize> =
            self.ranges(&inputs[0].shape)?.into_iter().map(|(_, count, _)| count).collect();
        Ok(vec![TensorType::float(&dims)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let ranges = self.ranges(inputs[0].shape())?;
        let indices: Vec<Vec<usize>> = ranges
            .into_iter()
            .map(|(start, count, step)| (0..count).map(|i| start + i * step).collect())
            .collect();
        let dims: Vec<usize> = indices.iter().map(Vec::len).collect();
        Ok(vec![Tensor::new(&dims, reference::slice(inputs[0].f32s()?, inputs[0].shape(), &indices))?])
    }

    fn flops(&self, _: &[TensorType], _: &[TensorType]) -> u64 {
        0
    }

    /// What is left out is not read.
    fn bytes(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        2 * outputs[0].bytes()
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let ranges = self.ranges(r.input(0))?;
        let strides = r.input(0).strides();
        let offset: usize = ranges.iter().zip(&strides).map(|((start, ..), s)| start * s).sum();
        let steps: Vec<usize> = ranges
            .iter()
            .zip(&strides)
            .map(|((_, count, step), s)| if *count == 1 { 0 } else { step * s })
            .collect();
        let count = r.output(0).elements();
        let params = SliceParams {
            count: r.u32("elements", count)?,
            offset: r.u32("offset", offset)?,
            dims: r.innermost_first(r.output(0), 1)?,
            steps: r.innermost_first(&steps, 0)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, "slice_direct", &params)
                .bind([Operand::Input(0), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
