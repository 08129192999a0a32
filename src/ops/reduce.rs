//! Sums, products, extremes, norms, variances and log-sum-exps over a set of axes.

use kinetograph_ref::reduce as reference;
use serde::{Deserialize, Deserializer};

use super::attributes::{axes, axis_list};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Bound, Dispatch, Family, Graph, MOST_TURNS, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value,
};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("reduce");

/// From this many elements an output on, GPUs share them out over a workgroup, if that reads contiguously or
/// there are too few outputs to keep the device busy; processors, if the outputs do not fill one workgroup.
const LONG: usize = 256;
const FEW_OUTPUTS: usize = 4096;
const ONE_GROUP: usize = 64;

/// Neighbouring outputs of a workgroup of `reduce_columns`, and how many must be there for it.
const COLUMNS: usize = 16;
const FEWEST_COLUMNS: usize = 8;

/// What becomes of a set of elements. NaN among them gives NaN (but in [`Reduction::Norm`] with p = 0, where it counts
/// as not zero); infinities follow IEEE 754 where the device does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reduction {
    /// Their sum.
    #[default]
    Sum,
    /// Their mean.
    Mean,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// Their product. A product of some of them must not overflow either.
    Prod,
    /// `(Σ|x|ᵖ)¹ᐟᵖ`, [`Reduce::p`]: as `torch.linalg.vector_norm`. The powers must not overflow.
    Norm,
    /// The variance: `Σ(x − mean)² / (n − correction)`, [`Reduce::correction`].
    Var,
    /// The root of the variance.
    Std,
    /// `ln Σ exp(x)`, by the largest x, so that nothing overflows. Infinite if the largest is.
    Logsumexp,
}

impl Reduction {
    /// Every one.
    pub const ALL: [Reduction; 9] = [
        Reduction::Sum,
        Reduction::Mean,
        Reduction::Max,
        Reduction::Min,
        Reduction::Prod,
        Reduction::Norm,
        Reduction::Var,
        Reduction::Std,
        Reduction::Logsumexp,
    ];
}

/// A reduction over a set of axes, as `torch.sum`, `mean`, `amax`, `amin`, `prod`, `linalg.vector_norm`, `var`, `std`
/// and `logsumexp`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reduce {
    /// What becomes of the elements.
    pub mode: Reduction,
    /// The axes; negative ones count from the last, none at all stands for every axis.
    #[serde(deserialize_with = "axis_list")]
    pub dim: Vec<isize>,
    /// Whether the axes stay, with length 1.
    pub keepdim: bool,
    /// The power of a norm: positive, ±∞ for the largest or smallest |x|, or 0 for how many are not zero.
    #[serde(deserialize_with = "exponent")]
    pub p: f32,
    /// What a variance or deviation takes from the number of elements: 1 for the unbiased variance, 0 for the mean
    /// square.
    pub correction: usize,
}

impl Default for Reduce {
    fn default() -> Self {
        Reduce { mode: Reduction::Sum, dim: Vec::new(), keepdim: false, p: 2.0, correction: 1 }
    }
}

/// Reads a number, `"inf"` or `"-inf"`.
fn exponent<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<f32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a number, \"inf\" or \"-inf\"")]
    enum Exponent {
        Number(f32),
        Infinite(Infinite),
    }
    #[derive(Deserialize)]
    enum Infinite {
        #[serde(rename = "inf")]
        Positive,
        #[serde(rename = "-inf")]
        Negative,
    }
    Ok(match Exponent::deserialize(d)? {
        Exponent::Number(p) => p,
        Exponent::Infinite(Infinite::Positive) => f32::INFINITY,
        Exponent::Infinite(Infinite::Negative) => f32::NEG_INFINITY,
    })
}

/// What the kernel does, by the numbers that its header explains.
struct Steps {
    centre: u32,
    term: u32,
    combine: u32,
    finish: u32,
}

impl Reduce {
    /// A reduction over these axes, which go.
    pub fn over(mode: Reduction, dim: &[isize]) -> Self {
        Reduce { mode, dim: dim.to_vec(), ..Reduce::default() }
    }

    /// For each axis, whether it is reduced.
    fn reduced(&self, rank: usize) -> Result<Vec<bool>> {
        let axes = axes(&self.dim, rank)?;
        Ok((0..rank).map(|a| axes.is_empty() || axes.contains(&a)).collect())
    }

