//! Element-wise functions of two tensors, with broadcasting.

/// Applies `f` to every pair. `a_steps` and `b_steps` are the steps along each axis of `dims`, zero where the
/// tensor is repeated.
pub fn binary<T: Copy>(
    a: &[T],
    a_steps: &[usize],
    b: &[T],
    b_steps: &[usize],
    dims: &[usize],
    f: impl Fn(T, T) -> T,
) -> Vec<T> {
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
            f(a[at_a], b[at_b])
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

/// `x` where `x ≥ 0`, else `weight·x`; NaN stays.
pub fn prelu(x: f64, weight: f64) -> f64 {
    if x < 0.0 { weight * x } else { x }
}

/// The quotient rounded down. By zero it is the dividend; what does not fit wraps round.
pub fn floor_divide(a: i32, b: i32) -> i32 {
    if b == 0 {
        return a;
    }
    (f64::from(a) / f64::from(b)).floor() as i64 as i32
}

/// What [`floor_divide`] leaves, with the sign of the divisor; nothing for a division by zero.
pub fn remainder(a: i32, b: i32) -> i32 {
    if b == 0 { 0 } else { (i64::from(a) - i64::from(floor_divide(a, b)) * i64::from(b)) as i32 }
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
    fn quotients_round_down() {
        let pairs = [(7, 3), (-7, 3), (7, -3), (-7, -3), (6, -3), (5, 0), (i32::MIN, -1)];
        assert_eq!(pairs.map(|(a, b)| floor_divide(a, b)), [2, -3, -3, 2, -2, 5, i32::MIN]);
        assert_eq!(pairs.map(|(a, b)| remainder(a, b)), [1, 2, -2, -1, 0, 0, 0]);
    }

    #[test]
    fn nan_wins() {
        for f in [max, min] {
            assert!(f(f64::NAN, 1.0).is_nan() && f(1.0, f64::NAN).is_nan());
        }
        assert_eq!((max(1.0, 2.0), min(1.0, 2.0)), (2.0, 1.0));
    }
}
