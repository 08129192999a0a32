use super::super::Fill;
use super::Case;
use crate::graph::{Activation, Graph, Value};
use crate::ops::{BatchNorm, Conv3d, Padding, PaddingMode, Pool3d};

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

/// A convolution that keeps its input's shape, and what `end` makes of the input and it.
fn residual(
    name: &str,
    x: [usize; 5],
    k: [usize; 3],
    a: Conv3d,
    end: impl Fn(&mut Graph, Value, Value) -> crate::Result<Value> + Send + Sync + 'static,
) -> Case {
    let weight = [k[0], k[1], k[2], x[4] / a.groups, x[4]];
    Case::new(format!("conv3d/{name}"), &[&x, &weight, &[x[4]]], move |g, v| {
        let y = g.conv3d(v[0], v[1], Some(v[2]), &a)?;
        end(g, v[0], y)
    })
    .weights_from(1)
    .exact_on_integers()
}

/// A convolution without bias, a batch normalisation, the input added where the shape is the same, an activation.
fn batch_norm(name: &str, x: [usize; 5], k: [usize; 3], cout: usize, a: Conv3d) -> Case {
    let weight = [k[0], k[1], k[2], x[4] / a.groups, cout];
    let shapes: [&[usize]; 6] = [&x, &weight, &[cout], &[cout], &[cout], &[cout]];
    Case::new(format!("conv3d/{name}"), &shapes, move |g, v| {
        let y = g.conv3d(v[0], v[1], None, &a)?;
        let mut y = g.batch_norm(y, [v[2], v[3]], Some(v[4]), Some(v[5]), &BatchNorm::default())?;
        if g.shape(y) == g.shape(v[0]) {
            y = g.add(y, v[0])?;
        }
        g.activation(y, Activation::Silu)
    })
    .weights_from(1)
    .between(3, 0.25, 4.0)
}

/// A convolution, ReLU and a pooling, which come to one node.
fn pooled(name: &str, x: [usize; 5], k: [usize; 3], cout: usize, a: Conv3d, pool: Pool3d) -> Case {
    pooled_with(name, x, k, cout, a, pool, Activation::Relu).exact_on_integers()
}

fn pooled_with(
    name: &str,
    x: [usize; 5],
    k: [usize; 3],
    cout: usize,
    a: Conv3d,
    pool: Pool3d,
    f: Activation,
) -> Case {
    let weight = [k[0], k[1], k[2], x[4] / a.groups, cout];
    let case = Case::new(format!("conv3d/pooled-{name}"), &[&x, &weight, &[cout]], move |g, v| {
        let y = g.conv3d(v[0], v[1], Some(v[2]), &a)?;
        let y = g.activation(y, f)?;
        g.pool3d(y, &pool)
    });
    case.weights_from(1)
}

