//! Elementary functions that the compiler can make vectors of: no branches, no calls.

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

/// `1.5·2²³`: a number added to it is rounded to an integer, which then lies in the lowest bits.
const ROUNDING: f32 = 12_582_912.0;

/// `ln 2` in two parts, the first of few bits, so that its products with small integers are exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// `eˣ` to within three units in the last place; 0 and infinity where it leaves the range of f32, NaN of NaN.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let low = if x < -104.0 { -104.0 } else { x };
    let x = if low > 89.0 { 89.0 } else { low };
    let shifted = x * LOG2_E + ROUNDING;
    let n = shifted - ROUNDING;
    let r = x - n * LN_2[0] - n * LN_2[1];
    // Taylor's series up to r⁷, with |r| ≤ ½ ln 2.
    let mut p = 1.0 / 5040.0;
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + c;
    }
    // 2ⁿ in two factors, of which each is in range.
    let n = shifted.to_bits().wrapping_sub(ROUNDING.to_bits()) as i32;
    let half = n >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
    p * power(half) * power(n.wrapping_sub(half))
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `tanh x` to within 3·10⁻⁷.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (1.0 + exp(2.0 * x))
}

/// The normal distribution function to within 2·10⁻⁷ (Abramowitz & Stegun 7.1.26).
#[inline(always)]
pub(crate) fn normal(x: f32) -> f32 {
    let z = x.abs() * FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let mut p = 1.061_405_4;
    for c in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = p * t + c;
    }
    // Of −|x|.
    let tail = 0.5 * p * t * exp(-z * z);
    if x < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials() {
        for i in -870_000..880_000 {
            let x = i as f32 * 1e-4;
            let want = f64::from(x).exp();
            assert!((f64::from(exp(x)) - want).abs() <= 2.5e-7 * want, "{x}: {} {want}", exp(x));
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(
            [-105.0, f32::NEG_INFINITY, 89.0, f32::INFINITY].map(exp),
            [0.0, 0.0, f32::INFINITY, f32::INFINITY]
        );
        assert!(exp(f32::NAN).is_nan() && normal(f32::NAN).is_nan());
        assert!((f64::from(exp(-95.0)) - (-95f64).exp()).abs() < 2e-45);
    }

    #[test]
    fn ends() {
        assert_eq!([-200.0, 200.0].map(tanh), [-1.0, 1.0]);
        assert_eq!([-200.0, 200.0].map(sigmoid), [0.0, 1.0]);
        assert_eq!([-40.0, 40.0].map(normal), [0.0, 1.0]);
        assert!((normal(1.0) - 0.841_344_75).abs() < 2e-7);
        assert!((normal(-1.0) - 0.158_655_25).abs() < 2e-7);
    }
}
