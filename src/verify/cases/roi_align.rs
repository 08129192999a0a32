use super::box_iou::boxes;
use super::{super::Fill, Case};
use crate::ops::RoiAlign;

/// So many boxes from `low` on, with sides up to `side`, of any of the samples.
fn case(name: &str, input: [usize; 4], count: usize, [low, side]: [f32; 2], a: RoiAlign) -> Case {
    let last = i32::try_from(input[0]).unwrap_or(1) - 1;
    Case::new(format!("roi_align/{name}"), &[&input, &[count, 2], &[count, 2], &[count]], move |g, v| {
        let boxes = boxes(g, v[1], v[2])?;
        g.roi_align(v[0], boxes, Some(v[3]), &a)
    })
    .between(1, low, low + 30.0)
    .between(2, 0.5, side)
    .indices(3, 0..=last)
}

pub(super) fn cases() -> Vec<Case> {
    let plain = RoiAlign { output_size: [3, 4], spatial_scale: 0.25, ..RoiAlign::default() };
    let aligned = RoiAlign { aligned: true, ..plain };
    vec![
        case("adaptive", [2, 9, 11, 8], 6, [0.0, 40.0], plain),
        case("aligned", [2, 9, 11, 8], 6, [0.0, 40.0], aligned),
        case("odd-channels", [3, 8, 7, 5], 5, [0.0, 20.0], RoiAlign { sampling_ratio: 2, ..aligned }),
        case("fixed-samples", [1, 8, 7, 4], 5, [-10.0, 50.0], RoiAlign { sampling_ratio: 3, ..plain }),
        // Boxes that reach beyond the features on both sides.
        case("beyond", [2, 5, 6, 8], 8, [-60.0, 300.0], RoiAlign { output_size: [2; 2], ..aligned })
            .trust_constant_reference(),
        case("smaller-than-a-cell", [1, 6, 6, 4], 7, [0.0, 1.0], aligned),
        case("one-cell-at-least", [1, 6, 6, 4], 7, [0.0, 1.0], plain),
        case("one-cell-of-features", [2, 1, 1, 4], 3, [-1.0, 3.0], RoiAlign { spatial_scale: 1.0, ..plain })
            .trust_constant_reference(),
        // One sample, and boxes of any sign, some with NaN.
        Case::new("roi_align/any-boxes", &[&[1, 5, 6, 4], &[12, 4]], move |g, v| {
            g.roi_align(v[0], v[1], None, &RoiAlign { spatial_scale: 2.0, ..aligned })
        })
        .fills([Fill::Normal])
        .trust_constant_reference(),
        Case::new("roi_align/not-finite", &[&[2, 5, 6, 3], &[12, 4], &[12]], move |g, v| {
            g.roi_align(v[0], v[1], Some(v[2]), &plain)
        })
        .between(0, -1.0, 1.0)
        .indices(2, -1..=2)
        .fills([Fill::SomeNan, Fill::Masked])
        .trust_constant_reference(),
    ]
}
