//! The nearest entry of a codebook.
//!
//! A matrix product in f32 tells for every row and code between which limits their distance lies. Only the few codes
//! whose least distance is not beyond another's greatest can be the nearest; theirs are summed in f64, one after the
//! other as the definition says. The answer is then that of f64 distances alone, however the product is made.

use std::cell::RefCell;

use fearless_simd::{Level, dispatch};
use rayon::prelude::*;

use crate::product::{Matrix, Right, at_least, blocks, padded, sums, turn};

/// What is smallest for the nearest code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// `Σ(x − c)²`.
    Euclidean,
    /// `Σc² − 2·Σxc`.
    Expanded,
    /// `−Σxc / (|x|·|c|)`, lengths at least 10⁻¹².
    Cosine,
}

/// The least length that a cosine divides by.
const SHORTEST: f64 = 1e-12;

/// The greatest length of a row or code whose products are sure not to overflow.
const LONGEST: f64 = 1e15;

/// Half a unit in the last place of 1.
const ROUNDOFF: f64 = 1.0 / 16_777_216.0;

/// More than products below the least normal number can be off by in all.
const TINY: f32 = 1e-37;

/// Lanes that limits are compared in.
const LANES: usize = 16;

/// Spans of codes that a task tells of one row; further ones become one.
const SPANS: usize = 8;

/// The codes as a matrix's columns.
struct Codes<'a>(Matrix<'a>);

impl Right for Codes<'_> {
    fn read(&self, depth: usize, column: usize, columns: usize, width: usize, panel: &mut [f32]) {
        let length = panel.len() / width;
        let row = |j| &self.0.data[(column + j) * self.0.step + depth..][..length];
        turn(row, columns, width, panel);
    }
}

/// What limits of distances are made of, besides products: those of a code are `most − product + a·length` and
/// `least − product − a·length` with a number `a` of the row. They are half of `Σc² − 2·Σxc`, which sorts as any distance.
struct Limits {
    most: Vec<f32>,
    least: Vec<f32>,
    lengths: Vec<f32>,
}

/// Neighbouring codes of which one may be the nearest to a row.
#[derive(Clone, Copy)]
struct Span {
    row: usize,
    first: usize,
    end: usize,
    /// None of their distances is less.
    least: f32,
}

thread_local! {
    static PRODUCTS: RefCell<Vec<f32>> = RefCell::default();
}

/// For every row of `x` `[rows, channels]` the nearest code of `[codes, channels]`, of equally near ones the first. Everything
/// must be finite.
pub fn vector_quantize(x: &[f32], codes: &[f32], channels: usize, distance: Distance) -> Vec<i32> {
    let exact = match distance {
        Distance::Euclidean => euclidean,
        Distance::Expanded => expanded,
        Distance::Cosine => cosine,
    };
    let count = codes.len() / channels;
    let all = |_: usize| vec![Span { row: 0, first: 0, end: count, least: f32::NEG_INFINITY }];
    let spans = if distance == Distance::Cosine {
        candidates(&of_length_one(x, channels), &of_length_one(codes, channels), channels, false)
    } else {
        candidates(x, codes, channels, true)
    };
    let spans = spans.unwrap_or_else(|| (0..x.len() / channels).map(all).collect());
    let nearest = |(row, spans): (&[f32], Vec<Span>)| {
        let (mut best, mut smallest) = (0, f64::INFINITY);
        for k in spans.iter().flat_map(|s| s.first..s.end) {
            let d = exact(row, &codes[k * channels..][..channels]);
            if d < smallest {
                (best, smallest) = (k as i32, d);
            }
        }
        best
    };
    x.par_chunks(channels).zip(spans).map(nearest).collect()
}

