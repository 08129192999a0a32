//! When and how a convolution takes Winograd's form: the host's side of `kernels/lib/winograd.wgsl`.

use rayon::prelude::*;

use super::geometry::Geometry;
use crate::error::Result;
use crate::graph::MaxPool;
use crate::ops::PaddingMode;
use crate::tensor::Tensor;

/// What writing and reading one factor or sum costs, in multiply-adds.
const MOVE: usize = 40;

/// The most bytes of the factors or of the sums that wait at a time; longer clips are done in parts. On software Vulkan C3D is
/// as fast with 64 MiB, which takes 37 MiB more, and its second convolution a tenth slower with 16 MiB.
const MOST_WAITING: usize = 32 << 20;

/// The most bytes of transformed weights: what every device binds.
const MOST_WEIGHTS: usize = 128 << 20;

/// Columns of weights that are transformed at a time.
const CACHED_COLUMNS: usize = 32;

/// A convolution in Winograd's form: factors of patches, a matrix product for each of them, sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Winograd {
    /// Frames that a patch covers and makes: 4 and 2, or 1 and 1 where time is left to the products.
    pub(super) frames: usize,
    pub(super) outputs: usize,
    /// How many patches there are along T, H, W.
    pub(super) patches: [usize; 3],
    /// Positions before the output that the first patches begin at, as windows of a pooling do.
    pub(super) shift: [usize; 3],
    /// Time patches that one invocation makes outputs of, two where a window takes two frames of one.
    pub(super) gathered: usize,
    /// Time patches of one part, and samples: all, or one.
    part: usize,
    samples: usize,
}

/// A part of the work whose factors and sums wait at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) samples: usize,
    /// The first time patch, counted through all samples, whose factors are made, and how many of each sample.
    pub(super) first_factor: usize,
    pub(super) factors: usize,
    /// The same of the sums.
    pub(super) first_sum: usize,
    pub(super) sums: usize,
    /// Frames before the first factors that lie outside the input.
    pub(super) pad: usize,
}

impl Winograd {
    /// Whether there is such a form.
    pub(super) fn possible(l: &Geometry) -> bool {
        let flat = l.kernel[1..] == [3, 3] && l.stride[1..] == [1, 1] && l.dilation[1..] == [1, 1];
        flat && l.input[4].is_multiple_of(4) && l.output[4].is_multiple_of(4)
    }

    /// Whether windows can be patches, of one frame or two.
    pub(super) fn pools(pool: &MaxPool) -> bool {
        let flat = pool.kernel[1..] == [2, 2] && pool.stride[1..] == [2, 2];
        let [kernel, stride, before] = [pool.kernel[0], pool.stride[0], pool.before[0]];
        flat && kernel <= 2 && stride == kernel && before == 0
    }

