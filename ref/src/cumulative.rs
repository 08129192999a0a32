//! Sums and products of what came so far.

/// `x` is `[outer, length, inner]`; `combine` of the elements of each row of `length` up to each of them, from `start`
/// on.
pub fn cumulative(
    x: &[f32],
    [length, inner]: [usize; 2],
    start: f64,
    combine: impl Fn(f64, f64) -> f64,
) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    for (x, y) in x.chunks(length * inner).zip(y.chunks_mut(length * inner)) {
        for i in 0..inner {
            let mut so_far = start;
            for k in 0..length {
                so_far = combine(so_far, f64::from(x[k * inner + i]));
                y[k * inner + i] = so_far;
            }
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_products() {
        let x = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(cumulative(&x, [4, 1], 0.0, |a, b| a + b), [1.0, 3.0, 6.0, 10.0]);
        assert_eq!(cumulative(&x, [2, 2], 1.0, |a, b| a * b), [1.0, 2.0, 3.0, 8.0]);
    }
}
