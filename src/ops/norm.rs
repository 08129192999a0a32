//! Normalisation over a set of axes: layer, RMS, L2 and instance normalisation.

use std::ops::RangeInclusive;
use std::sync::Arc;

use kinetograph_cpu::group_norm::group_norm;
use kinetograph_cpu::norm as fast;
use kinetograph_ref::norm as reference;
use serde::Deserialize;

use super::attributes::{axes, axis_list, optional_axis_list, positive};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Activation, Bound, ChannelAffine, Dispatch, Family, Graph, MOST_TURNS, Op, Operand, Recorder, RowNorm,
    TensorType, Value,
};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("norm");

/// From this many elements a row on, GPUs share them out over a workgroup, if that reads contiguously or there are
/// too few rows to keep the device busy.
const LONG: usize = 128;
const FEW_ROWS: usize = 4096;

/// What a row is brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NormMode {
    /// Mean 0 and variance 1: `(x − mean) / √(variance + eps)`, with the biased variance.
    #[default]
    Layer,
    /// Mean square 1: `x / √(mean(x²) + eps)`.
    Rms,
    /// Length 1: `x / max(‖x‖₂, eps)`.
    L2,
}

impl NormMode {
    /// Every one.
    pub const ALL: [NormMode; 3] = [NormMode::Layer, NormMode::Rms, NormMode::L2];

    /// The `eps` that PyTorch takes where none is given.
    pub fn default_eps(self) -> f32 {
        match self {
            NormMode::Layer => 1e-5,
            NormMode::Rms => f32::EPSILON,
            NormMode::L2 => 1e-12,
        }
    }
}

/// Normalisation over a set of axes, then a factor and a summand: `torch.nn.functional.layer_norm`, `rms_norm`,
/// `normalize` and `instance_norm`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Norm {
    /// What each row is brought to.
    pub mode: NormMode,
    /// The axes whose elements share their statistics; negative ones count from the last.
    #[serde(deserialize_with = "axis_list")]
    pub dim: Vec<isize>,
    /// The axes along which weight and bias differ, whose lengths are their shape; those of `dim` unless given.
    #[serde(deserialize_with = "optional_axis_list")]
    pub affine_dim: Option<Vec<isize>>,
    /// What keeps the quotient finite; [`NormMode::default_eps`] unless given.
    pub eps: Option<f32>,
    /// Set by the planner when it moves an activation into the operator.
    #[serde(skip)]
    pub activation: Activation,
}

impl Default for Norm {
    fn default() -> Self {
        Norm::over(NormMode::Layer, &[-1])
    }
}

impl Norm {
    /// A normalisation over these axes.
    pub fn over(mode: NormMode, dim: &[isize]) -> Self {
        Norm { mode, dim: dim.to_vec(), affine_dim: None, eps: None, activation: Activation::Identity }
    }

    /// Instance normalisation of `[N, T, H, W, C]`: over T, H and W, with a weight and bias a channel.
    pub fn instance() -> Self {
        Norm::over(NormMode::Layer, &[1, 2, 3]).affine(&[-1])
    }

    /// With weight and bias along these axes.
    #[must_use]
    pub fn affine(self, dim: &[isize]) -> Self {
        Norm { affine_dim: Some(dim.to_vec()), ..self }
    }

    /// With another `eps`.
    #[must_use]
    pub fn eps(self, eps: f32) -> Self {
        Norm { eps: Some(eps), ..self }
    }

    fn chosen_eps(&self) -> f32 {
        self.eps.unwrap_or(self.mode.default_eps())
    }

    /// For each axis, whether it is normalised, and whether weight and bias differ along it.
    fn marked(&self, rank: usize) -> Result<[Vec<bool>; 2]> {
        let normalised = axes(&self.dim, rank)?;
        if normalised.is_empty() {
            return Err(Error::bad_input("dim names no axis to normalise over"));
        }
        let affine = match &self.affine_dim {
            Some(dim) => axes(dim, rank).map_err(|e| Error::bad_input(format!("affine_dim: {e}")))?,
            None => normalised.clone(),
        };
        Ok([normalised, affine].map(|list| (0..rank).map(|a| list.contains(&a)).collect()))
    }
}

