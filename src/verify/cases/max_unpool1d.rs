use super::Case;
use crate::ops::{MaxUnpool1d, Pool1d};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("max_unpool1d/overlapping", &[&[2, 21, 6]], |g, v| {
            let (y, indices) = g.pool1d_with_indices(v[0], &Pool1d::max([3]).stride([2]).padded([1]))?;
            g.max_unpool1d(y, indices, &MaxUnpool1d::of([3]).stride([2]).padded([1]))
        })
        .exact_on_integers(),
    ]
}
