use super::{super::Fill, Case};
use crate::ops::Pool;

pub(super) fn cases() -> Vec<Case> {
    // Multiples of eleven channels, some of which `Fill::SomeNan` makes NaN altogether.
    let shapes: [(&str, &[usize]); 4] = [
        ("video-head", &[2, 2, 7, 7, 88]),
        ("squeeze", &[1, 4, 9, 8, 55]),
        ("frames", &[3, 6, 6, 44]),
        ("row", &[2, 40, 11]),
    ];
    let mut list = Vec::new();
    for (name, shape) in shapes {
        for (prefix, mode) in [("max", Pool::Max), ("average", Pool::Average)] {
            let name = format!("global_pool/{prefix}-{name}");
            let case = Case::new(name, &[shape], move |g, v| g.global_pool(v[0], mode));
            list.push(if mode == Pool::Max { case.fills([Fill::Normal, Fill::SomeNan]) } else { case });
        }
    }
    list
}
