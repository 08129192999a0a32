//! Softmax of rows.

use fearless_simd::{Level, dispatch};
use rayon::prelude::*;

use crate::attention::{exponentials, largest};

/// Elements of a task, about.
const PART: usize = 1 << 14;

/// Each row of `length` becomes `exp(z) / Σ exp(z)` of `z = x / temperature`. Rows of −∞ alone become zeros.
pub fn softmax(x: &[f32], length: usize, temperature: f32) -> Vec<f32> {
    let level = Level::new();
    let mut y = vec![0.0; x.len()];
    let part = (PART / length).max(1) * length;
    y.par_chunks_mut(part).zip(x.par_chunks(part)).for_each(|(y, x)| {
        for (y, x) in y.chunks_mut(length).zip(x.chunks(length)) {
            y.copy_from_slice(x);
            let whole = dispatch!(level, _ => weights(y, temperature));
            y.iter_mut().for_each(|y| *y /= whole);
        }
    });
    y
}

/// The largest is taken off first: a quotient of large numbers would round more than their difference.
#[inline(always)]
fn weights(y: &mut [f32], temperature: f32) -> f32 {
    let most = largest(y);
    let most = if most.is_finite() { most } else { 0.0 };
    y.iter_mut().for_each(|y| *y = (*y - most) / temperature);
    exponentials(y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_and_thirds() {
        let ln2 = std::f32::consts::LN_2;
        let low = f32::NEG_INFINITY;
        let y = softmax(&[0.0, 2.0 * ln2, 1000.0, 1000.0, low, low, low, 3.0], 2, 2.0);
        let want = [1.0 / 3.0, 2.0 / 3.0, 0.5, 0.5, 0.0, 0.0, 0.0, 1.0];
        assert!(y.iter().zip(want).all(|(y, w)| (y - w).abs() < 1e-7), "{y:?}");
        assert!(softmax(&[f32::NAN, 1.0, f32::INFINITY, 1.0], 2, 1.0).iter().all(|y| y.is_nan()));
    }
}
