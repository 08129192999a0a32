//! Softmax over one axis.

use rayon::prelude::*;

/// `x` is `[outer, length, inner]`; each row of `length` becomes `exp(z) / Σ exp(z)`, or with `log` the logarithm of
/// that, of `z = x / temperature`. Rows of −∞ alone become zeros, or −∞.
pub fn softmax(x: &[f32], [length, inner]: [usize; 2], temperature: f64, log: bool) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    let rows = x.par_chunks(length * inner).zip(y.par_chunks_mut(length * inner));
    rows.for_each(|(x, y)| {
        for i in 0..inner {
            let z: Vec<f64> = (0..length).map(|k| f64::from(x[k * inner + i]) / temperature).collect();
            let largest = z.iter().fold(f64::NEG_INFINITY, |m, &v| if m.is_nan() || m > v { m } else { v });
            let sum: f64 = z.iter().map(|v| (v - largest).exp()).sum();
            for (k, v) in z.into_iter().enumerate() {
                y[k * inner + i] = match (largest == f64::NEG_INFINITY, log) {
                    (true, true) => f32::NEG_INFINITY,
                    (true, false) => 0.0,
                    (false, true) => (v - largest - sum.ln()) as f32,
                    (false, false) => ((v - largest).exp() / sum) as f32,
                };
            }
        }
    });
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_and_thirds() {
        let ln2 = std::f32::consts::LN_2;
        let y = softmax(&[0.0, ln2, 1000.0, 1000.0], [2, 1], 1.0, false);
        let want = [1.0 / 3.0, 2.0 / 3.0, 0.5, 0.5];
        assert!(y.iter().zip(want).all(|(y, w)| (y - w).abs() < 1e-7), "{y:?}");
        let y = softmax(&[0.0, 2.0 * ln2], [2, 1], 2.0, true);
        assert!((y[0] - (1.0f32 / 3.0).ln()).abs() < 1e-6, "{y:?}");
    }

    #[test]
    fn rows_that_are_not_finite() {
        let low = f32::NEG_INFINITY;
        assert_eq!(softmax(&[low, low, low, 3.0], [2, 1], 1.0, false), [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(softmax(&[low, low], [2, 1], 1.0, true), [low, low]);
        assert!(softmax(&[f32::NAN, 1.0, f32::INFINITY, 1.0], [2, 1], 1.0, false).iter().all(|y| y.is_nan()));
    }
}
