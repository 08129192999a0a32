use super::box_iou::boxes;
use super::{super::Fill, Case};
use crate::ops::RoiPool;

/// So many boxes from `low` on, with sides up to `side`, of any of the samples.
fn case(name: &str, input: [usize; 4], count: usize, [low, side]: [f32; 2], a: RoiPool) -> Case {
    let last = i32::try_from(input[0]).unwrap_or(1) - 1;
    Case::new(format!("roi_pool/{name}"), &[&input, &[count, 2], &[count, 2], &[count]], move |g, v| {
        let boxes = boxes(g, v[1], v[2])?;
        g.roi_pool(v[0], boxes, Some(v[3]), &a)
    })
    .between(1, low, low + 30.0)
    .between(2, 0.5, side)
    .indices(3, 0..=last)
    .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
}

pub(super) fn cases() -> Vec<Case> {
    let plain = RoiPool { output_size: [3, 4], spatial_scale: 0.25 };
    vec![
        case("plain", [2, 9, 11, 8], 6, [0.0, 40.0], plain),
        case("odd-channels", [3, 8, 7, 5], 5, [0.0, 20.0], RoiPool { output_size: [2; 2], ..plain }),
        case("smaller-than-a-cell", [1, 6, 6, 4], 7, [-5.0, 1.0], plain),
        case("beyond", [2, 5, 6, 8], 8, [-60.0, 300.0], plain).trust_constant_reference(),
        // Boxes of any sign without samples, and some that are not finite.
        Case::new("roi_pool/any-boxes", &[&[1, 5, 6, 4], &[12, 4]], move |g, v| {
            g.roi_pool(v[0], v[1], None, &RoiPool { spatial_scale: 2.0, ..plain })
        })
        .between(0, -1.0, 1.0)
        .fills([Fill::Normal, Fill::SomeNan])
        .trust_constant_reference(),
        case("no-such-sample", [2, 5, 6, 3], 8, [0.0, 20.0], plain).indices(3, -1..=2),
    ]
}
