//! What fuses and what must not.

use super::Value;
use crate::graph::{Activation, Engine, Graph, PlanOptions};
use crate::ops::{BatchNorm, Binary, Conv2d, Conv3d, Norm, NormMode, Pool2d, Pool3d};
use crate::tensor::Tensor;
use crate::verify::cases;

fn numbers(shape: &[usize], seed: usize) -> Tensor {
    Tensor::from_fn(shape, |i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 504.0 - 1.0).unwrap()
}

/// That the graph comes to so many nodes, and the same numbers on the CPU with and without fusion.
fn check(g: &Graph, nodes: usize) {
    let fused = g.fused();
    let names: Vec<&str> = fused.nodes.iter().map(|n| n.name.as_str()).collect();
    assert_eq!(fused.nodes.len(), nodes, "{names:?}");
    assert_eq!(fused.fused().nodes.len(), nodes, "a second time");
    // Every node's inputs are there when it runs.
    let mut there = fused.inputs.clone();
    for node in &fused.nodes {
        for v in &node.inputs {
            assert!(there.contains(v) || fused.values[v.index()].origin_is_constant(), "{}", node.name);
        }
        there.extend(&node.outputs);
    }
    let inputs: Vec<(&str, Tensor)> =
        g.inputs().enumerate().map(|(i, (name, ty))| (name, numbers(&ty.shape, i))).collect();
    let run = |fuse| {
        let options = PlanOptions { fuse, ..PlanOptions::default() };
        Engine::reference().plan_with(g, &options).unwrap().run(&inputs).unwrap()
    };
    let (fused, plain) = (run(true), run(false));
    for ((name, a), (_, b)) in fused.iter().zip(plain.iter()) {
        assert_eq!(a.shape(), b.shape());
        let largest = b.f32s().unwrap().iter().fold(0f32, |m, x| m.max(x.abs()));
        for (a, b) in a.f32s().unwrap().iter().zip(b.f32s().unwrap()) {
            assert!((a - b).abs() <= 1e-6 * largest, "{name}: {a} instead of {b}");
        }
    }
}

/// A clip `[1, 2, 3, 4, 4]` and a convolution of it that keeps its shape.
fn conv(g: &mut Graph, x: Value, seed: usize, bias: bool) -> Value {
    let w = g.constant("w", numbers(&[3, 3, 3, 4, 4], seed));
    let b = bias.then(|| g.constant("b", numbers(&[4], seed + 1)));
    g.conv3d(x, w, b, &Conv3d::padded([1; 3])).unwrap()
}

fn clip(g: &mut Graph) -> Value {
    g.input("x", &[1, 2, 3, 4, 4]).unwrap()
}

fn batch_norm(g: &mut Graph, x: Value, affine: bool) -> Value {
    let channels = *g.shape(x).last().unwrap();
    let mut vector = |name: &str, seed| g.constant(name, numbers(&[channels], seed));
    let mean = vector("mean", 11);
    let (w, b) = (vector("gamma", 12), vector("beta", 13));
    let variance = g.constant("var", Tensor::from_fn(&[channels], |i| 0.5 + i as f32).unwrap());
    let (w, b) = if affine { (Some(w), Some(b)) } else { (None, None) };
    g.batch_norm(x, [mean, variance], w, b, &BatchNorm::default()).unwrap()
}

#[test]
fn a_residual_block_is_two_nodes() {
    for bias in [false, true] {
        let mut g = Graph::new();
        let x = clip(&mut g);
        let y = conv(&mut g, x, 1, bias);
        let y = batch_norm(&mut g, y, true);
        let y = g.relu(y).unwrap();
        let y = conv(&mut g, y, 2, bias);
        let y = batch_norm(&mut g, y, false);
        let y = g.add(y, x).unwrap();
        let y = g.relu(y).unwrap();
        g.output("y", y).unwrap();
        check(&g, 2);
        let f = g.fused();
        assert_eq!(f.nodes.last().unwrap().outputs, [y]);
        assert_eq!(f.nodes.last().unwrap().inputs.len(), 4);
    }
}

