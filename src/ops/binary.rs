//! Element-wise functions of two tensors.

use std::ops::RangeInclusive;
use std::sync::Arc;

use kinetograph_cpu::binary as fast;
use kinetograph_ref::binary as reference;
use serde::Deserialize;

use super::attributes::any_element;
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Activation, Bound, Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value,
};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("binary");

/// An element-wise function of two tensors, with broadcasting as in PyTorch: axes are aligned at the last, an
/// axis of length 1 repeats.
///
/// Both are of floats or both of integers, and so is the result; sums, differences and products of integers wrap round.
/// What compares gives 1 where it holds and 0 where it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Binary {
    /// `a + b`.
    #[default]
    Add,
    /// `a − b`.
    Sub,
    /// `a · b`.
    Mul,
    /// `a / b`, of floats. Division by zero follows IEEE arithmetic where the device does; WGSL does not promise it.
    Div,
    /// The larger; NaN if either is.
    Maximum,
    /// The smaller; NaN if either is.
    Minimum,
    /// `a` to the power `b`, of floats, as C's `pow`: 1 for a power of 0 and for a base of 1, NaN for a negative base and
    /// a fractional power. Whole powers of −64 to 64 are multiplied out; denormal bases count as zero.
    Pow,
    /// `a` where `a ≥ 0`, else `a · b`, of floats: the parametric ReLU of He et al. (arXiv:1502.01852).
    Prelu,
    /// `a = b`; no NaN equals another.
    Eq,
    /// `a ≠ b`, also of NaN.
    Ne,
    /// `a < b`.
    Lt,
    /// `a ≤ b`.
    Le,
    /// `a > b`.
    Gt,
    /// `a ≥ b`.
    Ge,
    /// Neither is 0; NaN is not.
    LogicalAnd,
    /// Not both are 0.
    LogicalOr,
    /// Just one is 0.
    LogicalXor,
    /// The quotient rounded down, of integers. By zero it is the dividend, where PyTorch refuses it.
    FloorDivide,
    /// What the quotient rounded down leaves, of integers, with the sign of the divisor. By zero it is 0.
    Remainder,
}

impl Binary {
    /// Every function.
    pub const ALL: [Binary; 19] = [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Maximum,
        Binary::Minimum,
        Binary::Pow,
        Binary::Prelu,
        Binary::Eq,
        Binary::Ne,
        Binary::Lt,
        Binary::Le,
        Binary::Gt,
        Binary::Ge,
        Binary::LogicalAnd,
        Binary::LogicalOr,
        Binary::LogicalXor,
        Binary::FloorDivide,
        Binary::Remainder,
    ];

    /// Whether it is for elements of this type.
    pub fn takes(self, dtype: DType) -> bool {
        match self {
            Binary::Div | Binary::Pow | Binary::Prelu => dtype == DType::F32,
            Binary::FloorDivide | Binary::Remainder => dtype == DType::I32,
            _ => any_element(dtype),
        }
    }

    /// Whether it gives 1 or 0.
    fn compares(self) -> bool {
        let comparisons = Binary::Eq as u32..=Binary::LogicalXor as u32;
        comparisons.contains(&(self as u32))
    }

    fn of_floats(self, a: f64, b: f64) -> f64 {
        let one = |holds: bool| f64::from(u8::from(holds));
        match self {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Div => a / b,
            Binary::Maximum => reference::max(a, b),
            Binary::Minimum => reference::min(a, b),
            Binary::Pow => a.powf(b),
            Binary::Prelu => reference::prelu(a, b),
            Binary::Eq => one(a == b),
            Binary::Ne => one(a != b),
            Binary::Lt => one(a < b),
            Binary::Le => one(a <= b),
            Binary::Gt => one(a > b),
            Binary::Ge => one(a >= b),
            Binary::LogicalAnd => one(a != 0.0 && b != 0.0),
            Binary::LogicalOr => one(a != 0.0 || b != 0.0),
            Binary::LogicalXor => one((a != 0.0) != (b != 0.0)),
            // Of integers alone.
            Binary::FloorDivide | Binary::Remainder => f64::NAN,
        }
    }

    fn of_integers(self, a: i32, b: i32) -> i32 {
        match self {
            Binary::Add => a.wrapping_add(b),
            Binary::Sub => a.wrapping_sub(b),
            Binary::Mul => a.wrapping_mul(b),
            Binary::Maximum => a.max(b),
            Binary::Minimum => a.min(b),
            Binary::FloorDivide => reference::floor_divide(a, b),
            Binary::Remainder => reference::remainder(a, b),
            // Comparisons: every i32 is an f64.
            _ => self.of_floats(a.into(), b.into()) as i32,
        }
    }

