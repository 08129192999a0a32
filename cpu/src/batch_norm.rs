//! Batch normalisation with running statistics.

use fearless_simd::{Level, dispatch};
use rayon::prelude::*;

use crate::Finish;

/// Elements of a task, about.
const PART: usize = 1 << 14;

/// `(x − mean) / √(variance + eps) · weight + bias`, each of them a number for each element of a row; then comes
/// `finish`.
pub fn batch_norm(
    x: &[f32],
    [mean, variance]: [&[f32]; 2],
    eps: f64,
    [weight, bias]: [Option<&[f32]>; 2],
    finish: Finish<'_>,
) -> Vec<f32> {
    let factor = |(c, v): (usize, &f32)| {
        (weight.map_or(1.0, |w| f64::from(w[c])) / (f64::from(*v) + eps).sqrt()) as f32
    };
    let factors: Vec<f32> = variance.iter().enumerate().map(factor).collect();
    let level = Level::new();
    let mut y = vec![0.0; x.len()];
    let part = (PART / mean.len()).max(1) * mean.len();
    y.par_chunks_mut(part).zip(x.par_chunks(part)).for_each(|(y, x)| {
        for (y, x) in y.chunks_mut(mean.len()).zip(x.chunks(mean.len())) {
            dispatch!(level, _ => row(x, mean, &factors, bias, y));
        }
        finish(y);
    });
    y
}

#[inline(always)]
fn row(x: &[f32], mean: &[f32], factors: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    for ((y, x), (mean, factor)) in y.iter_mut().zip(x).zip(mean.iter().zip(factors)) {
        *y = (x - mean) * factor;
    }
    if let Some(bias) = bias {
        y.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Deviations 2 and 5.
        let statistics: [&[f32]; 2] = [&[1.0, -1.0], &[3.0, 24.0]];
        let x = [1.0, -1.0, 5.0, 9.0, f32::NAN, 4.0];
        let y = batch_norm(&x, statistics, 1.0, [None; 2], &|_| {});
        assert_eq!(y[..4], [0.0, 0.0, 2.0, 2.0]);
        assert!(y[4].is_nan() && y[5] == 1.0);
        let y = batch_norm(&x[..4], statistics, 1.0, [Some(&[3.0, 0.5]), Some(&[0.0, 7.0])], &|y| y[0] = 8.0);
        assert_eq!(y, [8.0, 7.0, 6.0, 8.0]);
    }
}
