use super::super::Fill;
use super::Case;
use crate::graph::Activation;
use crate::ops::{BatchNorm, ConvTranspose3d};

/// `[N, T, H, W, C]`, `[kT, kH, kW]`, output channels of a group; the weight's shape follows.
fn case(name: &str, x: [usize; 5], k: [usize; 3], cout: usize, a: ConvTranspose3d) -> Case {
    with(name, x, k, cout, a, Activation::Identity)
}

fn with(name: &str, x: [usize; 5], k: [usize; 3], cout: usize, a: ConvTranspose3d, f: Activation) -> Case {
    let weight = [k[0], k[1], k[2], x[4], cout];
    let case =
        Case::new(format!("conv_transpose3d/{name}"), &[&x, &weight, &[cout * a.groups]], move |g, v| {
            let y = g.conv_transpose3d(v[0], v[1], Some(v[2]), &a)?;
            if f == Activation::Identity { Ok(y) } else { g.activation(y, f) }
        });
    let case = case.weights_from(1);
    if matches!(f, Activation::Identity | Activation::Relu) { case.exact_on_integers() } else { case }
}

pub(super) fn cases() -> Vec<Case> {
    let plain = ConvTranspose3d::default();
    let strided = |stride| ConvTranspose3d { stride, ..plain.clone() };
    let twice = ConvTranspose3d { padding: [[1; 2]; 3], ..strided([2; 3]) };
    let mut list = vec![
        case("twice", [1, 3, 4, 5, 12], [4, 4, 4], 16, twice.clone()),
        case("twice-odd-kernel", [2, 2, 3, 4, 8], [3, 3, 3], 10, {
            ConvTranspose3d { output_padding: [1, 0, 1], ..twice.clone() }
        }),
        case("space-alone", [1, 3, 4, 5, 8], [1, 4, 4], 70, {
            ConvTranspose3d { padding: [[0; 2], [1; 2], [1; 2]], ..strided([1, 2, 2]) }
        }),
        case(
            "stride-one",
            [1, 3, 5, 4, 6],
            [3, 3, 3],
            8,
            ConvTranspose3d { padding: [[1; 2]; 3], ..plain.clone() },
        ),
        case("pointwise", [2, 3, 5, 7, 20], [1, 1, 1], 24, plain.clone()),
        case("patches", [1, 2, 3, 3, 8], [2, 4, 4], 12, strided([2, 4, 4])),
        case("gaps", [1, 2, 3, 4, 6], [2, 2, 1], 8, strided([3, 3, 4])),
        case("dilated", [1, 3, 4, 4, 4], [3, 2, 3], 8, {
            ConvTranspose3d { dilation: [2, 3, 2], padding: [[1, 2], [0, 1], [2, 0]], ..plain.clone() }
        }),
        case("dilated-and-strided", [1, 3, 4, 3, 4], [3, 3, 4], 8, {
            ConvTranspose3d { dilation: [3, 2, 4], output_padding: [2, 1, 3], ..strided([2, 4, 6]) }
        }),
        case("cut-unevenly", [1, 4, 4, 5, 5], [3, 4, 3], 7, {
            ConvTranspose3d { padding: [[0, 3], [4, 0], [1, 2]], ..strided([2, 3, 1]) }
        }),
        case("groups", [1, 2, 4, 5, 12], [3, 3, 2], 8, ConvTranspose3d { groups: 3, ..twice.clone() }),
        case(
            "groups-odd",
            [1, 2, 4, 3, 10],
            [2, 3, 3],
            7,
            ConvTranspose3d { groups: 2, ..strided([1, 2, 2]) },
        ),
        case("depthwise", [1, 3, 4, 4, 6], [3, 4, 4], 1, ConvTranspose3d { groups: 6, ..strided([1, 2, 2]) }),
        case("one-output-channel", [1, 3, 4, 5, 8], [3, 4, 4], 1, twice.clone()),
        case("one-position", [1, 1, 1, 1, 5], [2, 3, 4], 6, plain.clone()),
        case("batch-of-tiles", [3, 2, 5, 7, 4], [2, 2, 2], 68, strided([2, 2, 2])),
        case("matrices", [2, 3, 6, 7, 20], [2, 3, 3], 36, strided([1, 2, 2])).in_every_tile(),
    ];
    for f in [Activation::Relu, Activation::LeakyRelu { slope: 0.2 }, Activation::Gelu] {
        list.push(with(f.name(), [1, 2, 3, 3, 6], [3, 3, 3], 10, twice.clone(), f));
    }
    let free = twice.clone();
    list.push(
        Case::new(
            "conv_transpose3d/free-weight-groups",
            &[&[1, 3, 4, 4, 8], &[3, 4, 4, 8, 6]],
            move |g, v| g.conv_transpose3d(v[0], v[1], None, &ConvTranspose3d { groups: 2, ..free.clone() }),
        )
        .exact_on_integers(),
    );
    let residual = twice.clone();
    let shapes: [&[usize]; 4] = [&[1, 2, 3, 3, 6], &[4, 4, 4, 6, 10], &[10], &[1, 4, 6, 6, 10]];
    list.push(
        Case::new("conv_transpose3d/skip-relu", &shapes, move |g, v| {
            let y = g.conv_transpose3d(v[0], v[1], Some(v[2]), &residual)?;
            let y = g.add(y, v[3])?;
            g.relu(y)
        })
        .exact_on_integers(),
    );
    let grouped = ConvTranspose3d { groups: 2, ..twice };
    let shapes: [&[usize]; 6] = [&[1, 2, 3, 4, 6], &[4, 3, 4, 6, 5], &[10], &[10], &[10], &[10]];
    list.push(
        Case::new("conv_transpose3d/batch-norm-groups", &shapes, move |g, v| {
            let y = g.conv_transpose3d(v[0], v[1], None, &grouped)?;
            let y = g.batch_norm(y, [v[2], v[3]], Some(v[4]), Some(v[5]), &BatchNorm::default())?;
            g.activation(y, Activation::LeakyRelu { slope: 0.2 })
        })
        .weights_from(1)
        .between(3, 0.25, 4.0),
    );
    list.push(
        Case::new("conv_transpose3d/nan", &[&[1, 2, 5, 7, 4], &[2, 3, 3, 4, 8]], |g, v| {
            g.conv_transpose3d(
                v[0],
                v[1],
                None,
                &ConvTranspose3d { stride: [2; 3], ..ConvTranspose3d::default() },
            )
        })
        .between(1, -1.0, 1.0)
        .fills([Fill::SomeNan]),
    );
    list
}
