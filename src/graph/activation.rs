//! The activations, alone or at the end of another operator.

use kinetograph_cpu::activation as fast;
use kinetograph_ref::activation as reference;
use rayon::prelude::*;

use crate::error::{Error, Result};

/// An element-wise function. Every one lets NaN through.
///
/// The numbers that kernels know them by are in `kernels/lib/activation.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Activation {
    /// `x`.
    #[default]
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// `x` where `x ≥ 0`, else `slope·x`.
    LeakyRelu {
        /// The factor below zero.
        slope: f32,
    },
    /// `1 / (1 + e⁻ˣ)`.
    Sigmoid,
    /// `tanh x`.
    Tanh,
    /// `x·sigmoid(x)`, also called swish.
    Silu,
    /// `x·Φ(x)` with the exact normal distribution function (erf).
    Gelu,
    /// The tanh approximation of [`Activation::Gelu`].
    GeluTanh,
    /// `x·sigmoid(1.702·x)`, as CLIP has it.
    QuickGelu,
    /// `x`, at least 0 and at most 6.
    Relu6,
    /// `x`, at least `min` and at most `max`.
    HardTanh {
        /// The smallest result.
        min: f32,
        /// The largest result.
        max: f32,
    },
    /// `x + 3`, at least 0 and at most 6, divided by 6.
    HardSigmoid,
    /// `x` times [`Activation::HardSigmoid`].
    HardSwish,
    /// `x` where `x ≥ 0`, else `alpha·(eˣ − 1)`.
    Elu {
        /// What it comes to below zero, with the sign turned.
        alpha: f32,
    },
    /// `log(1 + e^(beta·x)) / beta`, and `x` where `beta·x` is above the threshold.
    Softplus {
        /// How sharp the bend is.
        beta: f32,
        /// Where it becomes `x`.
        threshold: f32,
    },
    /// `log(sigmoid(x))`.
    LogSigmoid,
    /// `x·tanh(log(1 + eˣ))`.
    Mish,
}

impl Activation {
    /// Every activation, with PyTorch's parameters where it has some.
    pub const ALL: [Activation; 17] = [
        Activation::Identity,
        Activation::Relu,
        Activation::LeakyRelu { slope: 0.01 },
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Silu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::QuickGelu,
        Activation::Relu6,
        Activation::HardTanh { min: -1.0, max: 1.0 },
        Activation::HardSigmoid,
        Activation::HardSwish,
        Activation::Elu { alpha: 1.0 },
        Activation::Softplus { beta: 1.0, threshold: 20.0 },
        Activation::LogSigmoid,
        Activation::Mish,
    ];

    /// The number that kernels know it by.
    pub fn code(self) -> u32 {
        match self {
            Activation::Identity => 0,
            Activation::Relu => 1,
            Activation::LeakyRelu { .. } => 2,
            Activation::Sigmoid => 3,
            Activation::Tanh => 4,
            Activation::Silu => 5,
            Activation::Gelu => 6,
            Activation::GeluTanh => 7,
            Activation::QuickGelu => 8,
            Activation::Relu6 => 9,
            Activation::HardTanh { .. } => 10,
            Activation::HardSigmoid => 11,
            Activation::HardSwish => 12,
            Activation::Elu { .. } => 13,
            Activation::Softplus { .. } => 14,
            Activation::LogSigmoid => 15,
            Activation::Mish => 16,
        }
    }

    /// The parameters that kernels take, zero where there are none.
    pub fn parameters(self) -> [f32; 2] {
        match self {
            Activation::LeakyRelu { slope } => [slope, 0.0],
            Activation::HardTanh { min, max } => [min, max],
            Activation::Elu { alpha } => [alpha, 0.0],
            Activation::Softplus { beta, threshold } => [beta, threshold],
            _ => [0.0; 2],
        }
    }

