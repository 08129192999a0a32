use super::{super::Fill, Case};
use crate::ops::{Pool1d, Pooling};

pub(super) fn cases() -> Vec<Case> {
    let asymmetric = Pooling { padding: [[2, 0]], ..Pool1d::average([3]).stride([1]) };
    vec![
        Case::new("pool1d/max-ceil", &[&[2, 30, 8]], |g, v| {
            g.pool1d(v[0], &Pool1d { ceil_mode: true, ..Pool1d::max([3]).stride([2]).padded([1]) })
        })
        .exact_on_integers(),
        Case::new("pool1d/average-causal", &[&[1, 17, 5]], move |g, v| g.pool1d(v[0], &asymmetric)),
        Case::several("pool1d/indices", &[&[2, 31, 4]], |g, v| {
            let (y, indices) = g.pool1d_with_indices(v[0], &Pool1d::max([4]).stride([3]))?;
            Ok(vec![y, indices])
        })
        .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
        .exact_on_integers(),
    ]
}
