use super::box_iou::boxes;
use super::{super::Fill, Case};
use crate::ops::Nms;

/// Boxes so many that each overlaps several others. That a pair shares as much as the threshold to the last bit, so
/// that rounding would decide, is improbable, and the cases have been seen to pass.
fn case(name: &str, shape: &[usize], classes: bool, a: Nms) -> Case {
    let corners = [shape, &[2]].concat();
    let shapes: &[&[usize]] =
        if classes { &[&corners, &corners, shape, shape] } else { &[&corners, &corners, shape] };
    let case = Case::several(format!("nms/{name}"), shapes, move |g, v| {
        let boxes = boxes(g, v[0], v[1])?;
        let (indices, count) = g.nms(boxes, v[2], v.get(3).copied(), &a)?;
        Ok(vec![indices, count])
    })
    .between(0, 0.0, 50.0)
    .between(1, 4.0, 30.0)
    .fills([Fill::Integers, Fill::Normal, Fill::SomeNan]);
    if classes { case.indices(3, 0..=3) } else { case }
}

pub(super) fn cases() -> Vec<Case> {
    let half = Nms::at(0.5);
    vec![
        case("few", &[9], false, half),
        case("hundred", &[100], false, Nms::at(0.3)),
        case("classes", &[130], true, half),
        case("several-words", &[600], true, Nms::at(0.6)),
        case("rows", &[2, 3, 40], false, half),
        case("rows-of-classes", &[3, 70], true, Nms::at(0.2)),
        case("score-threshold", &[2, 90], false, Nms { score_threshold: Some(0.25), ..half }),
        case("nothing-left-out", &[50], false, Nms::at(1.0)),
        case("no-overlap-at-all", &[80], false, Nms::at(0.0)),
        // As many as there may be: the loops are nearly as long as some drivers allow.
        case("most-boxes", &[4096], false, Nms::at(0.9)).fills([Fill::Normal]),
        case("one-box", &[1], false, half).trust_constant_reference(),
        // Whole numbers, so that many pairs share just the half, which is exact and not more than that.
        Case::several("nms/at-the-threshold", &[&[60, 2], &[60, 2], &[60]], move |g, v| {
            let sides = g.relu(v[1])?;
            let boxes = boxes(g, v[0], sides)?;
            let (indices, count) = g.nms(boxes, v[2], None, &half)?;
            Ok(vec![indices, count])
        })
        .fills([Fill::Integers]),
        // Sides of any sign, and NaN.
        Case::several("nms/any-boxes", &[&[64, 4], &[64]], move |g, v| {
            let (indices, count) = g.nms(v[0], v[1], None, &Nms::at(0.1))?;
            Ok(vec![indices, count])
        })
        .fills([Fill::Normal, Fill::SomeNan, Fill::Masked]),
    ]
}
