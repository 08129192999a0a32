//! The transpose of a 3D convolution, as `torch.nn.functional.conv_transpose3d`.

use rayon::prelude::*;

/// The attributes, each per axis T, H, W.
#[derive(Debug, Clone, Copy)]
pub struct ConvTranspose3d {
    /// Steps between the outputs of neighbouring inputs.
    pub stride: [usize; 3],
    /// Outputs cut off before and after each axis.
    pub padding: [[usize; 2]; 3],
    /// Outputs added after each axis.
    pub output_padding: [usize; 3],
    /// Steps between the taps of a window.
    pub dilation: [usize; 3],
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl ConvTranspose3d {
    /// The length of the output along an axis.
    pub fn output_length(&self, axis: usize, length: usize, kernel: usize) -> usize {
        let whole = (length - 1) * self.stride[axis] + (kernel - 1) * self.dilation[axis] + 1;
        whole + self.output_padding[axis] - self.padding[axis][0] - self.padding[axis][1]
    }

    /// The output that input `i` reaches by tap `k`, if it is not cut off.
    fn reached(&self, axis: usize, i: usize, k: usize, length: usize) -> Option<usize> {
        let at = i * self.stride[axis] + k * self.dilation[axis];
        at.checked_sub(self.padding[axis][0]).filter(|&o| o < length)
    }
}

/// `x` is `[N, T, H, W, Cin]`, `w` is `[kT, kH, kW, Cin, Cout/groups]`, the addend as the output; gives
/// `[N, T', H', W', Cout]` after `finish`, which is given each sum with its bias and addend.
///
/// Every input is spread over the outputs that it reaches, as the definition has it.
pub fn conv_transpose3d(
    x: &[f32],
    [n, t, h, width, cin]: [usize; 5],
    w: &[f32],
    [kt, kh, kw, _, group_out]: [usize; 5],
    [bias, addend]: [Option<&[f32]>; 2],
    c: &ConvTranspose3d,
    finish: impl Fn(f64) -> f64 + Sync,
) -> Vec<f32> {
    let [out_t, out_h, out_w] =
        [(0, t, kt), (1, h, kh), (2, width, kw)].map(|(axis, l, k)| c.output_length(axis, l, k));
    let cout = group_out * c.groups;
    let frame = out_h * out_w * cout;
    let mut out = vec![0.0; n * out_t * frame];
    out.par_chunks_mut(frame).enumerate().for_each(|(number, out)| {
        let (i_n, o_t) = (number / out_t, number % out_t);
        let mut sums = vec![0f64; frame];
        for (i_t, a) in pairs(t, kt).filter(|&(i, k)| c.reached(0, i, k, out_t) == Some(o_t)) {
            for (i_h, b) in pairs(h, kh) {
                let Some(o_h) = c.reached(1, i_h, b, out_h) else { continue };
                for (i_w, d) in pairs(width, kw) {
                    let Some(o_w) = c.reached(2, i_w, d, out_w) else { continue };
                    let pixel = &x[(((i_n * t + i_t) * h + i_h) * width + i_w) * cin..][..cin];
                    let sums = &mut sums[(o_h * out_w + o_w) * cout..][..cout];
                    for (i, value) in pixel.iter().enumerate() {
                        let group = i / (cin / c.groups);
                        let weights = &w[(((a * kh + b) * kw + d) * cin + i) * group_out..][..group_out];
                        for (s, w) in sums[group * group_out..].iter_mut().zip(weights) {
                            *s += f64::from(*value) * f64::from(*w);
                        }
                    }
                }
            }
        }
        for (i, (o, s)) in out.iter_mut().zip(&sums).enumerate() {
            let bias = bias.map_or(0.0, |b| f64::from(b[i % cout]));
            let addend = addend.map_or(0.0, |a| f64::from(a[number * frame + i]));
            *o = finish(s + bias + addend) as f32;
        }
    });
    out
}

/// Every input with every tap.
fn pairs(inputs: usize, taps: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..inputs).flat_map(move |i| (0..taps).map(move |k| (i, k)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(x: &[f32], w: &[f32], c: &ConvTranspose3d, after: [Option<&[f32]>; 2]) -> Vec<f32> {
        conv_transpose3d(x, [1, 1, 1, x.len(), 1], w, [1, 1, w.len(), 1, 1], after, c, |s| s)
    }

    const PLAIN: ConvTranspose3d = ConvTranspose3d {
        stride: [1; 3],
        padding: [[0; 2]; 3],
        output_padding: [0; 3],
        dilation: [1; 3],
        groups: 1,
    };

    #[test]
    fn a_row_by_hand() {
        assert_eq!(row(&[1.0, 10.0], &[1.0, 2.0, 3.0], &PLAIN, [None; 2]), [1.0, 12.0, 23.0, 30.0]);
        let c = ConvTranspose3d { stride: [1, 1, 3], ..PLAIN };
        assert_eq!(row(&[1.0, 10.0], &[1.0, 2.0], &c, [Some(&[0.5]), None]), [1.5, 2.5, 0.5, 10.5, 20.5]);
        let c = ConvTranspose3d { padding: [[0; 2], [0; 2], [1, 0]], output_padding: [0, 0, 2], ..c };
        let y = row(&[1.0, 10.0], &[1.0, 2.0], &c, [None, Some(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])]);
        assert_eq!(y, [3.0, 2.0, 13.0, 24.0, 5.0, 6.0]);
        let c = ConvTranspose3d { dilation: [1, 1, 2], ..PLAIN };
        assert_eq!(row(&[1.0, 10.0], &[1.0, 2.0], &c, [None; 2]), [1.0, 10.0, 2.0, 20.0]);
    }

    /// Two groups of one channel, of which the second has two outputs' worth of weights as the first.
    #[test]
    fn groups_do_not_see_each_other() {
        let c = ConvTranspose3d { groups: 2, ..PLAIN };
        let y = conv_transpose3d(
            &[1.0, 10.0],
            [1, 1, 1, 1, 2],
            &[1.0, 2.0, 3.0, 4.0],
            [1, 1, 1, 2, 2],
            [None; 2],
            &c,
            |s| s,
        );
        assert_eq!(y, [1.0, 2.0, 30.0, 40.0]);
    }
}