/// The sum waits for both sides, whichever is named first and whichever is computed first.
#[test]
fn the_addend_is_computed_before() {
    for swapped in [false, true] {
        for late in [false, true] {
            let mut g = Graph::new();
            let x = clip(&mut g);
            // A softmax cannot take an addend, so that the convolution must.
            let early =
                if late { conv(&mut g, x, 1, true) } else { g.softmax(x, &Default::default()).unwrap() };
            let other =
                if late { g.softmax(x, &Default::default()).unwrap() } else { conv(&mut g, x, 1, true) };
            let (a, b) = if swapped { (other, early) } else { (early, other) };
            let y = g.add(a, b).unwrap();
            let y = g.activation(y, Activation::Tanh).unwrap();
            g.output("y", y).unwrap();
            check(&g, 2);
            assert_eq!(g.fused().nodes[1].op.name(), "conv3d");
        }
    }
}

/// Of two convolutions the later takes the sum, as a downsampled shortcut does.
#[test]
fn the_later_of_two_takes_the_sum() {
    let mut g = Graph::new();
    let x = clip(&mut g);
    let a = conv(&mut g, x, 1, false);
    let b = conv(&mut g, x, 2, false);
    let y = g.add(a, b).unwrap();
    let z = conv(&mut g, x, 3, false);
    let y = g.add(y, z).unwrap();
    g.output("y", y).unwrap();
    check(&g, 3);
    let f = g.fused();
    let inputs: Vec<usize> = f.nodes.iter().map(|n| n.inputs.len()).collect();
    assert_eq!(inputs, [2, 3, 3]);
}

#[test]
fn sums_that_must_stay() {
    // Read by something else, or given out.
    let mut g = Graph::new();
    let x = clip(&mut g);
    let y = conv(&mut g, x, 1, false);
    let s = g.add(y, x).unwrap();
    let t = g.binary(s, y, Binary::Mul).unwrap();
    g.output("t", t).unwrap();
    check(&g, 3);
    let mut g = Graph::new();
    let x = clip(&mut g);
    let y = conv(&mut g, x, 1, false);
    let s = g.add(y, x).unwrap();
    g.output("y", y).unwrap();
    g.output("s", s).unwrap();
    check(&g, 2);
    // Twice the same.
    let mut g = Graph::new();
    let x = clip(&mut g);
    let y = conv(&mut g, x, 1, false);
    let s = g.add(y, y).unwrap();
    g.output("s", s).unwrap();
    check(&g, 2);
    // Repeated along an axis, on either side.
    for shape in [&[4][..], &[1, 2, 3, 4, 1], &[2, 2, 3, 4, 4]] {
        let mut g = Graph::new();
        let x = clip(&mut g);
        let y = conv(&mut g, x, 1, false);
        let c = g.input("c", shape).unwrap();
        let s = g.add(c, y).unwrap();
        g.output("s", s).unwrap();
        check(&g, 2);
    }
    // Not a sum; after an activation.
    for activation in [None, Some(Activation::Relu)] {
        let mut g = Graph::new();
        let x = clip(&mut g);
        let y = conv(&mut g, x, 1, false);
        let s = match activation {
            None => g.binary(y, x, Binary::Sub).unwrap(),
            Some(a) => {
                let y = g.activation(y, a).unwrap();
                g.add(y, x).unwrap()
            }
        };
        g.output("s", s).unwrap();
        check(&g, 2);
    }
}

#[test]
fn two_dimensions_fuse_through_their_views() {
    let mut g = Graph::new();
    let x = g.input("x", &[2, 5, 6, 4]).unwrap();
    let w = g.constant("w", numbers(&[3, 3, 4, 4], 1));
    let a = Conv2d { padding: [[1; 2]; 2], ..Conv2d::default() };
    let y = g.conv2d(x, w, None, &a).unwrap();
    let y = batch_norm(&mut g, y, true);
    let y = g.add(x, y).unwrap();
    let y = g.relu(y).unwrap();
    g.output("y", y).unwrap();
    // A view, the convolution, a view.
    check(&g, 3);
    // A view that makes other channels of them is no reason to fold.
    let mut g = Graph::new();
    let x = clip(&mut g);
    let y = conv(&mut g, x, 1, true);
    let y = g.reshape(y, &[12, 8]).unwrap();
    let y = batch_norm(&mut g, y, true);
    g.output("y", y).unwrap();
    check(&g, 3);
}

