//! The linear layer, `y = x·w + b` over the last axis, with an addend and of normalised rows.

use fearless_simd::{Level, dispatch};
use rayon::prelude::*;

use crate::Finish;
use crate::norm::{Mode, moments};
use crate::product::{Left, Matrix, add, product};

/// Up to so many rows the weights are read once for each of them and copied for none.
const FEW_ROWS: usize = 4;

/// Columns that one task sums then.
const COLUMNS: usize = 256;

/// Elements of a task that looks for moments, about.
const PART: usize = 1 << 14;

/// Rows that are normalised whenever they are read: a product reads them once for every block of columns.
struct Normalised<'a> {
    rows: Matrix<'a>,
    moments: Vec<Moments>,
    level: Level,
}

/// `(x − near − rest)·factor`, in f32: the mean's two parts lose nothing where it is far from zero.
#[derive(Clone, Copy)]
struct Moments {
    near: f32,
    rest: f32,
    factor: f32,
}

impl Moments {
    #[inline(always)]
    fn of(row: &[f32], (mode, eps): (Mode, f64)) -> Moments {
        let (centre, factor) = moments(row, mode, eps);
        let near = centre as f32;
        Moments { near, rest: (centre - f64::from(near)) as f32, factor: factor as f32 }
    }

    #[inline(always)]
    fn normalise(self, x: &[f32], to: &mut [f32]) {
        for (to, x) in to.iter_mut().zip(x) {
            *to = (x - self.near - self.rest) * self.factor;
        }
    }
}

impl<'a> Normalised<'a> {
    fn new(x: &'a [f32], length: usize, norm: (Mode, f64)) -> Self {
        let level = Level::new();
        let rows = x.par_chunks(length).with_min_len(PART.div_ceil(length));
        let moments = rows.map(|row| dispatch!(level, _ => Moments::of(row, norm))).collect();
        Normalised { rows: Matrix { data: x, step: length }, moments, level }
    }
}

impl Left for Normalised<'_> {
    fn read(&self, row: usize, depth: usize, to: &mut [f32]) {
        let x = &self.rows.data[row * self.rows.step + depth..];
        dispatch!(self.level, _ => self.moments[row].normalise(x, to));
    }
}

/// `x` is `[rows, In]`, normalised row by row first if `norm` says how, `w` is `[In, Out]`, the bias `[Out]`, the addend
/// `[rows, Out]`; gives `[rows, Out]` after `finish`, which is given parts of rows.
pub fn linear(
    x: &[f32],
    w: &[f32],
    [bias, addend]: [Option<&[f32]>; 2],
    [inputs, outputs]: [usize; 2],
    norm: Option<(Mode, f64)>,
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
        let mut normal = vec![0.0; inputs];
        for (row, (x, out)) in x.chunks(inputs).zip(out.chunks_mut(outputs)).enumerate() {
            let x = match norm {
                Some(norm) => {
                    dispatch!(level, _ => Moments::of(x, norm).normalise(x, &mut normal));
                    &normal[..]
                }
                None => x,
            };
            out.par_chunks_mut(COLUMNS).enumerate().for_each(|(block, y)| {
                let column = block * COLUMNS;
                dispatch!(level, _ => row_sums(x, &w[column..], outputs, y));
                finish(row, column, y);
            });
        }
        return out;
    }
    let (right, lengths) = (Matrix { data: w, step: outputs }, [outputs, 0, outputs]);
    match norm {
        Some(norm) => {
            product((&Normalised::new(x, inputs, norm), &right), inputs, &mut out, lengths, finish);
        }
        None => product((&Matrix { data: x, step: inputs }, &right), inputs, &mut out, lengths, finish),
    }
    out
}

/// `y ← x·w` of one row, four rows of `w` at a time.
#[inline(always)]
fn row_sums(x: &[f32], w: &[f32], step: usize, y: &mut [f32]) {
    let n = y.len();
    let (fours, rest) = x.as_chunks::<4>();
    for (i, x) in fours.iter().enumerate() {
        let row = |k: usize| &w[(4 * i + k) * step..][..n];
        let pairs = row(0).iter().zip(row(1)).zip(row(2).iter().zip(row(3)));
        for (y, ((a, b), (c, d))) in y.iter_mut().zip(pairs) {
            *y += (x[0] * a + x[1] * b) + (x[2] * c + x[3] * d);
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
            let y = linear(&x, &w, [Some(&bias), Some(&addend)], [inputs, outputs], None, &|y| y[0] += 0.5);
            for (i, y) in y.iter().enumerate() {
                let (row, column) = (i / outputs, i % outputs);
                let sum: f32 = (0..inputs).map(|k| x[row * inputs + k] * w[k * outputs + column]).sum();
                let gap = y - (sum + bias[column] + addend[i]);
                assert!(gap == 0.0 || gap == 0.5, "{rows} {inputs} {outputs}: {i}");
            }
            assert_eq!(y[0].fract().abs(), 0.5);
        }
    }

    /// Deviations ∓4, of variance 16 (and eps 48): ∓½; mean squares 12.5 (and eps 3.5): ¾ and −1.
    #[test]
    fn normalised_rows_by_hand() {
        let w = [1.0, 10.0, 3.0, 30.0];
        let of = |x: &[f32], rows: usize, norm| {
            linear(&x.repeat(rows), &w, [None; 2], [2, 2], Some(norm), &|_| {})
        };
        for rows in [1, 5] {
            for mean in [5.0, 1e6] {
                let y = of(&[mean - 4.0, mean + 4.0], rows, (Mode::Layer, 48.0));
                assert_eq!(y, [1.0, 10.0].repeat(rows), "{mean}");
            }
            assert_eq!(of(&[3.0, -4.0], rows, (Mode::Rms, 3.5)), [-2.25, -22.5].repeat(rows));
        }
    }
}
