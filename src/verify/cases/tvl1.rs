use super::{super::Fill, Case};
use crate::graph::{Graph, Value};
use crate::ops::{Tvl1, Tvl1State};
use crate::{Result, Tensor};

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

/// The dual field first.
fn first(inner: usize, dual_iterations: usize) -> Tvl1 {
    Tvl1 { dual_iterations, ..fixed(inner, 1, 0) }
}

fn all(g: &mut Graph, v: &[Value], a: &Tvl1) -> Result<Vec<Value>> {
    let state = Tvl1State { flow: v[2], dual: v.get(3).copied(), settled: v.get(4).copied() };
    let after = g.tvl1(v[0], v[1], state, a)?;
    Ok([Some(after.flow), after.dual, after.settled].into_iter().flatten().collect())
}

fn case(name: &str, [n, h, w]: [usize; 3], a: Tvl1) -> Case {
    let c = a.channels();
    let shapes: [&[usize]; 4] = [&[n, h, w, 3], &[n, h, w, 1], &[n, h, w, c], &[n, h, w, 2 * c]];
    Case::several(format!("tvl1/{name}"), &shapes, move |g, v| all(g, v, &a)).between(3, -0.5, 0.5)
}

pub(super) fn cases() -> Vec<Case> {
    let gamma = |a: Tvl1| Tvl1 { gamma: 0.7, ..a };
    vec![
        case("one", [2, 9, 13], fixed(1, 1, 0)),
        case("three", [1, 35, 51], fixed(3, 1, 0)),
        case("five", [2, 30, 26], fixed(5, 1, 0)),
        case("median", [1, 17, 20], fixed(2, 2, 5)),
        case("small-median", [1, 17, 20], fixed(1, 2, 3)),
        case("none", [1, 4, 5], fixed(0, 1, 0)),
        case("one-pixel", [3, 1, 1], fixed(2, 1, 5)),
        case("one-row", [1, 1, 40], fixed(2, 1, 3)),
        case("one-column", [1, 40, 1], fixed(2, 1, 3)),
        case("several-bands", [1, 61, 35], fixed(2, 1, 0)),
        case("steep", [1, 20, 18], Tvl1 { lambda: 2.0, theta: 0.5, tau: 0.1, ..fixed(2, 1, 0) })
            .fills([Fill::Scaled(40.0)]),
        // Half of the gradients are taken for none.
        case("flat", [1, 15, 18], Tvl1 { flat: 1.4, lambda: 2.0, ..fixed(2, 1, 0) }).fills([Fill::Normal]),
        // The first iteration moves the flow by more, the second by less.
        case("stops", [2, 18, 33], Tvl1 { epsilon: 0.05, ..fixed(2, 2, 3) }),
        case("stops-in-bands", [2, 61, 9], Tvl1 { epsilon: 0.05, ..fixed(4, 1, 0) }),
        case("goes-on", [2, 18, 33], Tvl1 { epsilon: 1e-6, ..fixed(2, 2, 3) }),
        case("gamma", [2, 9, 13], gamma(fixed(2, 1, 0))),
        case("gamma-median", [1, 17, 20], gamma(fixed(1, 2, 3))),
        case("gamma-stops", [2, 18, 33], Tvl1 { epsilon: 0.09, ..gamma(fixed(2, 2, 0)) }),
        case("dual-first", [2, 9, 13], first(2, 1)),
        case("dual-first-twice", [1, 11, 34], first(2, 2)),
        case("dual-first-gamma", [1, 10, 12], gamma(first(1, 2))),
        case("settles", [2, 9, 13], Tvl1 { epsilon: 9.0, ..first(2, 2) }).trust_constant_reference(),
        // The second of three pairs has been settled before.
        Case::several(
            "tvl1/settled",
            &[&[3, 7, 10, 3], &[3, 7, 10, 1], &[3, 7, 10, 2], &[3, 7, 10, 4]],
            |g, v| {
                let settled = g.constant("settled", Tensor::new(&[3], vec![0.0, 1.0, 0.0])?);
                let v: Vec<Value> = v.iter().copied().chain([settled]).collect();
                all(g, &v, &Tvl1 { epsilon: 1e-3, ..first(2, 2) })
            },
        )
        .between(3, -0.5, 0.5),
        Case::several("tvl1/no-dual", &[&[1, 9, 13, 3], &[1, 9, 13, 1], &[1, 9, 13, 2]], |g, v| {
            all(g, v, &fixed(2, 1, 0))
        }),
        case("nan", [1, 12, 14], fixed(1, 1, 0)).fills([Fill::SomeNan]),
        case("nan-dual-first", [1, 12, 14], first(1, 1)).fills([Fill::SomeNan]),
    ]
}
