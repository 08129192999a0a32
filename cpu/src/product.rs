//! The matrix product that the other kernels stand on.
//!
//! Both sides are copied in blocks of [`DEPTH`] into memory that fits the caches: rows of the left side as they are,
//! the right side in panels as wide as a tile of registers. A tile of some rows and one panel is then summed in
//! registers along the block's depth:
//!
//! ```text
//! for each block of depth
//!     copy rows of the left side, panels of the right side
//!     for each panel                       (stays in the first cache)
//!         for each few rows                (come from the second)
//!             tile ← Σ row·panel           (registers)
//!             sums ← sums + tile
//! ```
//!
//! (Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008.)

use std::cell::RefCell;

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch};
use rayon::prelude::*;

/// Products that a tile sums before it is added to the sums so far.
pub(crate) const DEPTH: usize = 256;

/// The most rows of a block: a multiple of every tile's rows.
pub(crate) const ROWS: usize = 192;

/// The most columns of a block: a multiple of every panel's width.
const COLUMNS: usize = 512;

/// The left side of a product, read by rows.
pub(crate) trait Left: Sync {
    /// Elements `depth..` of a row, as many as `to` takes.
    fn read(&self, row: usize, depth: usize, to: &mut [f32]);
}

/// The right side of a product, read by panels.
pub(crate) trait Right: Sync {
    /// Columns `column..column + columns` of the rows `depth..`, as many as `panel` takes, `width` elements a row; what is
    /// beyond `columns` must be finite.
    fn read(&self, depth: usize, column: usize, columns: usize, width: usize, panel: &mut [f32]);
}

/// A matrix whose rows lie one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) data: &'a [f32],
    /// From one row to the next.
    pub(crate) step: usize,
}

impl Left for Matrix<'_> {
    fn read(&self, row: usize, depth: usize, to: &mut [f32]) {
        to.copy_from_slice(&self.data[row * self.step + depth..][..to.len()]);
    }
}

impl Right for Matrix<'_> {
    fn read(&self, depth: usize, column: usize, columns: usize, width: usize, panel: &mut [f32]) {
        for (k, to) in panel.chunks_exact_mut(width).enumerate() {
            to[..columns].copy_from_slice(&self.data[(depth + k) * self.step + column..][..columns]);
            to[columns..].fill(0.0);
        }
    }
}

/// Fills a panel with rows as its columns.
#[inline]
pub(crate) fn turn<'a>(row: impl Fn(usize) -> &'a [f32], columns: usize, width: usize, panel: &mut [f32]) {
    if columns < width {
        panel.fill(0.0);
    }
    for j in 0..columns {
        for (to, from) in panel[j..].iter_mut().step_by(width).zip(row(j)) {
            *to = *from;
        }
    }
}

/// Memory that one thread works in.
#[derive(Default)]
struct Scratch {
    rows: Vec<f32>,
    panels: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
    static SUMS: RefCell<Vec<f32>> = RefCell::default();
}

/// At least so many elements of a buffer, whatever they are.
pub(crate) fn at_least(buffer: &mut Vec<f32>, length: usize) -> &mut [f32] {
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    &mut buffer[..length]
}

/// Vectors side by side in a tile, for vectors of so many elements.
const fn vectors(length: usize) -> usize {
    if length >= 8 { 2 } else { 4 }
}

/// Columns of a panel.
fn panel_width(level: Level) -> usize {
    dispatch!(level, simd => width(simd))
}

#[inline(always)]
fn width<S: Simd>(_: S) -> usize {
    vectors(S::f32s::LEN) * S::f32s::LEN
}

/// Columns that sums of so many columns are given in [`sums`].
pub(crate) fn padded(columns: usize) -> usize {
    columns.next_multiple_of(32)
}