impl Graph {
    /// Adds a normalisation of `x`, of any shape but a scalar's, over a set of axes; the shape stays. `weight` and
    /// `bias` have the lengths of the axes of [`Norm::affine_dim`] as their shape.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when an axis does not exist or is named twice, when weight or bias have another
    /// shape, when there is a bias without a weight, or when `eps` is not positive.
    pub fn norm(
        &mut self,
        x: Value,
        weight: Option<Value>,
        bias: Option<Value>,
        attributes: &Norm,
    ) -> Result<Value> {
        let inputs = super::with_affine("norm", &[x], weight, bias)?;
        self.push(attributes.clone(), &inputs)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "norm",
    summary: "layer, RMS, L2 or instance normalisation over a set of axes",
    inputs: &[
        Port::new("input", Layout::Plain),
        Port::optional("weight", Layout::Plain),
        Port::optional("bias", Layout::Plain),
    ],
    output: Layout::Plain,
    attributes: "mode=layer (rms, l2), dim=-1, affine_dim=(dim), eps=(1e-5, rms 1.2e-7, l2 1e-12)",
    build: |g, v, a| Ok(vec![g.norm(v[0], v.get(1).copied(), v.get(2).copied(), &a.read()?)?]),
};

params! {
    struct NormParams {
        rows: u32,
        segments: u32,
        length: u32,
        step: u32,
        weight_step: u32,
        eps: f32,
        pad_0: u32,
        kept_dims: [u32; MAX_RANK],
        kept_steps: [u32; MAX_RANK],
        kept_weight: [u32; MAX_RANK],
        segment_dims: [u32; MAX_RANK],
        segment_steps: [u32; MAX_RANK],
        segment_weight: [u32; MAX_RANK],
    }
}

/// A run of axes that are walked as one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Run {
    length: usize,
    /// In elements of the input.
    step: usize,
    /// In elements of the weight.
    weight: usize,
}

/// The axes that are kept and those that are normalised, outermost first, neighbours made one where input and
/// weight allow it.
fn runs(shape: &Shape, normalised: &[bool], affine: &[bool]) -> [Vec<Run>; 2] {
    let mut runs = [Vec::<Run>::new(), Vec::new()];
    let inner = |axis: usize| (axis + 1..shape.rank()).filter(|&a| affine[a]).map(|a| shape[a]).product();
    for (axis, step) in shape.strides().into_iter().enumerate().filter(|(a, _)| shape[*a] > 1) {
        let run = Run { length: shape[axis], step, weight: if affine[axis] { inner(axis) } else { 0 } };
        let list = &mut runs[usize::from(normalised[axis])];
        match list.last_mut() {
            Some(l) if l.step == run.length * run.step && l.weight == run.length * run.weight => {
                *l = Run { length: l.length * run.length, ..run };
            }
            _ => list.push(run),
        }
    }
    runs
}

/// The row-major index of element `i` among the axes that are counted.
fn place(shape: &Shape, counted: &[bool], i: usize) -> usize {
    let axes = shape.iter().zip(counted).rev();
    let (at, ..) = axes.fold((0, 1, i), |(at, step, rest), (&length, &counted)| {
        if counted {
            (at + rest % length * step, step * length, rest / length)
        } else {
            (at, step, rest / length)
        }
    });
    at
}

