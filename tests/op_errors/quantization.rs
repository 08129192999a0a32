use kinetograph::graph::TensorType;
use kinetograph::ops::{Distance, EmaCodebook, ScalarQuantize};
use kinetograph::{DType, Graph, Shape};

use crate::Wrong;

pub(crate) const WRONG: &[Wrong] = &[
    ("bincount", &[&[5]], r#"{"bins": 4}"#, "must be i32"),
    ("bincount", &[&[5]], r#"{"bin": 4}"#, "bin"),
    ("ema_codebook", &[&[3, 4], &[3], &[5], &[5, 4]], "{}", "the indices must be i32"),
    ("ema_codebook", &[&[3, 4], &[3], &[5], &[5, 4]], r#"{"decay": "half"}"#, "decay"),
    ("group_vector_quantize", &[&[2, 5], &[8, 2], &[8, 2]], "{}", "2 codebooks do not divide 5"),
    ("group_vector_quantize", &[&[2, 4], &[8, 2], &[8, 3]], "{}", "2 channels"),
    ("group_vector_quantize", &[&[], &[8, 2]], "{}", "0 channels"),
    ("group_vector_quantize", &[&[2, 4], &[8, 4]], r#"{"distance": "manhattan"}"#, "manhattan"),
    ("perplexity", &[&[5]], "{}", "must be i32"),
    ("perplexity", &[&[]], "{}", "a scalar"),
    ("residual_vector_quantize", &[&[2, 4], &[8, 4], &[8, 3]], "{}", "4 channels"),
    ("residual_vector_quantize", &[&[2, 4], &[8, 4]], r#"{"distance": "manhattan"}"#, "manhattan"),
    ("scalar_quantize", &[&[2, 3]], "{}", "one for each"),
    ("scalar_quantize", &[&[]], r#"{"levels": [3]}"#, "a scalar"),
    ("scalar_quantize", &[&[2, 3]], r#"{"levels": [4, 1, 4]}"#, "levels 1"),
    ("scalar_quantize", &[&[2, 2]], r#"{"levels": [4, -1]}"#, "levels"),
    ("scalar_quantize", &[&[2, 2]], r#"{"levels": [65536, 65536]}"#, "an i32"),
    ("scalar_quantize", &[&[2, 9]], r#"{"levels": [2, 2, 2, 2, 2, 2, 2, 2, 2]}"#, "at most 8"),
    ("scalar_quantize", &[&[2, 2]], r#"{"levels": [4, 4], "mode": "lfq"}"#, "has none"),
    ("scalar_quantize", &[&[2, 32]], r#"{"mode": "lfq"}"#, "32 channels"),
    ("scalar_quantize", &[&[2, 2]], r#"{"mode": "sign"}"#, "sign"),
    ("straight_through", &[&[2, 3], &[3]], "{}", "one shape"),
    ("straight_through", &[&[2, 3], &[2, 3]], r#"{"scale": 2}"#, "scale"),
    ("vector_quantize", &[&[2, 3], &[8, 4]], "{}", "3 channels"),
    ("vector_quantize", &[&[], &[8, 4]], "{}", "scalar"),
    ("vector_quantize", &[&[2, 4], &[8, 4, 1]], "{}", "[K, D]"),
    ("vector_quantize", &[&[2, 4], &[8, 4]], r#"{"distance": "manhattan"}"#, "manhattan"),
];

fn indices(graph: &mut Graph, name: &str, shape: &[usize]) -> kinetograph::Value {
    let ty = TensorType { shape: Shape::new(shape).unwrap(), dtype: DType::I32 };
    graph.input_of(name, ty).unwrap()
}

#[test]
fn averages_that_do_not_fit_are_errors() {
    let wrong = |shapes: [&[usize]; 4], a: EmaCodebook, part: &str| {
        let mut g = Graph::new();
        let [x, sizes, sums] = [0, 2, 3].map(|i: usize| g.input(&i.to_string(), shapes[i]).unwrap());
        let index = indices(&mut g, "1", shapes[1]);
        let e = g.ema_codebook(x, index, [sizes, sums], &a).unwrap_err().to_string();
        assert!(e.contains(part), "{e}");
    };
    let plain = EmaCodebook::default();
    wrong([&[3, 4], &[3], &[5], &[5, 4, 1]], plain, "[K, D]");
    wrong([&[3, 4], &[3], &[4], &[5, 4]], plain, "the sizes must be [K], here [5]");
    wrong([&[3, 5], &[3], &[5], &[5, 4]], plain, "4 channels");
    wrong([&[4, 4], &[3], &[5], &[5, 4]], plain, "the shape of the indices");
    let fits: [&[usize]; 4] = [&[3, 4], &[3], &[5], &[5, 4]];
    wrong(fits, EmaCodebook { decay: 1.5, ..plain }, "decay 1.5");
    wrong(fits, EmaCodebook { decay: f32::NAN, ..plain }, "decay NaN");
    wrong(fits, EmaCodebook { eps: -1.0, ..plain }, "eps -1");
}

#[test]
fn no_bins_and_no_codebooks_are_errors() {
    let mut g = Graph::new();
    let index = indices(&mut g, "index", &[3]);
    assert!(g.bincount(index, 0).unwrap_err().to_string().contains("bins 0"));
    assert!(g.bincount(index, usize::MAX).unwrap_err().to_string().contains("bins"));
    let x = g.input("x", &[3, 4]).unwrap();
    let e = g.residual_vector_quantize(x, &[], Distance::Euclidean).unwrap_err().to_string();
    assert!(e.contains("at least one codebook"), "{e}");
    let e = g.group_vector_quantize(x, &[], Distance::Euclidean).unwrap_err().to_string();
    assert!(e.contains("0 codebooks"), "{e}");
    assert!(ScalarQuantize::finite(&[8, 8]).codebook(3).is_err());
}
