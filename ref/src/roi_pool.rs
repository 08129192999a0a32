//! The largest elements under boxes, as `torchvision.ops.roi_pool`.

/// The cells of a bin along an axis of `length` cells, for a box from `low` to `high`.
fn cells(low: f32, high: f32, scale: f64, bin: i64, bins: i64, length: usize) -> std::ops::Range<usize> {
    // Halves away from zero; beyond a million cells no box goes.
    let [low, high] =
        [low, high].map(|x| (f64::from(x) * scale).clamp(-1_048_576.0, 1_048_576.0).round() as i64);
    let side = (high - low + 1).max(1);
    let inside = |at: i64| (low + at).clamp(0, length as i64) as usize;
    inside(bin * side / bins)..inside(((bin + 1) * side + bins - 1) / bins)
}

/// `x` is `[N, H, W, C]`, `boxes` `[K, 4]` (x1, y1, x2, y2); gives `[K, H', W', C]`, `output` being H', W'. `sample`
/// tells of which of the N a box is. A box that is not finite or of none of the N gives NaN, a bin without cells 0.
pub fn roi_pool(
    x: &[f32],
    [n, h, w, c]: [usize; 4],
    boxes: &[f32],
    sample: impl Fn(usize) -> i32,
    output: [usize; 2],
    scale: f64,
) -> Vec<f32> {
    let mut out = Vec::new();
    for (k, b) in boxes.chunks(4).enumerate() {
        let sample = usize::try_from(sample(k)).ok().filter(|s| *s < n && b.iter().all(|x| x.is_finite()));
        let Some(sample) = sample else {
            out.extend(std::iter::repeat_n(f32::NAN, output[0] * output[1] * c));
            continue;
        };
        for i in 0..output[0] {
            for j in 0..output[1] {
                for channel in 0..c {
                    let mut largest: Option<f32> = None;
                    for y in cells(b[1], b[3], scale, i as i64, output[0] as i64, h) {
                        for x_at in cells(b[0], b[2], scale, j as i64, output[1] as i64, w) {
                            let x = x[((sample * h + y) * w + x_at) * c + channel];
                            if largest.is_none_or(|m| x.is_nan() || x > m) {
                                largest = Some(x);
                            }
                        }
                    }
                    out.push(largest.unwrap_or(0.0));
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_overlap_and_corners_count() {
        // 0 to 4 of a row of six: bins of 5/2 cells.
        assert_eq!(cells(0.0, 4.0, 1.0, 0, 2, 6), 0..3);
        assert_eq!(cells(0.0, 4.0, 1.0, 1, 2, 6), 2..5);
        // Halves go away from zero, and what ends before it begins is one cell.
        assert_eq!(cells(1.0, 5.0, 0.5, 0, 1, 6), 1..4);
        assert_eq!(cells(-1.0, 3.0, 0.5, 0, 1, 6), 0..3);
        assert_eq!(cells(4.0, 1.0, 1.0, 0, 1, 6), 4..5);
        assert_eq!(cells(7.0, 9.0, 1.0, 0, 1, 6), 6..6);
    }

    #[test]
    fn the_largest_or_nothing() {
        let x: Vec<f32> = (0..12).map(|i| i as f32 - 20.0).collect();
        let pool = |b: [f32; 4]| roi_pool(&x, [1, 3, 4, 1], &b, |_| 0, [1, 2], 1.0);
        assert_eq!(pool([0.0, 0.0, 3.0, 1.0]), [-15.0, -13.0]);
        assert_eq!(pool([2.0, 1.0, 9.0, 2.0]), [-9.0, 0.0]);
        assert!(pool([f32::NAN, 1.0, 9.0, 2.0])[0].is_nan());
    }
}
