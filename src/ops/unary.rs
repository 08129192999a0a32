//! Element-wise functions of one tensor.

use kinetograph_ref::activation::{erf, erfc};
use kinetograph_ref::unary as reference;
use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("unary");

/// An element-wise function of one tensor. NaN gives NaN, but for [`Unary::Sign`] and a power of 0. What is outside a
/// function's domain gives NaN, zeros and infinities give what IEEE 754 says; denormal numbers count as zeros where the
/// device does so.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Unary {
    /// `|x|`.
    Abs,
    /// `−x`.
    Neg,
    /// `eˣ`.
    Exp,
    /// `eˣ − 1`, accurate about zero.
    Expm1,
    /// The natural logarithm.
    Log,
    /// `log(1 + x)`, accurate about zero.
    Log1p,
    /// `√x`.
    Sqrt,
    /// `1 / √x`.
    Rsqrt,
    /// `1 / x`.
    Reciprocal,
    /// `x²`.
    Square,
    /// The error function.
    Erf,
    /// The sine, of any finite `x`.
    Sin,
    /// The cosine, of any finite `x`.
    Cos,
    /// The next integer below.
    Floor,
    /// The next integer above.
    Ceil,
    /// The nearest integer, the even one of two.
    Round,
    /// The next integer towards zero.
    Trunc,
    /// −1, 0 or 1; 0 for NaN, as in PyTorch.
    Sign,
    /// `x`, at least `min` and at most `max`, which counts where the two cross.
    Clamp {
        /// The smallest result, if there is to be one.
        min: Option<f32>,
        /// The largest result, if there is to be one.
        max: Option<f32>,
    },
    /// `x` to a power, as C's `pow`: NaN for a negative `x` and a fractional exponent. Powers of −64 to 64 are
    /// multiplied out if they are whole.
    Pow {
        /// The power.
        exponent: f32,
    },
    /// `scale·x + shift`.
    Affine {
        /// The factor.
        scale: f32,
        /// What is added to the product.
        shift: f32,
    },
}

impl Unary {
    /// Every function, those with parameters with some that do nothing.
    pub const ALL: [Unary; 21] = [
        Unary::Abs,
        Unary::Neg,
        Unary::Exp,
        Unary::Expm1,
        Unary::Log,
        Unary::Log1p,
        Unary::Sqrt,
        Unary::Rsqrt,
        Unary::Reciprocal,
        Unary::Square,
        Unary::Erf,
        Unary::Sin,
        Unary::Cos,
        Unary::Floor,
        Unary::Ceil,
        Unary::Round,
        Unary::Trunc,
        Unary::Sign,
        Unary::Clamp { min: None, max: None },
        Unary::Pow { exponent: 1.0 },
        Unary::Affine { scale: 1.0, shift: 0.0 },
    ];

