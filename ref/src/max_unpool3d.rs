//! The inverse of 3D max pooling, as `torch.nn.functional.max_unpool3d`.

/// The attributes, each per axis T, H, W.
#[derive(Debug, Clone, Copy)]
pub struct MaxUnpool3d {
    /// Lengths of the windows.
    pub kernel: [usize; 3],
    /// Steps between windows.
    pub stride: [usize; 3],
    /// Cells before each axis.
    pub before: [usize; 3],
}

/// `x` and `indices` are `[N, T, H, W, C]`; gives `[N, T', H', W', C]`, `output` being T', H', W'. Each element goes
/// to its index in the T'·H'·W' of its sample and channel, one after the other, if that lies in its window.
pub fn max_unpool3d(
    x: &[f32],
    indices: &[i32],
    [n, t, h, w, c]: [usize; 5],
    output: [usize; 3],
    p: &MaxUnpool3d,
) -> Vec<f32> {
    let plane = output[0] * output[1] * output[2];
    let mut out = vec![0.0; n * plane * c];
    for i in 0..n * t * h * w * c {
        let (channel, position) = (i % c, i / c);
        let window = [position / w / h % t, position / w % h, position % w];
        let Ok(place) = usize::try_from(indices[i]) else { continue };
        let at = [place / output[2] / output[1], place / output[2] % output[1], place % output[2]];
        let inside = (0..3).all(|a| {
            let first = window[a] * p.stride[a];
            let padded = at[a] + p.before[a];
            at[a] < output[a] && padded >= first && padded < first + p.kernel[a]
        });
        if inside {
            let sample = position / w / h / t;
            out[(sample * plane + place) * c + channel] = x[i];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn along_w(
        x: &[f32],
        indices: &[i32],
        output: usize,
        kernel: usize,
        stride: usize,
        pad: usize,
    ) -> Vec<f32> {
        let p = MaxUnpool3d { kernel: [1, 1, kernel], stride: [1, 1, stride], before: [0, 0, pad] };
        max_unpool3d(x, indices, [1, 1, 1, x.len(), 1], [1, 1, output], &p)
    }

    #[test]
    fn elements_go_to_their_indices() {
        assert_eq!(along_w(&[5.0, 7.0], &[1, 2], 4, 2, 2, 0), [0.0, 5.0, 7.0, 0.0]);
        assert_eq!(along_w(&[5.0, 7.0], &[0, 2], 3, 2, 2, 1), [5.0, 0.0, 7.0]);
    }

    #[test]
    fn the_last_of_several_counts_and_what_lies_outside_its_window_does_not() {
        assert_eq!(along_w(&[5.0, 7.0, 1.0], &[2, 2, 2], 5, 3, 1, 0), [0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(along_w(&[5.0, 7.0], &[3, -1], 4, 2, 2, 0), [0.0; 4]);
        assert_eq!(along_w(&[5.0, 7.0], &[4, 9], 4, 2, 2, 0), [0.0; 4]);
    }
}