#[test]
fn a_batch_norm_folds_only_into_constants_read_by_it_alone() {
    let mut g = Graph::new();
    let x = clip(&mut g);
    let y = conv(&mut g, x, 1, true);
    let z = batch_norm(&mut g, y, true);
    let s = g.add(z, y).unwrap();
    g.output("s", s).unwrap();
    // The sum takes the batch normalisation's place in no node: it is no product.
    check(&g, 3);
    let mut g = Graph::new();
    let x = clip(&mut g);
    let w = g.input("w", &[1, 1, 1, 4, 4]).unwrap();
    let y = g.conv3d(x, w, None, &Conv3d::default()).unwrap();
    let y = batch_norm(&mut g, y, true);
    g.output("y", y).unwrap();
    check(&g, 2);
    let mut g = Graph::new();
    let x = g.input("x", &[3, 4]).unwrap();
    let w = g.constant("w", numbers(&[4, 6], 1));
    let y = g.linear(x, w, None).unwrap();
    let y = batch_norm(&mut g, y, true);
    let r = g.input("r", &[3, 6]).unwrap();
    let y = g.add(r, y).unwrap();
    let y = g.activation(y, Activation::Gelu).unwrap();
    g.output("y", y).unwrap();
    check(&g, 1);
}

/// Weights that two layers share are folded for one and stay for the other.
#[test]
fn shared_weights_stay() {
    let mut g = Graph::new();
    let x = clip(&mut g);
    let w = g.constant("w", numbers(&[3, 3, 3, 4, 4], 1));
    let y = g.conv3d(x, w, None, &Conv3d::padded([1; 3])).unwrap();
    let y = batch_norm(&mut g, y, true);
    let y = g.conv3d(y, w, None, &Conv3d::padded([1; 3])).unwrap();
    g.output("y", y).unwrap();
    check(&g, 2);
}

/// Convolution, activation and pooling of windows that lie side by side are one node, which gives the pooling's output.
#[test]
fn a_max_pool_moves_into_the_convolution() {
    for activation in [None, Some(Activation::Relu), Some(Activation::Sigmoid)] {
        let mut g = Graph::new();
        let x = g.input("x", &[1, 2, 4, 4, 4]).unwrap();
        let mut y = conv(&mut g, x, 1, true);
        if let Some(a) = activation {
            y = g.activation(y, a).unwrap();
        }
        let y = g.pool3d(y, &Pool3d::max([1, 2, 2])).unwrap();
        g.output("y", y).unwrap();
        check(&g, 1);
        let f = g.fused();
        assert_eq!(f.nodes[0].outputs, [y]);
        assert_eq!(&**f.shape(y), [1, 2, 2, 2, 4]);
        assert_eq!(f.flops(), 2 * 27 * 4 * (2 * 4 * 4 * 4), "the sums before pooling count");
    }
    // The views of two dimensions cancel each other in between.
    let mut g = Graph::new();
    let x = g.input("x", &[2, 6, 8, 4]).unwrap();
    let w = g.constant("w", numbers(&[3, 3, 4, 4], 1));
    let a = Conv2d { padding: [[1; 2]; 2], ..Conv2d::default() };
    let y = g.conv2d(x, w, None, &a).unwrap();
    let y = g.relu(y).unwrap();
    let y = g.pool2d(y, &Pool2d::max([2, 2])).unwrap();
    let y = g.relu(y).unwrap();
    g.output("y", y).unwrap();
    // A view, the convolution, a view, and what comes after the pooling.
    check(&g, 4);
}

