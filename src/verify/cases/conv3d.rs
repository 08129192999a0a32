use super::Case;
use crate::graph::Activation;
use crate::ops::{Conv3d, Padding};

/// `[N, T, H, W, C]`, `[kT, kH, kW]`, output channels; the weight's shape follows.
fn case(name: &str, input: [usize; 5], kernel: [usize; 3], cout: usize, a: Conv3d) -> Case {
    with(name, input, kernel, cout, a, Activation::Identity)
}

fn with(name: &str, x: [usize; 5], k: [usize; 3], cout: usize, a: Conv3d, f: Activation) -> Case {
    let weight = [k[0], k[1], k[2], x[4] / a.groups.max(1), cout];
    let case = Case::new(format!("conv3d/{name}"), &[&x, &weight, &[cout]], move |g, v| {
        let y = g.conv3d(v[0], v[1], Some(v[2]), &a)?;
        if f == Activation::Identity { Ok(y) } else { g.activation(y, f) }
    });
    let case = case.weights_from(1);
    if matches!(f, Activation::Identity | Activation::Relu) { case.exact_on_integers() } else { case }
}

fn padded(padding: Padding) -> Conv3d {
    Conv3d { padding, ..Conv3d::default() }
}

pub(super) fn cases() -> Vec<Case> {
    let same = Conv3d::padded([1; 3]);
    let strided = |stride| Conv3d { stride, ..Conv3d::default() };
    let mut list = vec![
        case("first-layer", [1, 4, 9, 10, 3], [3, 3, 3], 16, same.clone()),
        case("c3d-middle", [1, 2, 7, 7, 32], [3, 3, 3], 40, same.clone()),
        case("batch", [3, 2, 5, 4, 8], [3, 3, 3], 12, same.clone()),
        case("one-position", [1, 1, 1, 1, 5], [1, 1, 1], 7, Conv3d::default()),
        case("pointwise", [2, 3, 5, 7, 24], [1, 1, 1], 20, Conv3d::default()),
        case("pointwise-stride", [1, 4, 6, 7, 12], [1, 1, 1], 16, strided([2, 2, 2])),
        case("patches", [1, 4, 8, 12, 3], [2, 4, 4], 24, strided([2, 4, 4])),
        case("patches-ragged", [1, 5, 9, 13, 3], [2, 4, 4], 8, strided([2, 4, 4])),
        case("kernel-is-input", [2, 3, 4, 5, 6], [3, 4, 5], 9, Conv3d::default()),
        case("spatial-only", [1, 3, 8, 9, 10], [1, 3, 3], 12, padded([[0, 0], [1, 1], [1, 1]])),
        case("temporal-only", [1, 6, 4, 5, 10], [3, 1, 1], 12, padded([[1, 1], [0, 0], [0, 0]])),
        case("causal", [1, 6, 4, 5, 4], [3, 3, 3], 8, padded([[2, 0], [1, 1], [1, 1]])),
        case("same-even", [1, 6, 8, 8, 3], [7, 7, 7], 8, {
            Conv3d { stride: [2; 3], padding: [[2, 3]; 3], ..Conv3d::default() }
        }),
        case("padding-beyond-kernel", [1, 2, 3, 3, 2], [1, 2, 2], 4, padded([[3, 1], [4, 0], [0, 5]])),
        case("dilated", [1, 5, 9, 9, 4], [3, 3, 3], 8, {
            Conv3d { dilation: [1, 2, 3], padding: [[1, 1], [2, 2], [3, 3]], ..Conv3d::default() }
        }),
        case("stride-beyond-kernel", [1, 7, 11, 13, 4], [2, 2, 2], 8, strided([3, 4, 5])),
        case("groups", [1, 3, 5, 6, 12], [3, 3, 3], 24, Conv3d { groups: 3, ..same.clone() }),
        case("groups-odd", [1, 2, 5, 6, 10], [1, 3, 3], 14, {
            Conv3d { groups: 2, padding: [[0, 0], [1, 1], [1, 1]], ..Conv3d::default() }
        }),
        case("depthwise", [1, 3, 6, 5, 9], [3, 3, 3], 9, Conv3d { groups: 9, ..same.clone() }),
        case("one-output-channel", [1, 3, 6, 5, 8], [3, 3, 3], 1, same.clone()),
        case("columns-of-a-tile-and-one", [1, 1, 3, 11, 5], [1, 1, 1], 65, Conv3d::default()),
        case("rows-of-a-tile-and-one", [1, 1, 5, 13, 5], [1, 1, 1], 16, Conv3d::default()),
    ];
    for f in Activation::ALL.into_iter().skip(1) {
        list.push(with(f.name(), [1, 2, 5, 5, 6], [3, 3, 3], 10, same.clone(), f));
    }
    let shapes: [&[usize]; 2] = [&[1, 3, 5, 5, 4], &[3, 3, 3, 4, 8]];
    list.push(
        Case::new("conv3d/no-bias-free-weight", &shapes, |g, v| {
            g.conv3d(v[0], v[1], None, &Conv3d::padded([1; 3]))
        })
        .exact_on_integers(),
    );
    list.push(
        Case::new("conv3d/free-weight-odd-columns", &[&[1, 3, 5, 5, 4], &[3, 3, 3, 4, 7]], |g, v| {
            g.conv3d(v[0], v[1], None, &Conv3d::padded([1; 3]))
        })
        .exact_on_integers(),
    );
    list
}