    fn steps(&self) -> Steps {
        let [centre, term, combine, finish] = match self.mode {
            Reduction::Sum => [0, 0, 0, 0],
            Reduction::Mean => [0, 0, 0, 1],
            Reduction::Max => [0, 0, 1, 0],
            Reduction::Min => [0, 0, 2, 0],
            Reduction::Prod => [0, 0, 3, 0],
            Reduction::Norm if self.p == f32::INFINITY => [0, 1, 1, 0],
            Reduction::Norm if self.p == f32::NEG_INFINITY => [0, 1, 2, 0],
            Reduction::Norm if self.p == 0.0 => [0, 4, 0, 0],
            Reduction::Norm if self.p == 1.0 => [0, 1, 0, 0],
            Reduction::Norm if self.p == 2.0 => [0, 2, 0, 2],
            Reduction::Norm => [0, 3, 0, 3],
            Reduction::Var => [1, 2, 0, 1],
            Reduction::Std => [1, 2, 0, 5],
            Reduction::Logsumexp => [2, 5, 0, 4],
        };
        Steps { centre, term, combine, finish }
    }

    fn finish(&self, set: &[f64]) -> f64 {
        match self.mode {
            Reduction::Sum => reference::sum(set),
            Reduction::Mean => reference::mean(set),
            Reduction::Max => reference::max(set),
            Reduction::Min => reference::min(set),
            Reduction::Prod => reference::prod(set),
            Reduction::Norm => reference::norm(set, self.p.into()),
            Reduction::Var => reference::var(set, self.correction),
            Reduction::Std => reference::var(set, self.correction).sqrt(),
            Reduction::Logsumexp => reference::logsumexp(set),
        }
    }

    /// How far what becomes of a set of elements may be off, with u the unit roundoff and n their number; zero if it
    /// must be exact. A sum of n terms errs by 2u(n + 8) of their magnitudes, and each of them may be flushed to zero.
    fn error(&self, set: &[f64]) -> f64 {
        let (u, tiny, n) = (UNIT_ROUNDOFF, f64::from(f32::MIN_POSITIVE), set.len() as f64);
        let of_sum = 2.0 * u * (n + 8.0);
        let total = |f: &dyn Fn(f64) -> f64| set.iter().map(|&x| f(x)).sum::<f64>();
        match self.mode {
            Reduction::Sum => of_sum * total(&f64::abs),
            Reduction::Mean => of_sum * total(&f64::abs) / n,
            Reduction::Max | Reduction::Min => 0.0,
            // Each of n products rounds, or is flushed before it meets the others.
            Reduction::Prod => {
                let others: f64 = set.iter().map(|x| x.abs().max(1.0)).product();
                (n * (2.0 * u).ln_1p()).exp_m1() * reference::prod(set).abs() + n * tiny * others
            }
            Reduction::Norm if self.p == 0.0 || self.p.is_infinite() => 0.0,
            Reduction::Norm if self.p == 1.0 => of_sum * total(&f64::abs),
            Reduction::Norm if self.p == 2.0 => {
                let squares = total(&|x| x * x);
                let root = squares.sqrt();
                root - (squares - of_sum * squares - n * tiny).max(0.0).sqrt() + 16.0 * u * root + tiny
            }
            Reduction::Norm => {
                let p = f64::from(self.p);
                let powers = total(&|x| x.abs().powf(p));
                let off = total(&|x| x.abs().powf(p) * power_error(x.abs(), p)) + of_sum * powers + n * tiny;
                let norm = powers.powf(1.0 / p);
                let (below, above) = ((powers - off).max(0.0), powers + off);
                // The exponent 1/p is rounded too.
                let rounded = if powers > 0.0 { 2.0 * u * powers.ln().abs() / p } else { 0.0 };
                (norm - below.powf(1.0 / p)).max(above.powf(1.0 / p) - norm)
                    + (power_error(powers, 1.0 / p) + rounded) * above.powf(1.0 / p)
                    + tiny
            }
            Reduction::Var | Reduction::Std => {
                let (squares, off) = squares_error(set);
                let of = |squares: f64| match self.mode {
                    Reduction::Std => (squares.max(0.0) / (n - self.correction as f64)).sqrt(),
                    _ => squares / (n - self.correction as f64),
                };
                let y = of(squares);
                (y - of(squares - off)).max(of(squares + off) - y) + 16.0 * u * of(squares + off) + tiny
            }
            // WGSL allows exp(z) an error of 3 + 2|z| ULP, the logarithm 3 ULP or 2⁻²¹; z itself is rounded.
            Reduction::Logsumexp => {
                let largest = reference::max(set);
                if largest.is_infinite() {
                    return 0.0;
                }
                let sum = total(&|x| (x - largest).exp());
                let own = |x: f64| 2.0 * u * (3.0 + 3.0 * (x - largest).abs());
                // −∞ adds nothing, where exp(−∞)·∞ would be NaN.
                let finite = |x: f64| if x == f64::NEG_INFINITY { 0.0 } else { (x - largest).exp() * own(x) };
                let off = total(&finite) / sum + of_sum + n * tiny;
                off + 0.5f64.powi(21) + 6.0 * u * sum.ln() + 2.0 * u * reference::logsumexp(set).abs()
            }
        }
    }