#[test]
fn max_pools_that_must_stay() {
    let max = Pool3d::max;
    for (pool, why) in [
        (max([1, 2, 2]).stride([1, 1, 2]), "windows overlap"),
        (Pool3d::average([1, 2, 2]), "a mean"),
        (Pool3d { zero_pad: true, ..max([1, 2, 2]).padded([0, 1, 1]) }, "zeros count"),
        (Pool3d { dilation: [1, 1, 2], ..max([1, 1, 2]) }, "dilated"),
        (max([1, 1, 3]), "a window of three"),
        (max([2, 1, 1]), "windows that are no patches"),
        (max([2, 2, 2]).padded([1, 1, 1]), "more is clipped than not"),
    ] {
        let mut g = Graph::new();
        let x = g.input("x", &[1, 2, 4, 4, 4]).unwrap();
        let y = conv(&mut g, x, 1, true);
        let y = g.pool3d(y, &pool).unwrap();
        g.output("y", y).unwrap();
        assert_eq!(g.fused().nodes.len(), 2, "{why}");
    }
    // An activation that falls somewhere; a sum; two readers; an output; indices; other lengths; a depthwise convolution.
    type Between = fn(&mut Graph, Value, Value) -> Value;
    let between: [(usize, Between); 4] = [
        (2, |g, _, y| g.activation(y, Activation::Silu).unwrap()),
        (2, |g, x, y| g.add(y, x).unwrap()),
        (3, |g, x, y| {
            let z = g.binary(y, x, Binary::Mul).unwrap();
            g.output("z", z).unwrap();
            y
        }),
        (2, |g, _, y| {
            g.output("z", y).unwrap();
            y
        }),
    ];
    for (nodes, between) in between {
        let mut g = Graph::new();
        let x = g.input("x", &[1, 2, 4, 4, 4]).unwrap();
        let y = conv(&mut g, x, 1, true);
        let y = between(&mut g, x, y);
        let y = g.pool3d(y, &max([1, 2, 2])).unwrap();
        g.output("y", y).unwrap();
        check(&g, nodes);
    }
    let mut g = Graph::new();
    let x = g.input("x", &[1, 2, 4, 4, 4]).unwrap();
    let y = conv(&mut g, x, 1, true);
    let (y, places) = g.pool3d_with_indices(y, &max([1, 2, 2])).unwrap();
    g.output("y", y).unwrap();
    g.output("places", places).unwrap();
    assert_eq!(g.fused().nodes.len(), 2);
    let mut g = Graph::new();
    let x = g.input("x", &[1, 2, 4, 4, 4]).unwrap();
    let y = conv(&mut g, x, 1, true);
    let y = g.reshape(y, &[1, 2, 2, 8, 4]).unwrap();
    let y = g.pool3d(y, &max([1, 2, 2])).unwrap();
    g.output("y", y).unwrap();
    check(&g, 3);
    let mut g = Graph::new();
    let x = g.input("x", &[1, 2, 4, 4, 4]).unwrap();
    let w = g.constant("w", numbers(&[1, 1, 1, 1, 4], 1));
    let y = g.conv3d(x, w, None, &Conv3d { groups: 4, ..Conv3d::default() }).unwrap();
    let y = g.pool3d(y, &max([1, 2, 2])).unwrap();
    g.output("y", y).unwrap();
    check(&g, 2);
}

/// The cases that are there for it compare one node.
#[test]
fn pooled_cases_are_one_node() {
    let cases = cases::all().into_iter().filter(|c| c.name.starts_with("conv3d/pooled-"));
    let nodes: Vec<(String, usize)> =
        cases.map(|c| (c.name.clone(), c.instance().unwrap().0.fused().nodes.len())).collect();
    assert!(nodes.len() > 20 && nodes.iter().all(|(_, nodes)| *nodes == 1), "{nodes:?}");
}

fn linear() -> (Graph, Value) {
    let mut g = Graph::new();
    let x = g.input("x", &[2, 4]).unwrap();
    let w = g.constant("w", Tensor::from_fn(&[4, 3], |i| i as f32 - 5.0).unwrap());
    let y = g.linear(x, w, None).unwrap();
    (g, y)
}

#[test]
fn an_activation_moves_into_its_maker() {
    let (mut g, y) = linear();
    let z = g.activation(y, Activation::Relu).unwrap();
    g.output("z", z).unwrap();
    let f = g.fused();
    assert_eq!(f.nodes.len(), 1);
    assert_eq!(f.nodes[0].outputs, [z]);
}

