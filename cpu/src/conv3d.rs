//! 3D convolution (cross-correlation), as a matrix product whose left side is read from the input as it is needed.

use std::ops::Range;

use fearless_simd::{Level, dispatch};
use rayon::prelude::*;

use crate::Finish;
use crate::product::{Left, Matrix, add, at_least, product};

/// What lies outside the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// Zeros, which are multiplied as others are: weights must be finite.
    Zeros,
    /// The input reflected at its first and last positions, which do not come again.
    Reflection,
    /// The first and the last position.
    Ends,
    /// The input again.
    Repetition,
}

/// Lengths and attributes. Three numbers are for the axes T, H, W.
#[derive(Debug, Clone, Copy)]
pub struct Conv3d {
    /// `N, T, H, W, Cin`.
    pub input: [usize; 5],
    /// `N, T', H', W', Cout`.
    pub output: [usize; 5],
    /// Taps of a window.
    pub kernel: [usize; 3],
    /// Steps between windows.
    pub stride: [usize; 3],
    /// Positions before each axis.
    pub before: [usize; 3],
    /// What lies outside.
    pub outside: Outside,
    /// Steps between the taps of a window.
    pub dilation: [usize; 3],
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

/// A pooling after the convolution. Three numbers are for the axes T, H, W.
#[derive(Debug, Clone, Copy)]
pub struct MaxPool {
    /// Lengths of a window.
    pub kernel: [usize; 3],
    /// Steps between windows.
    pub stride: [usize; 3],
    /// Positions before each axis.
    pub before: [usize; 3],
    /// How many windows there are, each with an element.
    pub windows: [usize; 3],
}

impl MaxPool {
    /// What a window covers of an axis of this length.
    fn members(&self, axis: usize, window: usize, length: usize) -> Range<usize> {
        let (first, before) = (window * self.stride[axis], self.before[axis]);
        first.saturating_sub(before)..(first + self.kernel[axis]).saturating_sub(before).min(length)
    }
}

/// Elements of a convolution that are kept until their maxima are taken, if windows are not longer: 16 MiB.
const SLAB: usize = 1 << 22;

impl Conv3d {
    /// Where tap `k` of window `o` lies on an axis, unless on a zero outside.
    #[inline]
    fn place(&self, axis: usize, o: usize, k: usize) -> Option<usize> {
        let (before, length) = (self.before[axis], self.input[axis + 1]);
        let at = o * self.stride[axis] + k * self.dilation[axis];
        if at >= before && at - before < length {
            return Some(at - before);
        }
        match self.outside {
            Outside::Zeros => None,
            Outside::Reflection if at < before => Some(before - at),
            Outside::Reflection => Some(2 * (length - 1) - (at - before)),
            Outside::Ends => Some(if at < before { 0 } else { length - 1 }),
            Outside::Repetition => Some((at + length - before) % length),
        }
    }

    /// Sample and position of a row of the output.
    #[inline]
    fn position(&self, row: usize) -> (usize, [usize; 3]) {
        let [_, t, h, w, _] = self.output;
        (row / w / h / t, [row / w / h % t, row / w % h, row % w])
    }
}

/// The windows of one group of channels: a row for each position of the output, with the taps one after the other.
struct Windows<'a> {
    x: &'a [f32],
    conv: &'a Conv3d,
    /// The position of the first row.
    row: usize,
    /// The group's channels: the first, and how many.
    first: usize,
    channels: usize,
    /// Whether the taps along W lie one after the other in memory, as far as they are inside the input.
    runs: bool,
}

impl<'a> Windows<'a> {
    fn new(x: &'a [f32], conv: &'a Conv3d, row: usize, group: usize) -> Self {
        let channels = conv.input[4] / conv.groups;
        let runs = conv.groups == 1 && conv.dilation[2] == 1 && conv.outside == Outside::Zeros;
        Windows { x, conv, row, first: group * channels, channels, runs }
    }

