use crate::Wrong;

pub(crate) const WRONG: &[Wrong] = &[
    ("arg_reduce", &[&[2, 3]], r#"{"dim": 2}"#, "dim 2"),
    ("arg_reduce", &[&[]], r#"{"dim": 0}"#, "dim 0"),
    ("arg_reduce", &[&[2, 3]], r#"{"dim": [0, 1]}"#, "dim"),
    ("arg_reduce", &[&[2, 3]], r#"{"mode": "sum"}"#, "sum"),
    ("arg_reduce", &[&[50_000, 50_000]], "{}", "an i32"),
    ("reduce", &[&[2, 3]], r#"{"dim": [0, -2]}"#, "twice"),
    ("reduce", &[&[2, 3]], r#"{"dim": 2}"#, "dim 2"),
    ("reduce", &[&[2, 3]], r#"{"dim": -3}"#, "dim -3"),
    ("reduce", &[&[2, 3]], r#"{"mode": "median"}"#, "median"),
    ("reduce", &[&[2, 3]], r#"{"mode": "norm", "p": -2}"#, "p -2"),
    ("reduce", &[&[2, 3]], r#"{"mode": "norm", "p": 1e-40}"#, "p 0.0"),
    ("reduce", &[&[2, 3]], r#"{"mode": "norm", "p": "two"}"#, "\"inf\""),
    ("reduce", &[&[2, 3]], r#"{"mode": "var", "dim": 1, "correction": 3}"#, "correction 3"),
    ("reduce", &[&[2, 3]], r#"{"mode": "std", "correction": 7}"#, "of 6 elements"),
    ("reduce", &[&[2, 3]], r#"{"mode": "std", "correction": -1}"#, "correction"),
    ("softmax", &[&[2, 3]], r#"{"dim": 2}"#, "dim 2"),
    ("softmax", &[&[]], r#"{"dim": 0}"#, "dim 0"),
    ("softmax", &[&[2, 3]], r#"{"temperature": 0}"#, "temperature 0"),
    ("softmax", &[&[2, 3]], r#"{"temperature": -2.5}"#, "temperature -2.5"),
];
