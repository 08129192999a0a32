//! Normalisation over groups of channels at all places; with groups of one channel, over the places.

use fearless_simd::{Level, dispatch};
use rayon::prelude::*;

use crate::Finish;

/// Elements of a task, about.
const PART: usize = 1 << 14;

/// Brings each group of neighbouring channels of `[…, places, channels]` to mean 0 and variance 1; then come a factor and a
/// summand for each channel, and `finish`. Sums are f64, so that a mean far from zero does no harm.
pub fn group_norm(
    x: &[f32],
    [places, channels, groups]: [usize; 3],
    eps: f64,
    [weight, bias]: [Option<&[f32]>; 2],
    finish: Finish<'_>,
) -> Vec<f32> {
    let level = Level::new();
    let (length, size) = (places * channels, channels / groups);
    let part = (PART / channels).max(1) * channels;
    let count = (places * size) as f64;
    // Of each group the mean of f(x), which is told the channel.
    let mean = |x: &[f32], centres: Option<&[f64]>| -> Vec<f64> {
        let sums: Vec<Vec<f64>> =
            x.par_chunks(part).map(|x| dispatch!(level, _ => sums(x, channels, centres))).collect();
        let mut whole = vec![0.0; channels];
        for sums in &sums {
            whole.iter_mut().zip(sums).for_each(|(whole, sum)| *whole += sum);
        }
        whole.chunks(size).map(|sums| sums.iter().sum::<f64>() / count).collect()
    };
    let spread = |of_groups: &[f64]| -> Vec<f64> {
        of_groups.iter().flat_map(|v| std::iter::repeat_n(*v, size)).collect()
    };
    let mut y = vec![0.0; x.len()];
    y.par_chunks_mut(length).zip(x.par_chunks(length)).for_each(|(y, x)| {
        let centres = spread(&mean(x, None));
        let factors: Vec<f64> = mean(x, Some(&centres)).iter().map(|v| 1.0 / (v + eps).sqrt()).collect();
        let factors = spread(&factors);
        y.par_chunks_mut(part).zip(x.par_chunks(part)).for_each(|(y, x)| {
            for (y, x) in y.chunks_mut(channels).zip(x.chunks(channels)) {
                dispatch!(level, _ => place(x, [&centres, &factors], [weight, bias], y));
            }
            finish(y);
        });
    });
    y
}

/// Of each channel the sum over the places, or of the squares of differences.
#[inline(always)]
fn sums(x: &[f32], channels: usize, centres: Option<&[f64]>) -> Vec<f64> {
    let mut sums = vec![0.0; channels];
    for x in x.chunks(channels) {
        match centres {
            None => sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += f64::from(*x)),
            Some(centres) => {
                for ((sum, x), centre) in sums.iter_mut().zip(x).zip(centres) {
                    let gap = f64::from(*x) - centre;
                    *sum += gap * gap;
                }
            }
        }
    }
    sums
}

#[inline(always)]
fn place(x: &[f32], [centres, factors]: [&[f64]; 2], [weight, bias]: [Option<&[f32]>; 2], y: &mut [f32]) {
    for ((y, x), (centre, factor)) in y.iter_mut().zip(x).zip(centres.iter().zip(factors)) {
        *y = ((f64::from(*x) - centre) * factor) as f32;
    }
    if let Some(weight) = weight {
        y.iter_mut().zip(weight).for_each(|(y, w)| *y *= w);
    }
    if let Some(bias) = bias {
        y.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_by_hand() {
        // Two samples of two places and four channels, two groups. The first group of the first sample: mean 5, variance 16
        // (and eps 9); its second is constant.
        let x = [1.0, 1.0, 7.0, 7.0, 9.0, 9.0, 7.0, 7.0, 9.0, 1.0, 3.0, 3.0, 1.0, 9.0, 11.0, 11.0];
        let want = [-0.8, -0.8, 0.0, 0.0, 0.8, 0.8, 0.0, 0.0, 0.8, -0.8, -0.8, -0.8, -0.8, 0.8, 0.8, 0.8];
        let close = |y: &[f32], want: &[f32]| y.iter().zip(want).all(|(y, w)| (y - w).abs() < 1e-6);
        let y = group_norm(&x, [2, 4, 2], 9.0, [None; 2], &|_| {});
        assert!(close(&y, &want), "{y:?}");
        let weight: &[f32] = &[1.0, 2.0, 3.0, 4.0];
        let y = group_norm(&x, [2, 4, 2], 9.0, [Some(weight), Some(&[1.0; 4])], &|y| y[0] = 5.0);
        assert!(close(&y[..8], &[5.0, -0.6, 1.0, 1.0, 1.8, 2.6, 1.0, 1.0]), "{y:?}");
    }

    /// Parts of which the last is shorter, a mean far from zero.
    #[test]
    fn many_places() {
        let (places, channels) = (20_001, 3);
        let x: Vec<f32> = (0..places * channels).map(|i| 1e6 + (i / channels % 3) as f32).collect();
        let y = group_norm(&x, [places, channels, 3], 0.0, [None; 2], &|_| {});
        let end = 1.5f32.sqrt();
        for (i, y) in y.iter().enumerate() {
            let want = [-end, 0.0, end][i / channels % 3];
            assert!((y - want).abs() < 1e-5, "{i}: {y}");
        }
    }
}
