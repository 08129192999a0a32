//! 3D convolution (cross-correlation), as `torch.nn.functional.conv3d`.

use rayon::prelude::*;

/// What lies outside the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// Zeros.
    Zeros,
    /// The input reflected at its first and last positions, which do not come again.
    Reflection,
    /// The first and the last position.
    Ends,
    /// The input again.
    Repetition,
}

/// The attributes, each per axis T, H, W.
#[derive(Debug, Clone, Copy)]
pub struct Conv3d {
    /// Steps between windows.
    pub stride: [usize; 3],
    /// Positions before and after each axis.
    pub padding: [[usize; 2]; 3],
    /// What lies there.
    pub outside: Outside,
    /// Steps between the taps of a window.
    pub dilation: [usize; 3],
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl Conv3d {
    /// How many windows fit along an axis.
    pub fn output_length(&self, axis: usize, length: usize, kernel: usize) -> usize {
        let window = self.dilation[axis] * (kernel - 1) + 1;
        let padded = self.padding[axis][0] + length + self.padding[axis][1];
        (padded - window) / self.stride[axis] + 1
    }

    /// Where tap `k` of window `o` lies on an axis, unless on a zero outside.
    fn input_index(&self, axis: usize, o: usize, k: usize, length: usize) -> Option<usize> {
        let before = self.padding[axis][0];
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
}

/// `x` is `[N, T, H, W, Cin]`, `w` is `[kT, kH, kW, Cin/groups, Cout]`, the addend as the output; gives
/// `[N, T', H', W', Cout]` after `finish`, which is given each sum with its bias and addend.
pub fn conv3d(
    x: &[f32],
    [n, t, h, width, cin]: [usize; 5],
    w: &[f32],
    [kt, kh, kw, group_in, cout]: [usize; 5],
    [bias, addend]: [Option<&[f32]>; 2],
    c: &Conv3d,
    finish: impl Fn(f64) -> f64 + Sync,
) -> Vec<f32> {
    let out_t = c.output_length(0, t, kt);
    let out_h = c.output_length(1, h, kh);
    let out_w = c.output_length(2, width, kw);
    let group_out = cout / c.groups;
    let mut out = vec![0.0; n * out_t * out_h * out_w * cout];
    // A row along W at a time, so that each weight is read once a row.
    out.par_chunks_mut(out_w * cout).enumerate().for_each(|(row, out)| {
        let (i_n, i_t, i_h) = (row / out_h / out_t, row / out_h % out_t, row % out_h);
        let mut sums = vec![0f64; out_w * cout];
        for a in 0..kt {
            let Some(x_t) = c.input_index(0, i_t, a, t) else { continue };
            for b in 0..kh {
                let Some(x_h) = c.input_index(1, i_h, b, h) else { continue };
                for d in 0..kw {
                    for i in 0..group_in {
                        let weights = &w[(((a * kh + b) * kw + d) * group_in + i) * cout..][..cout];
                        for i_w in 0..out_w {
                            let Some(x_w) = c.input_index(2, i_w, d, width) else { continue };
                            let pixel = &x[(((i_n * t + x_t) * h + x_h) * width + x_w) * cin..][..cin];
                            let sums = &mut sums[i_w * cout..][..cout];
                            for g in 0..c.groups {
                                let value = f64::from(pixel[g * group_in + i]);
                                let channels = g * group_out..(g + 1) * group_out;
                                for (s, w) in sums[channels.clone()].iter_mut().zip(&weights[channels]) {
                                    *s += value * f64::from(*w);
                                }
                            }
                        }
                    }
                }
            }
        }
        for (i, (o, s)) in out.iter_mut().zip(&sums).enumerate() {
            let bias = bias.map_or(0.0, |b| f64::from(b[i % cout]));
            let addend = addend.map_or(0.0, |a| f64::from(a[row * out_w * cout + i]));
            *o = finish(s + bias + addend) as f32;
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(padding: [[usize; 2]; 3], groups: usize) -> Conv3d {
        Conv3d { stride: [1; 3], padding, outside: Outside::Zeros, dilation: [1; 3], groups }
    }

    /// One tap in the middle of the kernel copies the input, shifted by the padding.
    #[test]
    fn a_single_tap_copies() {
        let x: Vec<f32> = (0..2 * 3 * 4).map(|i| i as f32).collect();
        let mut w = vec![0.0; 27];
        w[13] = 2.0;
        let c = attributes([[1, 1]; 3], 1);
        let y = conv3d(&x, [1, 2, 3, 4, 1], &w, [3, 3, 3, 1, 1], [Some(&[1.0]), None], &c, |s| s);
        assert!(y.iter().zip(&x).all(|(y, x)| *y == 2.0 * x + 1.0));
        let y = conv3d(&x, [1, 2, 3, 4, 1], &w, [3, 3, 3, 1, 1], [None, Some(&x)], &c, |s| -s);
        assert!(y.iter().zip(&x).all(|(y, x)| *y == -3.0 * x));
    }

    /// A window over everything with ones sums the input.
    #[test]
    fn a_window_over_everything_sums() {
        let x: Vec<f32> = (1..=24).map(|i| i as f32).collect();
        let c = attributes([[0, 0]; 3], 2);
        let y = conv3d(&x, [1, 1, 3, 4, 2], &[1.0; 24], [1, 3, 4, 1, 2], [None; 2], &c, |s| s);
        assert_eq!(y, [144.0, 156.0]);
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
            let c = Conv3d { outside, ..attributes([[0, 0], [0, 0], [2, 1]], 1) };
            let y = conv3d(&[1.0, 2.0, 3.0], [1, 1, 1, 3, 1], &[1.0], [1; 5], [None; 2], &c, |s| s);
            assert_eq!(y, want, "{outside:?}");
        }
    }
}
