use std::ops::RangeInclusive;

use super::{super::Fill, Case};
use crate::ops::Gather;

/// Name, shapes of tensor and indices, what the indices are, axis, whether rows.
type Row = (&'static str, &'static [usize], &'static [usize], RangeInclusive<i32>, isize, bool);

pub(super) fn cases() -> Vec<Case> {
    let list: [Row; 8] = [
        ("channels", &[3, 5, 7], &[3, 5, 4], 0..=6, -1, false),
        ("frames", &[2, 6, 3, 5], &[2, 9, 3, 5], 0..=5, 1, false),
        ("a-part", &[4, 5, 6], &[2, 3, 4], 0..=3, 0, false),
        ("out-of-range", &[3, 5], &[3, 40], -3..=7, 1, false),
        ("rows-first", &[6, 3, 5], &[13], 0..=5, 0, true),
        ("rows-last", &[2, 3, 7], &[4], 0..=6, 2, true),
        ("rows-out-of-range", &[3, 5, 2], &[20], -3..=7, 1, true),
        ("eight-axes", &[2, 1, 2, 1, 3, 1, 2, 1], &[2, 1, 2, 1, 5, 1, 2, 1], 0..=2, 4, false),
    ];
    let mut list: Vec<Case> = list
        .into_iter()
        .map(|(name, x, indices, range, dim, rows)| {
            let a = Gather { dim, rows };
            Case::new(format!("gather/{name}"), &[x, indices], move |g, v| g.gather(v[0], v[1], &a))
                .indices(1, range)
                .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
                .exact_on_integers()
        })
        .collect();
    list.push(
        Case::new("gather/of-integers", &[&[3, 5], &[3, 20]], |g, v| {
            g.gather(v[0], v[1], &Gather { dim: 1, rows: false })
        })
        .indices(0, -70_000..=70_000)
        .indices(1, -1..=5),
    );
    list
}
