use super::{super::Fill, Case};
use crate::ops::Unary;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("masked_fill/attention", &[&[2, 3, 7, 7], &[7, 7]], |g, v| {
            g.masked_fill(v[0], v[1], f32::NEG_INFINITY)
        })
        .indices(1, 0..=1)
        .fills([Fill::Normal, Fill::SomeNan]),
        Case::new("masked_fill/float-mask", &[&[3, 67], &[1, 67]], |g, v| {
            let mask = g.unary(v[1], Unary::Round)?;
            g.masked_fill(v[0], mask, 0.5)
        })
        .between(1, 0.0, 1.0),
        Case::new("masked_fill/of-integers", &[&[3, 67], &[3, 67]], |g, v| g.masked_fill(v[0], v[1], -7.0))
            .indices(0, 0..=70_000)
            .indices(1, 0..=1),
    ]
}