/// For every row the codes that may be the nearest, in order; nothing where products might overflow or too many are
/// summed for limits to mean something. Without `squares`, codes have length one or zero.
fn candidates(x: &[f32], codes: &[f32], channels: usize, squares: bool) -> Option<Vec<Vec<Span>>> {
    // The sum of a product rounds once for each of its terms; what is made of it rounds a few times more.
    let roundings = (channels + 8) as f64 * ROUNDOFF;
    let lengths = |v: &[f32]| -> Vec<f64> { v.par_chunks(channels).map(|v| dot(v, v).sqrt()).collect() };
    let (of_x, of_codes) = (lengths(x), lengths(codes));
    if roundings > 0.1 || of_x.iter().chain(&of_codes).any(|length| *length > LONGEST) {
        return None;
    }
    let relative = roundings / (1.0 - roundings);
    let half = |sign: f64| -> Vec<f32> {
        let of = |l: &f64| if squares { (0.5 * l * l * (1.0 + sign * 8.0 * ROUNDOFF)) as f32 } else { 0.0 };
        of_codes.iter().map(of).collect()
    };
    let limits = Limits {
        most: half(1.0),
        least: half(-1.0),
        lengths: of_codes.iter().map(|l| (*l * (1.0 + 4.0 * ROUNDOFF)) as f32).collect(),
    };
    let (rows, count) = (of_x.len(), of_codes.len());
    let sides = (&Matrix { data: x, step: channels }, &Codes(Matrix { data: codes, step: channels }));
    let [height, width] = blocks(rows, count);
    let tasks: Vec<[usize; 2]> = (0..rows)
        .step_by(height)
        .flat_map(|row| (0..count).step_by(width).map(move |code| [row, code]))
        .collect();
    let level = Level::new();
    let found: Vec<(Vec<f32>, Vec<Span>)> = tasks
        .par_iter()
        .map(|&[row, code]| {
            let (height, width) = (height.min(rows - row), width.min(count - code));
            let step = padded(width);
            PRODUCTS.with_borrow_mut(|buffer| {
                let products = at_least(buffer, height.next_multiple_of(12) * step);
                sums(sides, [row, height], [code, width], channels, products);
                let (mut bounds, mut spans) = (Vec::with_capacity(height), Vec::new());
                for (r, products) in products.chunks_exact(step).take(height).enumerate() {
                    let slack = (relative * of_x[row + r] * (1.0 + 4.0 * ROUNDOFF)) as f32;
                    let products = &products[..width];
                    let bound = dispatch!(level, _ => bound(products, &limits, code, slack));
                    dispatch!(level, _ => near(products, &limits, [row + r, code], slack, bound, &mut spans));
                    bounds.push(bound);
                }
                (bounds, spans)
            })
        })
        .collect();
    let mut bounds = vec![f32::INFINITY; rows];
    for (&[row, _], (found, _)) in tasks.iter().zip(&found) {
        bounds[row..].iter_mut().zip(found).for_each(|(bound, found)| *bound = bound.min(*found));
    }
    let mut of_rows = vec![Vec::new(); rows];
    for span in found.into_iter().flat_map(|(_, spans)| spans) {
        if span.least <= bounds[span.row] {
            of_rows[span.row].push(span);
        }
    }
    Some(of_rows)
}

/// What the least of some distances is at most.
#[inline(always)]
fn bound(products: &[f32], limits: &Limits, code: usize, slack: f32) -> f32 {
    let n = products.len();
    let (most, lengths) = (&limits.most[code..][..n], &limits.lengths[code..][..n]);
    let greatest = |i: usize| most[i] - products[i] + (slack * lengths[i] + TINY);
    let mut lanes = [f32::INFINITY; LANES];
    for from in (0..n / LANES * LANES).step_by(LANES) {
        for (l, lane) in lanes.iter_mut().enumerate() {
            let limit = greatest(from + l);
            *lane = if limit < *lane { limit } else { *lane };
        }
    }
    (n / LANES * LANES..n).map(greatest).chain(lanes).fold(f32::INFINITY, f32::min)
}

/// Appends the codes whose distances may be as little as `bound`.
#[inline(always)]
fn near(
    products: &[f32],
    limits: &Limits,
    [row, code]: [usize; 2],
    slack: f32,
    bound: f32,
    spans: &mut Vec<Span>,
) {
    let n = products.len();
    let (least, lengths) = (&limits.least[code..][..n], &limits.lengths[code..][..n]);
    let start = spans.len();
    for from in (0..n).step_by(LANES) {
        let end = n.min(from + LANES);
        let mut limit = [f32::INFINITY; LANES];
        let parts = products[from..end].iter().zip(&least[from..end]).zip(&lengths[from..end]);
        for (limit, ((product, least), length)) in limit.iter_mut().zip(parts) {
            *limit = least - product - (slack * length + TINY);
        }
        let any = limit.iter().fold(false, |any, limit| any | (*limit <= bound));
        if !any {
            continue;
        }
        for (k, &least) in (code + from..code + end).zip(&limit).filter(|(_, limit)| **limit <= bound) {
            let full = spans.len() - start == SPANS;
            match spans[start..].last_mut() {
                Some(span) if span.end == k || full => {
                    span.end = k + 1;
                    span.least = span.least.min(least);
                }
                _ => spans.push(Span { row, first: k, end: k + 1, least }),
            }
        }
    }
}

/// Each row divided by its length, as cosines divide it.
fn of_length_one(v: &[f32], channels: usize) -> Vec<f32> {
    let mut y = vec![0.0; v.len()];
    y.par_chunks_mut(channels).zip(v.par_chunks(channels)).for_each(|(y, v)| {
        let factor = 1.0 / dot(v, v).sqrt().max(SHORTEST);
        y.iter_mut().zip(v).for_each(|(y, v)| *y = (f64::from(*v) * factor) as f32);
    });
    y
}

