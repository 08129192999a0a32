//! Parts of tensors.

use kinetograph_cpu::permute as fast;
use kinetograph_ref::slice as reference;
use serde::Deserialize;

use super::attributes::{any_element, axis};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("slice");

/// A part of a tensor, as Python's `x[start:stop:step, …]`: an entry an axis from the first on, axes without one
/// stay whole. Negative starts and stops count from the end; those beyond an end mean the end. A negative step goes
/// backwards, from the last element if there is no start, through the first if there is no stop.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Slice {
    /// The first element along each axis; none stands for the end that the step leads away from.
    pub start: Vec<Option<isize>>,
    /// The first element no more taken along each axis; none stands for all to the end.
    pub stop: Vec<Option<isize>>,
    /// Steps between elements, not 0; none stands for 1.
    pub step: Vec<Option<isize>>,
}

impl Slice {
    /// First element, number of elements and step along each axis.
    fn ranges(&self, shape: &Shape) -> Result<Vec<(usize, usize, isize)>> {
        let lists = [("start", self.start.len()), ("stop", self.stop.len()), ("step", self.step.len())];
        if let Some((name, entries)) = lists.into_iter().find(|(_, entries)| *entries > shape.rank()) {
            return Err(Error::bad_input(format!("{name} has {entries} entries for {} axes", shape.rank())));
        }
        let ranges = shape.iter().enumerate().map(|(axis, &length)| {
            let entry = |list: &[Option<isize>]| list.get(axis).copied().flatten();
            let step = entry(&self.step).unwrap_or(1);
            if step == 0 {
                return Err(Error::bad_input(format!("step 0 along axis {axis}: any other is possible")));
            }
            let end = length as isize;
            // What lies beyond both ends, in the direction of the step.
            let (low, high) = if step > 0 { (0, end) } else { (-1, end - 1) };
            let place = |at: isize| if at < 0 { at.saturating_add(end) } else { at }.clamp(low, high);
            let (first, last) = if step > 0 { (low, high) } else { (high, low) };
            let start = entry(&self.start).map_or(first, place);
            let stop = entry(&self.stop).map_or(last, place);
            if (step > 0 && start >= stop) || (step < 0 && start <= stop) {
                return Err(Error::bad_input(format!(
                    "nothing is left of the {length} elements of axis {axis} from start {start} to stop {stop} by \
                     step {step}"
                )));
            }
            Ok((start.unsigned_abs(), stop.abs_diff(start).div_ceil(step.unsigned_abs()), step))
        });
        ranges.collect()
    }
}

impl Graph {
    /// Adds a part of `x`, of floats or integers, see [`Slice`]. Every axis stays, however short.
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

/// A step as the kernel's 32-bit indices count: a negative one wraps round.
fn wrapped(step: isize) -> usize {
    step as u32 as usize
}

impl Op for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn takes(&self, dtype: DType) -> bool {
        any_element(dtype)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let dims: Vec<usize> =
            self.ranges(&inputs[0].shape)?.into_iter().map(|(_, count, _)| count).collect();
        Ok(vec![inputs[0].with_shape(&dims)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let ranges = self.ranges(inputs[0].shape())?;
        let indices: Vec<Vec<usize>> = ranges
            .into_iter()
            .map(|(start, count, step)| {
                (0..count).map(|i| start.wrapping_add_signed(i as isize * step)).collect()
            })
            .collect();
        let dims: Vec<usize> = indices.iter().map(Vec::len).collect();
        let shape = inputs[0].shape();
        Ok(vec![with_elements!(inputs[0], |x| Tensor::new(&dims, reference::slice(x, shape, &indices)))?])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = inputs[0].shape();
        let (ranges, steps) = (self.ranges(shape)?, shape.strides());
        let first = ranges.iter().zip(&steps).map(|((start, ..), s)| start * s).sum();
        let dims: Vec<usize> = ranges.iter().map(|(_, count, _)| *count).collect();
        let axes = ranges.iter().zip(&steps).map(|(&(_, count, step), &s)| (count, step * s as isize));
        let axes: Vec<_> = axes.collect();
        Ok(vec![match inputs[0].dtype() {
            DType::I32 => Tensor::new(&dims, fast::integers(inputs[0].i32s()?, first, &axes))?,
            _ => Tensor::new(&dims, fast::floats(inputs[0].f32s()?, first, &axes))?,
        }])
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
        let mut offset: usize = ranges.iter().zip(&strides).map(|((start, ..), s)| start * s).sum();
        let mut steps: Vec<usize> = ranges
            .iter()
            .zip(&strides)
            .map(|((_, count, step), s)| if *count == 1 { 0 } else { wrapped(step * *s as isize) })
            .collect();
        let mut dims = r.output(0).to_vec();
        // A step that has wrapped round cannot be divided.
        let forwards = ranges.iter().all(|(_, _, step)| *step > 0) && offset.is_multiple_of(4);
        let fours = forwards && r.in_fours(&mut dims, &mut steps);
        if fours {
            offset /= 4;
        }
        let count: usize = dims.iter().product();
        let params = SliceParams {
            count: r.u32("elements", count)?,
            offset: r.u32("offset", offset)?,
            dims: r.innermost_first(&dims, 1)?,
            steps: r.innermost_first(&steps, 0)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, "slice_direct", &params)
                .tune("Elem", r.moved(r.dtype(0), fours))
                .bind([Operand::Input(0), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
