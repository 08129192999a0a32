//! Non-maximum suppression, as `torchvision.ops.nms` and `batched_nms`.

use std::cmp::Ordering;

/// The numbers of the boxes `[K, 4]`, each (x1, y1, x2, y2), that are left, by falling score: each takes away those of
/// its class after it whose intersection with it is more than `iou_threshold` of their union. Boxes whose score is not
/// more than `score_threshold`, if there is one, are left out. Without `classes` all boxes are of one.
pub fn nms(
    boxes: &[f32],
    scores: &[f32],
    classes: Option<&[i32]>,
    iou_threshold: f64,
    score_threshold: Option<f32>,
) -> Vec<i32> {
    let mut order: Vec<usize> =
        (0..scores.len()).filter(|i| score_threshold.is_none_or(|least| scores[*i] > least)).collect();
    order.sort_by(|a, b| by_falling_score(scores[*a], scores[*b]));
    let mut left: Vec<usize> = Vec::new();
    for i in order {
        let rival = |j: usize| classes.is_none_or(|c| c[i] == c[j]);
        if !left
            .iter()
            .any(|&j| rival(j) && overlap(&boxes[4 * j..][..4], &boxes[4 * i..][..4], iou_threshold))
        {
            left.push(i);
        }
    }
    left.into_iter().map(|i| i as i32).collect()
}

/// NaN is highest, as `torch.sort` has it.
fn by_falling_score(a: f32, b: f32) -> Ordering {
    b.partial_cmp(&a).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

/// Whether two boxes share more than `threshold` of the area that they cover; never with a coordinate that is NaN.
fn overlap(a: &[f32], b: &[f32], threshold: f64) -> bool {
    if a.iter().chain(b).any(|x| x.is_nan()) {
        return false;
    }
    let area = |b: &[f32]| (f64::from(b[2]) - f64::from(b[0])) * (f64::from(b[3]) - f64::from(b[1]));
    let side = |i: usize| (f64::from(a[i + 2].min(b[i + 2])) - f64::from(a[i].max(b[i]))).max(0.0);
    let shared = side(0) * side(1);
    shared > 0.0 && shared > threshold * (area(a) + area(b) - shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second and third overlap the first by 3/5 and 1/3; the last is far away.
    const BOXES: [f32; 16] = [0., 0., 4., 4., 0., 1., 4., 5., 2., 0., 6., 4., 9., 9., 10., 10.];

    #[test]
    fn the_best_takes_away_what_overlaps_it() {
        let scores = [0.9, 0.8, 0.7, 0.1];
        let with = |threshold, least| nms(&BOXES, &scores, None, threshold, least);
        assert_eq!(with(0.7, None), [0, 1, 2, 3]);
        assert_eq!(with(0.5, None), [0, 2, 3]);
        assert_eq!(with(0.2, None), [0, 3]);
        assert_eq!(with(0.2, Some(0.1)), [0]);
        assert_eq!(nms(&BOXES, &scores, Some(&[1, 2, 1, 1]), 0.2, None), [0, 1, 3]);
    }

    /// What is taken away takes nothing away.
    #[test]
    fn the_second_leaves_the_third_when_the_first_takes_the_second() {
        let boxes = [0., 0., 4., 1., 1., 0., 5., 1., 2., 0., 6., 1.];
        assert_eq!(nms(&boxes, &[3.0, 2.0, 1.0], None, 0.5, None), [0, 2]);
        assert_eq!(nms(&boxes, &[1.0, 2.0, 1.0], None, 0.5, None), [1]);
    }

    #[test]
    fn ties_go_by_number_and_nan_comes_first() {
        assert_eq!(nms(&BOXES, &[1.0; 4], None, 1.0, None), [0, 1, 2, 3]);
        assert_eq!(nms(&BOXES, &[1.0, f32::NAN, 2.0, f32::INFINITY], None, 1.0, None), [1, 3, 2, 0]);
        assert_eq!(nms(&BOXES, &[0.0, -0.0, 0.0, -1.0], None, 1.0, None), [0, 1, 2, 3]);
    }
}
