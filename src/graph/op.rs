//! What an operator is.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::{Activation, ChannelAffine, MaxPool, Recorder, RowNorm, Traits};
use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tensor::{DType, Tensor};

/// The shape and element type of a value.
///
/// [`DType::F32`] stands for "float": a plan stores it as f32 or f16, as its precision says. Indices are
/// [`DType::I32`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorType {
    /// The lengths of the axes.
    pub shape: Shape,
    /// The element type.
    pub dtype: DType,
}

impl TensorType {
    /// A float tensor of this shape.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for an unusable shape.
    pub fn float(shape: &[usize]) -> Result<Self> {
        Ok(TensorType { shape: Shape::new(shape)?, dtype: DType::F32 })
    }

    /// A tensor of another shape and the same element type.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for an unusable shape.
    pub fn with_shape(&self, shape: &[usize]) -> Result<Self> {
        Ok(TensorType { shape: Shape::new(shape)?, dtype: self.dtype })
    }

    /// Bytes in f32 or i32.
    pub fn bytes(&self) -> u64 {
        self.shape.elements() as u64 * self.dtype.size() as u64
    }
}

/// What an operator may look at when it chooses its kernels, before it records them.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// Shapes and types of the inputs.
    pub inputs: &'a [TensorType],
    /// Which of them are constants.
    pub constant: &'a [bool],
    /// The kernels that suit the device.
    pub traits: Traits,
}

/// How far an output element computed in f32 may lie from the reference.
#[derive(Debug, Clone)]
pub enum Bound {
    /// Not at all: the operator moves, selects or compares.
    Exact,
    /// By this much, per element.
    Absolute(Vec<f64>),
    /// An index that is the reference's, or one of these that come so near to it that rounding decides, per
    /// element. What else the operator gives is then compared with [`Op::after_choice`].
    Choice(Vec<Vec<i32>>),
}

/// The unit roundoff of f32. WGSL may round a sum or product up or down, so one operation errs by up to twice
/// this.
pub const UNIT_ROUNDOFF: f64 = 1.0 / (1 << 24) as f64;

impl Bound {
    /// For a sum of `terms` products whose magnitudes sum to `magnitudes`: `2u(terms + 8)·Σ|aᵢbᵢ|`, which
    /// holds for any order of summation (Higham, Accuracy and Stability of Numerical Algorithms, §3.1).
    ///
    /// # Errors
    /// When `magnitudes` is not a float tensor.
    pub fn sum(terms: usize, magnitudes: &Tensor) -> Result<Bound> {
        let unit = 2.0 * UNIT_ROUNDOFF * (terms + 8) as f64;
        Ok(Bound::Absolute(magnitudes.f32s()?.iter().map(|m| unit * f64::from(m.abs())).collect()))
    }

    /// `relative·|reference| + absolute`.
    ///
    /// # Errors
    /// When `reference` is not a float tensor.
    pub fn relative(reference: &Tensor, relative: f64, absolute: f64) -> Result<Bound> {
        let bound = reference.f32s()?.iter().map(|r| relative * f64::from(r.abs()) + absolute);
        Ok(Bound::Absolute(bound.collect()))
    }

