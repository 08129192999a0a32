use super::{super::Fill, Case};
use crate::ops::AdaptivePool2d;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("adaptive_pool2d/average-cutout", &[&[1, 15, 17, 3]], |g, v| {
            g.adaptive_pool2d(v[0], &AdaptivePool2d::average([7, 6]))
        }),
        Case::new("adaptive_pool2d/max-one-axis", &[&[2, 9, 8, 8]], |g, v| {
            g.adaptive_pool2d(
                v[0],
                &AdaptivePool2d { output_size: [Some(4), None], ..AdaptivePool2d::default() },
            )
        })
        .exact_on_integers(),
        Case::several("adaptive_pool2d/indices", &[&[1, 7, 9, 4]], |g, v| {
            let (y, indices) = g.adaptive_pool2d_with_indices(v[0], &AdaptivePool2d::max([3, 2]))?;
            Ok(vec![y, indices])
        })
        .fills([Fill::Normal, Fill::SomeNan]),
    ]
}
