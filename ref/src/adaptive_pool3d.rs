//! Adaptive 3D pooling, as `torch.nn.functional.adaptive_max_pool3d` and `adaptive_avg_pool3d`.

use rayon::prelude::*;

/// Where window `index` of `windows` over `length` cells begins, and where the cells after it begin.
fn window(index: usize, length: usize, windows: usize) -> std::ops::Range<usize> {
    index * length / windows..((index + 1) * length).div_ceil(windows)
}

/// `x` is `[N, T, H, W, C]`; gives `[N, T', H', W', C]`, `out` being T', H', W', of what `finish` makes of each window:
/// it is given the elements and their places `(t·H + h)·W + w`.
pub fn adaptive_pool3d<R: Clone + Default + Send>(
    x: &[f32],
    [n, t, h, w, c]: [usize; 5],
    out: [usize; 3],
    finish: impl Fn(&[f64], &[usize]) -> R + Sync,
) -> Vec<R> {
    let mut y = vec![R::default(); n * out[0] * out[1] * out[2] * c];
    y.par_chunks_mut(c).enumerate().for_each(|(position, y)| {
        let o = [position / out[2] / out[1] % out[0], position / out[2] % out[1], position % out[2]];
        let sample = position / out[2] / out[1] / out[0];
        let mut places = Vec::new();
        for i_t in window(o[0], t, out[0]) {
            for i_h in window(o[1], h, out[1]) {
                for i_w in window(o[2], w, out[2]) {
                    places.push((i_t * h + i_h) * w + i_w);
                }
            }
        }
        for (channel, y) in y.iter_mut().enumerate() {
            let at = |place: &usize| f64::from(x[(sample * t * h * w + place) * c + channel]);
            let elements: Vec<f64> = places.iter().map(at).collect();
            *y = finish(&elements, &places);
        }
    });
    y
}

/// The number of the first of the largest elements, or of the last that is NaN, as in PyTorch.
pub fn argmax(elements: &[f64]) -> usize {
    let mut best = 0;
    for (i, x) in elements.iter().enumerate() {
        if x.is_nan() || *x > elements[best] {
            best = i;
        }
    }
    best
}

/// The mean of the elements.
pub fn mean(elements: &[f64]) -> f64 {
    elements.iter().sum::<f64>() / elements.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_and_overlap_by_one() {
        let x: Vec<f32> = (0..7).map(|i| i as f32).collect();
        let places = |out| adaptive_pool3d(&x, [1, 1, 1, 7, 1], [1, 1, out], |_, places| places.to_vec());
        assert_eq!(places(3), [vec![0, 1, 2], vec![2, 3, 4], vec![4, 5, 6]]);
        assert_eq!(places(2), [vec![0, 1, 2, 3], vec![3, 4, 5, 6]]);
        assert_eq!(places(9)[..4], [vec![0], vec![0, 1], vec![1, 2], vec![2, 3]]);
    }

    #[test]
    fn means_and_places() {
        let x = [1.0, 8.0, 2.0, 4.0, 8.0, 8.0];
        assert_eq!(adaptive_pool3d(&x, [1, 1, 1, 3, 2], [1, 1, 1], |e, _| mean(e)), [11.0 / 3.0, 20.0 / 3.0]);
        assert_eq!(adaptive_pool3d(&x, [1, 1, 1, 3, 2], [1, 1, 1], |e, p| p[argmax(e)]), [2, 0]);
        assert_eq!(argmax(&[1.0, f64::NAN, f64::NAN, 2.0]), 2);
    }
}