    /// The elements from `from` on of the taps along W of a window that begins `before` a row of the input.
    fn read_run(&self, line: usize, o_w: usize, from: usize, to: &mut [f32]) {
        let c = self.channels;
        let width = self.conv.input[3] * c;
        let start = o_w * self.conv.stride[2] * c + from;
        let before = self.conv.before[2] * c;
        let outside = before.saturating_sub(start).min(to.len());
        let (zeros, rest) = to.split_at_mut(outside);
        zeros.fill(0.0);
        let at = (start + outside).saturating_sub(before);
        let inside = width.saturating_sub(at).min(rest.len());
        let (copied, zeros) = rest.split_at_mut(inside);
        if !copied.is_empty() {
            copied.copy_from_slice(&self.x[line * width + at..][..inside]);
        }
        zeros.fill(0.0);
    }
}

impl Left for Windows<'_> {
    fn read(&self, row: usize, depth: usize, mut to: &mut [f32]) {
        let conv = self.conv;
        let [_, t, h, w, c] = conv.input;
        let [_, kh, kw] = conv.kernel;
        let (sample, o) = conv.position(self.row + row);
        // A unit is what is copied at a time: the taps along W, or one of them.
        let unit = if self.runs { kw * self.channels } else { self.channels };
        let mut at = depth / unit;
        let mut from = depth % unit;
        while !to.is_empty() {
            let (part, rest) = to.split_at_mut((unit - from).min(to.len()));
            let (tap, d) = if self.runs { (at, 0) } else { (at / kw, at % kw) };
            match (conv.place(0, o[0], tap / kh), conv.place(1, o[1], tap % kh)) {
                (Some(i_t), Some(i_h)) => {
                    let line = (sample * t + i_t) * h + i_h;
                    if self.runs {
                        self.read_run(line, o[2], from, part);
                    } else if let Some(i_w) = conv.place(2, o[2], d) {
                        let pixel = (line * w + i_w) * c + self.first + from;
                        part.copy_from_slice(&self.x[pixel..][..part.len()]);
                    } else {
                        part.fill(0.0);
                    }
                }
                _ => part.fill(0.0),
            }
            to = rest;
            (at, from) = (at + 1, 0);
        }
    }
}

/// `x` is as `conv.input`, `w` is `[kT, kH, kW, Cin/groups, Cout]`, the addend as the output; gives the output after
/// `finish`, which is given parts of its rows.
pub fn conv3d(
    x: &[f32],
    w: &[f32],
    [bias, addend]: [Option<&[f32]>; 2],
    conv: &Conv3d,
    finish: Finish<'_>,
) -> Vec<f32> {
    let columns = conv.output[4];
    let finish = |row: usize, column: usize, y: &mut [f32]| {
        if let Some(bias) = bias {
            add(y, &bias[column..]);
        }
        if let Some(addend) = addend {
            add(y, &addend[row * columns + column..]);
        }
        finish(y);
    };
    let mut out = vec![0.0; conv.output.iter().product()];
    let (group_in, group_out) = (conv.input[4] / conv.groups, columns / conv.groups);
    if group_in == 1 && group_out == 1 {
        depthwise(x, w, conv, &mut out, finish);
        return out;
    }
    products(x, w, conv, 0, &mut out, finish);
    out
}

/// The rows of the output from `row` on, as many as `out` takes.
fn products(
    x: &[f32],
    w: &[f32],
    conv: &Conv3d,
    row: usize,
    out: &mut [f32],
    finish: impl Fn(usize, usize, &mut [f32]) + Sync,
) {
    let columns = conv.output[4];
    let (group_in, group_out) = (conv.input[4] / conv.groups, columns / conv.groups);
    let depth = conv.kernel.iter().product::<usize>() * group_in;
    for group in 0..conv.groups {
        let first = group * group_out;
        let right = Matrix { data: &w[first..], step: columns };
        let windows = Windows::new(x, conv, row, group);
        let pointwise = conv.kernel == [1; 3] && conv.stride == [1; 3] && conv.before == [0; 3];
        let part = [columns, first, group_out];
        let finish = |row: usize, column: usize, y: &mut [f32]| finish(row, first + column, y);
        if pointwise && conv.input[..4] == conv.output[..4] {
            let step = conv.input[4];
            let left = Matrix { data: &x[row * step + windows.first..], step };
            product((&left, &right), depth, out, part, finish);
        } else {
            product((&windows, &right), depth, out, part, finish);
        }
    }
}

