use super::{super::Fill, Case};
use crate::ops::Kind;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("cast/to-floats", &[&[3, 5, 67]], |g, v| g.cast(v[0], Kind::Float))
            .indices(0, -2000..=2000),
        Case::new("cast/of-large-integers", &[&[3, 5, 67]], |g, v| g.cast(v[0], Kind::Float))
            .indices(0, -1_000_000_000..=1_000_000_000),
        Case::new("cast/to-integers", &[&[3, 5, 67]], |g, v| g.cast(v[0], Kind::Int)).fills([
            Fill::Integers,
            Fill::SomeNan,
            Fill::Scaled(30.0),
            Fill::Scaled(1e10),
        ]),
        Case::new("cast/of-infinity", &[&[40]], |g, v| g.cast(v[0], Kind::Int)).fills([Fill::Masked]),
    ]
}