    /// The cheaper of the two forms where one is possible, and clearly cheaper than the sums as they are, or `wanted` all
    /// the same.
    pub(super) fn choose(l: &Geometry, wanted: bool) -> Option<Winograd> {
        let [n, out_t, out_h, out_w, columns] = l.output;
        let [_, in_t, _, _, channels] = l.input;
        if !Winograd::possible(l) || l.pool.is_some_and(|p| !Winograd::pools(&p)) {
            return None;
        }
        let deep = l.kernel[0] == 3 && l.stride[0] == 1 && l.dilation[0] == 1;
        let shift = l.pool.map_or([0; 3], |p| p.before);
        // Patches along H and W, frames of sums, and how many of them a window takes.
        let [patches_h, patches_w] = l.pool.map_or([out_h.div_ceil(2), out_w.div_ceil(2)], |p| {
            let [_, h, w] = p.windows;
            [h, w]
        });
        let window = l.pool.map_or(1, |p| p.kernel[0]);
        let frames_made = l.pool.map_or(out_t, |p| out_t.min(p.windows[0] * window));
        let plane = patches_h * patches_w;
        let mut best: Option<(usize, Winograd)> = None;
        for (frames, outputs) in [(1, 1), (4, 2)] {
            if frames == 4 && !deep {
                continue;
            }
            let patches = [frames_made.div_ceil(outputs), patches_h, patches_w];
            let gathered = window.div_ceil(outputs);
            let taps = if frames == 1 { l.kernel[0] } else { 1 };
            let each = 16 * frames;
            if taps * each * channels * columns * 4 > MOST_WEIGHTS {
                continue;
            }
            let sums = each * n * patches[0] * plane;
            let factors = if frames == 1 { each * n * in_t * plane } else { sums };
            let cost = sums * taps * channels * columns + MOVE * (factors * channels + sums * columns);
            let whole = Winograd { frames, outputs, patches, shift, gathered, part: patches[0], samples: n };
            let Some(w) = whole.in_parts(l) else { continue };
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, w));
            }
        }
        let plain = l.outputs() * l.members() * l.kernel.iter().product::<usize>() * channels * columns;
        best.filter(|(cost, _)| wanted || cost * 5 < plain * 4).map(|(_, w)| w)
    }

    /// In parts that may wait.
    fn in_parts(self, l: &Geometry) -> Option<Winograd> {
        let fits = |w: &Winograd| {
            let words = w.words(l);
            words[0].max(words[1]) as usize * 4 <= MOST_WAITING
        };
        if fits(&self) {
            return Some(self);
        }
        // A window that is reflected may reach out of its part.
        if self.frames == 1 && l.padding_mode != PaddingMode::Constant && l.pad[0] > 0 {
            return None;
        }
        // Parts of nearly equal lengths, of patches that are gathered.
        let all = self.patches[0].div_ceil(self.gathered);
        let part = |some: usize| Winograd { part: some * self.gathered, samples: 1, ..self };
        let most = (1..=all).rev().find(|some| fits(&part(*some)))?;
        Some(part(all.div_ceil(all.div_ceil(most))))
    }

    /// Time patches of factors that so many of sums are made of.
    fn factors_of(&self, sums: usize, l: &Geometry) -> usize {
        if self.frames == 4 {
            return sums;
        }
        ((sums - 1) * l.stride[0] + (l.kernel[0] - 1) * l.dilation[0] + 1).min(l.input[1])
    }

    /// Patches of a frame, or of a pair of them.
    pub(super) fn plane(&self) -> usize {
        self.patches[1] * self.patches[2]
    }

    /// Factors of a patch.
    pub(super) fn each(&self) -> usize {
        16 * self.frames
    }

    /// Words of the factors and of the sums of the largest part.
    pub(super) fn words(&self, l: &Geometry) -> [u64; 2] {
        let one = self.samples * self.plane() * self.each();
        let factors = self.factors_of(self.part, l);
        [(one * factors * l.input[4]) as u64, (one * self.part * l.output[4]) as u64]
    }

    /// All parts.
    pub(super) fn parts(&self, l: &Geometry) -> Vec<Part> {
        let mut parts = Vec::new();
        // Time patches of factors, as the kernel counts them.
        let per_sample = if self.frames == 1 { l.input[1] } else { self.patches[0] };
        for sample in (0..l.output[0]).step_by(self.samples) {
            for first in (0..self.patches[0]).step_by(self.part) {
                let sums = self.part.min(self.patches[0] - first);
                let (begin, end, pad) = if self.frames == 1 {
                    let begin = (first * l.stride[0]).saturating_sub(l.pad[0]);
                    let pad = l.pad[0].saturating_sub(first * l.stride[0]);
                    let last = (first + sums - 1) * l.stride[0] + (l.kernel[0] - 1) * l.dilation[0] + 1;
                    (begin, last.saturating_sub(l.pad[0]).min(l.input[1]).max(begin), pad)
                } else {
                    (first, first + sums, 0)
                };
                // A part that sees nothing but padding has factors all the same, for there is no empty dispatch.
                let begin = begin.min(per_sample - 1);
                parts.push(Part {
                    samples: self.samples,
                    first_factor: sample * per_sample + begin,
                    factors: end.max(begin + 1) - begin,
                    first_sum: sample * self.patches[0] + first,
                    sums,
                    pad,
                });
            }
        }
        parts
    }

    /// The weights `[kT, 3, 3, Cin, Cout]` times what G makes of each window: `[taps · Cin, factors · Cout]`.
    pub(super) fn weights(&self, weight: &Tensor) -> Result<Tensor> {
        let [kt, _, _, channels, columns] = weight.shape().dims("the weight", "[kT, kH, kW, Cin, Cout]")?;
        let w = weight.f32s()?;
        let (taps, frames, made) = if self.frames == 1 { (kt, 1, 1) } else { (1, 3, 4) };
        let row = self.each() * columns;
        let mut out = vec![0.0; taps * channels * row];
        out.par_chunks_mut(row).enumerate().for_each_init(
            || [Vec::new(), Vec::new()],
            |[window, next], (k, out)| {
                let (tap, channel) = (k / channels, k % channels);
                // Windows of some columns that stay in the nearest cache: [frames, 3, 3, some].
                for first in (0..columns).step_by(CACHED_COLUMNS) {
                    let some = CACHED_COLUMNS.min(columns - first);
                    window.clear();
                    for p in 9 * tap..9 * (tap + frames) {
                        let from = (p * channels + channel) * columns + first;
                        window.extend(w[from..from + some].iter().map(|&w| f64::from(w)));
                    }
                    let axes = [(1, 9 * some), (made, 3 * some), (made * 4, some)];
                    for (outer, inner) in axes.into_iter().skip(usize::from(frames == 1)) {
                        filter_axis(window, outer, inner, next);
                        std::mem::swap(window, next);
                    }
                    for (factor, made) in window.chunks_exact(some).enumerate() {
                        let out = &mut out[factor * columns + first..][..some];
                        out.iter_mut().zip(made).for_each(|(out, w)| *out = *w as f32);
                    }
                }
            },
        );
        Tensor::new(&[taps * channels, row], out)
    }

    /// `G` along every axis of a window; `sign` −1 makes it `|G|` for windows of magnitudes.
    fn filters(&self, window: &[f64], sign: f64) -> Vec<f64> {
        let g = |x: [f64; 3]| {
            let other = if sign < 0.0 { x[1] } else { -x[1] };
            [x[0], (x[0] + x[1] + x[2]) / 2.0, (x[0] + other + x[2]) / 2.0, x[2]]
        };
        let lengths = if self.frames == 1 { vec![3, 3] } else { vec![3, 3, 3] };
        along_all(window.to_vec(), lengths, &|x: &[f64]| g([x[0], x[1], x[2]]).to_vec())
    }

    /// What the sums would be if every number in the making were its magnitude: rounding errors are bounded by multiples of
    /// it. In f64, naive.
    pub(super) fn magnitudes(&self, x: &[f32], weight: &[f32], l: &Geometry) -> Vec<f64> {
        let [n, in_t, in_h, in_w, channels] = l.input;
        let [_, out_t, out_h, out_w, columns] = l.output;
        let kt = l.kernel[0];
        let taps = if self.frames == 1 { kt } else { 1 };
        let read = |sample: usize, at: [i64; 3], channel: usize| -> f64 {
            let place = |a: usize, length: usize| l.padding_mode.place(at[a], length);
            match [place(0, in_t), place(1, in_h), place(2, in_w)] {
                [Some(t), Some(h), Some(w)] => {
                    f64::from(x[(((sample * in_t + t) * in_h + h) * in_w + w) * channels + channel].abs())
                }
                _ => 0.0,
            }
        };
        let filters: Vec<Vec<f64>> = (0..taps * channels * columns)
            .map(|i| {
                let (tap, channel, column) = (i / columns / channels, i / columns % channels, i % columns);
                let frames = if self.frames == 1 { tap..tap + 1 } else { 0..3 };
                let at = |a: usize, p: usize| weight[((a * 9 + p) * channels + channel) * columns + column];
                let window = frames.flat_map(|a| (0..9).map(move |p| f64::from(at(a, p).abs())));
                self.filters(&window.collect::<Vec<_>>(), -1.0)
            })
            .collect();
        let forward = |d: &[f64]| vec![d[0] + d[2], d[1] + d[2], d[2] + d[1], d[1] + d[3]];
        let back = |m: &[f64]| vec![m[0] + m[1] + m[2], m[1] + m[2] + m[3]];
        let axes = if self.frames == 1 { vec![4, 4] } else { vec![4, 4, 4] };
        let mut out = vec![0.0; l.output.iter().product()];
        let [patches_t, patches_h, patches_w] = self.patches;
        for patch in 0..n * patches_t * patches_h * patches_w {
            let (pw, ph) = (patch % patches_w, patch / patches_w % patches_h);
            let (pt, sample) =
                (patch / patches_w / patches_h % patches_t, patch / patches_w / patches_h / patches_t);
            let mut sums = vec![vec![0.0; self.each()]; columns];
            for tap in 0..taps {
                for channel in 0..channels {
                    let patch: Vec<f64> = (0..self.each())
                        .map(|j| {
                            let t = if self.frames == 1 {
                                (pt * l.stride[0] + tap * l.dilation[0]) as i64
                            } else {
                                (2 * pt + j / 16) as i64
                            };
                            let at = |first: usize, step: usize, axis: usize| {
                                (2 * first + step) as i64 - (l.pad[axis] + self.shift[axis]) as i64
                            };
                            let place = [t - l.pad[0] as i64, at(ph, j / 4 % 4, 1), at(pw, j % 4, 2)];
                            read(sample, place, channel)
                        })
                        .collect();
                    let factors = along_all(patch, axes.clone(), &forward);
                    for (column, sums) in sums.iter_mut().enumerate() {
                        let filters = &filters[(tap * channels + channel) * columns + column];
                        for ((s, d), f) in sums.iter_mut().zip(&factors).zip(filters) {
                            *s += d * f;
                        }
                    }
                }
            }
            for (column, sums) in sums.into_iter().enumerate() {
                for (j, y) in along_all(sums, axes.clone(), &back).into_iter().enumerate() {
                    // What lies before the output wraps to far beyond it.
                    let t = pt * self.outputs + j / 4;
                    let h = (2 * ph + j / 2 % 2).wrapping_sub(self.shift[1]);
                    let w = (2 * pw + j % 2).wrapping_sub(self.shift[2]);
                    if t < out_t && h < out_h && w < out_w {
                        out[(((sample * out_t + t) * out_h + h) * out_w + w) * columns + column] = y;
                    }
                }
            }
        }
        out
    }
}