    /// For `(x − centre)·factor·weight + bias`, with weight and bias where there are inputs 1 and 2: centre, the mean
    /// if `centred` and else zero, and factor come from the elements that `row` gives the same number. `factor` makes
    /// it of their deviations' sum of squares and their number, and never rises with that sum; `affine` gives the
    /// place of an element's weight.
    ///
    /// With u the unit roundoff, n the number of elements and p the first of them, from which everything is measured:
    ///
    /// - a deviation `d = (x − p) − m`, with `m` the mean of the `x − p`, errs by
    ///   `δ = 2u(n + 8)·mean|x − p| + 2u|x − p| + 2u|d|`: the spread counts, the mean's ratio to it only as far as
    ///   `x − p` rounds. Without a centre `d = x` exactly.
    /// - the sum of squares `q = Σd²` errs by `Δ = Σ(2|d|δ + δ²) + 2u(n + 8)·Σ(|d| + δ)²`, and what is flushed to zero.
    /// - the factor f errs by `f(q − Δ) − f(q)` or `f(q) − f(q + Δ)`, whichever is more, and by 16u·f of its own:
    ///   at most two divisions, a root and the sum with eps, by WGSL's accuracy.
    /// - the product and what follows round once each.
    ///
    /// # Errors
    /// When an input is not a float tensor.
    pub fn normalised(
        inputs: &[Tensor],
        centred: bool,
        factor: impl Fn(f64, usize) -> f64,
        row: impl Fn(usize) -> usize,
        affine: impl Fn(usize) -> usize,
    ) -> Result<Bound> {
        let x = inputs[0].f32s()?;
        let optional = |i: usize| inputs.get(i).map(Tensor::f32s).transpose();
        let (weight, bias) = (optional(1)?, optional(2)?);
        let u = UNIT_ROUNDOFF;
        let mut rows: Vec<Vec<usize>> = Vec::new();
        for i in 0..x.len() {
            let at = row(i);
            rows.resize_with(rows.len().max(at + 1), Vec::new);
            rows[at].push(i);
        }
        let mut bound = vec![0.0; x.len()];
        for members in rows.iter().filter(|r| !r.is_empty()) {
            let n = members.len() as f64;
            let pivot = if centred { f64::from(x[members[0]]) } else { 0.0 };
            let far: Vec<f64> = members.iter().map(|&i| f64::from(x[i]) - pivot).collect();
            let mean =
                |f: fn(f64) -> f64| if centred { far.iter().map(|&e| f(e)).sum::<f64>() / n } else { 0.0 };
            let (offset, spread) = (mean(|e| e), mean(f64::abs));
            // Each deviation and how far it errs.
            let own = |e: f64| {
                let d = e - offset;
                let rounding = if centred { 2.0 * u * (e.abs() + d.abs()) } else { 0.0 };
                (d, rounding + 2.0 * u * (n + 8.0) * spread)
            };
            let sum =
                |f: fn(f64, f64) -> f64| far.iter().map(|&e| own(e)).map(|(d, b)| f(d.abs(), b)).sum::<f64>();
            let squares = sum(|d, _| d * d);
            let off = sum(|d, b| 2.0 * d * b + b * b)
                + 2.0 * u * (n + 8.0) * sum(|d, b| (d + b) * (d + b))
                + n * f64::from(f32::MIN_POSITIVE);
            let f = factor(squares, members.len());
            let (least, most) = ((squares - off).max(0.0), squares + off);
            let (above, below) = (factor(least, members.len()) - f, f - factor(most, members.len()));
            let f_off = above.max(below) + 16.0 * u * f;
            for (&i, &e) in members.iter().zip(&far) {
                let (d, d_off) = own(e);
                let w = weight.map_or(1.0, |w| f64::from(w[affine(i)].abs()));
                let b = bias.map_or(0.0, |b| f64::from(b[affine(i)].abs()));
                let z_off = d_off * (f + f_off) + d.abs() * f_off + 2.0 * u * d.abs() * f;
                bound[i] = w * z_off
                    + 2.0 * u * (2.0 * w * (d.abs() * f + z_off) + b)
                    + f64::from(f32::MIN_POSITIVE);
            }
        }
        Ok(Bound::Absolute(bound))
    }

    /// For one query's row of an attention, `y = Σ p_j·v_j` with p the softmax of the scores, of which −∞ are not
    /// looked at, made in one walk along the keys; `errors` says how far each score may be off.
    ///
    /// A weight errs by its score's error, that of its exponential and those of the factors that scale it down to
    /// larger scores, of which there is one for every key whose score may be the largest so far. With relative errors
    /// up to e_j of the weights, y errs by `Σ p_j·|v_j − y|·(exp(e_j + ln Σ p·exp e) − 1)`, and the sums by as much as
    /// sums do.
    pub fn attention_row(scores: &[f64], errors: &[f64], values: &[&[f32]], y: &[f32]) -> Vec<f64> {
        let unit = 2.0 * UNIT_ROUNDOFF;
        let seen: Vec<usize> = (0..scores.len()).filter(|&j| scores[j] != f64::NEG_INFINITY).collect();
        let largest = seen.iter().fold(f64::NEG_INFINITY, |m, &j| m.max(scores[j]));
        let most = seen.iter().map(|&j| errors[j]).fold(0.0, f64::max);
        let mut so_far = f64::NEG_INFINITY;
        let mut steps = 0.0;
        for &j in &seen {
            if scores[j] + 2.0 * most >= so_far {
                steps += 1.0;
            }
            so_far = so_far.max(scores[j]);
        }
        let weights: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
        let whole: f64 = seen.iter().map(|&j| weights[j]).sum();
        let error =
            |j: usize| errors[j] + most + unit * (3.0 * (steps + 1.0) + 5.0 * (largest - scores[j]).abs());
        let total = seen.iter().map(|&j| weights[j] / whole * error(j).exp()).filter(|x| x.is_finite());
        let total = total.sum::<f64>().ln();
        let sums = unit * (2.0 * (seen.len() as f64 + 8.0) + 2.0 * steps + 3.0);
        let mut bound = vec![f64::from(f32::MIN_POSITIVE) * seen.len() as f64; y.len()];
        for &j in &seen {
            let (weight, stretch) = (weights[j] / whole, (error(j) + total).exp_m1());
            for (bound, (v, y)) in bound.iter_mut().zip(values[j].iter().zip(y)) {
                let v = f64::from(*v);
                if weight > 0.0 {
                    *bound += weight * (stretch * (v - f64::from(*y)).abs() + sums * v.abs());
                }
                *bound += f64::from(f32::MIN_POSITIVE) * v.abs();
            }
        }
        bound
    }