    /// The name used in files and on the command line, PyTorch's where it has one.
    pub fn function(self) -> &'static str {
        match self {
            Unary::Abs => "abs",
            Unary::Neg => "neg",
            Unary::Exp => "exp",
            Unary::Expm1 => "expm1",
            Unary::Log => "log",
            Unary::Log1p => "log1p",
            Unary::Sqrt => "sqrt",
            Unary::Rsqrt => "rsqrt",
            Unary::Reciprocal => "reciprocal",
            Unary::Square => "square",
            Unary::Erf => "erf",
            Unary::Sin => "sin",
            Unary::Cos => "cos",
            Unary::Floor => "floor",
            Unary::Ceil => "ceil",
            Unary::Round => "round",
            Unary::Trunc => "trunc",
            Unary::Sign => "sign",
            Unary::Clamp { .. } => "clamp",
            Unary::Pow { .. } => "pow",
            Unary::Affine { .. } => "affine",
        }
    }

    /// The number that the kernel knows it by.
    fn code(self) -> u32 {
        Unary::ALL.iter().position(|f| f.function() == self.function()).unwrap_or(0) as u32
    }

    fn check(self) -> Result<()> {
        let finite = |what: &str, value: f32| match value.is_finite() {
            true => Ok(()),
            false => Err(Error::bad_input(format!("{what} {value} must be finite"))),
        };
        match self {
            Unary::Clamp { min, max } if min.is_none() && max.is_none() => {
                Err(Error::bad_input("clamp: min or max must be given"))
            }
            Unary::Clamp { min, max } => {
                min.map_or(Ok(()), |m| finite("min", m))?;
                max.map_or(Ok(()), |m| finite("max", m))
            }
            Unary::Pow { exponent } => finite("exponent", exponent),
            Unary::Affine { scale, shift } => finite("scale", scale).and(finite("shift", shift)),
            _ => Ok(()),
        }
    }

    /// The value at `x`, by the reference.
    fn apply(self, x: f64) -> f64 {
        match self {
            Unary::Abs => x.abs(),
            Unary::Neg => -x,
            Unary::Exp => x.exp(),
            Unary::Expm1 => x.exp_m1(),
            Unary::Log => x.ln(),
            Unary::Log1p => x.ln_1p(),
            Unary::Sqrt => x.sqrt(),
            // The root of −0 is −0.
            Unary::Rsqrt => 1.0 / x.sqrt(),
            Unary::Reciprocal => 1.0 / x,
            Unary::Square => x * x,
            Unary::Erf => erf(x),
            Unary::Sin => x.sin(),
            Unary::Cos => x.cos(),
            Unary::Floor => x.floor(),
            Unary::Ceil => x.ceil(),
            Unary::Round => x.round_ties_even(),
            Unary::Trunc => x.trunc(),
            Unary::Sign => reference::sign(x),
            Unary::Clamp { min, max } => {
                let (min, max) = limits(min, max);
                reference::clamp(x, min.into(), max.into())
            }
            Unary::Pow { exponent } => x.powf(exponent.into()),
            Unary::Affine { scale, shift } => f64::from(scale) * x + f64::from(shift),
        }
    }

    /// How far f32 may be off `y`, the value at `x`, by the accuracy that WGSL promises of exp, log, roots and quotients
    /// and by the roundings of our own functions; `None` if not at all.
    ///
    /// Below ½ and 1 the series of expm1, log1p and erf round at most a dozen times, with terms that fall off. Beyond,
    /// erf is `1 − eʳ`, where the polynomial `r` errs by 40u·|r| and 4u; the sine's angle is off by a few units and 2⁻³⁸.
    /// A power not multiplied out is 2ᵗ, `t` off by 20u·|t|, and the power of a rest below ½ by four units.
    fn error(self, x: f64, y: f64) -> Option<f64> {
        let u = UNIT_ROUNDOFF;
        let exp = |x: f64| (3.0 + 2.0 * x.abs()) * 2.0 * u;
        let error = match self {
            Unary::Abs
            | Unary::Neg
            | Unary::Floor
            | Unary::Ceil
            | Unary::Round
            | Unary::Trunc
            | Unary::Sign
            | Unary::Clamp { .. } => return None,
            Unary::Exp => exp(x) * y,
            Unary::Expm1 if x.abs() < 0.5 => 16.0 * u * y.abs(),
            Unary::Expm1 => exp(x) * (y + 1.0) + 2.0 * u * y.abs(),
            Unary::Log if (0.5..=2.0).contains(&x) => 1.0 / f64::from(1 << 21),
            Unary::Log => 6.0 * u * y.abs(),
            Unary::Log1p if x > -0.3 && x < 0.5 => 24.0 * u * y.abs(),
            // Where the sum may round to within ½ and 2.
            Unary::Log1p if x > -0.501 && x < 1.001 => 2.0 * u + 1.0 / f64::from(1 << 21),
            Unary::Log1p => 2.0 * u + 6.0 * u * y.abs(),
            Unary::Sqrt => 10.0 * u * y,
            Unary::Rsqrt => 4.0 * u * y.abs(),
            Unary::Reciprocal => 5.0 * u * y.abs(),
            Unary::Square => 2.0 * u * y,
            Unary::Erf if x.abs() < 1.0 => 16.0 * u * y.abs(),
            Unary::Erf => {
                let rest = erfc(x.abs().min(4.0));
                rest * (40.0 * u * rest.ln().abs() + exp(rest.ln())) + 4.0 * u
            }
            Unary::Sin | Unary::Cos => 16.0 * u * y.abs() + 2f64.powi(-36),
            Unary::Pow { exponent } => {
                let n = f64::from(exponent);
                let relative = if n.abs() <= 64.0 && n == n.trunc() {
                    n.abs() * if n < 0.0 { 7.0 * u } else { 2.0 * u }
                } else {
                    let t = (n * x.abs().log2()).abs();
                    (14.0 * t + 12.0) * u
                };
                if x == 0.0 || x == 1.0 || n == 0.0 { 0.0 } else { relative * y.abs() }
            }
            Unary::Affine { scale, shift } => {
                2.0 * u * (2.0 * (f64::from(scale) * x).abs() + f64::from(shift).abs())
            }
        };
        // What is below may be flushed to zero.
        Some(error + f64::from(f32::MIN_POSITIVE))
    }
}