fn euclidean(x: &[f32], code: &[f32]) -> f64 {
    x.iter().zip(code).fold(0.0, |sum, (x, c)| {
        let gap = f64::from(*x) - f64::from(*c);
        sum + gap * gap
    })
}

fn expanded(x: &[f32], code: &[f32]) -> f64 {
    dot(code, code) - 2.0 * dot(x, code)
}

fn cosine(x: &[f32], code: &[f32]) -> f64 {
    let length = |v: &[f32]| dot(v, v).sqrt().max(SHORTEST);
    -dot(x, code) / (length(x) * length(code))
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: usize) -> Vec<f32> {
        let mut state = seed as u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    fn by_definition(x: &[f32], codes: &[f32], channels: usize, d: Definition) -> Vec<i32> {
        let first_of_least = |row: &[f32]| {
            let all: Vec<f64> = codes.chunks(channels).map(|c| d(row, c)).collect();
            let least = all.iter().copied().fold(f64::INFINITY, f64::min);
            all.iter().position(|d| *d == least).unwrap() as i32
        };
        x.chunks(channels).map(first_of_least).collect()
    }

    type Definition = fn(&[f32], &[f32]) -> f64;

    const ALL: [(Distance, Definition); 3] =
        [(Distance::Euclidean, euclidean), (Distance::Expanded, expanded), (Distance::Cosine, cosine)];

    #[test]
    fn the_first_of_the_least_f64_distances() {
        for [rows, count, channels] in [[1, 1, 1], [3, 40, 1], [30, 700, 5], [230, 1100, 33], [7, 90, 600]] {
            let (x, codes) = (numbers(rows * channels, 3), numbers(count * channels, 5));
            for (distance, definition) in ALL {
                let want = by_definition(&x, &codes, channels, definition);
                assert_eq!(
                    vector_quantize(&x, &codes, channels, distance),
                    want,
                    "{distance:?} {rows} {count}"
                );
            }
        }
    }

    /// f32 distances would not tell these codes apart, and some are the same.
    #[test]
    fn codes_closer_than_f32_can_tell() {
        let (rows, count, channels) = (20, 300, 12);
        let x = numbers(rows * channels, 7);
        let mut codes: Vec<f32> = (0..count).flat_map(|_| x[..channels].to_vec()).collect();
        for (c, noise) in codes.iter_mut().zip(numbers(count * channels, 9)).take(200 * channels) {
            *c += 1e-7 * noise + 1e-6;
        }
        for (distance, definition) in ALL {
            for far in [0.0, 1e4] {
                let moved = |v: &[f32]| -> Vec<f32> { v.iter().map(|v| v + far).collect() };
                let (x, codes) = (moved(&x), moved(&codes));
                let want = by_definition(&x, &codes, channels, definition);
                assert_eq!(vector_quantize(&x, &codes, channels, distance), want, "{distance:?} {far}");
            }
        }
        assert_eq!(vector_quantize(&x, &codes, channels, Distance::Euclidean)[0], 200);
    }

    /// Products that overflow or vanish in f32.
    #[test]
    fn the_largest_and_the_least_numbers() {
        for scale in [1e30, 1e15, 1e-25, 1e-41] {
            let scaled = |v: Vec<f32>| -> Vec<f32> { v.into_iter().map(|v| v * scale).collect() };
            let (x, codes) = (scaled(numbers(9 * 6, 1)), scaled(numbers(50 * 6, 2)));
            for (distance, definition) in ALL {
                let want = by_definition(&x, &codes, 6, definition);
                assert_eq!(vector_quantize(&x, &codes, 6, distance), want, "{distance:?} {scale}");
            }
        }
    }

    /// In a block of codes of which many may be the nearest, apart from each other.
    #[test]
    fn more_spans_than_are_kept() {
        let codes: Vec<f32> = (0..200).map(|k| if k % 3 == 0 { 1.0 } else { 7.0 + k as f32 }).collect();
        for (last, nearest) in [(1.0 - 1.0 / 16_777_216.0, 199), (1.0, 0)] {
            let mut codes = codes.clone();
            codes[199] = last;
            assert_eq!(vector_quantize(&[0.6], &codes, 1, Distance::Euclidean), [nearest]);
        }
    }

    /// Of random codes hardly any is looked at twice.
    #[test]
    fn few_candidates() {
        let (x, codes) = (numbers(50 * 64, 1), numbers(1000 * 64, 2));
        let spans = candidates(&x, &codes, 64, true).unwrap();
        let codes: usize = spans.iter().flatten().map(|s| s.end - s.first).sum();
        assert!((50..70).contains(&codes), "{codes}");
    }
}
