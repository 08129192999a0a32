//! 3D pooling, as `torch.nn.functional.max_pool3d` and `avg_pool3d`.

use rayon::prelude::*;

/// The attributes, each per axis T, H, W.
#[derive(Debug, Clone, Copy)]
pub struct Pool3d {
    /// Lengths of the window, in taps.
    pub kernel: [usize; 3],
    /// Steps between windows.
    pub stride: [usize; 3],
    /// Cells before and after each axis.
    pub padding: [[usize; 2]; 3],
    /// Steps between the taps of a window.
    pub dilation: [usize; 3],
    /// Whether a last window may hang over the padded input.
    pub ceil: bool,
}

impl Pool3d {
    /// How many windows there are along an axis.
    ///
    /// In ceil mode one more window follows as long as the one before leaves a cell of the padded input out and
    /// the new one begins inside the input or the padding before it.
    pub fn output_length(&self, axis: usize, length: usize) -> usize {
        let window = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
        let [before, after] = self.padding[axis];
        let mut windows = usize::from(self.ceil);
        loop {
            let start = windows * self.stride[axis];
            let fits = if self.ceil {
                start - self.stride[axis] + window < before + length + after && start < before + length
            } else {
                start + window <= before + length + after
            };
            if !fits {
                return windows;
            }
            windows += 1;
        }
    }

    /// Of the taps of the window that begins at `start` of the padded input: where those inside the input lie, and
    /// how many lie in the padding.
    fn taps(&self, axis: usize, length: usize, start: usize) -> (Vec<usize>, usize) {
        let [before, after] = self.padding[axis];
        let within = (0..self.kernel[axis])
            .map(|tap| start + tap * self.dilation[axis])
            .take_while(|at| *at < before + length + after);
        let (inside, padding): (Vec<usize>, Vec<usize>) =
            within.partition(|at| (before..before + length).contains(at));
        (inside.into_iter().map(|at| at - before).collect(), padding.len())
    }
}

/// What lies under a window.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// The elements inside the input.
    pub elements: &'a [f64],
    /// Where they lie: `(t·H + h)·W + w` of each.
    pub places: &'a [usize],
    /// How many of the taps are padding.
    pub padding: usize,
}

/// `x` is `[N, T, H, W, C]`; gives `[N, T', H', W', C]` of what `finish` makes of each window.
pub fn pool3d<R: Clone + Default + Send>(
    x: &[f32],
    [n, t, h, width, c]: [usize; 5],
    p: &Pool3d,
    finish: impl Fn(Window<'_>) -> R + Sync,
) -> Vec<R> {
    let lengths = [t, h, width];
    let [out_t, out_h, out_w]: [usize; 3] = std::array::from_fn(|a| p.output_length(a, lengths[a]));
    let mut out = vec![R::default(); n * out_t * out_h * out_w * c];
    out.par_chunks_mut(c).enumerate().for_each(|(position, out)| {
        let o = [position / out_w / out_h % out_t, position / out_w % out_h, position % out_w];
        let sample = position / out_w / out_h / out_t;
        let [(in_t, pad_t), (in_h, pad_h), (in_w, pad_w)]: [_; 3] =
            std::array::from_fn(|axis| p.taps(axis, lengths[axis], o[axis] * p.stride[axis]));
        let mut places = Vec::new();
        for i_t in &in_t {
            for i_h in &in_h {
                places.extend(in_w.iter().map(|i_w| (i_t * h + i_h) * width + i_w));
            }
        }
        let padding = (in_t.len() + pad_t) * (in_h.len() + pad_h) * (in_w.len() + pad_w) - places.len();
        let mut elements = Vec::new();
        for (channel, out) in out.iter_mut().enumerate() {
            let at = |place: &usize| f64::from(x[(sample * t * h * width + place) * c + channel]);
            elements.clear();
            elements.extend(places.iter().map(at));
            *out = finish(Window { elements: &elements, places: &places, padding });
        }
    });
    out
}

/// The number of the first of the largest elements, or of the last that is NaN, as in PyTorch; nothing if there is no
/// element.
pub fn argmax(elements: &[f64]) -> Option<usize> {
    let mut best = None;
    for (i, x) in elements.iter().enumerate() {
        if best.is_none_or(|b| x.is_nan() || *x > elements[b]) {
            best = Some(i);
        }
    }
    best
}

/// The largest element; NaN if any is, −∞ if there is none.
pub fn max(elements: &[f64]) -> f64 {
    elements.iter().fold(f64::NEG_INFINITY, |m, &x| if m.is_nan() || m > x { m } else { x })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn along_w(kernel: usize, stride: usize, padding: [usize; 2], ceil: bool) -> Pool3d {
        Pool3d {
            kernel: [1, 1, kernel],
            stride: [1, 1, stride],
            padding: [[0; 2], [0; 2], padding],
            dilation: [1; 3],
            ceil,
        }
    }

    /// C3D's last pooling of 7 elements: three for the floor, four in Caffe, four in its ports.
    #[test]
    fn the_three_ways_of_pooling_seven() {
        let x: Vec<f32> = (0..7).map(|i| i as f32).collect();
        let pool = |p: &Pool3d| pool3d(&x, [1, 1, 1, 7, 1], p, |w| max(w.elements));
        assert_eq!(pool(&along_w(2, 2, [0, 0], false)), [1.0, 3.0, 5.0]);
        assert_eq!(pool(&along_w(2, 2, [0, 0], true)), [1.0, 3.0, 5.0, 6.0]);
        assert_eq!(pool(&along_w(2, 2, [1, 1], false)), [0.0, 2.0, 4.0, 6.0]);
    }

    #[test]
    fn a_last_window_must_begin_before_the_padding_after() {
        assert_eq!(along_w(2, 3, [1, 1], true).output_length(2, 5), 2);
        assert_eq!(along_w(3, 2, [0, 0], true).output_length(2, 2), 1);
        assert_eq!(along_w(3, 2, [1, 1], true).output_length(2, 8), 5);
    }

    #[test]
    fn elements_and_padding_are_counted_and_what_hangs_over_is_not() {
        let x = [1.0, 2.0, 3.0, 4.0];
        let counts = |w: Window<'_>| w.elements.len() * 10 + w.padding;
        let y = pool3d(&x, [1, 1, 1, 4, 1], &along_w(3, 2, [1, 0], true), counts);
        assert_eq!(y, [21, 30]);
        let y = pool3d(&x, [1, 1, 1, 4, 1], &along_w(3, 3, [0, 0], true), counts);
        assert_eq!(y, [30, 10]);
    }

    #[test]
    fn nan_wins() {
        assert!(max(&[1.0, f64::NAN, 2.0]).is_nan());
        assert_eq!(max(&[-3.0, -2.0, -5.0]), -2.0);
    }

    #[test]
    fn the_first_of_equals_and_the_last_nan_have_the_place() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(argmax(&[f64::NEG_INFINITY; 2]), Some(0));
        assert_eq!(argmax(&[1.0, f64::NAN, f64::NAN, 2.0]), Some(2));
        assert_eq!(argmax(&[]), None);
        let x = [1.0, 9.0, 5.0, 9.0, 0.0, 7.0];
        let places = |w: Window<'_>| argmax(w.elements).map(|i| w.places[i]);
        let y = pool3d(&x, [2, 1, 1, 3, 1], &along_w(2, 1, [0, 0], false), places);
        assert_eq!(y, [Some(1), Some(1), Some(0), Some(2)]);
    }
}