/// As [`conv3d`] without addend, but gives `[N, windows, Cout]` of the largest sums, NaN where one is, after bias and `finish`,
/// which must not fall. The sums are kept for some windows along T at a time.
pub fn conv3d_max_pool(
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    conv: &Conv3d,
    pool: &MaxPool,
    finish: Finish<'_>,
) -> Vec<f32> {
    let level = Level::new();
    let [n, t, h, width, c] = conv.output;
    let [pool_t, pool_h, pool_w] = pool.windows;
    let some = (SLAB / (h * width * c * pool.stride[0])).clamp(1, pool_t);
    let mut out = vec![0.0; n * pool_t * pool_h * pool_w * c];
    let mut slab = Vec::new();
    for (sample, out) in out.chunks_mut(pool_t * pool_h * pool_w * c).enumerate() {
        for (part, out) in out.chunks_mut(some * pool_h * pool_w * c).enumerate() {
            let windows = out.len() / (pool_h * pool_w * c);
            let begin = pool.members(0, part * some, t).start;
            let end = pool.members(0, part * some + windows - 1, t).end;
            let slab = at_least(&mut slab, (end - begin) * h * width * c);
            products(x, w, conv, (sample * t + begin) * h * width, slab, |_, _, _| {});
            let slab = &*slab;
            out.par_chunks_mut(pool_w * c).enumerate().for_each(|(line, out)| {
                let in_t = pool.members(0, part * some + line / pool_h, t);
                let in_h = pool.members(1, line % pool_h, h);
                for (window, y) in out.chunks_mut(c).enumerate() {
                    y.fill(f32::NEG_INFINITY);
                    for i_t in in_t.clone() {
                        for i_h in in_h.clone() {
                            for i_w in pool.members(2, window, width) {
                                let at = ((i_t - begin) * h + i_h) * width + i_w;
                                dispatch!(level, _ => take_larger(y, &slab[at * c..][..c]));
                            }
                        }
                    }
                    if let Some(bias) = bias {
                        add(y, bias);
                    }
                    finish(y);
                }
            });
        }
    }
    out
}

#[inline(always)]
fn take_larger(y: &mut [f32], x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y = if *y > *x || y.is_nan() { *y } else { *x });
}

/// Every channel by itself.
fn depthwise(
    x: &[f32],
    w: &[f32],
    conv: &Conv3d,
    out: &mut [f32],
    finish: impl Fn(usize, usize, &mut [f32]) + Sync,
) {
    let level = Level::new();
    let [_, t, h, width, c] = conv.input;
    let [kt, kh, kw] = conv.kernel;
    let out_w = conv.output[3];
    out.par_chunks_mut(out_w * c).enumerate().for_each(|(line, out)| {
        let (sample, o) = conv.position(line * out_w);
        for (o_w, y) in out.chunks_mut(c).enumerate() {
            for a in 0..kt {
                let Some(i_t) = conv.place(0, o[0], a) else { continue };
                for b in 0..kh {
                    let Some(i_h) = conv.place(1, o[1], b) else { continue };
                    let line = (sample * t + i_t) * h + i_h;
                    for d in 0..kw {
                        let Some(i_w) = conv.place(2, o_w, d) else { continue };
                        let pixel = &x[(line * width + i_w) * c..][..c];
                        let weights = &w[((a * kh + b) * kw + d) * c..][..c];
                        dispatch!(level, _ => add_products(y, pixel, weights));
                    }
                }
            }
            finish(line * out_w + o_w, 0, y);
        }
    });
}