/// `sums ← left·right` for the rows from `row` on and the columns from `column` on, in rows of [`padded`] elements,
/// which `sums` has for `rows` rounded up to twelve.
pub(crate) fn sums<L: Left, R: Right>(
    (left, right): (&L, &R),
    [row, rows]: [usize; 2],
    [column, columns]: [usize; 2],
    depth: usize,
    sums: &mut [f32],
) {
    let level = Level::new();
    let width = panel_width(level);
    let step = padded(columns);
    sums[..rows.next_multiple_of(12) * step].fill(0.0);
    SCRATCH.with_borrow_mut(|scratch| {
        let a = at_least(&mut scratch.rows, rows.next_multiple_of(12) * DEPTH);
        let b = at_least(&mut scratch.panels, columns.next_multiple_of(width) * DEPTH);
        for from in (0..depth).step_by(DEPTH) {
            let length = DEPTH.min(depth - from);
            for (r, to) in a.chunks_exact_mut(DEPTH).take(rows).enumerate() {
                left.read(row + r, from, &mut to[..length]);
            }
            for (p, panel) in b.chunks_exact_mut(DEPTH * width).enumerate() {
                let valid = width.min(columns - p * width);
                right.read(from, column + p * width, valid, width, &mut panel[..length * width]);
            }
            dispatch!(level, simd => multiply(simd, a, b, [rows, length, step], sums));
        }
    });
}

#[inline(always)]
fn multiply<S: Simd>(simd: S, a: &[f32], b: &[f32], lengths: [usize; 3], sums: &mut [f32]) {
    match S::f32s::LEN {
        16 => tiles::<S, 12, 2>(simd, a, b, lengths, sums),
        8 => tiles::<S, 6, 2>(simd, a, b, lengths, sums),
        _ if cfg!(target_arch = "aarch64") => tiles::<S, 6, 4>(simd, a, b, lengths, sums),
        _ => tiles::<S, 3, 4>(simd, a, b, lengths, sums),
    }
}

/// Tiles of `R` rows and `V` vectors.
#[inline(always)]
fn tiles<S: Simd, const R: usize, const V: usize>(
    simd: S,
    a: &[f32],
    b: &[f32],
    [rows, depth, step]: [usize; 3],
    sums: &mut [f32],
) {
    let lanes = S::f32s::LEN;
    let width = V * lanes;
    let (a, _) = a.as_chunks::<DEPTH>();
    for (p, panel) in b.chunks_exact(DEPTH * width).enumerate() {
        let panel = &panel[..depth * width];
        for (g, group) in a.chunks_exact(R).take(rows.div_ceil(R)).enumerate() {
            let Some(group) = group.first_chunk::<R>() else { continue };
            let mut tile = [[S::f32s::splat(simd, 0.0); V]; R];
            for (k, b) in (0..DEPTH).zip(panel.chunks_exact(width)) {
                let mut of_b = [S::f32s::splat(simd, 0.0); V];
                for (v, of_b) in of_b.iter_mut().enumerate() {
                    *of_b = S::f32s::from_slice(simd, &b[v * lanes..(v + 1) * lanes]);
                }
                for (sums, row) in tile.iter_mut().zip(group) {
                    let x = S::f32s::splat(simd, row[k]);
                    for (sum, b) in sums.iter_mut().zip(&of_b) {
                        *sum = x.mul_add(*b, *sum);
                    }
                }
            }
            for (r, tile) in tile.iter().enumerate() {
                let row = &mut sums[(g * R + r) * step + p * width..][..width];
                for (part, tile) in row.chunks_exact_mut(lanes).zip(tile) {
                    (S::f32s::from_slice(simd, part) + *tile).store_slice(part);
                }
            }
        }
    }
}

