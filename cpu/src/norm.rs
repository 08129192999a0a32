//! Normalisation of rows.

use fearless_simd::{Level, dispatch};
use rayon::prelude::*;

use crate::Finish;

/// Lanes that sums are made in.
const LANES: usize = 8;

/// Elements of a task, about.
const PART: usize = 1 << 14;

/// What a row is brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `(x − mean) / √(variance + eps)`.
    Layer,
    /// `x / √(mean(x²) + eps)`.
    Rms,
    /// `x / max(‖x‖₂, eps)`.
    L2,
}

/// Normalises rows of `length` elements; then come a factor and a summand for each element of a row, and `finish`. Sums
/// are f64, so that a mean far from zero does no harm.
pub fn norm(
    x: &[f32],
    length: usize,
    (mode, eps): (Mode, f64),
    [weight, bias]: [Option<&[f32]>; 2],
    finish: Finish<'_>,
) -> Vec<f32> {
    let level = Level::new();
    let mut y = vec![0.0; x.len()];
    let part = (PART / length).max(1) * length;
    y.par_chunks_mut(part).zip(x.par_chunks(part)).for_each(|(y, x)| {
        for (y, x) in y.chunks_mut(length).zip(x.chunks(length)) {
            dispatch!(level, _ => row(x, mode, eps, weight, bias, y));
        }
        finish(y);
    });
    y
}

#[inline(always)]
fn row(x: &[f32], mode: Mode, eps: f64, weight: Option<&[f32]>, bias: Option<&[f32]>, y: &mut [f32]) {
    let (centre, factor) = moments(x, mode, eps);
    for (y, x) in y.iter_mut().zip(x) {
        *y = ((f64::from(*x) - centre) * factor) as f32;
    }
    if let Some(weight) = weight {
        y.iter_mut().zip(weight).for_each(|(y, w)| *y *= w);
    }
    if let Some(bias) = bias {
        y.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
    }
}

/// What is subtracted from a row's elements, and the factor of what is left.
#[inline(always)]
pub(crate) fn moments(x: &[f32], mode: Mode, eps: f64) -> (f64, f64) {
    let n = x.len() as f64;
    let centre = if mode == Mode::Layer { sum(x, |x| x) / n } else { 0.0 };
    let squares = sum(x, |x| (x - centre) * (x - centre));
    let factor = match mode {
        Mode::L2 if squares.sqrt() < eps => 1.0 / eps,
        Mode::L2 => 1.0 / squares.sqrt(),
        _ => 1.0 / (squares / n + eps).sqrt(),
    };
    (centre, factor)
}

#[inline(always)]
fn sum(x: &[f32], f: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let (parts, rest) = x.as_chunks::<LANES>();
    for part in parts {
        for (lane, x) in lanes.iter_mut().zip(part) {
            *lane += f(f64::from(*x));
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|x| f(f64::from(*x))).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_by_hand() {
        let of = |x: &[f32], mode| norm(x, 2, mode, [None; 2], &|_| {});
        // Mean 5, variance 16 (and eps 9): deviations −4 and 4, by 5. Mean 7, variance 0.
        assert_eq!(of(&[1.0, 9.0, 7.0, 7.0], (Mode::Layer, 9.0)), [-0.8, 0.8, 0.0, 0.0]);
        // Mean of the squares 12.5, eps 3.5: root 4.
        assert_eq!(of(&[3.0, -4.0], (Mode::Rms, 3.5)), [0.75, -1.0]);
        assert_eq!(of(&[3.0, -4.0], (Mode::L2, 1.0)), [0.6, -0.8]);
        assert_eq!(of(&[3.0, -4.0], (Mode::L2, 10.0)), [0.3, -0.4]);
        let y = of(&[1.0, f32::NAN, 3.0, -4.0], (Mode::L2, 1.0));
        assert!(y[0].is_nan() && y[1].is_nan() && y[2] == 0.6);
    }

    #[test]
    fn factors_and_summands() {
        let x: Vec<f32> = (0..38).map(|i| if i % 2 == 0 { 1e6 + 1.0 } else { 1e6 - 1.0 }).collect();
        let weight: Vec<f32> = (0..38).map(|i| i as f32).collect();
        let y = norm(&x, 38, (Mode::Layer, 0.0), [Some(&weight), Some(&[1.0; 38])], &|y| y[0] = 99.0);
        assert_eq!(y[..4], [99.0, 0.0, 3.0, -2.0]);
    }
}