/// `G` along the middle axis of `[outer, 3, inner]`, as [`Winograd::filters`] along one: `[outer, 4, inner]`.
fn filter_axis(from: &[f64], outer: usize, inner: usize, to: &mut Vec<f64>) {
    to.clear();
    for block in from[..outer * 3 * inner].chunks_exact(3 * inner) {
        let (a, rest) = block.split_at(inner);
        let (b, c) = rest.split_at(inner);
        let all = || a.iter().zip(b).zip(c);
        to.extend_from_slice(a);
        to.extend(all().map(|((a, b), c)| (a + b + c) / 2.0));
        to.extend(all().map(|((a, b), c)| (a - b + c) / 2.0));
        to.extend_from_slice(c);
    }
}

/// Transforms an array along each of its axes.
fn along_all(mut values: Vec<f64>, mut lengths: Vec<usize>, f: &dyn Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    for axis in 0..lengths.len() {
        let inner: usize = lengths[axis + 1..].iter().product();
        let outer: usize = lengths[..axis].iter().product();
        let length = lengths[axis];
        let line = |o: usize, i: usize| -> Vec<f64> {
            f(&(0..length).map(|k| values[(o * length + k) * inner + i]).collect::<Vec<_>>())
        };
        let lines: Vec<Vec<f64>> = (0..outer * inner).map(|p| line(p / inner, p % inner)).collect();
        let made = lines[0].len();
        let mut next = vec![0.0; outer * made * inner];
        for (p, line) in lines.into_iter().enumerate() {
            for (k, v) in line.into_iter().enumerate() {
                next[(p / inner * made + k) * inner + p % inner] = v;
            }
        }
        lengths[axis] = made;
        values = next;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(input: [usize; 5], columns: usize, kt: usize, stride: usize, pad: usize) -> Geometry {
        let [n, t, h, w, _] = input;
        Geometry {
            input,
            output: [n, (t + 2 * pad - kt) / stride + 1, h, w, columns],
            kernel: [kt, 3, 3],
            stride: [stride, 1, 1],
            dilation: [1; 3],
            pad: [pad, 1, 1],
            padding_mode: PaddingMode::Constant,
            pool: None,
            together: 1,
        }
    }

    /// Poolings of windows side by side.
    fn windows(l: &Geometry, kernel: [usize; 3], before: [usize; 3]) -> MaxPool {
        let windows = std::array::from_fn(|a| (l.output[a + 1] + before[a]).div_ceil(kernel[a]));
        MaxPool { kernel, stride: kernel, before, windows }
    }

    #[test]
    fn only_where_it_saves_something() {
        let of = |l: &Geometry| Winograd::choose(l, false).map(|w| w.frames);
        // C3D's convolutions 1, 2 and 5.
        assert_eq!(of(&lengths([1, 16, 112, 112, 3], 64, 3, 1, 1)), None);
        assert!(of(&lengths([1, 16, 56, 56, 64], 128, 3, 1, 1)).is_some());
        assert_eq!(of(&lengths([1, 2, 7, 7, 512], 512, 3, 1, 1)), Some(4));
        assert_eq!(of(&lengths([1, 1, 14, 14, 256], 256, 1, 1, 0)), Some(1));
        let few = lengths([1, 4, 8, 8, 4], 4, 3, 1, 1);
        assert_eq!((of(&few), Winograd::choose(&few, true).map(|w| w.frames)), (None, Some(1)));
        // The forms that the cases of conv3d are there for.
        assert_eq!(
            Winograd::choose(&lengths([2, 4, 3, 4, 100], 96, 3, 1, 1), true).map(|w| w.frames),
            Some(4)
        );
        assert_eq!(of(&Geometry { stride: [1, 2, 1], ..lengths([1, 2, 7, 7, 512], 512, 3, 1, 1) }), None);
    }

    #[test]
    fn parts_make_everything_once_from_what_they_need() {
        for (input, kt, stride, pad) in [
            ([1, 20, 256, 256, 8], 3, 1, 1),
            ([2, 21, 256, 256, 8], 3, 2, 2),
            ([3, 16, 256, 512, 4], 3, 1, 0),
            ([1, 9, 256, 512, 8], 1, 3, 0),
        ] {
            let l = lengths(input, 16, kt, stride, pad);
            let w = Winograd::choose(&l, true).unwrap();
            let parts = w.parts(&l);
            assert!(parts.len() > input[0], "{input:?}: {parts:?}");
            let [words_in, words_out] = w.words(&l);
            let mut next = 0;
            for p in &parts {
                assert_eq!((p.samples, p.first_sum), (1, next), "{parts:?}");
                next += p.sums;
                let one = (w.plane() * w.each()) as u64;
                assert!(p.factors as u64 * one * input[4] as u64 <= words_in, "{w:?} {p:?}");
                assert!(p.sums as u64 * one * 16 <= words_out, "{w:?} {p:?}");
                if w.frames == 1 {
                    // What the first and the last sums of the part see of the input is among its factors.
                    let (sample, frame) = (p.first_factor / input[1], p.first_factor % input[1]);
                    assert_eq!(sample, p.first_sum / l.output[1]);
                    let first = (p.first_sum % l.output[1] * stride) as i64 - pad as i64;
                    let last = first + ((p.sums - 1) * stride + kt - 1) as i64;
                    assert_eq!(frame as i64 - p.pad as i64, first, "{p:?}");
                    assert_eq!((frame + p.factors) as i64, (last + 1).min(input[1] as i64), "{p:?}");
                } else {
                    assert_eq!((p.first_factor, p.factors, p.pad), (p.first_sum, p.sums, 0));
                }
            }
            assert_eq!(next, input[0] * w.patches[0]);
        }
    }

    /// Windows of a pooling are patches, which are shifted as they are, or pairs that no part cuts.
    #[test]
    fn windows_are_patches() {
        let of = |l: &Geometry, kernel, before| {
            let pool = Some(windows(l, kernel, before));
            Winograd::choose(&Geometry { pool, ..*l }, true).map(|w| (w.patches, w.outputs, w.gathered))
        };
        let few = lengths([1, 5, 8, 7, 4], 4, 3, 1, 1);
        assert_eq!(of(&few, [1, 2, 2], [0; 3]), Some(([5, 4, 4], 1, 1)));
        assert_eq!(of(&few, [2, 2, 2], [0, 1, 1]), Some(([5, 5, 4], 1, 2)));
        assert_eq!(of(&few, [2, 2, 2], [1, 0, 0]), None);
        assert_eq!(of(&few, [2, 1, 2], [0; 3]), None);
        let many = lengths([1, 4, 8, 8, 100], 96, 3, 1, 1);
        assert_eq!(of(&many, [2, 2, 2], [0; 3]), Some(([2, 4, 4], 2, 1)));
        assert_eq!(of(&many, [1, 2, 2], [0; 3]), Some(([2, 4, 4], 2, 1)));

        let long = lengths([2, 21, 160, 160, 8], 16, 3, 2, 2);
        let pooled = Geometry { pool: Some(windows(&long, [2, 2, 2], [0; 3])), ..long };
        let w = Winograd::choose(&pooled, true).unwrap();
        let parts = w.parts(&pooled);
        assert!(w.gathered == 2 && parts.len() > 2, "{w:?} {parts:?}");
        let of_sample = |p: &Part| p.first_sum % w.patches[0];
        assert!(parts.iter().all(|p| of_sample(p) % 2 == 0), "{parts:?}");
        assert_eq!(parts.iter().map(|p| p.sums).sum::<usize>(), 2 * w.patches[0]);
    }

    /// What is packed for the kernel is G of each window alone.
    #[test]
    fn weights_are_filters() {
        for (kt, frames, outputs) in [(1, 1, 1), (3, 1, 1), (3, 4, 2)] {
            let w = Winograd {
                frames,
                outputs,
                patches: [1; 3],
                shift: [0; 3],
                gathered: 1,
                part: 1,
                samples: 1,
            };
            let (channels, columns, each) = (4, CACHED_COLUMNS + 4, 16 * frames);
            let value = |i: usize| ((i * 7919) % 1009) as f32 / 504.0 - 1.0;
            let weight = Tensor::from_fn(&[kt, 3, 3, channels, columns], value).unwrap();
            let packed = w.weights(&weight).unwrap();
            let taps = if frames == 1 { kt } else { 1 };
            assert_eq!(**packed.shape(), [taps * channels, each * columns]);
            let at =
                |p: usize, channel, column| f64::from(value((p * channels + channel) * columns + column));
            for (i, got) in packed.f32s().unwrap().iter().enumerate() {
                let (k, factor, column) = (i / columns / each, i / columns % each, i % columns);
                let (tap, channel) = (k / channels, k % channels);
                let frames = if frames == 1 { 1 } else { 3 };
                let window: Vec<f64> =
                    (9 * tap..9 * (tap + frames)).map(|p| at(p, channel, column)).collect();
                assert_eq!(*got, w.filters(&window, 1.0)[factor] as f32, "{kt} {frames} {i}");
            }
        }
    }

    /// Where nothing is negative, magnitudes of filters and factors are more than the sums themselves.
    #[test]
    fn magnitudes_are_at_least_the_sums() {
        for kt in [1, 3] {
            let l = lengths([1, 4, 5, 4, 8], 8, kt, 1, kt / 2);
            for (frames, outputs) in [(1, 1), (4, 2)] {
                if kt == 1 && frames == 4 {
                    continue;
                }
                let patches = [l.output[1].div_ceil(outputs), 3, 2];
                let w = Winograd {
                    frames,
                    outputs,
                    patches,
                    shift: [0; 3],
                    gathered: 1,
                    part: patches[0],
                    samples: 1,
                };
                let x: Vec<f32> = (0..4 * 5 * 4 * 8).map(|i| (i % 5) as f32).collect();
                let weight: Vec<f32> = (0..kt * 9 * 64).map(|i| (i % 3) as f32).collect();
                let plain = kinetograph_ref::conv3d::conv3d(
                    &x,
                    l.input,
                    &weight,
                    [kt, 3, 3, 8, 8],
                    [None, None],
                    &kinetograph_ref::conv3d::Conv3d {
                        stride: [1; 3],
                        padding: [[kt / 2; 2], [1; 2], [1; 2]],
                        outside: kinetograph_ref::conv3d::Outside::Zeros,
                        dilation: [1; 3],
                        groups: 1,
                    },
                    |s| s,
                );
                let magnitudes = w.magnitudes(&x, &weight, &l);
                assert_eq!(magnitudes.len(), plain.len());
                let greatest = plain.iter().fold(0.0, |m, p| f64::max(m, f64::from(*p)));
                let pairs = || magnitudes.iter().zip(&plain);
                assert!(pairs().all(|(m, p)| *m >= f64::from(*p)));
                // Each axis multiplies a sum of equal products by 8/3.
                assert!(pairs().all(|(m, _)| *m <= 19.0 * greatest), "{kt} {frames} {greatest}");
            }
        }
    }
}
