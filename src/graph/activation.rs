//! The activations, alone or at the end of another operator.

use kinetograph_ref::activation as reference;

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
}

impl Activation {
    /// Every activation, leaky ReLU with slope 0.01.
    pub const ALL: [Activation; 9] = [
        Activation::Identity,
        Activation::Relu,
        Activation::LeakyRelu { slope: 0.01 },
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Silu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::QuickGelu,
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
        }
    }

    /// The slope of [`Activation::LeakyRelu`], else zero.
    pub fn slope(self) -> f32 {
        if let Activation::LeakyRelu { slope } = self { slope } else { 0.0 }
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
        }
    }

    /// The activation of a name; `slope` is for leaky ReLU.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for an unknown name; the text lists them all.
    pub fn from_name(name: &str, slope: f32) -> Result<Activation> {
        let found = Activation::ALL.into_iter().find(|a| a.name() == name);
        match found {
            Some(Activation::LeakyRelu { .. }) => Ok(Activation::LeakyRelu { slope }),
            Some(a) => Ok(a),
            None => {
                let names = Activation::ALL.map(Activation::name).join(", ");
                Err(Error::bad_input(format!("no activation `{name}`; there are {names}")))
            }
        }
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
        }
    }

    /// How much it stretches differences at most, and how far a device's own evaluation may be off: relative to
    /// the result and absolutely, from WGSL's accuracy of exp, tanh and division.
    pub fn error(self) -> (f64, f64, f64) {
        match self {
            Activation::Identity | Activation::Relu => (1.0, 0.0, 0.0),
            Activation::LeakyRelu { slope } => (f64::from(slope).abs().max(1.0), 1.2e-7, 0.0),
            Activation::Sigmoid => (0.25, 1e-6, 1e-6),
            Activation::Tanh => (1.0, 1e-6, 1e-5),
            Activation::Silu | Activation::QuickGelu => (1.13, 2e-6, 1e-6),
            Activation::Gelu => (1.13, 1e-6, 1e-6),
            Activation::GeluTanh => (1.13, 6e-6, 1e-5),
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
            assert_eq!(Activation::from_name(a.name(), 0.01).unwrap(), a);
        }
        assert!(Activation::from_name("relu6", 0.0).unwrap_err().to_string().contains("quick_gelu"));
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
