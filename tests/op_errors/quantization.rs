use crate::Wrong;

pub(crate) const WRONG: &[Wrong] = &[
    ("vector_quantize", &[&[2, 3], &[8, 4]], "{}", "3 channels"),
    ("vector_quantize", &[&[], &[8, 4]], "{}", "scalar"),
    ("vector_quantize", &[&[2, 4], &[8, 4, 1]], "{}", "[K, D]"),
    ("vector_quantize", &[&[2, 4], &[8, 4]], r#"{"distance": "manhattan"}"#, "manhattan"),
];
