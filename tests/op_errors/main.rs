//! Attributes and shapes that no operator can make sense of are errors that name what is wrong.

mod algebra;
mod attention;
mod convolution;
mod detection;
mod movement;
mod normalisation;
mod pointwise;
mod pooling;
mod quantization;
mod reduction;

use kinetograph::graph::{Family, TensorType, Traits};
use kinetograph::ops::{
    AdaptivePool3d, Attention, Distance, GroupNorm, LocalResponseNorm, Norm, Pool3d, Reduce, RoiAlign,
    Softmax,
};
use kinetograph::ops::{Attributes, CATALOG};
use kinetograph::verify::Case;
use kinetograph::{DType, ErrorKind, Graph, Precision, Shape};

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
    movement::WRONG,
    normalisation::WRONG,
    pointwise::WRONG,
    pooling::WRONG,
    quantization::WRONG,
    reduction::WRONG,
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
        assert!(count >= 2, "{}: {count}", door.name);
    }
}

#[test]
fn indices_are_no_floats() {
    for (op, attributes) in [
        ("concat", "{}"),
        ("norm", "{}"),
        ("permute", r#"{"dims": [1, 0]}"#),
        ("reduce", "{}"),
        ("slice", "{}"),
        ("softmax", "{}"),
    ] {
        let door = CATALOG.iter().find(|d| d.name == op).unwrap();
        let mut graph = Graph::new();
        let ty = TensorType { shape: Shape::new(&[2, 3]).unwrap(), dtype: DType::I32 };
        let x = graph.input_of("x", ty).unwrap();
        let e = door.add(&mut graph, &[x], &Attributes::parse(attributes).unwrap()).unwrap_err();
        assert!(e.to_string().contains("must be a float tensor"), "{op}: {e}");
    }
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
        Case::new("attention", &[&[1, 32, 1], &[1, 60_001, 1], &[1, 60_001, 1]], |g, v| {
            g.attention([v[0], v[1], v[2]], None, &Attention::heads(1))
        }),
        Case::new("group_norm", &[&[1, 1, 3000, 2000, 1]], |g, v| {
            g.group_norm(v[0], None, None, &GroupNorm::of(1))
        }),
        Case::new("norm", &[&[6_000_000]], |g, v| g.norm(v[0], None, None, &Norm::default())),
        Case::new("reduce", &[&[16_000_000]], |g, v| g.reduce(v[0], &Reduce::default())),
        Case::new("softmax", &[&[6_000_000]], |g, v| g.softmax(v[0], &Softmax::default())),
        Case::new("local_response_norm", &[&[2, 70_000]], |g, v| {
            g.local_response_norm(v[0], &LocalResponseNorm { size: 70_000, ..Default::default() })
        }),
        Case::new("roi_align", &[&[1, 300, 300, 1], &[2, 4]], |g, v| {
            g.roi_align(v[0], v[1], None, &RoiAlign { output_size: [7; 2], ..Default::default() })
        }),
        Case::several("vector_quantize", &[&[1, 3], &[4_000_000, 3]], |g, v| {
            let (indices, quantized) = g.vector_quantize(v[0], v[1], Distance::Euclidean)?;
            Ok(vec![indices, quantized])
        }),
    ] {
        for family in Family::ALL {
            let e = case.dispatches(Traits { family, precision: Precision::F32 }).unwrap_err();
            assert!(e.to_string().contains("loop turns"), "{e}");
        }
    }
}

/// One input too few, or one too many, is an error of every operator, never a panic or an input ignored.
#[test]
fn wrong_numbers_of_inputs_are_errors() {
    for door in CATALOG {
        let fewest = door.inputs.iter().filter(|p| !p.optional).count();
        let mut wrong = vec![fewest - 1];
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
