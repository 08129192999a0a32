//! Sums, means and extremes over a set of axes.

use kinetograph_ref::reduce as reference;
use serde::Deserialize;

use super::attributes::{axes, axis_list};
use super::{Door, Layout, Port};
use crate::error::Result;
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Family, Graph, MOST_TURNS, Op, Operand, Recorder, TensorType, Value};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("reduce");

/// From this many elements an output on, GPUs share them out over a workgroup, if that reads contiguously or
/// there are too few outputs to keep the device busy.
const LONG: usize = 256;
const FEW_OUTPUTS: usize = 4096;

/// What becomes of a set of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reduction {
    /// Their sum.
    #[default]
    Sum,
    /// Their mean.
    Mean,
    /// The largest; NaN if any is.
    Max,
    /// The smallest; NaN if any is.
    Min,
}

impl Reduction {
    /// Every one.
    pub const ALL: [Reduction; 4] = [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min];
}

/// A reduction over a set of axes, as `torch.sum`, `mean`, `amax` and `amin`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reduce {
    /// What becomes of the elements.
    pub mode: Reduction,
    /// The axes; negative ones count from the last, none at all stands for every axis.
    #[serde(deserialize_with = "axis_list")]
    pub dim: Vec<isize>,
    /// Whether the axes stay, with length 1.
    pub keepdim: bool,
}

impl Reduce {
    /// A reduction over these axes, which go.
    pub fn over(mode: Reduction, dim: &[isize]) -> Self {
        Reduce { mode, dim: dim.to_vec(), keepdim: false }
    }

    /// For each axis, whether it is reduced.
    fn reduced(&self, rank: usize) -> Result<Vec<bool>> {
        let axes = axes(&self.dim, rank)?;
        Ok((0..rank).map(|a| axes.is_empty() || axes.contains(&a)).collect())
    }

    fn output(&self, shape: &Shape) -> Result<Vec<usize>> {
        let reduced = self.reduced(shape.rank())?;
        let dims = shape.iter().zip(reduced);
        Ok(dims.filter_map(|(&d, r)| if !r { Some(d) } else { self.keepdim.then_some(1) }).collect())
    }
}

impl Graph {
    /// Adds a reduction of `x`, of any shape, over a set of axes. The axes go, or stay with length 1 with
    /// [`Reduce::keepdim`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when an axis does not exist or is named twice.
    pub fn reduce(&mut self, x: Value, attributes: &Reduce) -> Result<Value> {
        self.push(attributes.clone(), &[x])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "reduce",
    summary: "sum, mean, largest or smallest over a set of axes",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "mode=sum (mean, max, min), dim=[] (all), keepdim=false",
    build: |g, v, a| Ok(vec![g.reduce(v[0], &a.read()?)?]),
};

params! {
    struct ReduceParams {
        count: u32,
        segments: u32,
        length: u32,
        step: u32,
        start: f32,
        pad_0: u32,
        pad_1: u32,
        kept_dims: [u32; MAX_RANK],
        kept_steps: [u32; MAX_RANK],
        segment_dims: [u32; MAX_RANK],
        segment_steps: [u32; MAX_RANK],
    }
}

/// Lengths and steps of runs of axes that are all reduced or all kept, outermost first.
#[derive(Debug, Default, PartialEq)]
struct Runs {
    kept: Vec<(usize, usize)>,
    reduced: Vec<(usize, usize)>,
}

fn runs(shape: &Shape, reduced: &[bool]) -> Runs {
    let mut runs = Runs::default();
    let mut previous = None;
    for ((&length, step), &is_reduced) in shape.iter().zip(shape.strides()).zip(reduced) {
        if length == 1 {
            continue;
        }
        let list = if is_reduced { &mut runs.reduced } else { &mut runs.kept };
        match list.last_mut() {
            Some(last) if previous == Some(is_reduced) => *last = (last.0 * length, step),
            _ => list.push((length, step)),
        }
        previous = Some(is_reduced);
    }
    runs
}

impl Op for Reduce {
    fn name(&self) -> &'static str {
        "reduce"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::float(&self.output(&inputs[0].shape)?)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = inputs[0].shape();
        let finish: fn(&[f64]) -> f64 = match self.mode {
            Reduction::Sum => reference::sum,
            Reduction::Mean => reference::mean,
            Reduction::Max => reference::max,
            Reduction::Min => reference::min,
        };
        let y = reference::reduce(inputs[0].f32s()?, shape, &self.reduced(shape.rank())?, finish);
        Ok(vec![Tensor::new(&self.output(shape)?, y)?])
    }

    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        if matches!(self.mode, Reduction::Max | Reduction::Min) {
            return Ok(vec![Bound::Exact]);
        }
        let magnitudes = self.reference(&[inputs[0].abs()?])?;
        let terms = inputs[0].shape().elements() / reference[0].shape().elements();
        Ok(vec![Bound::sum(terms, &magnitudes[0])?])
    }

    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let shape = r.input(0);
        let mut runs = runs(shape, &self.reduced(shape.rank())?);
        let (length, step) = runs.reduced.pop().unwrap_or((1, 1));
        let segments: usize = runs.reduced.iter().map(|(length, _)| length).product();
        let count = r.output(0).elements();
        let direct = segments * (length + 1);
        let worth_it = length * segments >= LONG && (step == 1 || count < FEW_OUTPUTS);
        let tree = direct > MOST_TURNS || (r.traits().family == Family::Tiled && worth_it);
        let (entry, groups, turns) = if tree {
            ("reduce_tree", count, (segments * length).div_ceil(256) + 8)
        } else {
            ("reduce_direct", count.div_ceil(64), direct)
        };
        let dims = |list: &[(usize, usize)]| -> Vec<usize> { list.iter().map(|r| r.0).collect() };
        let steps = |list: &[(usize, usize)]| -> Vec<usize> { list.iter().map(|r| r.1).collect() };
        let params = ReduceParams {
            count: r.u32("elements", count)?,
            segments: r.u32("length", segments)?,
            length: r.u32("length", length)?,
            step: r.u32("step", step)?,
            start: match self.mode {
                Reduction::Max => f32::NEG_INFINITY,
                Reduction::Min => f32::INFINITY,
                _ => 0.0,
            },
            kept_dims: r.innermost_first(&dims(&runs.kept), 1)?,
            kept_steps: r.innermost_first(&steps(&runs.kept), 0)?,
            segment_dims: r.innermost_first(&dims(&runs.reduced), 1)?,
            segment_steps: r.innermost_first(&steps(&runs.reduced), 0)?,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_axes_become_one() {
        let shape = Shape::new(&[2, 3, 1, 4, 5]).unwrap();
        let got = runs(&shape, &[false, true, false, true, false]);
        assert_eq!(got, Runs { kept: vec![(2, 60), (5, 1)], reduced: vec![(12, 5)] });
        let got = runs(&shape, &[true, false, false, true, true]);
        assert_eq!(got, Runs { kept: vec![(3, 20)], reduced: vec![(2, 60), (20, 1)] });
    }
}
