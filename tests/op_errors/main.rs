//! Attributes and shapes that no operator can make sense of are errors that name what is wrong.

mod algebra;
mod attention;
mod convolution;
mod detection;
mod flow;
mod movement;
mod normalisation;
mod pointwise;
mod pooling;
mod quantization;
mod random;
mod recurrent;
mod reduction;
mod sampling;

use kinetograph::graph::{Family, TensorType, Traits};
use kinetograph::ops::{
    AdaptivePool3d, ArgReduce, Attention, Binary, Cumulative, Distance, Gather, GroupNorm, Interpolation,
    LocalResponseNorm, Matmul, Norm, Pool3d, Quantile, Reduce, Resize, RoiAlign, ScatterAdd, Softmax, Unary,
};
use kinetograph::ops::{Attributes, CATALOG};
use kinetograph::verify::Case;
use kinetograph::{DType, ErrorKind, Graph, Precision, Shape, Tensor};

/// Operator, shapes of its inputs, attributes, and a part of the message.
type Wrong = (&'static str, &'static [&'static [usize]], &'static str, &'static str);

const VIDEO: &[usize] = &[1, 4, 6, 8, 6];
const PICTURE: &[usize] = &[1, 6, 8, 6];
const TOKENS: &[usize] = &[1, 6, 8];
const WEIGHT: &[usize] = &[3, 3, 3, 6, 4];

/// The wrong uses, a file a family of operators.
const FAMILIES: &[&[Wrong]] = &[
    algebra::WRONG,
    attention::WRONG,
    convolution::WRONG,
    detection::WRONG,
    flow::WRONG,
    movement::WRONG,
    normalisation::WRONG,
    pointwise::WRONG,
    pooling::WRONG,
    quantization::WRONG,
    random::WRONG,
    recurrent::WRONG,
    reduction::WRONG,
    sampling::WRONG,
];

#[test]
fn what_makes_no_sense_is_an_error_that_says_what() {
    let mut wrong = Vec::new();
    for (op, shapes, attributes, part) in FAMILIES.iter().copied().flatten() {
        let door = CATALOG.iter().find(|d| d.name == *op).unwrap();
        let mut graph = Graph::new();
        let inputs: Vec<_> =
            shapes.iter().enumerate().map(|(i, s)| graph.input(&i.to_string(), s).unwrap()).collect();
        let place = format!("{op} of {shapes:?} with {attributes}");
        match door.add(&mut graph, &inputs, &Attributes::parse(attributes).unwrap()) {
            Ok(_) => wrong.push(format!("{place}: no error")),
            Err(e) if e.kind() != ErrorKind::BadInput || !e.to_string().contains(part) => {
                wrong.push(format!("{place}: {:?} `{e}` does not name `{part}`", e.kind()));
            }
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_operator_has_wrong_uses() {
    for door in CATALOG {
        let count = FAMILIES.iter().copied().flatten().filter(|w| w.0 == door.name).count();
        let name = door.name;
        assert!(
            count >= 2,
            "{name}: two wrong uses are needed in tests/op_errors/<family>.rs, {count} are there"
        );
    }
}

#[test]
fn indices_are_no_floats() {
    for (op, attributes) in [
        ("arg_reduce", "{}"),
        ("cumulative", "{}"),
        ("norm", "{}"),
        ("quantile", r#"{"q": 0.5}"#),
        ("reduce", "{}"),
        ("softmax", "{}"),
        ("sort", "{}"),
    ] {
        let door = CATALOG.iter().find(|d| d.name == op).unwrap();
        let mut graph = Graph::new();
        let ty = TensorType { shape: Shape::new(&[2, 3]).unwrap(), dtype: DType::I32 };
        let x = graph.input_of("x", ty).unwrap();
        let e = door.add(&mut graph, &[x], &Attributes::parse(attributes).unwrap()).unwrap_err();
        assert!(e.to_string().contains("must be a float tensor"), "{op}: {e}");
    }
}

/// Operators that move elements move integers as well, and give them as such; a join is of one type.
#[test]
fn integers_are_moved_as_integers() {
    let integers = |shape: &[usize]| TensorType { shape: Shape::new(shape).unwrap(), dtype: DType::I32 };
    for (op, attributes) in [
        ("concat", "{}"),
        ("expand", r#"{"shape": [4, 2, 3]}"#),
        ("cast", r#"{"to": "int"}"#),
        ("flip", r#"{"dims": 1}"#),
        ("permute", r#"{"dims": [1, 0]}"#),
        ("repeat", r#"{"repeats": [2, 1]}"#),
        ("repeat_interleave", r#"{"repeats": 2}"#),
        ("roll", r#"{"shifts": 1, "dims": 0}"#),
        ("slice", "{}"),
        ("split", r#"{"chunks": 2}"#),
        ("stack", "{}"),
    ] {
        let door = CATALOG.iter().find(|d| d.name == op).unwrap();
        let mut graph = Graph::new();
        let x = graph.input_of("x", integers(&[2, 3])).unwrap();
        let y = door.add(&mut graph, &[x], &Attributes::parse(attributes).unwrap()).unwrap();
        assert!(y.iter().all(|y| graph.ty(*y).dtype == DType::I32), "{op}");
    }
    let mut graph = Graph::new();
    let (x, i) = (graph.input("x", &[2, 3]).unwrap(), graph.input_of("i", integers(&[2, 3])).unwrap());
    let e = graph.concat(&[x, i], 0).unwrap_err().to_string();
    assert!(e.contains("input 1 is i32, input 0 is f32"), "{e}");
}

/// Functions of two tensors are of one type, and some of floats or integers alone.
#[test]
fn floats_and_integers_do_not_mix() {
    let mut graph = Graph::new();
    let ty = TensorType { shape: Shape::new(&[2, 3]).unwrap(), dtype: DType::I32 };
    let i = graph.input_of("i", ty).unwrap();
    let x = graph.input("x", &[2, 3]).unwrap();
    for e in [graph.binary(x, i, Binary::Add), graph.select(x, x, i)] {
        assert!(e.unwrap_err().to_string().contains("the input is f32, the other is i32"));
    }
    for function in Binary::ALL.into_iter().filter(|f| !f.takes(DType::I32)) {
        let e = graph.binary(i, i, function).unwrap_err().to_string();
        assert!(e.contains("is a function of floats"), "{e}");
    }
    for function in Binary::ALL.into_iter().filter(|f| f.takes(DType::I32)) {
        let y = graph.binary(i, i, function).unwrap();
        assert_eq!(graph.ty(y).dtype, DType::I32);
    }
    let e = graph.masked_fill(i, x, 0.5).unwrap_err().to_string();
    assert!(e.contains("value 0.5 is no i32"), "{e}");
    let e = graph.unary(i, Unary::Abs).unwrap_err().to_string();
    assert!(e.contains("must be a float tensor"), "{e}");
}

/// Indices that are known when a graph is built must name something.
#[test]
fn constant_indices_are_checked() {
    let mut graph = Graph::new();
    let x = graph.input("x", &[4, 5]).unwrap();
    let constant = |graph: &mut Graph, shape: &[usize], values: Vec<i32>| {
        graph.constant("i", Tensor::new(shape, values).unwrap())
    };
    let rows = constant(&mut graph, &[2], vec![0, 4]);
    let elements = constant(&mut graph, &[1, 2], vec![3, -1]);
    let source = graph.input("source", &[1, 2]).unwrap();
    for (got, part) in [
        (graph.gather(x, rows, &Gather { dim: 0, rows: true }), "gather: index 4, dim 0 has the length 4"),
        (graph.gather(x, elements, &Gather::default()), "gather: index -1, dim 0 has the length 4"),
        (graph.scatter_add(x, elements, source, &ScatterAdd::default()), "scatter_add: index -1"),
        (graph.embedding(rows, x), "embedding: index 4"),
    ] {
        let e = got.unwrap_err().to_string();
        assert!(e.contains(part), "{e}");
    }
    assert!(graph.gather(x, rows, &Gather { dim: 1, rows: true }).is_ok());
}

/// A table of indices, and indices where a codebook or rows must be.
#[test]
fn an_embedding_looks_floats_up_and_a_quantizer_compares_them() {
    let mut graph = Graph::new();
    let ty = TensorType { shape: Shape::new(&[2, 3]).unwrap(), dtype: DType::I32 };
    let i = graph.input_of("i", ty).unwrap();
    let x = graph.input("x", &[2, 3]).unwrap();
    let e = graph.embedding(i, i).unwrap_err().to_string();
    assert!(e.contains("the table must be of floats"), "{e}");
    for (x, codebook) in [(i, x), (x, i)] {
        let e = graph.vector_quantize(x, codebook, Distance::Euclidean).unwrap_err().to_string();
        assert!(e.contains("must be a float tensor"), "{e}");
    }
}

/// Loops that some drivers would cut short are refused, not run.
#[test]
fn loops_without_end_are_refused() {
    let whole = Pool3d::average([2, 200, 200]);
    for case in [
        Case::new("pool3d", &[&[1, 2, 200, 200, 1]], move |g, v| g.pool3d(v[0], &whole)),
        Case::new("adaptive_pool3d", &[&[1, 1, 4000, 4000, 1]], |g, v| {
            g.adaptive_pool3d(v[0], &AdaptivePool3d::average([1; 3]))
        }),
        Case::new("attention", &[&[1, 32, 1], &[1, 240_005, 1], &[1, 240_005, 1]], |g, v| {
            g.attention([v[0], v[1], v[2]], None, &Attention::heads(1))
        }),
        Case::new("attention", &[&[1, 8, 100], &[1, 40_001, 100], &[1, 40_001, 100]], |g, v| {
            g.attention([v[0], v[1], v[2]], None, &Attention::heads(1))
        }),
        Case::new("group_norm", &[&[1, 1, 3000, 2000, 1]], |g, v| {
            g.group_norm(v[0], None, None, &GroupNorm::of(1))
        }),
        Case::new("matmul", &[&[8, 1_000_000], &[1_000_000, 8]], |g, v| {
            g.matmul(v[0], v[1], &Matmul::default())
        }),
        Case::new("norm", &[&[6_000_000]], |g, v| g.norm(v[0], None, None, &Norm::default())),
        Case::new("arg_reduce", &[&[16_000_000]], |g, v| g.arg_reduce(v[0], &ArgReduce::default())),
        Case::new("cumulative", &[&[7_000_000]], |g, v| g.cumulative(v[0], &Cumulative::default())),
        Case::new("quantile", &[&[4_000_000]], |g, v| g.quantile(v[0], &Quantile::along(0.5, 0))),
        Case::new("sort", &[&[3_000_000]], |g, v| Ok(g.top_k(v[0], 10, 0, true)?.0)),
        Case::new("reduce", &[&[16_000_000]], |g, v| g.reduce(v[0], &Reduce::default())),
        Case::new("scatter_add", &[&[3], &[60_001], &[60_001]], |g, v| {
            g.scatter_add(v[0], v[1], v[2], &ScatterAdd::default())
        })
        .indices(1, 0..=2),
        Case::new("resize", &[&[1, 70_000, 1]], |g, v| {
            g.resize(v[0], &Resize::to(Interpolation::Area, &[1]))
        }),
        Case::new("softmax", &[&[6_000_000]], |g, v| g.softmax(v[0], &Softmax::default())),
        Case::new("local_response_norm", &[&[2, 70_000]], |g, v| {
            g.local_response_norm(v[0], &LocalResponseNorm { size: 70_000, ..Default::default() })
        }),
        Case::new("roi_align", &[&[1, 300, 300, 1], &[2, 4]], |g, v| {
            g.roi_align(v[0], v[1], None, &RoiAlign { output_size: [7; 2], ..Default::default() })
        }),
        Case::several("vector_quantize", &[&[1, 70_000], &[4, 70_000]], |g, v| {
            let (indices, quantized) = g.vector_quantize(v[0], v[1], Distance::Euclidean)?;
            Ok(vec![indices, quantized])
        }),
    ] {
        for family in Family::ALL {
            let e = case.dispatches(Traits::new(family, Precision::F32)).unwrap_err();
            assert!(e.to_string().contains("loop turns"), "{e}");
        }
    }
}

/// One input too few, or one too many, is an error of every operator, never a panic or an input ignored.
#[test]
fn wrong_numbers_of_inputs_are_errors() {
    for door in CATALOG {
        let fewest = door.inputs.iter().filter(|p| !p.optional).count();
        let mut wrong: Vec<usize> = fewest.checked_sub(1).into_iter().collect();
        if door.inputs.iter().all(|p| !p.variadic) {
            wrong.push(door.inputs.len() + 1);
        }
        for count in wrong {
            let mut graph = Graph::new();
            let x = graph.input("x", &[2, 2]).unwrap();
            let e = door.add(&mut graph, &vec![x; count], &Attributes::default()).unwrap_err().to_string();
            assert!(e.contains(&format!("{count} inputs were given")), "{e}");
        }
    }
}

#[test]
fn tokens_are_split_and_repeated_where_that_makes_sense() {
    let mut g = Graph::new();
    let x = g.input("x", &[2, 3, 4]).unwrap();
    let scalar = g.input("scalar", &[]).unwrap();
    for count in [0, 3, usize::MAX] {
        let e = g.split_tokens(x, count).unwrap_err().to_string();
        assert!(e.contains("of 3 tokens"), "{e}");
    }
    assert!(g.split_heads(x, 3).unwrap_err().to_string().contains("heads 3 must divide 4"));
    assert!(g.merge_heads(x).unwrap_err().to_string().contains("[N, tokens, heads, width]"));
    assert!(g.repeat_batch(x, 0).unwrap_err().to_string().contains("empty axis"));
    assert!(g.repeat_batch(x, usize::MAX).unwrap_err().to_string().contains("elements"));
    assert!(g.repeat_batch(scalar, 2).unwrap_err().to_string().contains("scalar"));
    assert!(g.from_tokens(x, [1, 2, 2]).unwrap_err().to_string().contains("number of elements"));
}
