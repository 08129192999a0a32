use super::{super::Fill, Case};
use crate::ops::Tvl1;

/// `inner` iterations after each of `outer` medians, never ended early.
fn fixed(inner: usize, outer: usize, median: usize) -> Tvl1 {
    Tvl1 {
        inner_iterations: inner,
        outer_iterations: outer,
        median_filtering: median,
        epsilon: 0.0,
        ..Tvl1::default()
    }
}

fn case(name: &str, [n, h, w]: [usize; 3], a: Tvl1) -> Case {
    let shapes: [&[usize]; 4] = [&[n, h, w, 3], &[n, h, w, 1], &[n, h, w, 2], &[n, h, w, 4]];
    Case::several(format!("tvl1/{name}"), &shapes, move |g, v| {
        let (flow, dual) = g.tvl1(v[0], v[1], v[2], Some(v[3]), &a)?;
        Ok(vec![flow, dual])
    })
    .between(3, -0.5, 0.5)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("one", [2, 9, 13], fixed(1, 1, 0)),
        case("three", [1, 35, 51], fixed(3, 1, 0)),
        case("five", [2, 30, 26], fixed(5, 1, 0)),
        case("median", [1, 17, 20], fixed(2, 2, 5)),
        case("small-median", [1, 17, 20], fixed(1, 2, 3)),
        case("none", [1, 4, 5], fixed(0, 1, 0)),
        case("one-pixel", [3, 1, 1], fixed(2, 1, 5)),
        case("one-row", [1, 1, 40], fixed(2, 1, 3)),
        case("steep", [1, 20, 18], Tvl1 { lambda: 2.0, theta: 0.5, tau: 0.1, ..fixed(2, 1, 0) })
            .fills([Fill::Scaled(40.0)]),
        // The first iteration moves the flow by more, the second by less.
        case("stops", [2, 18, 33], Tvl1 { epsilon: 0.05, ..fixed(2, 2, 3) }),
        case("goes-on", [2, 18, 33], Tvl1 { epsilon: 1e-6, ..fixed(2, 2, 3) }),
        Case::several("tvl1/no-dual", &[&[1, 9, 13, 3], &[1, 9, 13, 1], &[1, 9, 13, 2]], |g, v| {
            let (flow, dual) = g.tvl1(v[0], v[1], v[2], None, &fixed(2, 1, 0))?;
            Ok(vec![flow, dual])
        }),
        case("nan", [1, 12, 14], fixed(1, 1, 0)).fills([Fill::SomeNan]),
    ]
}
