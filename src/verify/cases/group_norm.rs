use super::{super::Fill, Case};
use crate::graph::Activation;
use crate::ops::GroupNorm;

/// A case without weight and bias, and one with both.
fn cases_of(name: &str, shape: [usize; 5], a: GroupNorm) -> [Case; 2] {
    let channels = [shape[4]];
    let affine = a.clone();
    [
        Case::new(format!("group_norm/{name}"), &[&shape], move |g, v| g.group_norm(v[0], None, None, &a))
            .fills([Fill::Integers, Fill::Normal, Fill::About(1000.0), Fill::Scaled(1e-2)]),
        // The fills hold for weight and bias too: a bias of 1000 would hide everything.
        Case::new(format!("group_norm/{name}-affine"), &[&shape, &channels, &channels], move |g, v| {
            g.group_norm(v[0], Some(v[1]), Some(v[2]), &affine)
        })
        .weights_from(1)
        .fills([Fill::Normal, Fill::About(8.0), Fill::Scaled(1e-2)]),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    let of = GroupNorm::of;
    let mut list: Vec<Case> = [
        cases_of("video", [2, 3, 4, 5, 6], of(3)),
        cases_of("per-frame", [2, 3, 4, 5, 6], of(3).per_frame()),
        cases_of("one-group", [2, 2, 3, 5, 7], of(1)),
        cases_of("group-a-channel", [1, 2, 3, 5, 7], of(7)),
        cases_of("short-rows", [3, 1, 2, 3, 30], of(5)),
        cases_of("short-rows-per-frame", [3, 2, 1, 3, 30], of(5).per_frame()),
        cases_of("long-rows", [1, 4, 9, 11, 12], of(4)),
        cases_of("one-place", [5, 1, 1, 1, 64], of(4)),
        cases_of("longer-than-one-walk", [1, 2, 50, 50, 8], of(2)),
        cases_of("small-eps", [1, 2, 3, 4, 6], of(2).eps(1e-12)),
        cases_of("large-eps", [1, 2, 3, 4, 6], of(2).eps(3.0)),
    ]
    .into_iter()
    .flatten()
    .collect();
    for f in Activation::ALL.into_iter().skip(1) {
        let shapes: [&[usize]; 3] = [&[2, 2, 3, 4, 12], &[12], &[12]];
        let case = Case::new(format!("group_norm/{}", f.name()), &shapes, move |g, v| {
            let y = g.group_norm(v[0], Some(v[1]), Some(v[2]), &of(3))?;
            g.activation(y, f)
        });
        list.push(case.weights_from(1));
    }
    list.extend([
        Case::new("group_norm/weight-alone", &[&[1, 2, 3, 4, 6], &[6]], move |g, v| {
            g.group_norm(v[0], Some(v[1]), None, &of(2))
        })
        .weights_from(1),
        Case::new("group_norm/nan", &[&[20, 1, 1, 1, 10]], move |g, v| {
            g.group_norm(v[0], None, None, &of(2))
        })
        .fills([Fill::SomeNan]),
        Case::new("group_norm/nan-long-rows", &[&[2, 4, 5, 5, 10]], move |g, v| {
            g.group_norm(v[0], None, None, &of(2))
        })
        .fills([Fill::SomeNan])
        .trust_constant_reference(),
        // Deviations of some 30,000th of the mean; as f16, rows of two neighbouring numbers.
        Case::new("group_norm/near-constant", &[&[2, 2, 5, 7, 6]], move |g, v| {
            g.group_norm(v[0], None, None, &of(2).eps(1e-3))
        })
        .fills([Fill::About(30_008.0), Fill::About(-60_016.0)]),
    ]);
    list
}
