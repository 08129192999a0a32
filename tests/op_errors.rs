//! Attributes and shapes that no operator can make sense of are errors that name what is wrong.

use kinetograph::graph::{Family, TensorType, Traits};
use kinetograph::ops::{Attention, Distance, GroupNorm, Norm, Pool3d, Reduce, Softmax};
use kinetograph::ops::{Attributes, CATALOG};
use kinetograph::verify::Case;
use kinetograph::{DType, ErrorKind, Graph, Precision, Shape};

/// Operator, shapes of its inputs, attributes, and a part of the message.
type Wrong = (&'static str, &'static [&'static [usize]], &'static str, &'static str);

const VIDEO: &[usize] = &[1, 4, 6, 8, 6];
const TOKENS: &[usize] = &[1, 6, 8];
const WEIGHT: &[usize] = &[3, 3, 3, 6, 4];

const WRONG: &[Wrong] = &[
    ("activation", &[&[3]], r#"{"function": "rleu"}"#, "rleu"),
    ("activation", &[&[3]], r#"{"slope": 0.1}"#, "slope"),
    ("attention", &[TOKENS, TOKENS, TOKENS], "{}", "heads 0"),
    ("attention", &[TOKENS, TOKENS, TOKENS], r#"{"heads": 3}"#, "heads 3"),
    ("attention", &[TOKENS, TOKENS], r#"{"heads": 2}"#, "query, key, value, [mask], not 2"),
    ("attention", &[TOKENS, TOKENS, TOKENS], r#"{"heads": 2, "fused": true}"#, "query, [mask], not 3"),
    ("attention", &[TOKENS], r#"{"heads": 2, "fused": true}"#, "8 channels"),
    ("attention", &[&[6, 8], TOKENS, TOKENS], r#"{"heads": 2}"#, "[N, tokens, C]"),
    ("attention", &[TOKENS, &[1, 6, 6], &[1, 6, 6]], r#"{"heads": 2}"#, "the key"),
    ("attention", &[TOKENS, TOKENS, &[1, 5, 8]], r#"{"heads": 2}"#, "the value"),
    ("attention", &[TOKENS, TOKENS, TOKENS, &[6, 5]], r#"{"heads": 2}"#, "the mask"),
    ("attention", &[TOKENS, TOKENS, TOKENS], r#"{"heads": 2, "frames": 2}"#, "frames 2"),
    ("attention", &[TOKENS, TOKENS, TOKENS], r#"{"heads": 2, "over": "time"}"#, "frames"),
    ("attention", &[TOKENS, TOKENS, TOKENS], r#"{"heads": 2, "over": "space", "frames": 4}"#, "frames 4"),
    (
        "attention",
        &[TOKENS, &[1, 4, 8], &[1, 4, 8]],
        r#"{"heads": 2, "over": "space", "frames": 2}"#,
        "6 keys",
    ),
    ("attention", &[TOKENS, TOKENS, TOKENS], r#"{"heads": 2, "scale": 1e39}"#, "scale"),
    ("attention", &[&[1, 6, 194], &[1, 6, 194], &[1, 6, 194]], r#"{"heads": 2}"#, "at most 96"),
    ("batch_norm", &[&[2, 3], &[3], &[2]], "{}", "the running variance must be [3]"),
    ("batch_norm", &[&[2, 3], &[2], &[3]], "{}", "the running mean must be [3]"),
    ("batch_norm", &[&[2, 3], &[3], &[3], &[1]], "{}", "the weight must be [3]"),
    ("batch_norm", &[&[2, 3], &[3], &[3], &[3], &[3, 1]], "{}", "the bias must be [3]"),
    ("batch_norm", &[&[2, 3], &[3], &[3]], r#"{"eps": -1}"#, "eps -1"),
    ("batch_norm", &[&[2, 3], &[3], &[3]], r#"{"training": true}"#, "training"),
    ("batch_norm", &[&[], &[3], &[3]], "{}", "scalar"),
    ("binary", &[&[3, 4], &[3, 5]], "{}", "axis 1"),
    ("binary", &[&[3], &[3]], r#"{"function": "pow"}"#, "pow"),
    ("binary", &[&[3], &[3]], r#"{"alpha": 2}"#, "alpha"),
    ("concat", &[&[2, 3], &[2, 4]], r#"{"dim": 0}"#, "dim 0"),
    ("concat", &[&[2, 3], &[2, 3]], r#"{"dim": 2}"#, "dim 2"),
    ("concat", &[&[2, 3], &[2, 3, 1]], r#"{"dim": 0}"#, "input 1"),
    ("concat", &[], "{}", "it takes input …"),
    ("conv3d", &[VIDEO, WEIGHT], r#"{"stride": 0}"#, "stride"),
    ("conv3d", &[VIDEO, WEIGHT], r#"{"dilation": [1, 1, 0]}"#, "dilation"),
    ("conv3d", &[VIDEO, WEIGHT], r#"{"groups": 4}"#, "groups"),
    ("conv3d", &[VIDEO, WEIGHT], r#"{"padding": -1}"#, "attribute `padding`"),
    ("conv3d", &[&[1, 2, 6, 8, 6], WEIGHT], "{}", "along T"),
    ("conv3d", &[&[1, 4, 6, 8, 5], WEIGHT], "{}", "channels"),
    ("conv3d", &[&[4, 6, 8, 6], WEIGHT], "{}", "[N, T, H, W, C]"),
    ("conv3d", &[VIDEO, WEIGHT, &[5]], "{}", "bias"),
    ("embedding", &[&[2, 3], &[4, 5]], "{}", "i32"),
    ("embedding", &[&[2, 3], &[4]], "{}", "[K, D]"),
    ("embedding", &[&[2, 3], &[4, 5]], r#"{"padding_idx": 0}"#, "padding_idx"),
    ("group_norm", &[VIDEO], "{}", "num_groups 0: it must be given"),
    ("group_norm", &[VIDEO], r#"{"num_groups": 4}"#, "num_groups 4"),
    ("group_norm", &[VIDEO], r#"{"num_groups": 7}"#, "num_groups 7"),
    ("group_norm", &[VIDEO], r#"{"num_groups": -2}"#, "attribute `num_groups`"),
    ("group_norm", &[VIDEO], r#"{"num_groups": 2, "eps": 0}"#, "eps 0"),
    ("group_norm", &[VIDEO, &[3]], r#"{"num_groups": 2}"#, "the weight must be [6]"),
    ("group_norm", &[VIDEO, &[6], &[2]], r#"{"num_groups": 2}"#, "the bias must be [6]"),
    ("group_norm", &[&[4, 6, 8, 6]], r#"{"num_groups": 2}"#, "[N, T, H, W, C]"),
    ("linear", &[&[2, 3], &[4, 5]], "{}", "3 channels"),
    ("linear", &[&[2, 4], &[4, 5], &[4]], "{}", "bias"),
    ("linear", &[&[2, 4], &[4, 5]], r#"{"bias": true}"#, "bias"),
    ("norm", &[&[2, 3]], r#"{"dim": 2}"#, "dim 2"),
    ("norm", &[&[2, 3]], r#"{"dim": [1, -1]}"#, "twice"),
    ("norm", &[&[2, 3]], r#"{"dim": []}"#, "no axis"),
    ("norm", &[&[]], "{}", "dim -1"),
    ("norm", &[&[2, 3]], r#"{"affine_dim": [0, 0]}"#, "affine_dim"),
    ("norm", &[&[2, 3]], r#"{"mode": "batch"}"#, "batch"),
    ("norm", &[&[2, 3]], r#"{"eps": 0}"#, "eps 0"),
    ("norm", &[&[2, 3]], r#"{"eps": -1e-5}"#, "eps -0.00001"),
    ("norm", &[&[2, 3]], r#"{"eps": 1e-42}"#, "eps"),
    ("norm", &[&[2, 3]], r#"{"activation": "relu"}"#, "activation"),
    ("norm", &[&[2, 3], &[2]], "{}", "the weight must be [3]"),
    ("norm", &[&[2, 3], &[3], &[2, 3]], "{}", "the bias must be [3]"),
    ("norm", &[&[2, 3, 4], &[4]], r#"{"dim": [1, 2]}"#, "the weight must be [3, 4]"),
    ("permute", &[&[2, 3, 4]], r#"{"dims": [0, 1]}"#, "dims [0, 1]"),
    ("permute", &[&[2, 3, 4]], r#"{"dims": [0, 1, -2]}"#, "[0, 1, -2]"),
    ("permute", &[&[2, 3, 4]], r#"{"dims": [0, 1, 3]}"#, "dim 3"),
    ("permute", &[&[2, 3, 4]], "{}", "dims"),
    ("pool3d", &[VIDEO], "{}", "kernel_size"),
    ("pool3d", &[VIDEO], r#"{"kernel_size": 0, "mode": "average"}"#, "kernel"),
    ("pool3d", &[VIDEO], r#"{"kernel_size": [2, 2, 0]}"#, "kernel 0 along W"),
    ("pool3d", &[VIDEO], r#"{"kernel_size": 2, "stride": [1, 0, 1]}"#, "stride 0 along H"),
    ("pool3d", &[VIDEO], r#"{"kernel_size": 2, "padding": 2}"#, "padding"),
    ("pool3d", &[VIDEO], r#"{"kernel_size": 9}"#, "along T"),
    ("pool3d", &[VIDEO], r#"{"kernel_size": 2, "mode": "average", "dilation": 2}"#, "dilation"),
    ("pool3d", &[VIDEO], r#"{"kernel_size": 2, "mode": "average", "zero_pad": true}"#, "zero_pad"),
    ("pool3d", &[VIDEO], r#"{"kernel_size": 2, "count_include_pad": false}"#, "count_include_pad"),
    ("pool3d", &[VIDEO], r#"{"kernel_size": 2, "mode": "median"}"#, "median"),
    ("pool3d", &[&[4, 6, 8, 6]], r#"{"kernel_size": 2}"#, "[N, T, H, W, C]"),
    ("pool3d", &[VIDEO], r#"{"kernel_size": 4611686018427387904, "dilation": 4}"#, "kernel"),
    ("reduce", &[&[2, 3]], r#"{"dim": [0, -2]}"#, "twice"),
    ("reduce", &[&[2, 3]], r#"{"dim": 2}"#, "dim 2"),
    ("reduce", &[&[2, 3]], r#"{"dim": -3}"#, "dim -3"),
    ("reduce", &[&[2, 3]], r#"{"mode": "prod"}"#, "prod"),
    ("reshape", &[&[2, 3]], r#"{"shape": [4, 2]}"#, "shape [4, 2]"),
    ("reshape", &[&[2, 3]], r#"{"shape": [-1, -1]}"#, "more than one -1"),
    ("reshape", &[&[2, 3]], r#"{"shape": [-1, 4]}"#, "shape [-1, 4]"),
    ("reshape", &[&[2, 3]], r#"{"shape": [-2, 3]}"#, "negative"),
    ("reshape", &[&[2, 3]], r#"{"shape": [0, -1]}"#, "shape [0, -1]"),
    ("slice", &[&[4, 5]], r#"{"step": [0]}"#, "step 0"),
    ("slice", &[&[4, 5]], r#"{"step": [-1]}"#, "attribute `step"),
    ("slice", &[&[4, 5]], r#"{"start": [2], "stop": [2]}"#, "start 2"),
    ("slice", &[&[4, 5]], r#"{"start": [9]}"#, "start 4"),
    ("slice", &[&[4, 5]], r#"{"start": [0, 0, 0]}"#, "start has 3 entries"),
    ("softmax", &[&[2, 3]], r#"{"dim": 2}"#, "dim 2"),
    ("softmax", &[&[]], r#"{"dim": 0}"#, "dim 0"),
    ("softmax", &[&[2, 3]], r#"{"temperature": 0}"#, "temperature 0"),
    ("softmax", &[&[2, 3]], r#"{"temperature": -2.5}"#, "temperature -2.5"),
    ("vector_quantize", &[&[2, 3], &[8, 4]], "{}", "3 channels"),
    ("vector_quantize", &[&[], &[8, 4]], "{}", "scalar"),
    ("vector_quantize", &[&[2, 4], &[8, 4, 1]], "{}", "[K, D]"),
    ("vector_quantize", &[&[2, 4], &[8, 4]], r#"{"distance": "manhattan"}"#, "manhattan"),
];

#[test]
fn what_makes_no_sense_is_an_error_that_says_what() {
    let mut wrong = Vec::new();
    for (op, shapes, attributes, part) in WRONG {
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
        let count = WRONG.iter().filter(|w| w.0 == door.name).count();
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
        Case::new("attention", &[&[1, 32, 1], &[1, 60_001, 1], &[1, 60_001, 1]], |g, v| {
            g.attention([v[0], v[1], v[2]], None, &Attention::heads(1))
        }),
        Case::new("group_norm", &[&[1, 1, 3000, 2000, 1]], |g, v| {
            g.group_norm(v[0], None, None, &GroupNorm::of(1))
        }),
        Case::new("norm", &[&[6_000_000]], |g, v| g.norm(v[0], None, None, &Norm::default())),
        Case::new("reduce", &[&[16_000_000]], |g, v| g.reduce(v[0], &Reduce::default())),
        Case::new("softmax", &[&[6_000_000]], |g, v| g.softmax(v[0], &Softmax::default())),
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
