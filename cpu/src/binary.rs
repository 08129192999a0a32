//! Element-wise functions of two tensors.

use fearless_simd::{Level, dispatch};
use rayon::prelude::*;

use crate::Finish;

/// Elements of a task, about.
const PART: usize = 1 << 14;

/// A function of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// `a + b`.
    Add,
    /// `a − b`.
    Subtract,
    /// `a·b`.
    Multiply,
    /// `a / b`.
    Divide,
}

/// The function of every pair, then `finish`. `b` is as long as `a`, or as long as some of the last axes of `a` together:
/// then it is repeated.
pub fn binary(a: &[f32], b: &[f32], function: Function, finish: Finish<'_>) -> Vec<f32> {
    let level = Level::new();
    let mut y = vec![0.0; a.len()];
    // A part is some rows, or a piece of the only one.
    let (part, whole) = if b.len() > PART { (PART, b.len()) } else { ((PART / b.len()) * b.len(), b.len()) };
    y.par_chunks_mut(whole.max(part)).zip(a.par_chunks(whole.max(part))).for_each(|(y, a)| {
        y.par_chunks_mut(part).zip(a.par_chunks(part)).enumerate().for_each(|(i, (y, a))| {
            let b = if whole > part { &b[i * part..] } else { b };
            let length = b.len().min(y.len());
            for (y, a) in y.chunks_mut(length).zip(a.chunks(length)) {
                dispatch!(level, _ => each(function, y, a, b));
            }
            finish(y);
        });
    });
    y
}

/// The function of every pair, then `finish`: `a` is `[outer, middle, inner]` and `b` `[outer, inner]`, each row of which is
/// repeated for the `middle` rows of `a` beside it.
pub fn repeated(
    a: &[f32],
    b: &[f32],
    [middle, inner]: [usize; 2],
    function: Function,
    finish: Finish<'_>,
) -> Vec<f32> {
    let level = Level::new();
    let mut y = vec![0.0; a.len()];
    let block = middle * inner;
    let some = (PART / block.max(1)).max(1);
    let parts = y.par_chunks_mut(some * block).zip(a.par_chunks(some * block));
    parts.zip(b.par_chunks(some * inner)).for_each(|((y, a), b)| {
        let blocks = y.chunks_mut(block).zip(a.chunks(block)).zip(b.chunks(inner));
        for ((y, a), b) in blocks {
            for (y, a) in y.chunks_mut(inner).zip(a.chunks(inner)) {
                dispatch!(level, _ => each(function, y, a, b));
            }
        }
        finish(y);
    });
    y
}

#[inline(always)]
fn each(function: Function, y: &mut [f32], a: &[f32], b: &[f32]) {
    let all = y.iter_mut().zip(a).zip(b);
    match function {
        Function::Add => all.for_each(|((y, a), b)| *y = a + b),
        Function::Subtract => all.for_each(|((y, a), b)| *y = a - b),
        Function::Multiply => all.for_each(|((y, a), b)| *y = a * b),
        Function::Divide => all.for_each(|((y, a), b)| *y = a / b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_repeated_within() {
        let (a, b): (Vec<f32>, Vec<f32>) =
            ((0..24).map(|i| i as f32).collect(), (0..6).map(|i| 100.0 * i as f32).collect());
        let y = repeated(&a, &b, [4, 3], Function::Add, &|y| y.iter_mut().for_each(|y| *y += 0.5));
        let want = |i: usize| i as f32 + 100.0 * (i / 12 * 3 + i % 3) as f32 + 0.5;
        assert!(y.iter().enumerate().all(|(i, y)| *y == want(i)), "{y:?}");
    }

    #[test]
    fn rows_are_repeated() {
        for (rows, length) in [(1, 40_000), (3, 40_000), (20_000, 3), (5, 1), (2, PART)] {
            let a: Vec<f32> = (0..rows * length).map(|i| (i % 1000) as f32).collect();
            let b: Vec<f32> = (0..length).map(|i| (i % 77 + 1) as f32).collect();
            for (function, f) in [
                (Function::Add, (|a, b| a + b) as fn(f32, f32) -> f32),
                (Function::Subtract, |a, b| a - b),
                (Function::Multiply, |a, b| a * b),
                (Function::Divide, |a, b| a / b),
            ] {
                let y = binary(&a, &b, function, &|y| y.iter_mut().for_each(|y| *y += 0.5));
                let wrong = y.iter().enumerate().find(|(i, y)| **y != f(a[*i], b[i % length]) + 0.5);
                assert!(wrong.is_none(), "{rows} {length} {function:?} {wrong:?}");
            }
        }
    }
}
