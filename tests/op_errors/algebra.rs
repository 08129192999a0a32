use crate::Wrong;

pub(crate) const WRONG: &[Wrong] = &[
    ("linear", &[&[2, 3], &[4, 5]], "{}", "3 channels"),
    ("linear", &[&[2, 4], &[4, 5], &[4]], "{}", "bias"),
    ("linear", &[&[2, 4], &[4, 5]], r#"{"bias": true}"#, "bias"),
];
