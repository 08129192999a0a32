//! Element-wise activations, one number at a time, in f64. Each lets NaN through; at −∞, those that multiply
//! by `x` give NaN, as in PyTorch.

/// `max(x, 0)`, but NaN stays NaN.
pub fn relu(x: f64) -> f64 {
    if x < 0.0 { 0.0 } else { x }
}

/// `x` where `x ≥ 0`, else `slope·x`.
pub fn leaky_relu(x: f64, slope: f64) -> f64 {
    if x < 0.0 { slope * x } else { x }
}

/// `1 / (1 + e⁻ˣ)`.
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `tanh x`.
pub fn tanh(x: f64) -> f64 {
    x.tanh()
}

/// `x·sigmoid(x)`.
pub fn silu(x: f64) -> f64 {
    x * sigmoid(x)
}

/// `x·Φ(x)`, Φ the normal distribution function.
pub fn gelu(x: f64) -> f64 {
    0.5 * x * erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// `½x(1 + tanh(√(2/π)(x + 0.044715x³)))`.
pub fn gelu_tanh(x: f64) -> f64 {
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
    0.5 * x * (1.0 + inner.tanh())
}

/// `x·sigmoid(1.702·x)`.
pub fn quick_gelu(x: f64) -> f64 {
    x * sigmoid(1.702 * x)
}

/// `x`, at least `min` and at most `max`; NaN stays.
pub fn hard_tanh(x: f64, min: f64, max: f64) -> f64 {
    if x < min {
        min
    } else if x > max {
        max
    } else {
        x
    }
}

/// `(x + 3) / 6`, at least 0 and at most 1.
pub fn hard_sigmoid(x: f64) -> f64 {
    hard_tanh(x + 3.0, 0.0, 6.0) / 6.0
}

/// `x·hard_sigmoid(x)`.
pub fn hard_swish(x: f64) -> f64 {
    x * hard_sigmoid(x)
}

/// `x` where `x ≥ 0`, else `alpha·(eˣ − 1)`.
pub fn elu(x: f64, alpha: f64) -> f64 {
    if x < 0.0 { alpha * x.exp_m1() } else { x }
}

/// `log(1 + e^(beta·x)) / beta`, and `x` where `beta·x` is above the threshold.
pub fn softplus(x: f64, beta: f64, threshold: f64) -> f64 {
    if beta * x > threshold { x } else { (beta * x).exp().ln_1p() / beta }
}

/// `log(sigmoid(x))`.
pub fn log_sigmoid(x: f64) -> f64 {
    // exp of a positive number would overflow.
    if x < 0.0 { x - x.exp().ln_1p() } else { -(-x).exp().ln_1p() }
}

/// `x·tanh(log(1 + eˣ))`.
pub fn mish(x: f64) -> f64 {
    let softplus = if x > 40.0 { x } else { x.exp().ln_1p() };
    x * softplus.tanh()
}

/// The error function, `2/√π ∫₀ˣ e^(−t²) dt`.
pub fn erf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x.abs() < 3.0 { erf_series(x) } else { (1.0 - erfc_fraction(x.abs())).copysign(x) }
}

/// `1 − erf(x)`, accurate in the tail.
pub fn erfc(x: f64) -> f64 {
    if x < 3.0 { 1.0 - erf(x) } else { erfc_fraction(x) }
}

/// The Taylor series about zero; its terms stay below e⁹ for |x| < 3.
fn erf_series(x: f64) -> f64 {
    let mut term = x;
    let mut sum = x;
    let mut n = 0.0;
    while term.abs() > 1e-17 * sum.abs() {
        n += 1.0;
        term *= -x * x / n;
        sum += term / (2.0 * n + 1.0);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

/// The continued fraction of erfc for x ≥ 3 (Abramowitz & Stegun 7.1.14), evaluated from its tail.
fn erfc_fraction(x: f64) -> f64 {
    let tail = (1..=60).rev().fold(0.0, |t, k| f64::from(k) / 2.0 / (x + t));
    (-x * x).exp() / std::f64::consts::PI.sqrt() / (x + tail)
}

#[cfg(test)]
mod tests {
    use approx::{assert_abs_diff_eq, assert_relative_eq};

    use super::*;

    /// Values from Abramowitz & Stegun, table 7.1, and the tail from tables of erfc.
    #[test]
    fn erf_agrees_with_tables() {
        for (x, y) in [(0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0)] {
            assert_abs_diff_eq!(erf(x), y, epsilon = 1e-10);
            assert_abs_diff_eq!(erf(-x), -y, epsilon = 1e-10);
        }
        assert_relative_eq!(erfc(3.0), 2.209_049_699_858_544e-5, max_relative = 1e-9);
        assert_relative_eq!(erfc(2.999_999), erfc(3.000_001), max_relative = 1e-4);
    }

    #[test]
    fn bends_and_their_ends() {
        assert_eq!([-4.0, -3.0, 0.0, 3.0, 9.0].map(hard_sigmoid), [0.0, 0.0, 0.5, 1.0, 1.0]);
        assert_eq!([-4.0, 1.0, 4.0].map(hard_swish), [0.0, 2.0 / 3.0, 4.0]);
        assert_abs_diff_eq!(softplus(0.0, 2.0, 20.0), 2f64.ln() / 2.0, epsilon = 1e-15);
        assert_eq!(softplus(11.0, 2.0, 20.0), 11.0);
        assert_abs_diff_eq!(elu(-1e9, 0.5), -0.5, epsilon = 1e-15);
        for x in [-700.0, -3.0, 0.25, 5.0] {
            assert_abs_diff_eq!(log_sigmoid(x), -softplus(-x, 1.0, 1e9), epsilon = 1e-12);
        }
        assert_abs_diff_eq!(mish(1.0), 0.865_098_388, epsilon = 1e-9);
    }

    #[test]
    fn nan_stays() {
        for f in [
            relu,
            sigmoid,
            tanh,
            silu,
            gelu,
            gelu_tanh,
            quick_gelu,
            hard_sigmoid,
            hard_swish,
            log_sigmoid,
            mish,
            |x| hard_tanh(x, -1.0, 1.0),
            |x| elu(x, 1.0),
            |x| softplus(x, 1.0, 20.0),
        ] {
            assert!(f(f64::NAN).is_nan());
        }
    }
}
