//! The linear layer, `y = x·w + b` over the last axis, with an addend.

use fearless_simd::{Level, dispatch};
use rayon::prelude::*;

use crate::Finish;
use crate::product::{Matrix, add, product};

/// Up to so many rows the weights are read once for each of them and copied for none.
const FEW_ROWS: usize = 4;

/// Columns that one task sums then.
const COLUMNS: usize = 256;

/// `x` is `[rows, In]`, `w` is `[In, Out]`, the bias `[Out]`, the addend `[rows, Out]`; gives `[rows, Out]` after
/// `finish`, which is given parts of rows.
pub fn linear(
    x: &[f32],
    w: &[f32],
    [bias, addend]: [Option<&[f32]>; 2],
    [inputs, outputs]: [usize; 2],
    finish: Finish<'_>,
) -> Vec<f32> {
    let rows = x.len() / inputs;
    let mut out = vec![0.0; rows * outputs];
    let finish = |row: usize, column: usize, y: &mut [f32]| {
        if let Some(bias) = bias {
            add(y, &bias[column..]);
        }
        if let Some(addend) = addend {
            add(y, &addend[row * outputs + column..]);
        }
        finish(y);
    };
    if rows <= FEW_ROWS {
        let level = Level::new();
        for (row, (x, out)) in x.chunks(inputs).zip(out.chunks_mut(outputs)).enumerate() {
            out.par_chunks_mut(COLUMNS).enumerate().for_each(|(block, y)| {
                let column = block * COLUMNS;
                dispatch!(level, _ => row_sums(x, &w[column..], outputs, y));
                finish(row, column, y);
            });
        }
        return out;
    }
    let sides = (&Matrix { data: x, step: inputs }, &Matrix { data: w, step: outputs });
    product(sides, inputs, &mut out, [outputs, 0, outputs], finish);
    out
}

/// `y ← x·w` of one row, four rows of `w` at a time.
#[inline(always)]
fn row_sums(x: &[f32], w: &[f32], step: usize, y: &mut [f32]) {
    let n = y.len();
    let (fours, rest) = x.as_chunks::<4>();
    for (i, x) in fours.iter().enumerate() {
        let row = |k: usize| &w[(4 * i + k) * step..][..n];
        let (a, b, c, d) = (row(0), row(1), row(2), row(3));
        for j in 0..n {
            y[j] += (x[0] * a[j] + x[1] * b[j]) + (x[2] * c[j] + x[3] * d[j]);
        }
    }
    for (k, x) in rest.iter().enumerate() {
        for (y, w) in y.iter_mut().zip(&w[(4 * fours.len() + k) * step..]) {
            *y += x * w;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small integers, whose sums are exact.
    #[test]
    fn few_rows_and_many() {
        let number = |i: usize| (i * 31 % 17) as f32 - 8.0;
        for [rows, inputs, outputs] in [[1, 7, 300], [3, 9, 5], [4, 4, 4], [40, 7, 33]] {
            let x: Vec<f32> = (0..rows * inputs).map(number).collect();
            let w: Vec<f32> = (0..inputs * outputs).map(number).collect();
            let addend: Vec<f32> = (0..rows * outputs).map(number).collect();
            let bias: Vec<f32> = (0..outputs).map(number).collect();
            let y = linear(&x, &w, [Some(&bias), Some(&addend)], [inputs, outputs], &|y| y[0] += 0.5);
            for (i, y) in y.iter().enumerate() {
                let (row, column) = (i / outputs, i % outputs);
                let sum: f32 = (0..inputs).map(|k| x[row * inputs + k] * w[k * outputs + column]).sum();
                let gap = y - (sum + bias[column] + addend[i]);
                assert!(gap == 0.0 || gap == 0.5, "{rows} {inputs} {outputs}: {i}");
            }
            assert_eq!(y[0].fract().abs(), 0.5);
        }
    }
}