    /// Whether what is not less gives what is not less, so that it may as well come after a maximum. Where
    /// [`Activation::Softplus`] becomes `x`, it falls.
    pub fn rises(self) -> bool {
        match self {
            Activation::LeakyRelu { slope: below } | Activation::Elu { alpha: below } => below >= 0.0,
            Activation::Identity
            | Activation::Relu
            | Activation::Sigmoid
            | Activation::Tanh
            | Activation::Relu6
            | Activation::HardTanh { .. }
            | Activation::HardSigmoid
            | Activation::LogSigmoid => true,
            Activation::Silu
            | Activation::Gelu
            | Activation::GeluTanh
            | Activation::QuickGelu
            | Activation::HardSwish
            | Activation::Softplus { .. }
            | Activation::Mish => false,
        }
    }

    /// That the parameters are usable.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] naming the one that is not.
    pub fn check(self) -> Result<()> {
        let wrong = |what: String| Err(Error::bad_input(format!("{}: {what}", self.name())));
        match self {
            _ if self.parameters().iter().any(|p| !p.is_finite()) => {
                wrong(format!("parameters {:?} must be finite", self.parameters()))
            }
            Activation::HardTanh { min, max } if min > max => wrong(format!("min {min} is above max {max}")),
            Activation::Softplus { beta, .. } if !beta.is_normal() || beta < 0.0 => {
                wrong(format!("beta {beta} must be positive"))
            }
            _ => Ok(()),
        }
    }