    /// The bound after an activation of what this bounds; `reference` is the activated reference.
    ///
    /// # Errors
    /// When `reference` is not a float tensor.
    pub fn activated(self, activation: Activation, reference: &Tensor) -> Result<Bound> {
        let (stretch, relative, absolute) = activation.error();
        let own = |r: &f32| relative * f64::from(r.abs()) + absolute;
        let reference = reference.f32s()?;
        Ok(match self {
            Bound::Exact if relative == 0.0 && absolute == 0.0 => Bound::Exact,
            Bound::Exact => Bound::Absolute(reference.iter().map(own).collect()),
            Bound::Absolute(b) => {
                Bound::Absolute(b.iter().zip(reference).map(|(b, r)| b * stretch + own(r)).collect())
            }
            choice @ Bound::Choice(_) => choice,
        })
    }
}

/// An operator with its attributes: what one node of a graph does.
///
/// Everything about an operator that is not its kernel or its reference is here; `docs/add-an-op.md` walks
/// through an example.
pub trait Op: fmt::Debug + Send + Sync {
    /// The operator's name, the same as its kernel file's.
    fn name(&self) -> &'static str;

    /// How many inputs there may be. The graph checks it before [`Op::infer`].
    fn arity(&self) -> RangeInclusive<usize> {
        1..=1
    }

    /// Whether the kernel reads inputs of this type. The graph checks it before [`Op::infer`]; most operators
    /// take floats only.
    fn takes(&self, dtype: DType) -> bool {
        dtype == DType::F32
    }

    /// Checks the inputs against the attributes and gives the outputs' types. All validation of shapes and
    /// attributes is here: later steps rely on it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`], saying which attribute or axis is wrong; the graph adds node and shapes.
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>>;

    /// The CPU reference.
    ///
    /// # Errors
    /// When an input has another element type than [`Op::infer`] saw.
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>>;

