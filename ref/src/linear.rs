//! The linear layer, `y = x·w + b` over the last axis, with an addend.

use rayon::prelude::*;

/// `x` is `[rows, In]`, `w` is `[In, Out]`, the bias `[Out]`, the addend `[rows, Out]`; gives `[rows, Out]` after
/// `finish`, which is given each sum of all. `prepare` is what is done with a row of `x` before.
pub fn linear(
    x: &[f32],
    w: &[f32],
    [bias, addend]: [Option<&[f32]>; 2],
    [inputs, outputs]: [usize; 2],
    prepare: impl Fn(&[f64]) -> Vec<f64>,
    finish: impl Fn(f64) -> f64 + Sync,
) -> Vec<f32> {
    /// Columns that one task sums: enough to read whole cache lines of `w`.
    const COLUMNS: usize = 256;
    let rows = x.len() / inputs;
    let mut out = vec![0.0; rows * outputs];
    for (row, (x, out)) in x.chunks(inputs).zip(out.chunks_mut(outputs)).enumerate() {
        let x = prepare(&x.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>());
        out.par_chunks_mut(COLUMNS).enumerate().for_each(|(block, out)| {
            let first = block * COLUMNS;
            let mut sums = vec![0f64; out.len()];
            for (i, &x) in x.iter().enumerate() {
                for (s, &w) in sums.iter_mut().zip(&w[i * outputs + first..]) {
                    *s += x * f64::from(w);
                }
            }
            for (j, (o, s)) in out.iter_mut().zip(&sums).enumerate() {
                let bias = bias.map_or(0.0, |b| f64::from(b[first + j]));
                let addend = addend.map_or(0.0, |a| f64::from(a[row * outputs + first + j]));
                *o = finish(s + bias + addend) as f32;
            }
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_by_two() {
        let (x, w, bias) = ([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [0.5, -0.5]);
        let y = linear(&x, &w, [Some(&bias), None], [2, 2], <[f64]>::to_vec, |s| s);
        assert_eq!(y, [19.5, 21.5, 43.5, 49.5]);
        let addend = [1.0, 2.0, 3.0, -50.0];
        let y = linear(&x, &w, [Some(&bias), Some(&addend)], [2, 2], <[f64]>::to_vec, |s| s.max(0.0));
        assert_eq!(y, [20.5, 23.5, 46.5, 0.0]);
        let twice = |x: &[f64]| x.iter().map(|x| 2.0 * x).collect();
        let y = linear(&x, &w, [Some(&bias), None], [2, 2], twice, |s| s);
        assert_eq!(y, [38.5, 43.5, 86.5, 99.5]);
    }
}
