//! Element-wise functions of two tensors, with broadcasting.

/// Applies `f` to every pair. `a_steps` and `b_steps` are the steps along each axis of `dims`, zero where the
/// tensor is repeated.
pub fn binary(
    a: &[f32],
    a_steps: &[usize],
    b: &[f32],
    b_steps: &[usize],
    dims: &[usize],
    f: impl Fn(f64, f64) -> f64,
) -> Vec<f32> {
    let count: usize = dims.iter().product();
    (0..count)
        .map(|linear| {
            let (mut rest, mut at_a, mut at_b) = (linear, 0, 0);
            for axis in (0..dims.len()).rev() {
                let i = rest % dims[axis];
                rest /= dims[axis];
                at_a += i * a_steps[axis];
                at_b += i * b_steps[axis];
            }
            f(f64::from(a[at_a]), f64::from(b[at_b])) as f32
        })
        .collect()
}

/// The larger of two numbers; NaN if either is.
pub fn max(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// The smaller of two numbers; NaN if either is.
pub fn min(a: f64, b: f64) -> f64 {
    if a.is_nan() || a < b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_and_a_column_make_a_table() {
        let y = binary(&[1.0, 2.0], &[1, 0], &[10.0, 20.0, 30.0], &[0, 1], &[2, 3], |a, b| a + b);
        assert_eq!(y, [11.0, 21.0, 31.0, 12.0, 22.0, 32.0]);
    }

    #[test]
    fn nan_wins() {
        for f in [max, min] {
            assert!(f(f64::NAN, 1.0).is_nan() && f(1.0, f64::NAN).is_nan());
        }
        assert_eq!((max(1.0, 2.0), min(1.0, 2.0)), (2.0, 1.0));
    }
}