fn limits(min: Option<f32>, max: Option<f32>) -> (f32, f32) {
    (min.unwrap_or(f32::NEG_INFINITY), max.unwrap_or(f32::INFINITY))
}

impl Graph {
    /// Adds a function of every element of `x`, of any shape.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when a parameter is not finite or a clamp has none.
    pub fn unary(&mut self, x: Value, function: Unary) -> Result<Value> {
        self.push(function, &[x])
    }

    /// Adds `scale·x + shift`, see [`Graph::unary`].
    ///
    /// # Errors
    /// As [`Graph::unary`].
    pub fn affine(&mut self, x: Value, scale: f32, shift: f32) -> Result<Value> {
        self.unary(x, Unary::Affine { scale, shift })
    }

    /// Adds `x`, at least `min` and at most `max`, see [`Graph::unary`].
    ///
    /// # Errors
    /// As [`Graph::unary`].
    pub fn clamp(&mut self, x: Value, min: Option<f32>, max: Option<f32>) -> Result<Value> {
        self.unary(x, Unary::Clamp { min, max })
    }
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Named {
    function: String,
    min: Option<f32>,
    max: Option<f32>,
    exponent: Option<f32>,
    scale: Option<f32>,
    shift: Option<f32>,
}

impl Named {
    /// The function with those parameters that are given, all of which must be its own.
    fn unary(mut self) -> Result<Unary> {
        let found = Unary::ALL.into_iter().find(|f| f.function() == self.function);
        let function = match found {
            Some(Unary::Clamp { .. }) => Unary::Clamp { min: self.min.take(), max: self.max.take() },
            Some(Unary::Pow { .. }) => {
                let exponent = self.exponent.take();
                let exponent = exponent.ok_or_else(|| Error::bad_input("pow: exponent must be given"))?;
                Unary::Pow { exponent }
            }
            Some(Unary::Affine { .. }) => Unary::Affine {
                scale: self.scale.take().unwrap_or(1.0),
                shift: self.shift.take().unwrap_or(0.0),
            },
            Some(other) => other,
            None => {
                let names = Unary::ALL.map(Unary::function).join(", ");
                return Err(Error::bad_input(format!("no function `{}`; there are {names}", self.function)));
            }
        };
        let left = [
            ("min", self.min),
            ("max", self.max),
            ("exponent", self.exponent),
            ("scale", self.scale),
            ("shift", self.shift),
        ];
        match left.iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) => Err(Error::bad_input(format!("{} has no parameter {name}", self.function))),
            None => Ok(function),
        }
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "unary",
    summary: "an element-wise function of one tensor",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "function (required: abs, neg, exp, expm1, log, log1p, sqrt, rsqrt, reciprocal, square, erf, sin, \
                 cos, floor, ceil, round, trunc, sign, clamp, pow, affine); clamp: min, max; pow: exponent; affine: \
                 scale=1, shift=0",
    build: |g, v, a| Ok(vec![g.unary(v[0], a.read::<Named>()?.unary()?)?]),
};

params! {
    struct UnaryParams {
        count: u32,
        first: f32,
        second: f32,
        nan: f32,
        infinity: f32,
    }
}

impl Op for Unary {
    fn name(&self) -> &'static str {
        "unary"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        self.check()?;
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let y: Vec<f32> = inputs[0].f32s()?.iter().map(|&x| self.apply(x.into()) as f32).collect();
        Ok(vec![Tensor::new(inputs[0].shape(), y)?])
    }

    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let pairs = inputs[0].f32s()?.iter().zip(reference[0].f32s()?);
        let errors: Option<Vec<f64>> = pairs.map(|(&x, &y)| self.error(x.into(), y.into())).collect();
        Ok(vec![errors.map_or(Bound::Exact, Bound::Absolute)])
    }

    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let count = r.output(0).elements();
        let wide = r.traits().family != Family::Direct && count.is_multiple_of(4);
        let (entry, count) = if wide { ("unary_vec4", count / 4) } else { ("unary_direct", count) };
        let (first, second) = match *self {
            Unary::Clamp { min, max } => limits(min, max),
            Unary::Pow { exponent } => (exponent, 0.0),
            Unary::Affine { scale, shift } => (scale, shift),
            _ => (0.0, 0.0),
        };
        let params = UnaryParams {
            count: r.u32("elements", count)?,
            first,
            second,
            nan: f32::NAN,
            infinity: f32::INFINITY,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .constant("MODE", self.code())
                .bind([Operand::Input(0), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
