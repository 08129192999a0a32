//! Scaled-dot-product attention of any tokens: the scores of some queries at a time are a matrix product, and so is the
//! sum of the values.

use std::cell::RefCell;

use fearless_simd::{Level, dispatch};
use rayon::prelude::*;

use crate::math::exp;
use crate::product::{Left, Matrix, Right, at_least, padded, sums, turn};

/// Scores that one task keeps, about.
const SCORES: usize = 1 << 17;

/// The most queries of a task.
const QUERIES: usize = 96;

/// Lanes that a row's largest element and its sum are made in.
const LANES: usize = 16;

/// What attends to what. Tokens are numbers of rows of the query, the key and the value.
#[derive(Debug, Clone)]
pub struct Attention {
    /// Of each sequence, the tokens of its queries, each of which is in one sequence, and those of its keys and values.
    pub sequences: Vec<[Vec<usize>; 2]>,
    /// Heads.
    pub heads: usize,
    /// Channels of one head.
    pub width: usize,
    /// Elements of a row of query, key and value.
    pub steps: [usize; 3],
    /// Where the channels of the first head are in each row of them; those of the others follow.
    pub starts: [usize; 3],
    /// What products are multiplied by.
    pub scale: f32,
}

/// Told sequence, head and the query's place in its sequence, makes scores of scaled products; see [`attention`].
pub type Added<'a> = &'a (dyn Fn(usize, usize, usize, &mut [f32]) + Sync);

/// Some rows of a tensor.
struct Rows<'a> {
    data: &'a [f32],
    step: usize,
    start: usize,
    tokens: &'a [usize],
}

impl Rows<'_> {
    fn of(&self, i: usize, from: usize, length: usize) -> &[f32] {
        &self.data[self.tokens[i] * self.step + self.start + from..][..length]
    }
}

impl Left for Rows<'_> {
    fn read(&self, row: usize, depth: usize, to: &mut [f32]) {
        to.copy_from_slice(self.of(row, depth, to.len()));
    }
}

/// The rows as a matrix's columns.
struct Columns<'a>(Rows<'a>);

impl Right for Columns<'_> {
    fn read(&self, depth: usize, column: usize, columns: usize, width: usize, panel: &mut [f32]) {
        let length = panel.len() / width;
        turn(|j| self.0.of(column + j, depth, length), columns, width, panel);
    }
}

impl Right for Rows<'_> {
    fn read(&self, depth: usize, column: usize, columns: usize, width: usize, panel: &mut [f32]) {
        for (k, to) in panel.chunks_exact_mut(width).enumerate() {
            to[..columns].copy_from_slice(self.of(depth + k, column, columns));
            to[columns..].fill(0.0);
        }
    }
}

thread_local! {
    static BUFFERS: RefCell<[Vec<f32>; 2]> = RefCell::default();
}

/// Some queries of a sequence and a head, and where their results belong.
struct Task<'a> {
    sequence: usize,
    head: usize,
    first: usize,
    out: Vec<&'a mut [f32]>,
}

/// Every query's mean of the values, weighted with the softmax of its scores; a row of `heads·width` for each row of the
/// query. `added` is given sequence, head, the query's place in its sequence and the scaled products with the keys of the
/// sequence, of which it makes the scores. A query whose scores are all −∞ gives zeros, one with a score of NaN or +∞
/// gives NaN; values must be finite.
pub fn attention([q, k, v]: [&[f32]; 3], a: &Attention, added: Added<'_>) -> Vec<f32> {
    let rows = q.len() / a.steps[0];
    let mut out = vec![0.0; rows * a.heads * a.width];
    let mut pieces: Vec<Option<&mut [f32]>> = out.chunks_mut(a.width).map(Some).collect();
    let mut tasks = Vec::new();
    for (sequence, [queries, keys]) in a.sequences.iter().enumerate() {
        let count = (SCORES / padded(keys.len().max(1))).clamp(12, QUERIES) / 12 * 12;
        for head in 0..a.heads {
            for (i, part) in queries.chunks(count).enumerate() {
                let out = part.iter().filter_map(|token| pieces[token * a.heads + head].take()).collect();
                tasks.push(Task { sequence, head, first: i * count, out });
            }
        }
    }
    let level = Level::new();
    tasks.into_par_iter().for_each(|task| {
        let [queries, keys] = &a.sequences[task.sequence];
        let count = task.out.len();
        let rows = |of: usize, data, tokens| Rows {
            data,
            step: a.steps[of],
            start: a.starts[of] + task.head * a.width,
            tokens,
        };
        let tokens = &queries[task.first..][..count];
        let (q, k, v) = (rows(0, q, tokens), Columns(rows(1, k, keys)), rows(2, v, keys));
        let step = padded(keys.len());
        let held = count.next_multiple_of(12);
        BUFFERS.with_borrow_mut(|[scores, means]| {
            let scores = at_least(scores, held * step);
            sums((&q, &k), [0, count], [0, keys.len()], a.width, scores);
            let mut whole = [0.0; QUERIES];
            for (i, row) in scores.chunks_exact_mut(step).take(count).enumerate() {
                let row = &mut row[..keys.len()];
                row.iter_mut().for_each(|s| *s *= a.scale);
                added(task.sequence, task.head, task.first + i, row);
                whole[i] = dispatch!(level, _ => exponentials(row));
            }
            let means = at_least(means, held * padded(a.width));
            sums((&Matrix { data: scores, step }, &v), [0, count], [0, a.width], keys.len(), means);
            let means = means.chunks_exact(padded(a.width)).zip(whole);
            for (out, (sums, whole)) in task.out.into_iter().zip(means) {
                out.iter_mut().zip(sums).for_each(|(o, s)| *o = s / whole);
            }
        });
    });
    out
}

