use super::{super::Fill, Case};
use crate::graph::Activation;
use crate::ops::{Binary, Unary};
use crate::tensor::DType;

pub(super) fn cases() -> Vec<Case> {
    let mut list = Vec::new();
    for f in Binary::ALL {
        let name = format!("{f:?}").to_lowercase();
        let case = |what: &str, last: usize| {
            let shape: &[usize] = &[3, 5, last];
            Case::new(format!("binary/{name}{what}"), &[shape, shape], move |g, v| g.binary(v[0], v[1], f))
        };
        // Random numbers are seldom equal, or zero.
        let few = matches!(
            f,
            Binary::Eq | Binary::Ne | Binary::LogicalAnd | Binary::LogicalOr | Binary::LogicalXor
        );
        if f.takes(DType::F32) {
            list.push(match f {
                // Integers are often zero, which no quotient may be asked about.
                Binary::Div => case("", 67).fills([Fill::About(8.0), Fill::SomeNan]),
                Binary::Pow => case("", 68).fills([Fill::Integers, Fill::Normal, Fill::SomeNan]),
                _ if few => {
                    let shape: &[usize] = &[3, 5, 68];
                    Case::new(format!("binary/{name}"), &[shape, shape], move |g, v| {
                        let (a, b) = (g.unary(v[0], Unary::Round)?, g.unary(v[1], Unary::Round)?);
                        g.binary(a, b, f)
                    })
                    .between(0, -1.5, 1.5)
                    .between(1, -1.5, 1.5)
                }
                _ => case("", 68).fills([Fill::Integers, Fill::Normal, Fill::SomeNan]).exact_on_integers(),
            });
        }
        if f.takes(DType::I32) {
            let most = if few { 1 } else { 40 };
            list.push(
                case("-of-integers", 67).indices(0, -most..=most).indices(1, -most.min(3)..=most.min(3)),
            );
        }
    }
    let shapes: [(&str, &[usize], &[usize]); 12] = [
        ("channels", &[2, 3, 4, 5], &[5]),
        ("channels-of-fours", &[2, 3, 5, 8], &[8]),
        ("places", &[2, 3, 5, 8], &[1, 1, 5, 8]),
        ("per-sample", &[2, 3, 4, 5], &[2, 1, 1, 1]),
        ("squeezed-channels", &[2, 3, 5, 8], &[2, 1, 1, 8]),
        ("a-mask", &[2, 3, 5, 8], &[2, 3, 5, 1]),
        ("both-ways", &[2, 1, 4, 1], &[3, 1, 5]),
        ("both-ways-of-fours", &[2, 1, 4], &[3, 1]),
        ("both-ways-of-fours-and-fours", &[2, 1, 8], &[3, 8]),
        ("scalar", &[2, 3, 4], &[]),
        ("one", &[2, 3, 4], &[1, 1, 1]),
        ("eight-axes", &[2, 1, 2, 1, 2, 1, 2, 1], &[1, 3, 1, 2, 1, 3, 1, 2]),
    ];
    for (name, a, b) in shapes {
        list.push(
            Case::new(format!("binary/broadcast-{name}"), &[a, b], |g, v| g.binary(v[0], v[1], Binary::Sub))
                .exact_on_integers(),
        );
    }
    list.push(
        Case::new("binary/broadcast-integers", &[&[2, 1, 5], &[3, 1]], |g, v| {
            g.binary(v[0], v[1], Binary::Mul)
        })
        .indices(0, -50..=50)
        .indices(1, -50..=50),
    );
    for f in Activation::ALL.into_iter().skip(1) {
        list.push(Case::new(format!("binary/add-{}", f.name()), &[&[3, 5, 8], &[3, 5, 8]], move |g, v| {
            let sum = g.add(v[0], v[1])?;
            g.activation(sum, f)
        }));
    }
    for (name, low, high) in [("pow-of-positive", 0.1, 5.0), ("pow-of-fractions", -1.0, 1.0)] {
        list.push(
            Case::new(format!("binary/{name}"), &[&[3, 5, 7], &[3, 5, 7]], |g, v| {
                g.binary(v[0], v[1], Binary::Pow)
            })
            .between(0, low, high)
            .between(1, -3.0, 4.0)
            .fills([Fill::Normal]),
        );
    }
    list.push(
        Case::new("binary/lt-of-infinity", &[&[3, 5, 8], &[3, 5, 8]], |g, v| {
            g.binary(v[0], v[1], Binary::Lt)
        })
        .fills([Fill::Masked]),
    );
    list
}
