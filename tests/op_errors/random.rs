use crate::Wrong;

pub(crate) const WRONG: &[Wrong] = &[
    ("random", &[], "{}", "shape must be given"),
    ("random", &[], r#"{"shape": [3, -1]}"#, "attribute `shape[1]`"),
    ("random", &[], r#"{"shape": [3, 0]}"#, "empty axis"),
    ("random", &[], r#"{"shape": [3], "seed": -1}"#, "attribute `seed`"),
    ("random", &[], r#"{"shape": [3], "distribution": "poisson"}"#, "poisson"),
    ("random", &[], r#"{"shape": [3], "high": 5}"#, "distribution integers"),
    ("random", &[], r#"{"shape": [3], "distribution": "integers"}"#, "high must be given"),
    ("random", &[], r#"{"shape": [3], "distribution": "integers", "low": 5, "high": 5}"#, "below high 5"),
    ("random", &[&[4]], r#"{"shape": [3]}"#, "the key must be [4] of i32"),
];
