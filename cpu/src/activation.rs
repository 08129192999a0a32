//! Element-wise activations of many numbers at once. Each lets NaN through.

use fearless_simd::{Level, dispatch};
use rayon::prelude::*;

use crate::math::{normal, sigmoid, tanh};

/// An activation, by the name and the parameters that it has in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// `x`.
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// `x` where `x ≥ 0`, else the slope times `x`.
    LeakyRelu(f32),
    /// `1 / (1 + e⁻ˣ)`.
    Sigmoid,
    /// `tanh x`.
    Tanh,
    /// `x·sigmoid(x)`.
    Silu,
    /// `x·Φ(x)`, Φ the normal distribution function.
    Gelu,
    /// `½x(1 + tanh(√(2/π)(x + 0.044715x³)))`.
    GeluTanh,
    /// `x·sigmoid(1.702·x)`.
    QuickGelu,
    /// `x`, at least the first and at most the second.
    HardTanh(f32, f32),
    /// `x + 3`, at least 0 and at most 6, divided by 6.
    HardSigmoid,
    /// `x` times [`Activation::HardSigmoid`].
    HardSwish,
}

impl Activation {
    /// Applies it to each number, on the calling thread.
    pub fn apply(self, x: &mut [f32]) {
        if self != Activation::Identity {
            dispatch!(Level::new(), _ => self.apply_here(x));
        }
    }

    /// Gives it of each number, on all cores.
    pub fn of(self, x: &[f32]) -> Vec<f32> {
        let mut y = vec![0.0; x.len()];
        y.par_chunks_mut(1 << 14).zip(x.par_chunks(1 << 14)).for_each(|(y, x)| {
            y.copy_from_slice(x);
            self.apply(y);
        });
        y
    }

    #[inline(always)]
    fn apply_here(self, x: &mut [f32]) {
        match self {
            Activation::Identity => {}
            Activation::Relu => each(x, |x| if x < 0.0 { 0.0 } else { x }),
            Activation::LeakyRelu(slope) => each(x, |x| if x < 0.0 { slope * x } else { x }),
            Activation::Sigmoid => each(x, sigmoid),
            Activation::Tanh => each(x, tanh),
            Activation::Silu => each(x, |x| x * sigmoid(x)),
            Activation::Gelu => each(x, |x| x * normal(x)),
            Activation::GeluTanh => each(x, |x| {
                let inner = 0.797_884_6 * (x + 0.044_715 * x * x * x);
                0.5 * x * (1.0 + tanh(inner))
            }),
            Activation::QuickGelu => each(x, |x| x * sigmoid(1.702 * x)),
            Activation::HardTanh(min, max) => each(x, |x| clamp(x, min, max)),
            Activation::HardSigmoid => each(x, |x| clamp(x + 3.0, 0.0, 6.0) / 6.0),
            Activation::HardSwish => each(x, |x| x * (clamp(x + 3.0, 0.0, 6.0) / 6.0)),
        }
    }
}

#[inline(always)]
fn each(x: &mut [f32], f: impl Fn(f32) -> f32) {
    for x in x {
        *x = f(*x);
    }
}

#[inline(always)]
fn clamp(x: f32, min: f32, max: f32) -> f32 {
    let raised = if x < min { min } else { x };
    if raised > max { max } else { raised }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let x = [-4.0, -1.0, 0.0, 1.0, 9.0];
        assert_eq!(Activation::Relu.of(&x), [0.0, 0.0, 0.0, 1.0, 9.0]);
        assert_eq!(Activation::LeakyRelu(0.5).of(&x), [-2.0, -0.5, 0.0, 1.0, 9.0]);
        assert_eq!(Activation::HardTanh(-2.0, 3.0).of(&x), [-2.0, -1.0, 0.0, 1.0, 3.0]);
        assert_eq!(Activation::HardSigmoid.of(&x), [0.0, 1.0 / 3.0, 0.5, 4.0 / 6.0, 1.0]);
        assert_eq!(Activation::HardSwish.of(&x), [0.0, -1.0 / 3.0, 0.0, 4.0 / 6.0, 9.0]);
        for (activation, at_one) in [
            (Activation::Sigmoid, 0.731_058_6),
            (Activation::Tanh, 0.761_594_2),
            (Activation::Silu, 0.731_058_6),
            (Activation::Gelu, 0.841_344_75),
            (Activation::GeluTanh, 0.841_192),
            (Activation::QuickGelu, 0.845_795_8),
        ] {
            let y = activation.of(&[1.0, f32::NAN]);
            assert!((y[0] - at_one).abs() < 5e-7, "{activation:?} {y:?}");
            assert!(y[1].is_nan());
        }
    }
}
