use super::{super::Fill, Case};
use crate::graph::Activation;

pub(super) fn cases() -> Vec<Case> {
    let mut list: Vec<Case> = [
        ("one-row", 1, 37, 130),
        ("few-rows", 3, 64, 256),
        ("rows-of-a-tile-and-one", 65, 20, 65),
        ("many-rows", 130, 33, 24),
        ("one-column", 5, 19, 1),
        ("one-product", 7, 1, 6),
        ("deep", 2, 3000, 12),
        ("slices", 70, 1000, 36),
        ("slices-odd", 9, 3001, 13),
        ("matrices", 150, 70, 140),
        ("large-tiles", 1025, 12, 1025),
        ("wide-tiles", 60, 4, 16_390),
        ("few-rows-tiles", 20, 4, 17_000),
        ("few-columns-tiles", 17_000, 4, 20),
    ]
    .into_iter()
    .map(|(name, rows, i, o)| {
        Case::new(format!("linear/{name}"), &[&[rows, i], &[i, o], &[o]], |g, v| {
            g.linear(v[0], v[1], Some(v[2]))
        })
        .weights_from(1)
        .exact_on_integers()
    })
    .map(|case| match &case.name[..] {
        "linear/slices-odd" | "linear/matrices" => case.in_every_tile(),
        _ => case,
    })
    .collect();
    for f in Activation::ALL.into_iter().skip(1) {
        let case = Case::new(format!("linear/{}", f.name()), &[&[9, 12], &[12, 10]], move |g, v| {
            let y = g.linear(v[0], v[1], None)?;
            g.activation(y, f)
        });
        list.push(case.weights_from(1));
    }
    for (name, rows, columns) in [("residual", 9, 12), ("residual-one-row", 1, 70), ("residual-odd", 35, 5)] {
        let shapes: [&[usize]; 4] = [&[rows, 12], &[12, columns], &[columns], &[rows, columns]];
        let case = Case::new(format!("linear/{name}"), &shapes, |g, v| {
            let y = g.linear(v[0], v[1], Some(v[2]))?;
            let y = g.add(v[3], y)?;
            g.relu(y)
        });
        list.push(case.exact_on_integers());
    }
    for (name, rows, columns) in [("nan-few-rows", 2, 24), ("nan", 70, 9)] {
        let case = Case::new(format!("linear/{name}"), &[&[rows, 5], &[5, columns], &[columns]], |g, v| {
            g.linear(v[0], v[1], Some(v[2]))
        });
        // Only some rows have a NaN, and no weight.
        list.push(case.between(1, -1.0, 1.0).between(2, -1.0, 1.0).fills([Fill::SomeNan]));
    }
    list.push(
        Case::new("linear/outer-axes-free-weight", &[&[2, 3, 5, 8], &[8, 12]], |g, v| {
            g.linear(v[0], v[1], None)
        })
        .exact_on_integers(),
    );
    list
}