    /// The name used in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Identity => "identity",
            Activation::Relu => "relu",
            Activation::LeakyRelu { .. } => "leaky_relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Silu => "silu",
            Activation::Gelu => "gelu",
            Activation::GeluTanh => "gelu_tanh",
            Activation::QuickGelu => "quick_gelu",
            Activation::Relu6 => "relu6",
            Activation::HardTanh { .. } => "hard_tanh",
            Activation::HardSigmoid => "hard_sigmoid",
            Activation::HardSwish => "hard_swish",
            Activation::Elu { .. } => "elu",
            Activation::Softplus { .. } => "softplus",
            Activation::LogSigmoid => "log_sigmoid",
            Activation::Mish => "mish",
        }
    }

    /// The activation of a name, with PyTorch's parameters.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for an unknown name; the text lists them all.
    pub fn from_name(name: &str) -> Result<Activation> {
        Activation::ALL.into_iter().find(|a| a.name() == name).ok_or_else(|| {
            let names = Activation::ALL.map(Activation::name).join(", ");
            Error::bad_input(format!("no activation `{name}`; there are {names}"))
        })
    }

    /// The value at `x`, by the reference.
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Activation::Identity => x,
            Activation::Relu => reference::relu(x),
            Activation::LeakyRelu { slope } => reference::leaky_relu(x, f64::from(slope)),
            Activation::Sigmoid => reference::sigmoid(x),
            Activation::Tanh => reference::tanh(x),
            Activation::Silu => reference::silu(x),
            Activation::Gelu => reference::gelu(x),
            Activation::GeluTanh => reference::gelu_tanh(x),
            Activation::QuickGelu => reference::quick_gelu(x),
            Activation::Relu6 => reference::hard_tanh(x, 0.0, 6.0),
            Activation::HardTanh { min, max } => reference::hard_tanh(x, f64::from(min), f64::from(max)),
            Activation::HardSigmoid => reference::hard_sigmoid(x),
            Activation::HardSwish => reference::hard_swish(x),
            Activation::Elu { alpha } => reference::elu(x, f64::from(alpha)),
            Activation::Softplus { beta, threshold } => {
                reference::softplus(x, f64::from(beta), f64::from(threshold))
            }
            Activation::LogSigmoid => reference::log_sigmoid(x),
            Activation::Mish => reference::mish(x),
        }
    }

    /// The fast kernel of it, where there is one.
    fn fast(self) -> Option<fast::Activation> {
        Some(match self {
            Activation::Identity => fast::Activation::Identity,
            Activation::Relu => fast::Activation::Relu,
            Activation::LeakyRelu { slope } => fast::Activation::LeakyRelu(slope),
            Activation::Sigmoid => fast::Activation::Sigmoid,
            Activation::Tanh => fast::Activation::Tanh,
            Activation::Silu => fast::Activation::Silu,
            Activation::Gelu => fast::Activation::Gelu,
            Activation::GeluTanh => fast::Activation::GeluTanh,
            Activation::QuickGelu => fast::Activation::QuickGelu,
            Activation::Relu6 => fast::Activation::HardTanh(0.0, 6.0),
            Activation::HardTanh { min, max } => fast::Activation::HardTanh(min, max),
            Activation::HardSigmoid => fast::Activation::HardSigmoid,
            Activation::HardSwish => fast::Activation::HardSwish,
            _ => return None,
        })
    }

    /// Applies it to each number, in f32 where it has a fast kernel.
    pub(crate) fn apply_all(self, x: &mut [f32]) {
        match self.fast() {
            Some(fast) => fast.apply(x),
            None => x.iter_mut().for_each(|x| *x = self.apply(f64::from(*x)) as f32),
        }
    }

    /// It of each number, on all cores.
    pub(crate) fn of_all(self, x: &[f32]) -> Vec<f32> {
        match self.fast() {
            Some(fast) => fast.of(x),
            None => x.par_iter().map(|x| self.apply(f64::from(*x)) as f32).collect(),
        }
    }

    /// How much it stretches differences at most, and how far a device's own evaluation may be off: relative to
    /// the result and absolutely, from WGSL's accuracy of exp, log, tanh and division.
    ///
    /// The hard ones round `x + 3` and a quotient by 6. Of [`Activation::Elu`], the series below ½ rounds some ten
    /// times, and `eˣ` with its `3 + 2|x|` units errs by 3·10⁻⁷ at most, at −½. In the softplus and its kin
    /// `(3 + 2|x|)·e^−|x|` units and the 2⁻²¹ of a logarithm near 1 come together.
    pub fn error(self) -> (f64, f64, f64) {
        match self {
            Activation::Identity | Activation::Relu | Activation::Relu6 | Activation::HardTanh { .. } => {
                (1.0, 0.0, 0.0)
            }
            Activation::LeakyRelu { slope } => (f64::from(slope).abs().max(1.0), 1.2e-7, 0.0),
            Activation::Sigmoid => (0.25, 1e-6, 1e-6),
            Activation::Tanh => (1.0, 1e-6, 1e-5),
            Activation::Silu | Activation::QuickGelu => (1.13, 2e-6, 1e-6),
            Activation::Gelu => (1.13, 1e-6, 1e-6),
            Activation::GeluTanh => (1.13, 6e-6, 1e-5),
            Activation::HardSigmoid => (1.0 / 6.0, 5e-7, 2.4e-7),
            Activation::HardSwish => (1.5, 1e-6, 1e-6),
            Activation::Elu { alpha } => {
                let steepest = f64::from(alpha).abs().max(1.0);
                (steepest, 2e-6, steepest * f64::from(f32::MIN_POSITIVE))
            }
            Activation::Softplus { beta, .. } => (1.0, 2e-6, 1.2e-6 / f64::from(beta)),
            Activation::LogSigmoid => (1.0, 2e-6, 1.2e-6),
            Activation::Mish => (1.1, 4e-6, 1e-6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_are_distinct() {
        for (i, a) in Activation::ALL.into_iter().enumerate() {
            assert_eq!(a.code() as usize, i);
            assert_eq!(Activation::from_name(a.name()).unwrap(), a);
            a.check().unwrap();
        }
        assert!(Activation::from_name("selu").unwrap_err().to_string().contains("quick_gelu"));
    }

    /// A stretch bound that is too small would hide errors of what comes before; check it on a grid.
    #[test]
    fn stretch_bounds_hold() {
        for a in Activation::ALL {
            let slopes = (-4000..4000).map(|i| f64::from(i) * 0.002);
            let steepest =
                slopes.map(|x| ((a.apply(x + 1e-6) - a.apply(x - 1e-6)) / 2e-6).abs()).fold(0.0, f64::max);
            assert!(steepest <= a.error().0 * (1.0 + 1e-6), "{}: {steepest}", a.name());
        }
    }
}
