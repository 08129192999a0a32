//! Features under boxes, as `torchvision.ops.roi_align`.

/// The attributes.
#[derive(Debug, Clone, Copy)]
pub struct RoiAlign {
    /// Bins along H and W.
    pub output: [usize; 2],
    /// What boxes are multiplied with to be in cells of the input.
    pub scale: f64,
    /// Samples a bin along each axis; 0 for as many as there are cells in it, rounded up.
    pub ratio: usize,
    /// Whether half a cell is subtracted from the boxes, which may then be of any size; or none, and they are one cell
    /// large at least.
    pub aligned: bool,
}

/// Where a box lies along an axis of the input: its begin and its side.
pub fn side(low: f32, high: f32, p: &RoiAlign) -> [f64; 2] {
    let offset = if p.aligned { 0.5 } else { 0.0 };
    let [low, high] = [low, high].map(|x| f64::from(x) * p.scale - offset);
    [low, if p.aligned { high - low } else { (high - low).max(1.0) }]
}

/// The samples of a bin along an axis of `length` cells: those that lie inside it or at most a cell outside, and how
/// many there are in all.
pub fn samples(
    [low, side]: [f64; 2],
    bin: usize,
    bins: usize,
    length: usize,
    ratio: usize,
) -> (Vec<f64>, f64) {
    let size = side / bins as f64;
    let all = if ratio > 0 { ratio as f64 } else { size.ceil().max(0.0) };
    let start = low + bin as f64 * size;
    let at = |g: f64| start + (g + 0.5) * size / all;
    let (mut inside, mut g) = (Vec::new(), 0.0);
    // A box far larger than the input has more samples outside than one can wait for.
    if ratio == 0 && at(0.0) < -1.0 {
        g = ((-1.0 - start) / size * all - 2.0).floor().clamp(0.0, all);
    }
    while g < all && !(ratio == 0 && at(g) > length as f64) {
        inside.push(at(g));
        g += 1.0;
    }
    inside.retain(|at| (-1.0..=length as f64).contains(at));
    (inside, all)
}

/// The two cells about a place, and how much each counts.
fn neighbours(at: f64, length: usize) -> [(usize, f64); 2] {
    let at = at.max(0.0);
    let low = at.floor() as usize;
    if low >= length - 1 {
        return [(length - 1, 1.0), (length - 1, 0.0)];
    }
    [(low, 1.0 - (at - low as f64)), (low + 1, at - low as f64)]
}

/// `x` is `[N, H, W, C]`, `boxes` `[K, 4]` (x1, y1, x2, y2); gives `[K, H', W', C]`. `sample` tells of which of the N a
/// box is. A box that is not finite or of none of the N gives NaN.
pub fn roi_align(
    x: &[f32],
    [n, h, w, c]: [usize; 4],
    boxes: &[f32],
    sample: impl Fn(usize) -> i32,
    p: &RoiAlign,
) -> Vec<f32> {
    let mut out = Vec::new();
    for (k, b) in boxes.chunks(4).enumerate() {
        let sample = usize::try_from(sample(k)).ok().filter(|s| *s < n && b.iter().all(|x| x.is_finite()));
        let Some(sample) = sample else {
            out.extend(std::iter::repeat_n(f32::NAN, p.output[0] * p.output[1] * c));
            continue;
        };
        for i in 0..p.output[0] {
            for j in 0..p.output[1] {
                let (ys, all_y) = samples(side(b[1], b[3], p), i, p.output[0], h, p.ratio);
                let (xs, all_x) = samples(side(b[0], b[2], p), j, p.output[1], w, p.ratio);
                for channel in 0..c {
                    let mut sum = 0.0;
                    for y in &ys {
                        for x_at in &xs {
                            for (row, share_y) in neighbours(*y, h) {
                                for (column, share_x) in neighbours(*x_at, w) {
                                    let at = ((sample * h + row) * w + column) * c + channel;
                                    sum += share_y * share_x * f64::from(x[at]);
                                }
                            }
                        }
                    }
                    out.push((sum / (all_y * all_x).max(1.0)) as f32);
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: RoiAlign = RoiAlign { output: [1, 2], scale: 0.5, ratio: 0, aligned: true };

    /// y + 10·x over 4 × 4 cells.
    fn ramp() -> Vec<f32> {
        (0..16).map(|i| (i / 4 + 10 * (i % 4)) as f32).collect()
    }

    #[test]
    fn the_mean_of_a_ramp_is_its_middle() {
        let middles = |p: &RoiAlign| roi_align(&ramp(), [1, 4, 4, 1], &[1.0, 1.0, 5.0, 3.0], |_| 0, p);
        assert_eq!(middles(&PLAIN), [5.5, 15.5]);
        let thirds = middles(&RoiAlign { ratio: 3, ..PLAIN });
        assert!((thirds[0] - 5.5).abs() < 1e-5 && (thirds[1] - 15.5).abs() < 1e-5);
        assert_eq!(middles(&RoiAlign { aligned: false, ..PLAIN }), [11.0, 21.0]);
    }

    #[test]
    fn samples_far_outside_are_zeros_that_count() {
        let p = RoiAlign { output: [1, 1], scale: 1.0, ratio: 2, aligned: false };
        // Samples at −1.5 and 0.5 along W, 0.5 and 1.5 along H.
        let y = roi_align(&[8.0; 16], [1, 4, 4, 1], &[-2.5, 0.0, 1.5, 2.0], |_| 0, &p);
        assert_eq!(y, [4.0]);
        // Samples at −0.5 are on the edge.
        let y = roi_align(&[8.0; 16], [1, 4, 4, 1], &[-1.0, 0.0, 1.0, 2.0], |_| 0, &p);
        assert_eq!(y, [8.0]);
    }

    #[test]
    fn huge_boxes_end_and_boxes_of_nothing_are_nothing() {
        let huge = [-1e9, 0.0, 1e9, 4.0];
        let p = RoiAlign { output: [1, 1], scale: 1.0, ratio: 0, aligned: true };
        assert!(roi_align(&[8.0; 16], [1, 4, 4, 1], &huge, |_| 0, &p)[0] < 1e-6);
        assert_eq!(roi_align(&[8.0; 16], [1, 4, 4, 1], &[2.0; 4], |_| 0, &p), [0.0]);
        assert!(roi_align(&[8.0; 16], [1, 4, 4, 1], &[f32::INFINITY; 4], |_| 0, &p)[0].is_nan());
        assert!(roi_align(&[8.0; 16], [1, 4, 4, 1], &[2.0; 4], |_| 1, &p)[0].is_nan());
    }
}