    /// How far f32 may be off, relative to the result.
    fn relative_error(self, a: f64, b: f64) -> f64 {
        let u = UNIT_ROUNDOFF;
        match self {
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Prelu => 2.0 * u,
            // WGSL allows 2.5 ULP for a quotient.
            Binary::Div => 6.0 * u,
            Binary::Pow if b == 0.0 || a == 0.0 || a == 1.0 => 0.0,
            // A product a factor, each of which may be a quotient.
            Binary::Pow if b.abs() <= 64.0 && b == b.trunc() => 7.0 * u * b.abs(),
            // 2ᵗ, of which t is off by 20u·|t| and the power of its rest by four units.
            Binary::Pow => (14.0 * (b * a.abs().log2()).abs() + 12.0) * u,
            _ => 0.0,
        }
    }
}

/// A [`Binary`] and the activation after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BinaryOp {
    /// The function.
    pub function: Binary,
    /// What is applied to its result.
    pub activation: Activation,
}

impl Graph {
    /// Adds an element-wise function of two tensors whose shapes broadcast.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when they do not, or when the element types differ or are none of the function's.
    pub fn binary(&mut self, a: Value, b: Value, function: Binary) -> Result<Value> {
        self.push(BinaryOp { function, activation: Activation::Identity }, &[a, b])
    }

    /// Adds `a + b`, see [`Graph::binary`].
    ///
    /// # Errors
    /// As [`Graph::binary`].
    pub fn add(&mut self, a: Value, b: Value) -> Result<Value> {
        self.binary(a, b, Binary::Add)
    }
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Named {
    function: Binary,
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "binary",
    summary: "an element-wise function of two tensors, with broadcasting",
    inputs: &[Port::new("input", Layout::Plain), Port::new("other", Layout::Plain)],
    output: Layout::Plain,
    attributes: "function=add (sub, mul, div, maximum, minimum, pow, prelu, eq, ne, lt, le, gt, ge, logical_and, \
                 logical_or, logical_xor, floor_divide, remainder)",
    build: |g, v, a| Ok(vec![g.binary(v[0], v[1], a.read::<Named>()?.function)?]),
};

params! {
    struct BinaryParams {
        count: u32,
        a_period: u32,
        b_period: u32,
        nan: f32,
        infinity: f32,
        pad_0: u32,
        pad_1: u32,
        dims: [u32; MAX_RANK],
        a_steps: [u32; MAX_RANK],
        b_steps: [u32; MAX_RANK],
    }
}

/// How a tensor is read beside a larger one.
struct Walk {
    /// The number of elements that are read round and round, where that is all.
    period: Option<usize>,
    /// Steps along the axes of the larger shape.
    steps: Vec<usize>,
    /// Whether each run of the larger shape's last axis is one here.
    whole_rows: bool,
}

impl Walk {
    fn new(of: &Shape, to: &Shape) -> Walk {
        let ones = of.iter().take_while(|d| **d == 1).count();
        Walk {
            period: to.ends_with(&of[ones..]).then(|| of.elements()),
            steps: of.steps_in(to),
            whole_rows: of.last() == to.last(),
        }
    }

    /// Whether vec4s of the larger tensor are vec4s here.
    fn in_fours(&self, row: usize) -> bool {
        match self.period {
            Some(period) => period.is_multiple_of(4),
            None => self.whole_rows && row.is_multiple_of(4),
        }
    }
}

impl BinaryOp {
    /// The results before the activation.
    fn floats(&self, inputs: &[Tensor], f: impl Fn(f64, f64) -> f64) -> Result<Tensor> {
        let (a, b) = (&inputs[0], &inputs[1]);
        let shape = a.shape().broadcast(b.shape())?;
        let (a_steps, b_steps) = (a.shape().steps_in(&shape), b.shape().steps_in(&shape));
        let f = |a: f32, b: f32| f(a.into(), b.into()) as f32;
        Tensor::new(&shape, reference::binary(a.f32s()?, &a_steps, b.f32s()?, &b_steps, &shape, f))
    }
}

/// `[middle, inner]` where `b` is `a` with neighbouring axes, together `middle`, of length 1, and `inner` enough for vectors.
fn repeated_within(a: &[usize], b: &[usize]) -> Option<[usize; 2]> {
    if a.len() != b.len() {
        return None;
    }
    let first = a.iter().zip(b).position(|(a, b)| a != b)?;
    let last = a.iter().zip(b).rposition(|(a, b)| a != b)?;
    let inner: usize = a[last + 1..].iter().product();
    let middle = a[first..=last].iter().product();
    (b[first..=last].iter().all(|n| *n == 1) && inner >= 8).then_some([middle, inner])
}

impl Op for BinaryOp {
    fn name(&self) -> &'static str {
        "binary"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        2..=2
    }