    fn output(&self, shape: &Shape) -> Result<Vec<usize>> {
        let reduced = self.reduced(shape.rank())?;
        let dims = shape.iter().zip(reduced);
        Ok(dims.filter_map(|(&d, r)| if !r { Some(d) } else { self.keepdim.then_some(1) }).collect())
    }
}

/// How far `aᵉ` may be off, relative to it: `exp2(z)` with `z = e·log2(a)` errs by 3 + 2|z| ULP and by what z errs; the
/// logarithm by 3 ULP, or by 2⁻²¹ from ½ to 2.
fn power_error(a: f64, e: f64) -> f64 {
    if a == 0.0 || !a.is_finite() {
        return 0.0;
    }
    let (u, log) = (UNIT_ROUNDOFF, a.log2());
    let log_error = if (0.5..=2.0).contains(&a) { 0.5f64.powi(21) } else { 6.0 * u * log.abs() };
    let z = (e * log).abs();
    let z_error = e.abs() * log_error + 2.0 * u * z;
    z_error.exp2() - 1.0 + 2.0 * u * (3.0 + 2.0 * z)
}

/// The sum of squared differences from the mean, and how far it may be off. With p the first element, a difference
/// `d = (x − p) − m`, m the mean of the `x − p`, errs by `δ = 2u(n + 8)·mean|x − p| + 2u|x − p| + 2u|d|`, and the sum
/// by `Σ(2|d|δ + δ²) + 2u(n + 8)·Σ(|d| + δ)²` and what is flushed to zero.
fn squares_error(set: &[f64]) -> (f64, f64) {
    let (u, n) = (UNIT_ROUNDOFF, set.len() as f64);
    let far: Vec<f64> = set.iter().map(|x| x - set[0]).collect();
    let offset = far.iter().sum::<f64>() / n;
    let spread = far.iter().map(|e| e.abs()).sum::<f64>() / n;
    let (mut squares, mut off) = (0.0, n * f64::from(f32::MIN_POSITIVE));
    for e in far {
        let d = (e - offset).abs();
        let delta = 2.0 * u * (n + 8.0) * spread + 2.0 * u * (e.abs() + d);
        squares += d * d;
        off += 2.0 * d * delta + delta * delta + 2.0 * u * (n + 8.0) * (d + delta) * (d + delta);
    }
    (squares, off)
}

