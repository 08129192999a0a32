use std::ops::RangeInclusive;

use super::{super::Fill, Case};

pub(super) fn cases() -> Vec<Case> {
    let list: [(&str, &[usize], RangeInclusive<i32>); 6] = [
        ("few", &[9, 5], 0..=30),
        ("rows", &[2, 3, 37], 0..=5),
        ("many", &[3, 1000], 0..=20),
        ("negative", &[20, 4], -3..=3),
        ("empty-rows", &[30, 2], 0..=1),
        // Few counts above zero: the bound grows with the entropy.
        ("longer-than-one-walk", &[2, 30_001], -5000..=1),
    ];
    list.into_iter()
        .map(|(name, shape, counts)| {
            Case::new(format!("perplexity/{name}"), &[shape], |g, v| g.perplexity(v[0]))
                .indices(0, counts)
                .fills([Fill::Normal])
        })
        .collect()
}
