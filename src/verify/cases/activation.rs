use super::{super::Fill, Case};
use crate::graph::Activation;

pub(super) fn cases() -> Vec<Case> {
    let mut list = Vec::new();
    for f in Activation::ALL {
        list.push(
            Case::new(format!("activation/{}", f.name()), &[&[3, 5, 67]], move |g, v| g.activation(v[0], f))
                .fills([Fill::Integers, Fill::Normal, Fill::SomeNan, Fill::Scaled(1e-3), Fill::Scaled(30.0)]),
        );
    }
    list
}
