//! 3D convolution (cross-correlation), as `torch.nn.functional.conv3d`.

use rayon::prelude::*;

/// The attributes, each per axis T, H, W.
#[derive(Debug, Clone, Copy)]
pub struct Conv3d {
    /// Steps between windows.
    pub stride: [usize; 3],
    /// Zeros before and after each axis.
    pub padding: [[usize; 2]; 3],
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
}

/// `x` is `[N, T, H, W, Cin]`, `w` is `[kT, kH, kW, Cin/groups, Cout]`; gives `[N, T', H', W', Cout]` after
/// `finish`, which is given each sum and its bias.
pub fn conv3d(
    x: &[f32],
    [n, t, h, width, cin]: [usize; 5],
    w: &[f32],
    [kt, kh, kw, group_in, cout]: [usize; 5],
    bias: Option<&[f32]>,
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
            let Some(x_t) = input_index(i_t, c.stride[0], a, c.dilation[0], c.padding[0][0], t) else {
                continue;
            };
            for b in 0..kh {
                let Some(x_h) = input_index(i_h, c.stride[1], b, c.dilation[1], c.padding[1][0], h) else {
                    continue;
                };
                for d in 0..kw {
                    for i in 0..group_in {
                        let weights = &w[(((a * kh + b) * kw + d) * group_in + i) * cout..][..cout];
                        for i_w in 0..out_w {
                            let index =
                                input_index(i_w, c.stride[2], d, c.dilation[2], c.padding[2][0], width);
                            let Some(x_w) = index else { continue };
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
            *o = finish(s + bias.map_or(0.0, |b| f64::from(b[i % cout]))) as f32;
        }
    });
    out
}

/// Where tap `k` of window `o` lies on an axis, unless in the padding.
fn input_index(
    o: usize,
    stride: usize,
    k: usize,
    dilation: usize,
    pad: usize,
    length: usize,
) -> Option<usize> {
    (o * stride + k * dilation).checked_sub(pad).filter(|&i| i < length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One tap in the middle of the kernel copies the input, shifted by the padding.
    #[test]
    fn a_single_tap_copies() {
        let x: Vec<f32> = (0..2 * 3 * 4).map(|i| i as f32).collect();
        let mut w = vec![0.0; 27];
        w[13] = 2.0;
        let c = Conv3d { stride: [1; 3], padding: [[1, 1]; 3], dilation: [1; 3], groups: 1 };
        let y = conv3d(&x, [1, 2, 3, 4, 1], &w, [3, 3, 3, 1, 1], Some(&[1.0]), &c, |s| s);
        assert!(y.iter().zip(&x).all(|(y, x)| *y == 2.0 * x + 1.0));
    }

    /// A window over everything with ones sums the input.
    #[test]
    fn a_window_over_everything_sums() {
        let x: Vec<f32> = (1..=24).map(|i| i as f32).collect();
        let c = Conv3d { stride: [1; 3], padding: [[0, 0]; 3], dilation: [1; 3], groups: 2 };
        let y = conv3d(&x, [1, 1, 3, 4, 2], &[1.0; 24], [1, 3, 4, 1, 2], None, &c, |s| s);
        assert_eq!(y, [144.0, 156.0]);
    }
}
