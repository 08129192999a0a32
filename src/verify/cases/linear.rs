use super::{super::Fill, Case};
use crate::error::Error;
use crate::graph::Activation;
use crate::ops::{Norm, NormMode};

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
    list.extend(normalised());
    list
}

/// Normalisations of rows that the planner moves into the layer, with what it moves there besides.
fn normalised() -> Vec<Case> {
    let layer = Norm::over(NormMode::Layer, &[-1]);
    let rms = Norm::over(NormMode::Rms, &[-1]);
    // Factors and summands of the rows, the weight and a bias.
    let case = |name: &str, [rows, i, o]: [usize; 3], norm: &Norm| {
        let norm = norm.clone();
        let shapes: [&[usize]; 5] = [&[rows, i], &[i], &[i], &[i, o], &[o]];
        Case::new(format!("linear/norm-{name}"), &shapes, move |g, v| {
            let x = g.norm(v[0], Some(v[1]), Some(v[2]), &norm)?;
            g.linear(x, v[3], Some(v[4]))
        })
        .weights_from(1)
        .between(1, 0.5, 1.5)
    };
    let mut list: Vec<Case> = [
        ("one-row", [1, 37, 130], &layer),
        ("few-rows", [3, 256, 64], &layer),
        ("few-rows-rms", [4, 20, 9], &rms),
        ("many-rows", [130, 33, 24], &layer),
        ("rows-of-a-tile-and-one-rms", [65, 20, 65], &rms),
        ("one-column", [5, 19, 1], &layer),
        ("long", [70, 300, 20], &layer),
        ("long-rms", [70, 130, 34], &rms),
        ("slices", [70, 1000, 36], &layer),
        ("slices-odd", [9, 1001, 13], &rms),
        ("matrices", [150, 70, 140], &layer),
        ("large-tiles", [1025, 12, 1025], &layer),
    ]
    .into_iter()
    .map(|(name, lengths, norm)| case(name, lengths, norm))
    .map(|case| match &case.name[..] {
        "linear/norm-slices" | "linear/norm-matrices" => case.in_every_tile(),
        _ => case,
    })
    .collect();
    // Cancellation, and rows whose variance is no more than what is added to it.
    for (name, rows) in [("few-rows", 2), ("rows", 40)] {
        let plain = |case: Case| case.between(2, -1.0, 1.0).between(3, -1.0, 1.0).between(4, -1.0, 1.0);
        let far = plain(case(&format!("far-{name}"), [rows, 132, 24], &layer));
        list.push(far.fills([Fill::About(1000.0)]));
        // Only some rows have a NaN.
        let nan = plain(case(&format!("nan-{name}"), [rows, 5, 24], &layer));
        list.push(nan.fills([Fill::SomeNan]));
        let small = layer.clone().eps(0.01);
        list.push(plain(case(&format!("eps-{name}"), [rows, 24, 17], &small)).fills([Fill::Scaled(0.1)]));
        let small = rms.clone().eps(0.01);
        list.push(plain(case(&format!("eps-rms-{name}"), [rows, 24, 17], &small)).fills([Fill::Scaled(0.1)]));
    }
    // Rows [2, 3, 5] of a tensor, no bias, no factors: one comes to be where there is something to add.
    list.push(
        Case::new("linear/norm-outer-axes", &[&[2, 3, 5, 8], &[8, 12]], move |g, v| {
            let x = g.norm(v[0], None, None, &rms)?;
            g.linear(x, v[1], None)
        })
        .weights_from(1),
    );
    for own in [false, true] {
        let (layer, name) = (layer.clone(), if own { "norm-residual-itself" } else { "norm-residual" });
        let shapes: [&[usize]; 5] = [&[35, 12], &[35, 12], &[12], &[12], &[12, 12]];
        let residual = Case::new(format!("linear/{name}"), &shapes[usize::from(own)..], move |g, v| {
            let [x, .., weight, bias, w] = v[..] else { return Err(Error::internal("five inputs or four")) };
            let y = g.norm(x, Some(weight), Some(bias), &layer)?;
            let y = g.linear(y, w, None)?;
            let y = g.add(v[usize::from(!own)], y)?;
            g.activation(y, Activation::Gelu)
        });
        list.push(residual.weights_from(2 - usize::from(own)));
    }
    list
}
