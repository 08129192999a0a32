use super::Case;
use crate::ops::AdaptivePool1d;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("adaptive_pool1d/average", &[&[2, 23, 8]], |g, v| {
            g.adaptive_pool1d(v[0], &AdaptivePool1d::average([5]))
        }),
        Case::several("adaptive_pool1d/indices", &[&[2, 23, 3]], |g, v| {
            let (y, indices) = g.adaptive_pool1d_with_indices(v[0], &AdaptivePool1d::max([4]))?;
            Ok(vec![y, indices])
        }),
    ]
}