impl Graph {
    /// Adds a reduction of `x`, of any shape, over a set of axes. The axes go, or stay with length 1 with
    /// [`Reduce::keepdim`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when an axis does not exist or is named twice, a norm has no such power, or a
    /// variance's correction leaves nothing to divide by.
    pub fn reduce(&mut self, x: Value, attributes: &Reduce) -> Result<Value> {
        self.push(attributes.clone(), &[x])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "reduce",
    summary: "sum, mean, extreme, product, norm, variance, deviation or log-sum-exp over a set of axes",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "mode=sum (mean, max, min, prod, norm, var, std, logsumexp), dim=[] (all), keepdim=false, \
                 p=2 (\"inf\", \"-inf\"; norm), correction=1 (var, std)",
    build: |g, v, a| Ok(vec![g.reduce(v[0], &a.read()?)?]),
};

params! {
    struct ReduceParams {
        count: u32,
        segments: u32,
        length: u32,
        step: u32,
        start: f32,
        lowest: f32,
        divisor: f32,
        power: f32,
        root: f32,
        inner: u32,
        blocks: u32,
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
        let output = TensorType::float(&self.output(&inputs[0].shape)?)?;
        let set = inputs[0].shape.elements() / output.shape.elements();
        match self.mode {
            Reduction::Norm => {
                let positive = self.p > 0.0 && self.p.is_normal() && (1.0 / self.p).is_normal();
                if !positive && self.p != 0.0 && !self.p.is_infinite() {
                    return Err(Error::bad_input(format!("p {}: a positive number, 0, inf or -inf", self.p)));
                }
            }
            Reduction::Var | Reduction::Std if self.correction >= set => {
                return Err(Error::bad_input(format!(
                    "correction {} leaves nothing to divide by, of {set} elements",
                    self.correction
                )));
            }
            _ => {}
        }
        Ok(vec![output])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = inputs[0].shape();
        let reduced = self.reduced(shape.rank())?;
        let y = reference::reduce(inputs[0].f32s()?, shape, &reduced, |set| self.finish(set));
        let y: Vec<f32> = y.into_iter().map(|y| y as f32).collect();
        Ok(vec![Tensor::new(&self.output(shape)?, y)?])
    }

    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Bound>> {
        let shape = inputs[0].shape();
        let reduced = self.reduced(shape.rank())?;
        let errors = reference::reduce(inputs[0].f32s()?, shape, &reduced, |set| self.error(set));
        Ok(vec![if errors.iter().all(|e| *e == 0.0) { Bound::Exact } else { Bound::Absolute(errors) }])
    }

    /// Two operations an element where a centre is taken first, else one.
    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        let walks = if self.steps().centre == 0 { 1 } else { 2 };
        walks * inputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let shape = r.input(0);
        let mut runs = runs(shape, &self.reduced(shape.rank())?);
        let (length, step) = runs.reduced.pop().unwrap_or((1, 1));
        let segments: usize = runs.reduced.iter().map(|(length, _)| length).product();
        let (count, total) = (r.output(0).elements(), segments * length);
        let inner = if step == 1 { 1 } else { runs.kept.last().map_or(1, |run| run.0) };
        let blocks = inner.div_ceil(COLUMNS);
        let steps = self.steps();
        let walks = if steps.centre == 0 { 1 } else { 2 };
        let direct = walks * segments * (length + 1);
        let columns = walks * (total.div_ceil(256 / COLUMNS) + 8);
        let shared = total >= LONG
            && match r.traits().family {
                Family::Tiled => step == 1 || count < FEW_OUTPUTS,
                Family::Uniform => count < ONE_GROUP,
                Family::Direct => false,
            };
        let (entry, groups, turns) = if direct <= MOST_TURNS && !shared {
            ("reduce_direct", count.div_ceil(64), direct)
        } else if inner >= FEWEST_COLUMNS && columns <= MOST_TURNS {
            ("reduce_columns", count / inner * blocks, columns)
        } else {
            ("reduce_tree", count, walks * (total.div_ceil(256) + 10))
        };
        let spare = if matches!(self.mode, Reduction::Var | Reduction::Std) { self.correction } else { 0 };
        let dims = |list: &[(usize, usize)]| -> Vec<usize> { list.iter().map(|r| r.0).collect() };
        let strides = |list: &[(usize, usize)]| -> Vec<usize> { list.iter().map(|r| r.1).collect() };
        let params = ReduceParams {
            count: r.u32("elements", count)?,
            segments: r.u32("length", segments)?,
            length: r.u32("length", length)?,
            step: r.u32("step", step)?,
            start: [0.0, f32::NEG_INFINITY, f32::INFINITY, 1.0][steps.combine as usize],
            lowest: f32::NEG_INFINITY,
            divisor: (total - spare) as f32,
            power: self.p,
            root: 1.0 / self.p,
            inner: r.u32("length", inner)?,
            blocks: r.u32("length", blocks)?,
            kept_dims: r.innermost_first(&dims(&runs.kept), 1)?,
            kept_steps: r.innermost_first(&strides(&runs.kept), 0)?,
            segment_dims: r.innermost_first(&dims(&runs.reduced), 1)?,
            segment_steps: r.innermost_first(&strides(&runs.reduced), 0)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .constant("CENTRE", steps.centre)
                .constant("TERM", steps.term)
                .constant("COMBINE", steps.combine)
                .constant("FINISH", steps.finish)
                .constant("ONE_RUN", u32::from(segments == 1))
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
