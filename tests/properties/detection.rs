use kinetograph::ops::{Nms, RoiAlign};
use kinetograph::verify::Case;
use proptest::prelude::*;

use crate::hold;

#[test]
fn boxes_of_any_size_are_aligned() {
    let strategy = (
        (1usize..=2, 1usize..=9, 1usize..=9, 1usize..=8, 1usize..=4, 1usize..=5),
        (0.1f32..2.0, -1i32..=3, any::<bool>(), -20f32..10.0, 1f32..40.0),
    );
    hold(&strategy, |((n, h, w, c, out_h, out_w), (spatial_scale, sampling_ratio, aligned, low, side))| {
        let a = RoiAlign { output_size: [out_h, out_w], spatial_scale, sampling_ratio, aligned };
        Case::new("roi_align/drawn", &[&[n, h, w, c], &[5, 2], &[5, 2], &[5]], move |g, v| {
            let ends = g.add(v[1], v[2])?;
            let boxes = g.concat(&[v[1], ends], -1)?;
            g.roi_align(v[0], boxes, Some(v[3]), &a)
        })
        .between(1, low, low + 20.0)
        .between(2, 0.0, side)
        .indices(3, 0..=n as i32 - 1)
    });
}

/// Few boxes, so that rounding hardly ever decides.
#[test]
fn boxes_of_any_number_are_suppressed() {
    let strategy = (1usize..=40, 1usize..=3, 0.05f64..0.95, any::<[bool; 2]>());
    hold(&strategy, |(count, rows, threshold, [classes, least])| {
        let a = Nms { iou_threshold: threshold, score_threshold: least.then_some(0.1) };
        let shapes: &[&[usize]] = &[&[rows, count, 2], &[rows, count, 2], &[rows, count], &[rows, count]];
        Case::several("nms/drawn", shapes, move |g, v| {
            let ends = g.add(v[0], v[1])?;
            let boxes = g.concat(&[v[0], ends], -1)?;
            let (indices, counts) = g.nms(boxes, v[2], classes.then_some(v[3]), &a)?;
            Ok(vec![indices, counts])
        })
        .between(0, 0.0, 20.0)
        .between(1, 1.0, 15.0)
        .indices(3, 0..=2)
    });
}