impl Op for Norm {
    fn name(&self) -> &'static str {
        "norm"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        1..=3
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let shape = &inputs[0].shape;
        let [_, affine] = self.marked(shape.rank())?;
        positive("eps", self.chosen_eps())?;
        let wanted: Vec<usize> = shape.iter().zip(affine).filter(|(_, a)| *a).map(|(d, _)| *d).collect();
        for (input, what) in inputs[1..].iter().zip(["weight", "bias"]) {
            if *input.shape != *wanted {
                return Err(Error::bad_input(format!(
                    "the {what} must be {wanted:?}, the lengths of the axes of affine_dim; its shape is {}",
                    input.shape
                )));
            }
        }
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = inputs[0].shape();
        let [normalised, affine] = self.marked(shape.rank())?;
        let statistics = match self.mode {
            NormMode::Layer => reference::layer,
            NormMode::Rms => reference::rms,
            NormMode::L2 => reference::l2,
        };
        let optional = |i: usize| inputs.get(i).map(Tensor::f32s).transpose();
        let y = reference::norm(
            inputs[0].f32s()?,
            shape,
            [&normalised, &affine],
            |set| statistics(set, self.chosen_eps().into()),
            [optional(1)?, optional(2)?],
            |y| self.activation.apply(y),
        );
        Ok(vec![Tensor::new(shape, y)?])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = inputs[0].shape();
        let [normalised, affine] = self.marked(shape.rank())?;
        let optional = |i: usize| inputs.get(i).map(Tensor::f32s).transpose();
        let finish = |y: &mut [f32]| self.activation.apply_all(y);
        // Axes before others, as those of time and space are in an instance normalisation.
        let first_after = normalised.iter().rposition(|n| *n).map_or(0, |last| last + 1);
        let after = shape[first_after..].iter().product::<usize>();
        if after > 1 && self.mode == NormMode::Layer && normalised[..first_after].is_sorted() {
            let factors = affine.iter().enumerate().all(|(i, affine)| *affine == (i >= first_after));
            if factors || inputs.len() == 1 {
                let places = shape.iter().zip(&normalised).filter(|(_, n)| **n).map(|(d, _)| d).product();
                let (x, affine) = (inputs[0].f32s()?, [optional(1)?, optional(2)?]);
                let lengths = [places, after, after];
                let y = group_norm(x, lengths, self.chosen_eps().into(), affine, &finish);
                return Ok(vec![Tensor::new(shape, y)?]);
            }
        }
        let rows = normalised.is_sorted() && (affine == normalised || inputs.len() == 1);
        if !rows {
            return self.reference(inputs);
        }
        let mode = match self.mode {
            NormMode::Layer => fast::Mode::Layer,
            NormMode::Rms => fast::Mode::Rms,
            NormMode::L2 => fast::Mode::L2,
        };
        let length = shape.iter().zip(&normalised).filter(|(_, n)| **n).map(|(d, _)| d).product();
        let y = fast::norm(
            inputs[0].f32s()?,
            length,
            (mode, self.chosen_eps().into()),
            [optional(1)?, optional(2)?],
            &finish,
        );
        Ok(vec![Tensor::new(shape, y)?])
    }

    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let shape = inputs[0].shape();
        let [normalised, affine] = self.marked(shape.rank())?;
        let kept: Vec<bool> = normalised.iter().map(|n| !n).collect();
        let eps = f64::from(self.chosen_eps());
        let factor = |squares: f64, count: usize| match self.mode {
            NormMode::L2 => 1.0 / squares.sqrt().max(eps),
            _ => 1.0 / (squares / count as f64 + eps).sqrt(),
        };
        let bound = Bound::normalised(
            inputs,
            self.mode == NormMode::Layer,
            factor,
            |i| place(shape, &kept, i),
            |i| place(shape, &affine, i),
        )?;
        Ok(vec![bound.activated(self.activation, &reference[0])?])
    }

    /// Square and result, with a mean two differences and a sum more, then weight and bias.
    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        let own = if self.mode == NormMode::Layer { 6 } else { 3 };
        (own + inputs.len() as u64 - 1) * inputs[0].shape.elements() as u64
    }

    fn with_activation(&self, activation: Activation) -> Option<Arc<dyn Op>> {
        let free = self.activation == Activation::Identity;
        free.then(|| Arc::new(Norm { activation, ..self.clone() }) as Arc<dyn Op>)
    }

    fn as_row_norm(&self, x: &TensorType, inputs: &[Option<&Tensor>]) -> Option<(RowNorm, ChannelAffine)> {
        let last = |marked: &[bool]| marked.iter().rev().copied().eq((0..marked.len()).map(|i| i == 0));
        let [normalised, affine] = self.marked(x.shape.rank()).ok()?;
        let rows = last(&normalised) && (inputs.len() == 1 || last(&affine));
        if !rows || self.mode == NormMode::L2 || self.activation != Activation::Identity {
            return None;
        }
        let channels = *x.shape.last()?;
        let constant = |i: usize, without: f64| match inputs.get(i) {
            Some(given) => Some(given.as_ref()?.f32s().ok()?.iter().map(|&k| f64::from(k)).collect()),
            None => Some(vec![without; channels]),
        };
        let norm = RowNorm { centred: self.mode == NormMode::Layer, eps: self.chosen_eps() };
        Some((norm, ChannelAffine { scale: constant(1, 1.0)?, shift: constant(2, 0.0)? }))
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let shape = r.input(0);
        let [normalised, affine] = self.marked(shape.rank())?;
        let [kept, mut segments] = runs(shape, &normalised, &affine);
        let run = segments.pop().unwrap_or(Run { length: 1, step: 1, weight: 0 });
        let count: usize = segments.iter().map(|s| s.length).product();
        let rows: usize = kept.iter().map(|k| k.length).product();
        let total = count * run.length;
        let direct = 3 * count * (run.length + 1);
        let worth_it = total >= LONG && (run.step == 1 || rows < FEW_ROWS);
        let tree = direct > MOST_TURNS || (r.traits().family == Family::Tiled && worth_it);
        let (entry, groups, turns) = if tree {
            ("norm_tree", rows, 3 * total.div_ceil(256) + 16)
        } else {
            ("norm_direct", rows.div_ceil(64), direct)
        };
        let list = |runs: &[Run], what: fn(&Run) -> usize, fill: u32| {
            r.innermost_first(&runs.iter().map(what).collect::<Vec<_>>(), fill)
        };
        let params = NormParams {
            rows: r.u32("rows", rows)?,
            segments: r.u32("length", count)?,
            length: r.u32("length", run.length)?,
            step: r.u32("step", run.step)?,
            weight_step: r.u32("step", run.weight)?,
            eps: self.chosen_eps(),
            kept_dims: list(&kept, |k| k.length, 1)?,
            kept_steps: list(&kept, |k| k.step, 0)?,
            kept_weight: list(&kept, |k| k.weight, 0)?,
            segment_dims: list(&segments, |s| s.length, 1)?,
            segment_steps: list(&segments, |s| s.step, 0)?,
            segment_weight: list(&segments, |s| s.weight, 0)?,
            ..Default::default()
        };
        let given = |i: usize| if r.inputs() > i { Operand::Input(i) } else { Operand::Absent };
        let dispatch = Dispatch::new(&KERNEL, entry, &params)
            .constant("MODE", self.mode as u32)
            .constant("HAS_WEIGHT", u32::from(r.inputs() > 1))
            .constant("HAS_BIAS", u32::from(r.inputs() > 2))
            .activation(self.activation)
            .bind([Operand::Input(0), given(1), given(2), Operand::Output(0)])
            .turns(turns)
            .groups(groups as u64);
        r.dispatch(dispatch);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_axes_become_one_where_the_weight_allows() {
        let shape = Shape::new(&[2, 3, 1, 4, 5]).unwrap();
        let run = |length, step, weight| Run { length, step, weight };
        let got = runs(&shape, &[false, true, true, true, false], &[false, false, false, false, true]);
        assert_eq!(got, [vec![run(2, 60, 0), run(5, 1, 1)], vec![run(12, 5, 0)]]);
        let got = runs(&shape, &[false, false, false, true, true], &[false, false, false, true, true]);
        assert_eq!(got, [vec![run(6, 20, 0)], vec![run(20, 1, 1)]]);
        let got = runs(&shape, &[false, true, true, true, true], &[false, false, false, false, true]);
        assert_eq!(got, [vec![run(2, 60, 0)], vec![run(12, 5, 0), run(5, 1, 1)]]);
    }
}