/// `out ← finish(left·right)` on all cores. `out` has rows of `step` elements, of which `[first, columns]` are written.
/// `finish` is given row, column and the sums of a part of a row, which it makes the output of.
pub(crate) fn product<L: Left, R: Right>(
    sides: (&L, &R),
    depth: usize,
    out: &mut [f32],
    [step, first, columns]: [usize; 3],
    finish: impl Fn(usize, usize, &mut [f32]) + Sync,
) {
    let all = out.len() / step;
    let [rows, part] = blocks(all, columns);
    out.par_chunks_mut(rows * step).enumerate().for_each(|(i, out)| {
        let row = i * rows;
        let mut parts: Vec<Vec<&mut [f32]>> = Vec::new();
        parts.resize_with(columns.div_ceil(part), Vec::new);
        for out in out.chunks_mut(step) {
            for (j, out) in out[first..first + columns].chunks_mut(part).enumerate() {
                parts[j].push(out);
            }
        }
        parts.into_par_iter().enumerate().for_each(|(j, out)| {
            let column = j * part;
            let columns = out[0].len();
            let step = padded(columns);
            SUMS.with_borrow_mut(|buffer| {
                let buffer = at_least(buffer, out.len().next_multiple_of(12) * step);
                sums(sides, [row, out.len()], [column, columns], depth, buffer);
                for ((r, out), sums) in out.into_iter().enumerate().zip(buffer.chunks_exact_mut(step)) {
                    finish(row + r, column, &mut sums[..columns]);
                    out.copy_from_slice(&sums[..columns]);
                }
            });
        });
    });
}

/// Rows and columns of the blocks that are shared out over the cores: as large as the caches like, but enough of them.
pub(crate) fn blocks(rows: usize, columns: usize) -> [usize; 2] {
    let wanted = 3 * rayon::current_num_threads();
    let even = |all: usize, most: usize, unit: usize| {
        let count = all.div_ceil(most);
        all.div_ceil(count).next_multiple_of(unit).min(most)
    };
    let mut block = [even(rows, ROWS, 12), even(columns, COLUMNS, 32)];
    let count = |[r, c]: [usize; 2]| rows.div_ceil(r) * columns.div_ceil(c);
    while count(block) < wanted && block[1] > 64 {
        block[1] = (block[1] / 2).next_multiple_of(32);
    }
    while count(block) < wanted && block[0] > 24 {
        block[0] = (block[0] / 2).next_multiple_of(12);
    }
    block
}

/// `y ← y + x`, as far as `y` goes.
#[inline]
pub(crate) fn add(y: &mut [f32], x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += x;
    }
}

/// Whether none of the numbers is NaN or infinite.
pub fn all_finite(x: &[f32]) -> bool {
    let level = Level::new();
    x.par_chunks(1 << 16).all(|x| dispatch!(level, _ => finite(x)))
}

#[inline(always)]
fn finite(x: &[f32]) -> bool {
    let largest = x.iter().fold(0, |m: u32, x| m.max(x.to_bits() & 0x7fff_ffff));
    largest < f32::INFINITY.to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small integers, whose sums are exact in any order.
    fn integers(n: usize) -> Vec<f32> {
        (0..n).map(|i| (i * 7919 % 13) as f32 - 6.0).collect()
    }

    #[test]
    fn products_of_all_sizes() {
        for [m, k, n] in [[1, 1, 1], [5, 3, 7], [13, 300, 33], [200, 17, 130], [25, 513, 600]] {
            let (a, b) = (integers(m * k), integers(k * n));
            let mut want = vec![0.0; m * n];
            for (i, w) in want.iter_mut().enumerate() {
                *w = (0..k).map(|d| a[i / n * k + d] * b[d * n + i % n]).sum();
            }
            let mut y = vec![f32::NAN; m * n];
            let (left, right) = (Matrix { data: &a, step: k }, Matrix { data: &b, step: n });
            product((&left, &right), k, &mut y, [n, 0, n], |_, _, _| {});
            assert_eq!(y, want, "{m} {k} {n}");
        }
    }

    #[test]
    fn what_is_not_finite_is_found() {
        let mut x = vec![1.0; 100_000];
        assert!(all_finite(&x));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            x[77_777] = bad;
            assert!(!all_finite(&x));
        }
    }
}