#[test]
fn a_value_read_twice_or_given_out_stays() {
    let (mut g, y) = linear();
    let z = g.activation(y, Activation::Relu).unwrap();
    g.output("z", z).unwrap();
    g.output("y", y).unwrap();
    assert_eq!(g.fused().nodes.len(), 2);
    let (mut g, y) = linear();
    let z = g.activation(y, Activation::Relu).unwrap();
    let s = g.add(y, z).unwrap();
    g.output("s", s).unwrap();
    assert_eq!(g.fused().nodes.len(), 3);
}

#[test]
fn a_view_of_a_constant_is_a_constant() {
    let mut g = Graph::new();
    let x = g.input("x", &[2, 4]).unwrap();
    let w = g.constant("w", Tensor::from_fn(&[12], |i| i as f32).unwrap());
    let w = g.reshape(w, &[2, 6]).unwrap();
    let w = g.reshape(w, &[4, 3]).unwrap();
    let y = g.linear(x, w, None).unwrap();
    let y = g.reshape(y, &[6]).unwrap();
    g.output("y", y).unwrap();
    let f = g.fused();
    assert_eq!(f.nodes.len(), 2);
    assert!(f.values[w.index()].origin_is_constant());
    assert_eq!(&**f.shape(f.nodes[0].inputs[1]), [4, 3]);
}

/// Two activations in a row: the second finds the first's activation taken.
#[test]
fn only_one_activation_moves() {
    let (mut g, y) = linear();
    let z = g.activation(y, Activation::Relu).unwrap();
    let z = g.activation(z, Activation::Tanh).unwrap();
    g.output("z", z).unwrap();
    assert_eq!(g.fused().nodes.len(), 2);
}

/// A normalisation of `[2, 3, 4]` and, if wanted, its factors and summands.
fn row_norm(g: &mut Graph, affine: bool, norm: &Norm) -> (Value, Value) {
    let x = g.input("x", &[2, 3, 4]).unwrap();
    let [w, b] = ["gamma", "beta"].map(|name| g.constant(name, numbers(&[4], name.len())));
    let (w, b) = if affine { (Some(w), Some(b)) } else { (None, None) };
    (x, g.norm(x, w, b, norm).unwrap())
}

fn weight(g: &mut Graph, shape: [usize; 2]) -> Value {
    g.constant("w", numbers(&shape, 3))
}

fn over(mode: NormMode, dim: &[isize]) -> Norm {
    Norm::over(mode, dim)
}

#[test]
fn a_normalisation_of_rows_moves_into_the_layer_after_it() {
    for mode in [NormMode::Layer, NormMode::Rms] {
        for (affine, bias, dim) in [(true, true, -1), (true, false, 2), (false, true, -1), (false, false, 2)]
        {
            let mut g = Graph::new();
            let (x, y) = row_norm(&mut g, affine, &over(mode, &[dim]));
            // A view that keeps the rows.
            let y = g.reshape(y, &[6, 4]).unwrap();
            let w = weight(&mut g, [4, 5]);
            let b = bias.then(|| g.constant("b", numbers(&[5], 4)));
            let y = g.linear(y, w, b).unwrap();
            g.output("y", y).unwrap();
            check(&g, 2);
            let f = g.fused();
            assert_eq!(f.nodes[0].inputs, [x]);
            assert_eq!(f.nodes[1].inputs.len(), 2 + usize::from(affine || bias));
        }
    }
}

/// With what else a layer takes: a batch normalisation, a sum, an activation.
#[test]
fn a_normalisation_is_one_of_many_that_move() {
    let mut g = Graph::new();
    let (x, y) = row_norm(&mut g, true, &Norm::default());
    let w = weight(&mut g, [4, 4]);
    let y = g.linear(y, w, None).unwrap();
    let y = batch_norm(&mut g, y, true);
    let y = g.add(x, y).unwrap();
    let y = g.activation(y, Activation::Gelu).unwrap();
    g.output("y", y).unwrap();
    check(&g, 1);
}