    fn takes(&self, dtype: DType) -> bool {
        any_element(dtype)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let (a, b) = (&inputs[0], &inputs[1]);
        if a.dtype != b.dtype {
            return Err(Error::bad_input(format!("the input is {}, the other is {}", a.dtype, b.dtype)));
        }
        if !self.function.takes(a.dtype) {
            let what = if a.dtype == DType::F32 { "integers" } else { "floats" };
            return Err(Error::bad_input(format!("{:?} is a function of {what}", self.function)));
        }
        Ok(vec![a.with_shape(&a.shape.broadcast(&b.shape)?)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (a, b) = (&inputs[0], &inputs[1]);
        if a.dtype() == DType::I32 {
            let shape = a.shape().broadcast(b.shape())?;
            let (a_steps, b_steps) = (a.shape().steps_in(&shape), b.shape().steps_in(&shape));
            let f = |a, b| self.function.of_integers(a, b);
            let y = reference::binary(a.i32s()?, &a_steps, b.i32s()?, &b_steps, &shape, f);
            return Ok(vec![Tensor::new(&shape, y)?]);
        }
        Ok(vec![self.floats(inputs, |a, b| self.activation.apply(self.function.of_floats(a, b)))?])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (a, b) = (&inputs[0], &inputs[1]);
        let function = match self.function {
            Binary::Add => fast::Function::Add,
            Binary::Sub => fast::Function::Subtract,
            Binary::Mul => fast::Function::Multiply,
            Binary::Div => fast::Function::Divide,
            _ => return self.reference(inputs),
        };
        // Axes of length 1 in front repeat as missing ones do.
        let own = b.shape().iter().position(|length| *length != 1).unwrap_or(b.shape().rank());
        let repeats = a.shape().rank() >= b.shape().rank() && a.shape().ends_with(&b.shape()[own..]);
        if a.dtype() == DType::I32 {
            return self.reference(inputs);
        }
        if !repeats {
            let Some(within) = repeated_within(a.shape(), b.shape()) else { return self.reference(inputs) };
            let finish = |y: &mut [f32]| self.activation.apply_all(y);
            let y = fast::repeated(a.f32s()?, b.f32s()?, within, function, &finish);
            return Ok(vec![Tensor::new(a.shape(), y)?]);
        }
        let y = fast::binary(a.f32s()?, b.f32s()?, function, &|y| self.activation.apply_all(y));
        Ok(vec![Tensor::new(a.shape(), y)?])
    }

    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let exact = matches!(self.function, Binary::Maximum | Binary::Minimum) || self.function.compares();
        let bound = if inputs[0].dtype() == DType::I32 || exact {
            Bound::Exact
        } else {
            let plain = self.floats(inputs, |a, b| self.function.of_floats(a, b))?;
            let relative = self.floats(inputs, |a, b| self.function.relative_error(a, b))?;
            let both = plain.f32s()?.iter().zip(relative.f32s()?);
            let off = both.map(|(y, r)| match y.is_finite() {
                // What is smaller may be flushed to zero.
                true => f64::from(y.abs()) * f64::from(*r) + f64::from(f32::MIN_POSITIVE),
                false => 0.0,
            });
            Bound::Absolute(off.collect())
        };
        Ok(vec![match reference[0].dtype() {
            DType::I32 => bound,
            _ => bound.activated(self.activation, &reference[0])?,
        }])
    }

    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        outputs[0].shape.elements() as u64
    }

    fn with_activation(&self, activation: Activation) -> Option<Arc<dyn Op>> {
        let free = self.activation == Activation::Identity && !self.function.compares();
        free.then(|| Arc::new(BinaryOp { activation, ..*self }) as Arc<dyn Op>)
    }

    fn is_sum(&self) -> bool {
        self.function == Binary::Add && self.activation == Activation::Identity
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let mut dims = r.output(0).to_vec();
        let mut count = r.output(0).elements();
        let mut walks = [Walk::new(r.input(0), r.output(0)), Walk::new(r.input(1), r.output(0))];
        let row = dims.last().copied().unwrap_or(1);
        let entry = if r.dtype(0) == DType::I32 {
            "binary_integers"
        } else if r.traits().family != Family::Direct && walks.iter().all(|w| w.in_fours(row)) {
            count /= 4;
            for walk in &mut walks {
                walk.period = walk.period.map(|p| p / 4);
                if let Some((_, outer)) = walk.steps.split_last_mut() {
                    outer.iter_mut().for_each(|s| *s /= 4);
                }
            }
            if let Some(last) = dims.last_mut() {
                *last = last.div_ceil(4);
            }
            "binary_vec4"
        } else {
            "binary_direct"
        };
        let [a, b] = &walks;
        let params = BinaryParams {
            count: r.u32("elements", count)?,
            a_period: r.u32("elements", a.period.unwrap_or(0))?,
            b_period: r.u32("elements", b.period.unwrap_or(0))?,
            nan: f32::NAN,
            infinity: f32::INFINITY,
            dims: r.innermost_first(&dims, 1)?,
            a_steps: r.innermost_first(&a.steps, 0)?,
            b_steps: r.innermost_first(&b.steps, 0)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .constant("MODE", self.function as u32)
                .activation(self.activation)
                .elements(r.dtype(0))
                .bind([Operand::Input(0), Operand::Input(1), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
