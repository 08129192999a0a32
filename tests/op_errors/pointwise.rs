use crate::Wrong;

pub(crate) const WRONG: &[Wrong] = &[
    ("activation", &[&[3]], r#"{"function": "rleu"}"#, "rleu"),
    ("activation", &[&[3]], r#"{"slope": 0.1}"#, "slope"),
    ("binary", &[&[3, 4], &[3, 5]], "{}", "axis 1"),
    ("binary", &[&[3], &[3]], r#"{"function": "pow"}"#, "pow"),
    ("binary", &[&[3], &[3]], r#"{"alpha": 2}"#, "alpha"),
];