/// Makes scores weights that are not yet divided by their sum, which it gives: NaN if a score is NaN or +∞. If all are −∞,
/// the weights are zeros.
#[inline(always)]
pub(crate) fn exponentials(row: &mut [f32]) -> f32 {
    let largest = largest(row);
    if largest == f32::NEG_INFINITY {
        let any = row.iter().any(|x| x.is_nan());
        row.fill(0.0);
        return if any { f32::NAN } else { 1.0 };
    }
    let mut sums = [0.0; LANES];
    let (parts, rest) = row.as_chunks_mut::<LANES>();
    for part in parts {
        for (x, sum) in part.iter_mut().zip(&mut sums) {
            *x = exp(*x - largest);
            *sum += *x;
        }
    }
    let mut whole = 0.0;
    for x in rest {
        *x = exp(*x - largest);
        whole += *x;
    }
    whole + sums.iter().sum::<f32>()
}

/// The largest number that is not NaN; −∞ if there is none.
#[inline(always)]
pub(crate) fn largest(x: &[f32]) -> f32 {
    let more = |m: &mut f32, x: f32| *m = if x > *m { x } else { *m };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (parts, rest) = x.as_chunks::<LANES>();
    for part in parts {
        for (m, x) in lanes.iter_mut().zip(part) {
            more(m, *x);
        }
    }
    let mut all = f32::NEG_INFINITY;
    lanes.iter().chain(rest).for_each(|x| more(&mut all, *x));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(keys: usize) -> Attention {
        let sequences = vec![[vec![0], (0..keys).collect()]];
        Attention { sequences, heads: 1, width: 1, steps: [1; 3], starts: [0; 3], scale: 1.0 }
    }

    #[test]
    fn one_query_and_two_keys() {
        let ln2 = std::f32::consts::LN_2;
        // Scores 0 and ln 2: weights 1/3 and 2/3.
        let y = attention([&[ln2], &[0.0, 1.0], &[3.0, 6.0]], &plain(2), &|_, _, _, _| {});
        assert!((y[0] - 5.0).abs() < 1e-6, "{y:?}");
        let y = attention([&[ln2], &[0.0, 1.0], &[3.0, 6.0]], &plain(2), &|_, _, _, s| s[0] += ln2);
        assert!((y[0] - 4.5).abs() < 1e-6, "{y:?}");
    }

    #[test]
    fn scores_that_are_not_finite() {
        let low = f32::NEG_INFINITY;
        let with = |scores: [f32; 2]| {
            attention([&[1.0], &[0.0, 0.0], &[3.0, 6.0]], &plain(2), &|_, _, _, s| s.copy_from_slice(&scores))
                [0]
        };
        assert_eq!(with([0.0, low]), 3.0);
        assert_eq!(with([low, low]), 0.0);
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(with([bad, 0.0]).is_nan() && with([low, bad]).is_nan());
        }
    }

    /// Equal scores give means, of many keys and many queries; two sequences and two heads side by side.
    #[test]
    fn sequences_and_heads() {
        let tokens = 300;
        let v: Vec<f32> = (0..2 * tokens).map(|i| (i % 2 * 1000 + i / 2 % 2 * 10) as f32).collect();
        let of = |parity: usize| (parity..tokens).step_by(2).collect::<Vec<_>>();
        let sequences = vec![[of(0), of(0)], [of(1), of(1)]];
        let a = Attention { sequences, heads: 2, width: 1, steps: [2; 3], starts: [0; 3], scale: 1.0 };
        let zeros = vec![0.0; 2 * tokens];
        assert_eq!(attention([&zeros, &zeros, &v], &a, &|_, _, _, _| {}), v);
    }
}