#[inline(always)]
fn add_products(y: &mut [f32], a: &[f32], b: &[f32]) {
    for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
        *y += a * b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One tap in the middle of the kernel copies the input.
    #[test]
    fn a_single_tap_copies() {
        for groups in [1, 2, 4] {
            let x: Vec<f32> = (0..2 * 3 * 5 * 4).map(|i| i as f32).collect();
            let mut w = vec![0.0; 27 * 4 / groups * 4];
            for c in 0..4 {
                w[(13 * 4 / groups + c % (4 / groups)) * 4 + c] = 2.0;
            }
            let conv = Conv3d {
                input: [1, 2, 3, 5, 4],
                output: [1, 2, 3, 5, 4],
                kernel: [3; 3],
                stride: [1; 3],
                before: [1; 3],
                outside: Outside::Zeros,
                dilation: [1; 3],
                groups,
            };
            let y = conv3d(&x, &w, [Some(&[1.0, 2.0, 3.0, 4.0]), None], &conv, &|_| {});
            for (i, (y, x)) in y.iter().zip(&x).enumerate() {
                assert_eq!(*y, 2.0 * x + (i % 4 + 1) as f32, "{groups} {i}");
            }
            let y = conv3d(&x, &w, [None, Some(&x)], &conv, &|y| y.iter_mut().for_each(|y| *y = -*y));
            assert!(y.iter().zip(&x).all(|(y, x)| *y == -3.0 * x));
        }
    }

    #[test]
    fn windows_are_clipped() {
        let pool = MaxPool { kernel: [2; 3], stride: [2, 2, 3], before: [0, 1, 0], windows: [4, 4, 2] };
        let of = |axis, length| (0..4).map(|w| pool.members(axis, w, length)).collect::<Vec<_>>();
        assert_eq!(of(0, 7), [0..2, 2..4, 4..6, 6..7]);
        assert_eq!(of(1, 7), [0..1, 1..3, 3..5, 5..7]);
        assert_eq!(of(2, 7)[..2], [0..2, 3..5]);
    }

    /// One tap copies the input, of which windows are clipped, lie apart and leave the last positions out.
    #[test]
    fn maxima_of_windows() {
        let conv = Conv3d {
            input: [2, 3, 1, 7, 1],
            output: [2, 3, 1, 7, 1],
            kernel: [1; 3],
            stride: [1; 3],
            before: [0; 3],
            outside: Outside::Zeros,
            dilation: [1; 3],
            groups: 1,
        };
        let mut x: Vec<f32> = (0..2 * 3 * 7).map(|i| i as f32).collect();
        x[3] = f32::NAN;
        let pool = MaxPool { kernel: [2, 1, 2], stride: [2, 1, 3], before: [0, 0, 1], windows: [2, 1, 3] };
        let y = conv3d_max_pool(&x, &[1.0], Some(&[0.5]), &conv, &pool, &|_| {});
        assert!(y[1].is_nan());
        let rest: Vec<f32> = y.into_iter().filter(|y| !y.is_nan()).collect();
        assert_eq!(rest, [7.5, 13.5, 14.5, 17.5, 20.5, 28.5, 31.5, 34.5, 35.5, 38.5, 41.5]);
    }

    /// A kernel of one tap shows what lies outside.
    #[test]
    fn outside_the_input() {
        for (outside, want) in [
            (Outside::Zeros, [0.0, 0.0, 1.0, 2.0, 3.0, 0.0]),
            (Outside::Reflection, [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]),
            (Outside::Ends, [1.0, 1.0, 1.0, 2.0, 3.0, 3.0]),
            (Outside::Repetition, [2.0, 3.0, 1.0, 2.0, 3.0, 1.0]),
        ] {
            let conv = Conv3d {
                input: [1, 1, 1, 3, 1],
                output: [1, 1, 1, 6, 1],
                kernel: [1; 3],
                stride: [1; 3],
                before: [0, 0, 2],
                outside,
                dilation: [1; 3],
                groups: 1,
            };
            let y = conv3d(&[1.0, 2.0, 3.0], &[1.0], [None; 2], &conv, &|_| {});
            assert_eq!(y, want, "{outside:?}");
            // The same of two channels that see each other.
            let two = Conv3d { input: [1, 1, 1, 3, 2], output: [1, 1, 1, 6, 2], ..conv };
            let x = [1.0, 0.0, 2.0, 0.0, 3.0, 0.0];
            let y = conv3d(&x, &[1.0, 1.0, 5.0, 5.0], [None; 2], &two, &|_| {});
            assert!(y.chunks(2).zip(want).all(|(y, w)| y == [w; 2]), "{outside:?} {y:?}");
        }
    }
}
