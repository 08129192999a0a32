//! Element-wise functions that need more than the standard library has.

/// −1, 0 or 1; 0 for NaN.
pub fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// `x`, at least `min` and at most `max`, which counts where the two cross; NaN stays.
pub fn clamp(x: f64, min: f64, max: f64) -> f64 {
    let raised = if x < min { min } else { x };
    if raised > max { max } else { raised }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_limits() {
        assert_eq!([-2.0, -0.0, 0.5, f64::NAN].map(sign), [-1.0, 0.0, 1.0, 0.0]);
        assert_eq!([-2.0, 0.5, 9.0].map(|x| clamp(x, -1.0, 1.0)), [-1.0, 0.5, 1.0]);
        assert_eq!(clamp(0.0, 2.0, 1.0), 1.0);
        assert!(clamp(f64::NAN, 0.0, 1.0).is_nan());
    }
}
