use std::ops::RangeInclusive;

use super::{super::Fill, Case};

pub(super) fn cases() -> Vec<Case> {
    let list: [(&str, &[usize], usize, RangeInclusive<i32>); 6] = [
        ("few", &[2, 7], 5, 0..=4),
        ("one-index", &[], 3, 1..=1),
        ("video", &[2, 3, 10, 10], 50, 0..=49),
        ("several-workgroups", &[3000], 1500, 0..=1499),
        ("out-of-range", &[500], 30, -40..=60),
        ("longer-than-one-walk", &[61_001], 700, 0..=699),
    ];
    list.into_iter()
        .map(|(name, shape, bins, range)| {
            Case::new(format!("bincount/{name}"), &[shape], move |g, v| g.bincount(v[0], bins))
                .indices(0, range)
                .fills([Fill::Integers])
        })
        .collect()
}