/// A pre-normalised block's two layers: only the first reads a normalisation, and the sum goes into the second.
#[test]
fn a_block_of_a_transformer_is_two_nodes() {
    let mut g = Graph::new();
    let (x, y) = row_norm(&mut g, true, &Norm::default());
    let [w, v] = [[4, 8], [8, 4]].map(|shape| weight(&mut g, shape));
    let y = g.linear(y, w, None).unwrap();
    let y = g.activation(y, Activation::Gelu).unwrap();
    let y = g.linear(y, v, None).unwrap();
    let y = g.add(x, y).unwrap();
    g.output("y", y).unwrap();
    check(&g, 2);
}

#[test]
fn normalisations_that_must_stay() {
    let with = |norm: &Norm, nodes: usize, build: &dyn Fn(&mut Graph, Value) -> Value| {
        let mut g = Graph::new();
        let (_, y) = row_norm(&mut g, false, norm);
        let y = build(&mut g, y);
        g.output("y", y).unwrap();
        check(&g, nodes);
    };
    let plain = |g: &mut Graph, y: Value| {
        let w = weight(g, [4, 4]);
        g.linear(y, w, None).unwrap()
    };
    let layer = Norm::default();
    with(&layer, 1, &plain);
    // Over other axes, or to another length.
    with(&over(NormMode::Layer, &[1, 2]), 2, &plain);
    with(&over(NormMode::Layer, &[1]), 2, &plain);
    with(&over(NormMode::L2, &[-1]), 2, &plain);
    // Read twice, or given out.
    with(&layer, 4, &|g, y| {
        let z = plain(g, y);
        let w = weight(g, [4, 4]);
        let y = g.linear(y, w, None).unwrap();
        g.binary(z, y, Binary::Mul).unwrap()
    });
    with(&layer, 2, &|g, y| {
        g.output("z", y).unwrap();
        plain(g, y)
    });
    // An activation in between, or other rows.
    with(&layer, 2, &|g, y| {
        let y = g.relu(y).unwrap();
        plain(g, y)
    });
    with(&layer, 3, &|g, y| {
        let y = g.reshape(y, &[4, 6]).unwrap();
        let w = weight(g, [6, 4]);
        g.linear(y, w, None).unwrap()
    });
    // No constants: the weight, the factors.
    with(&layer, 2, &|g, y| {
        let w = g.input("w", &[4, 4]).unwrap();
        g.linear(y, w, None).unwrap()
    });
    let mut g = Graph::new();
    let x = g.input("x", &[3, 4]).unwrap();
    let factors = g.input("gamma", &[4]).unwrap();
    let y = g.norm(x, Some(factors), None, &layer).unwrap();
    let y = plain(&mut g, y);
    g.output("y", y).unwrap();
    check(&g, 2);
    // Factors along another axis.
    let mut g = Graph::new();
    let x = g.input("x", &[4, 4]).unwrap();
    let factors = g.constant("gamma", numbers(&[4], 1));
    let y = g.norm(x, Some(factors), None, &Norm::default().affine(&[0])).unwrap();
    let y = plain(&mut g, y);
    g.output("y", y).unwrap();
    check(&g, 2);
}

/// Constants of outlines have no values, so that nothing can be made part of them.
#[test]
fn a_normalisation_before_unknown_weights_stays() {
    let mut g = Graph::new();
    let (_, y) = row_norm(&mut g, true, &Norm::default());
    let w = g.unknown_constant("w", crate::shape::Shape::new(&[4, 5]).unwrap());
    let y = g.linear(y, w, None).unwrap();
    g.output("y", y).unwrap();
    assert_eq!(g.fused().nodes.len(), 2);
}

/// Weights that two layers share, and the factors of two layers, are what they were for the other.
#[test]
fn shared_factors_stay() {
    let mut g = Graph::new();
    let (x, y) = row_norm(&mut g, true, &Norm::default());
    let w = weight(&mut g, [4, 4]);
    let y = g.linear(y, w, None).unwrap();
    let z = g.linear(x, w, None).unwrap();
    let y = g.binary(y, z, Binary::Mul).unwrap();
    g.output("y", y).unwrap();
    check(&g, 3);
}