    /// What the CPU executor computes: the same as [`Op::reference`], within [`Op::bounds`], and faster, where a network's
    /// time goes to this operator. The bits must not depend on the number of threads. Where a fast kernel does not do
    /// everything that the reference does, such as weights that are not finite, it falls back on it.
    ///
    /// # Errors
    /// As [`Op::reference`].
    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        self.reference(inputs)
    }

    /// Adds the dispatches that compute the outputs. Never called for a view.
    ///
    /// # Errors
    /// When the device's limits do not allow it.
    fn record(&self, recorder: &mut Recorder<'_>) -> Result<()>;

    /// Floating-point operations, a multiply-add counted as two.
    fn flops(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64;

    /// Bytes read and written in f32, each tensor once.
    fn bytes(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        inputs.iter().chain(outputs).map(TensorType::bytes).sum()
    }

    /// How far each output may be off in f32, given the inputs and the reference's outputs.
    ///
    /// # Errors
    /// As [`Op::reference`].
    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let _ = inputs;
        Ok(vec![Bound::Exact; reference.len()])
    }

    /// The outputs that belong to `choice`, a first output whose bound is [`Bound::Choice`] and which may differ
    /// from the reference's.
    ///
    /// # Errors
    /// As [`Op::reference`], and when the operator makes no choice.
    fn after_choice(&self, inputs: &[Tensor], choice: &Tensor) -> Result<Vec<Tensor>> {
        let _ = (inputs, choice);
        Err(Error::internal(format!("{} makes no choice", self.name())))
    }

    /// Memory that the kernels work in besides inputs and outputs: the number of 32-bit words of each piece, which
    /// dispatches bind as [`super::Operand::Scratch`]. It is free again after the node, so what a run leaves there
    /// is not there in the next.
    fn scratch(&self, setting: &Setting<'_>) -> Vec<u64> {
        let _ = setting;
        Vec::new()
    }

    /// Another layout for constant input `index`, made once when a plan is built; the kernel is told through
    /// [`Recorder::is_packed`].
    ///
    /// # Errors
    /// As [`Op::reference`].
    fn pack(&self, index: usize, constant: &Tensor, setting: &Setting<'_>) -> Result<Option<Tensor>> {
        let _ = (index, constant, setting);
        Ok(None)
    }

    /// As [`Op::bounds`], of the kernels that the operator chooses in a setting: where those take another way to the same
    /// numbers, whose rounding errors are others.
    ///
    /// # Errors
    /// As [`Op::reference`].
    fn bounds_in(
        &self,
        setting: &Setting<'_>,
        inputs: &[Tensor],
        reference: &[Tensor],
    ) -> Result<Vec<Bound>> {
        let _ = setting;
        self.bounds(inputs, reference)
    }

    /// This operator with an activation after it, where the kernel can do that in one go.
    fn with_activation(&self, activation: Activation) -> Option<Arc<dyn Op>> {
        let _ = activation;
        None
    }

    /// The activation that this operator is, so that it can be given to the one before it.
    fn as_activation(&self) -> Option<Activation> {
        None
    }

    /// The number of an input like [`Op::with_addend`]'s, whose element every kernel reads just before it writes the
    /// output's, in the same invocation: the output may then take its memory. Kernels that have the constant `HAS_ADDEND`
    /// are told so by a 2 instead of 1, find it in the output, and have nothing bound in its place.
    fn addend(&self, inputs: usize) -> Option<usize> {
        let _ = inputs;
        None
    }

    /// This operator with one more input at the end, of the output's elements in the output's order, that is added to
    /// what it gives (before an activation that comes later), where the kernel can do that in one go.
    fn with_addend(&self) -> Option<Arc<dyn Op>> {
        None
    }

    /// Whether this operator adds its two inputs, element by element, so that one of them may be computed by an
    /// operator [`Op::with_addend`].
    fn is_sum(&self) -> bool {
        false
    }

    /// The constants that inputs 1, 2, … must become so that this operator gives `affine` of what it gives now, where
    /// that is possible; there may be one more than before. `inputs` are known where they are constants.
    fn with_channel_affine(&self, inputs: &[Option<&Tensor>], affine: &ChannelAffine) -> Option<Vec<Tensor>> {
        let _ = (inputs, affine);
        None
    }

    /// The factor and summand of each channel that this operator comes to, where it does with these inputs, known
    /// where they are constants, so that they can be given to the one before it.
    fn as_channel_affine(&self, inputs: &[Option<&Tensor>]) -> Option<ChannelAffine> {
        let _ = inputs;
        None
    }

    /// This operator with the maxima of windows of what it gives in its place, where the kernel can do that in one go and
    /// is no slower. Nothing else moves in afterwards.
    fn with_max_pool(&self, pool: &MaxPool, inputs: &[TensorType]) -> Option<Arc<dyn Op>> {
        let _ = (pool, inputs);
        None
    }

    /// The maxima that this operator takes of such an input, where that is all that it does and an operator
    /// [`Op::with_max_pool`] may take them in its place.
    fn as_max_pool(&self, input: &TensorType) -> Option<MaxPool> {
        let _ = input;
        None
    }

    /// The normalisation of rows that this operator comes to with an input of this type, and what its weight and bias then
    /// do to each channel, where it does, so that both can be given to the one after it. `inputs` are known where they are
    /// constants.
    fn as_row_norm(&self, x: &TensorType, inputs: &[Option<&Tensor>]) -> Option<(RowNorm, ChannelAffine)> {
        let _ = (x, inputs);
        None
    }

    /// This operator with the rows of input 0 normalised first, and the constants that inputs 1, 2, … must become so that
    /// it gives what it gives now of `affine` of them, where that is possible; there may be one more than before.
    fn with_row_norm(
        &self,
        inputs: &[Option<&Tensor>],
        norm: RowNorm,
        affine: &ChannelAffine,
    ) -> Option<(Arc<dyn Op>, Vec<Tensor>)> {
        let _ = (inputs, norm, affine);
        None
    }

    /// Whether the output is the input's memory under another shape, with nothing to compute.
    fn is_view(&self) -> bool {
        false
    }
}
