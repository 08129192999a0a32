use std::ops::RangeInclusive;

use super::{super::Fill, Case};
use crate::ops::ScatterAdd;

/// Name, shapes of tensor, indices and source, what the indices are, axis, whether rows.
type Row =
    (&'static str, &'static [usize], &'static [usize], &'static [usize], RangeInclusive<i32>, isize, bool);

pub(super) fn cases() -> Vec<Case> {
    let list: [Row; 6] = [
        ("channels", &[3, 5, 7], &[3, 5, 40], &[3, 5, 40], 0..=6, -1, false),
        ("a-part", &[4, 5, 6], &[9, 3, 4], &[9, 3, 4], 0..=3, 0, false),
        ("out-of-range", &[3, 5], &[2, 40], &[2, 40], -3..=7, 1, false),
        ("codes", &[8, 12], &[100], &[100, 12], 0..=7, 0, true),
        ("rows-last", &[2, 3, 7], &[4], &[2, 3, 4], -1..=7, 2, true),
        (
            "eight-axes",
            &[2, 1, 2, 1, 3, 1, 2, 1],
            &[2, 1, 1, 1, 5, 1, 2, 1],
            &[2, 1, 1, 1, 5, 1, 2, 1],
            0..=2,
            4,
            false,
        ),
    ];
    list.into_iter()
        .map(|(name, x, indices, source, range, dim, rows)| {
            let a = ScatterAdd { dim, rows };
            Case::new(format!("scatter_add/{name}"), &[x, indices, source], move |g, v| {
                g.scatter_add(v[0], v[1], v[2], &a)
            })
            .indices(1, range)
            .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
            .exact_on_integers()
        })
        .collect()
}
