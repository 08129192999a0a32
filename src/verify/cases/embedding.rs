use std::ops::RangeInclusive;

use super::{super::Fill, Case};

/// Name, shape of the indices, shape of the table, what the indices are.
type Row = (&'static str, &'static [usize], [usize; 2], RangeInclusive<i32>);

pub(super) fn cases() -> Vec<Case> {
    let list: [Row; 5] = [
        ("tokens", &[2, 7], [40, 12], 0..=39),
        ("odd-channels", &[3, 5, 2], [9, 67], 0..=8),
        ("one-channel", &[70], [300, 1], 0..=299),
        ("one-index", &[], [6, 5], 0..=5),
        ("out-of-range", &[3, 25], [4, 7], -2..=5),
    ];
    list.into_iter()
        .map(|(name, indices, table, range)| {
            Case::new(format!("embedding/{name}"), &[indices, &table], |g, v| g.embedding(v[0], v[1]))
                .indices(0, range)
                .weights_from(1)
                .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
                .exact_on_integers()
        })
        .collect()
}
