use super::{super::Fill, Case};
use crate::graph::Activation;

pub(super) fn cases() -> Vec<Case> {
    let fills = [Fill::Integers, Fill::Normal, Fill::SomeNan, Fill::Scaled(1e-3), Fill::Scaled(30.0)];
    let mut list = Vec::new();
    for f in Activation::ALL {
        list.push(
            Case::new(format!("activation/{}", f.name()), &[&[3, 5, 67]], move |g, v| g.activation(v[0], f))
                .fills(fills),
        );
    }
    for (name, f) in [
        ("of-fours", Activation::Silu),
        ("elu-alpha", Activation::Elu { alpha: 1.75 }),
        ("hard_tanh-limits", Activation::HardTanh { min: -0.25, max: 1.5 }),
        ("softplus-parameters", Activation::Softplus { beta: 2.5, threshold: 15.0 }),
    ] {
        list.push(
            Case::new(format!("activation/{name}"), &[&[3, 5, 68]], move |g, v| g.activation(v[0], f))
                .fills(fills),
        );
    }
    list
}