fn pooled_cases() -> Vec<Case> {
    let same = || Conv3d::padded([1; 3]);
    let max = Pool3d::max;
    let clipped = |kernel| Pool3d { ceil_mode: true, ..max(kernel) };
    let grouped = |groups| Conv3d { groups, ..same() };
    let flat = || padded([[0, 0], [1, 1], [1, 1]]);
    let strided = |stride| Conv3d { stride, ..Conv3d::default() };
    let nan = |name: &str, x: [usize; 5], k: [usize; 3], a: Conv3d, pool: Pool3d| {
        let weight = [k[0], k[1], k[2], x[4], 8];
        Case::new(format!("conv3d/pooled-{name}"), &[&x, &weight], move |g, v| {
            let y = g.conv3d(v[0], v[1], None, &a)?;
            g.pool3d(y, &pool)
        })
        .weights_from(1)
        .between(1, -1.0, 1.0)
        .fills([Fill::SomeNan])
    };
    vec![
        pooled("1x2x2", [2, 3, 6, 8, 3], [3, 3, 3], 16, same(), max([1, 2, 2])),
        pooled("2x2x2", [1, 4, 10, 12, 6], [3, 3, 3], 10, same(), max([2, 2, 2])).in_every_tile(),
        pooled("2x1x1", [1, 6, 5, 7, 8], [3, 1, 1], 40, padded([[1, 1], [0; 2], [0; 2]]), max([2, 1, 1]))
            .in_every_tile(),
        pooled("1x1x4", [2, 2, 3, 16, 8], [1, 1, 1], 12, Conv3d::default(), max([1, 1, 4])),
        pooled("lines", [2, 3, 6, 8, 3], [3, 3, 3], 16, same(), max([1, 2, 2])).in_lines(),
        pooled("rest", [1, 5, 9, 11, 7], [2, 2, 2], 9, same(), max([2, 2, 2])),
        pooled("clipped", [1, 4, 7, 9, 6], [3, 3, 3], 12, same(), clipped([2, 2, 2])),
        pooled("padded", [2, 2, 7, 7, 10], [3, 3, 3], 20, same(), max([2, 2, 2]).padded([0, 1, 1])),
        pooled("gaps", [1, 5, 9, 12, 5], [2, 2, 2], 8, strided([1; 3]), max([2, 2, 2]).stride([2, 3, 3])),
        pooled("pointwise", [1, 4, 6, 8, 24], [1, 1, 1], 20, Conv3d::default(), max([2, 2, 2])),
        pooled("strided", [1, 4, 17, 21, 4], [3, 3, 3], 16, Conv3d { stride: [1, 2, 2], ..same() }, {
            max([1, 2, 2])
        }),
        pooled("patches", [1, 4, 16, 32, 3], [2, 4, 4], 24, strided([2, 4, 4]), max([1, 2, 2])),
        pooled("groups", [1, 4, 6, 8, 10], [3, 3, 3], 14, grouped(2), max([2, 2, 2])).in_every_tile(),
        pooled("one-output-channel", [1, 4, 6, 8, 8], [3, 3, 3], 1, same(), max([2, 2, 2])),
        pooled("slices", [1, 2, 8, 8, 70], [3, 3, 3], 38, same(), max([2, 2, 2])).in_every_tile(),
        pooled("slices-1x2x2", [1, 2, 5, 6, 70], [3, 3, 3], 36, same(), max([1, 2, 2])),
        pooled("slices-groups", [1, 2, 6, 6, 76], [3, 3, 3], 24, grouped(2), max([2, 1, 1])),
        pooled(
            "reflect",
            [1, 4, 6, 6, 5],
            [3, 3, 3],
            8,
            Conv3d { padding_mode: PaddingMode::Reflect, ..same() },
            max([2, 2, 2]),
        ),
        pooled_with("sigmoid", [1, 4, 6, 8, 6], [3, 3, 3], 10, same(), max([2, 2, 2]), Activation::Sigmoid),
        // Patches of a frame that are windows, in pairs, with the last alone; of two frames.
        pooled("winograd-frame", [2, 3, 6, 8, 8], [3, 3, 3], 12, same(), max([1, 2, 2])).in_winograd_form(),
        pooled("winograd-pairs", [2, 4, 6, 8, 8], [3, 3, 3], 12, same(), max([2, 2, 2])).in_winograd_form(),
        pooled("winograd-pairs-clipped", [2, 5, 7, 8, 8], [3, 3, 3], 12, same(), clipped([2, 2, 2]))
            .in_winograd_form(),
        pooled("winograd-padded", [1, 3, 7, 9, 8], [1, 3, 3], 8, flat(), {
            max([1, 2, 2]).padded([0, 1, 1])
        })
        .in_winograd_form(),
        pooled("winograd-deep", [2, 4, 5, 6, 100], [3, 3, 3], 96, same(), max([2, 2, 2])).in_winograd_form(),
        pooled("winograd-deep-frame", [1, 3, 4, 6, 100], [3, 3, 3], 96, same(), max([1, 2, 2]))
            .in_winograd_form(),
        pooled("winograd-deep-padded", [1, 4, 7, 7, 100], [3, 3, 3], 96, same(), {
            max([2, 2, 2]).padded([0, 1, 1])
        })
        .in_winograd_form(),
        nan("nan", [1, 4, 10, 13, 1], [1, 1, 2], Conv3d::default(), max([1, 1, 2])),
        nan("winograd-nan", [1, 3, 2, 2, 4], [2, 3, 3], padded([[0, 2], [5, 4], [3, 6]]), max([1, 2, 2]))
            .trust_constant_reference()
            .in_winograd_form(),
    ]
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
        // Few positions and long sums, which are made in slices.
        case("slices", [1, 2, 5, 5, 64], [3, 3, 3], 38, same.clone()),
        case("slices-odd", [2, 2, 3, 4, 31], [3, 3, 3], 20, same.clone()),
        case("slices-groups", [1, 2, 4, 5, 40], [3, 3, 3], 24, Conv3d { groups: 2, ..same.clone() })
            .in_every_tile(),
        // Winograd's form with time left to the products, and, with many channels, along time too.
        case("winograd", [2, 3, 5, 6, 8], [3, 3, 3], 12, same.clone()).in_winograd_form(),
        case("winograd-strided", [1, 7, 6, 3, 4], [2, 3, 3], 8, {
            let padding = [[1, 2], [2, 0], [0, 1]];
            Conv3d { stride: [2, 1, 1], dilation: [3, 1, 1], padding, ..Conv3d::default() }
        })
        .in_winograd_form(),
        case("winograd-deep", [2, 4, 3, 4, 100], [3, 3, 3], 96, padded([[2, 1], [1, 1], [0, 1]]))
            .in_winograd_form(),
        with(
            "winograd-silu",
            [1, 2, 5, 5, 8],
            [1, 3, 3],
            8,
            padded([[0, 0], [1, 1], [1, 1]]),
            Activation::Silu,
        )
        .in_winograd_form(),
        residual("winograd-residual", [1, 2, 4, 5, 8], [3, 3, 3], same.clone(), |g, x, y| {
            let y = g.add(x, y)?;
            g.relu(y)
        })
        .in_winograd_form(),
        // Copies in lines: what lies outside W of whichever mode, a window beyond the line, gaps, slices.
        case("lines", [2, 3, 5, 9, 3], [2, 3, 5], 12, padded([[1, 0], [1, 1], [3, 2]])).in_lines(),
        case("lines-strided", [1, 5, 8, 13, 3], [3, 3, 7], 40, {
            Conv3d {
                stride: [2, 2, 3],
                dilation: [1, 2, 1],
                padding: [[1, 1], [2, 2], [4, 1]],
                ..Conv3d::default()
            }
        })
        .in_lines(),
        case("lines-two-channels", [1, 2, 4, 6, 2], [1, 3, 2], 9, strided([1, 1, 4])).in_lines(),
        case("lines-one-channel", [1, 2, 6, 7, 1], [3, 3, 3], 8, same.clone()).in_lines(),
        case("lines-slices", [1, 2, 12, 14, 3], [2, 8, 9], 8, Conv3d::default()).in_lines(),
        with("lines-silu", [1, 3, 4, 5, 3], [3, 3, 3], 6, same.clone(), Activation::Silu).in_lines(),
        Case::new("conv3d/lines-nan", &[&[1, 3, 4, 33, 3], &[1, 1, 2, 3, 8]], |g, v| {
            g.conv3d(v[0], v[1], None, &Conv3d::default())
        })
        .weights_from(1)
        .between(1, -1.0, 1.0)
        .fills([Fill::SomeNan])
        .in_lines(),
        case("tall-tiles", [1, 4, 64, 65, 3], [1, 1, 2], 60, padded([[0, 0], [0, 0], [1, 0]])),
    ];
    for (name, padding_mode) in [
        ("reflect", PaddingMode::Reflect),
        ("replicate", PaddingMode::Replicate),
        ("circular", PaddingMode::Circular),
    ] {
        let outside = |padding| Conv3d { padding, padding_mode, ..Conv3d::default() };
        list.push(case(name, [2, 3, 5, 6, 6], [3, 3, 3], 10, outside([[1, 1]; 3])));
        let winograd = format!("{name}-winograd");
        list.push(case(&winograd, [2, 3, 5, 6, 4], [3, 3, 3], 8, outside([[2, 1]; 3])).in_winograd_form());
        list.push(
            case(&format!("{name}-lines"), [2, 3, 5, 6, 3], [3, 3, 3], 10, outside([[2, 1]; 3])).in_lines(),
        );
        list.push(case(
            &format!("{name}-far"),
            [1, 4, 5, 3, 3],
            [2, 3, 2],
            8,
            outside([[3, 2], [0, 4], [2, 1]]),
        ));
        list.push(case(&format!("{name}-depthwise"), [1, 3, 5, 6, 8], [3, 3, 3], 8, {
            Conv3d { groups: 8, stride: [1, 2, 1], ..outside([[2, 1], [1, 2], [2, 2]]) }
        }));
    }
    let depthwise = |channels| Conv3d { groups: channels, ..same.clone() };
    list.extend([
        case("depthwise-vec4", [2, 3, 6, 9, 12], [3, 3, 3], 12, depthwise(12)),
        case("depthwise-vec2", [1, 3, 5, 6, 54], [3, 3, 3], 54, depthwise(54)),
        case("depthwise-narrow", [1, 3, 7, 2, 16], [3, 5, 3], 16, depthwise(16)),
        case(
            "depthwise-stride",
            [1, 5, 9, 11, 8],
            [3, 3, 3],
            8,
            Conv3d { stride: [1, 2, 2], ..depthwise(8) },
        ),
        case("depthwise-dilated", [1, 7, 8, 9, 4], [2, 3, 2], 4, {
            Conv3d { dilation: [2, 3, 4], padding: [[2, 0], [3, 4], [4, 5]], ..depthwise(4) }
        }),
        case(
            "depthwise-pointwise",
            [1, 2, 3, 5, 68],
            [1, 1, 1],
            68,
            Conv3d { groups: 68, ..Conv3d::default() },
        ),
        with("depthwise-gelu", [1, 3, 5, 5, 12], [3, 3, 3], 12, depthwise(12), Activation::Gelu),
        case("depthwise-twice-as-many", [1, 3, 5, 5, 4], [3, 3, 3], 8, depthwise(4)),
        residual("residual", [2, 3, 5, 6, 10], [3, 3, 3], same.clone(), |g, x, y| g.add(y, x)),
        residual("residual-relu", [1, 2, 5, 7, 70], [1, 1, 1], Conv3d::default(), |g, x, y| {
            let y = g.add(x, y)?;
            g.relu(y)
        }),
        residual("residual-slices", [1, 2, 4, 4, 40], [3, 3, 3], same.clone(), |g, x, y| {
            let y = g.add(x, y)?;
            g.relu(y)
        }),
        residual("residual-depthwise", [1, 3, 5, 6, 12], [3, 3, 3], depthwise(12), |g, x, y| g.add(y, x)),
        residual(
            "residual-odd-groups",
            [1, 2, 5, 6, 6],
            [1, 3, 3],
            Conv3d { groups: 2, padding: [[0, 0], [1, 1], [1, 1]], ..Conv3d::default() },
            |g, x, y| g.add(y, x),
        ),
        batch_norm("batch-norm", [1, 3, 5, 6, 6], [3, 3, 3], 10, same.clone()),
        batch_norm("batch-norm-residual", [1, 3, 5, 6, 12], [3, 3, 3], 12, same.clone()),
        batch_norm("batch-norm-depthwise", [1, 3, 5, 6, 12], [3, 3, 3], 12, depthwise(12)),
        Case::new("conv3d/nan", &[&[1, 2, 9, 9, 4], &[1, 1, 2, 4, 8]], |g, v| {
            g.conv3d(v[0], v[1], None, &Conv3d::default())
        })
        .between(1, -1.0, 1.0)
        .fills([Fill::SomeNan]),
        // Each input reaches the outputs that it does in the plain sum, and no other.
        Case::new("conv3d/winograd-nan", &[&[1, 3, 2, 2, 4], &[2, 3, 3, 4, 8]], |g, v| {
            g.conv3d(v[0], v[1], None, &padded([[0, 2], [5, 4], [3, 6]]))
        })
        .weights_from(1)
        .between(1, -1.0, 1.0)
        .fills([Fill::SomeNan])
        .trust_constant_reference()
        .in_winograd_form(),
        Case::new("conv3d/depthwise-nan", &[&[1, 2, 9, 9, 8], &[1, 2, 2, 1, 8]], |g, v| {
            g.conv3d(
                v[0],
                v[1],
                None,
                &Conv3d { groups: 8, padding: [[0; 2], [1; 2], [1; 2]], ..Conv3d::default() },
            )
        })
        .between(1, -1.0, 1.0)
        .fills([Fill::SomeNan]),
    ]);
    for f in Activation::ALL.into_iter().skip(1) {
        list.push(with(f.name(), [1, 2, 5, 5, 6], [3, 3, 3], 10, same.clone(), f));
    }
    list.extend(pooled_cases());
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
