use super::{super::Fill, Case};
use crate::ops::FarnebackUpdate;

fn case(name: &str, [n, h, w]: [usize; 3], winsize: usize, gaussian: bool) -> Case {
    let shapes: [&[usize]; 3] = [&[n, h, w, 5], &[n, h, w, 5], &[n, h, w, 2]];
    let a = FarnebackUpdate { winsize, gaussian };
    Case::new(format!("farneback_update/{name}"), &shapes, move |g, v| {
        g.farneback_update(v[0], v[1], v[2], &a)
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("box", [2, 13, 21], 5, false),
        case("gaussian", [1, 17, 14], 9, true),
        case("even", [1, 12, 11], 4, false),
        case("even-gaussian", [1, 12, 11], 6, true),
        case("wider-than-the-frame", [1, 6, 7], 15, false),
        case("far", [1, 14, 15], 3, false).fills([Fill::Scaled(5.0)]),
        case("one-row", [2, 1, 23], 3, true),
        case("one-pixel", [3, 1, 1], 2, false),
        // NaN in the flow alone: in an expansion it would leave no window without one.
        case("nan", [1, 15, 16], 2, true).between(0, -1.0, 1.0).between(1, -1.0, 1.0).fills([Fill::SomeNan]),
    ]
}
