use crate::Wrong;

pub(crate) const WRONG: &[Wrong] = &[
    ("reduce", &[&[2, 3]], r#"{"dim": [0, -2]}"#, "twice"),
    ("reduce", &[&[2, 3]], r#"{"dim": 2}"#, "dim 2"),
    ("reduce", &[&[2, 3]], r#"{"dim": -3}"#, "dim -3"),
    ("reduce", &[&[2, 3]], r#"{"mode": "prod"}"#, "prod"),
    ("softmax", &[&[2, 3]], r#"{"dim": 2}"#, "dim 2"),
    ("softmax", &[&[]], r#"{"dim": 0}"#, "dim 0"),
    ("softmax", &[&[2, 3]], r#"{"temperature": 0}"#, "temperature 0"),
    ("softmax", &[&[2, 3]], r#"{"temperature": -2.5}"#, "temperature -2.5"),
];
