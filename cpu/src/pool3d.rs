//! 3D pooling.

use std::ops::Range;

use fearless_simd::{Level, dispatch};
use rayon::prelude::*;

/// What is made of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The largest element, NaN if any is; with `zero`, padding counts as zeros, else windows without elements give −∞.
    Max {
        /// Whether padding counts.
        zero: bool,
    },
    /// The mean; with `padding`, padding counts as zeros. Windows without elements give 0.
    Average {
        /// Whether padding counts.
        padding: bool,
    },
}

/// Lengths and attributes. Three numbers are for the axes T, H, W.
#[derive(Debug, Clone, Copy)]
pub struct Pool3d {
    /// `N, T, H, W, C`.
    pub input: [usize; 5],
    /// `N, T', H', W', C`.
    pub output: [usize; 5],
    /// Taps of a window.
    pub kernel: [usize; 3],
    /// Steps between windows.
    pub stride: [usize; 3],
    /// Positions before and after each axis.
    pub padding: [[usize; 2]; 3],
    /// Steps between the taps of a window.
    pub dilation: [usize; 3],
    /// What is made of a window.
    pub mode: Mode,
}

impl Pool3d {
    /// Of the taps of window `o` along an axis: those inside the input, and how many are not beyond the padding.
    fn taps(&self, axis: usize, o: usize) -> (Range<usize>, usize) {
        let (length, [before, after]) = (self.input[axis + 1], self.padding[axis]);
        let start = o * self.stride[axis];
        let until =
            |end: usize| end.saturating_sub(start).div_ceil(self.dilation[axis]).min(self.kernel[axis]);
        (until(before)..until(before + length), until(before + length + after))
    }
}

/// `x` is as `p.input`; gives the output.
pub fn pool3d(x: &[f32], p: &Pool3d) -> Vec<f32> {
    let level = Level::new();
    let [_, t, h, w, c] = p.input;
    let [_, out_t, out_h, out_w, _] = p.output;
    let mut out = vec![0.0; p.output.iter().product()];
    out.par_chunks_mut(out_w * c).enumerate().for_each(|(line, out)| {
        let sample = line / out_h / out_t;
        let (in_t, all_t) = p.taps(0, line / out_h % out_t);
        let (in_h, all_h) = p.taps(1, line % out_h);
        for (o_w, y) in out.chunks_mut(c).enumerate() {
            let (in_w, all_w) = p.taps(2, o_w);
            let (inside, all) = (in_t.len() * in_h.len() * in_w.len(), all_t * all_h * all_w);
            let place = |axis: usize, o: usize, tap: usize| {
                o * p.stride[axis] + tap * p.dilation[axis] - p.padding[axis][0]
            };
            y.fill(match p.mode {
                Mode::Max { zero } if !zero || inside == all => f32::NEG_INFINITY,
                _ => 0.0,
            });
            for a in in_t.clone() {
                let i_t = place(0, line / out_h % out_t, a);
                for b in in_h.clone() {
                    let i_h = place(1, line % out_h, b);
                    for d in in_w.clone() {
                        let at = ((sample * t + i_t) * h + i_h) * w + place(2, o_w, d);
                        dispatch!(level, _ => take(p.mode, y, &x[at * c..][..c]));
                    }
                }
            }
            if let Mode::Average { padding } = p.mode
                && inside > 0
            {
                let count = if padding { all } else { inside } as f32;
                y.iter_mut().for_each(|y| *y /= count);
            }
        }
    });
    out
}

#[inline(always)]
fn take(mode: Mode, y: &mut [f32], x: &[f32]) {
    let both = y.iter_mut().zip(x);
    match mode {
        Mode::Max { .. } => both.for_each(|(y, x)| *y = if *y > *x || y.is_nan() { *y } else { *x }),
        Mode::Average { .. } => both.for_each(|(y, x)| *y += x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn along_w(windows: usize, padding: [usize; 2], mode: Mode) -> Pool3d {
        Pool3d {
            input: [1, 1, 1, 4, 1],
            output: [1, 1, 1, windows, 1],
            kernel: [1, 1, 3],
            stride: [1, 1, 2],
            padding: [[0; 2], [0; 2], padding],
            dilation: [1; 3],
            mode,
        }
    }

    #[test]
    fn windows_that_hang_over() {
        let x = [1.0, 2.0, -6.0, -8.0];
        let max = |zero| pool3d(&x, &along_w(2, [0, 0], Mode::Max { zero }));
        assert_eq!(max(false), [2.0, -6.0]);
        assert_eq!(max(true), [2.0, -6.0]);
        let of = |mode| pool3d(&x, &along_w(3, [1, 1], mode));
        assert_eq!(of(Mode::Max { zero: false }), [2.0, 2.0, -8.0]);
        assert_eq!(of(Mode::Max { zero: true }), [2.0, 2.0, 0.0]);
        // The last window has one element, one of padding and one beyond it.
        assert_eq!(of(Mode::Average { padding: true }), [1.0, -4.0, -4.0]);
        assert_eq!(of(Mode::Average { padding: false }), [1.5, -4.0, -8.0]);
    }

    #[test]
    fn nan_wins() {
        let y = pool3d(&[f32::NAN, 2.0, 3.0, 4.0], &along_w(2, [0, 1], Mode::Max { zero: false }));
        assert!(y[0].is_nan() && y[1] == 4.0);
        let y = pool3d(&[2.0, f32::NAN, 3.0, 4.0], &along_w(1, [0, 0], Mode::Max { zero: true }));
        assert!(y[0].is_nan());
    }
}
