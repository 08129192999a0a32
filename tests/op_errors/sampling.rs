use crate::{PICTURE, VIDEO, Wrong};

pub(crate) const WRONG: &[Wrong] = &[
    ("resize", &[PICTURE], "{}", "either size or scale_factor"),
    ("resize", &[PICTURE], r#"{"size": 3, "scale_factor": 2}"#, "either size or scale_factor"),
    ("resize", &[PICTURE], r#"{"size": [3, 0]}"#, "0 long along W"),
    ("resize", &[PICTURE], r#"{"size": [3, 4, 5]}"#, "size has 3 entries for 2 axes"),
    ("resize", &[PICTURE], r#"{"size": []}"#, "size has 0 entries"),
    ("resize", &[PICTURE], r#"{"size": 99999999}"#, "along H"),
    ("resize", &[PICTURE], r#"{"size": 2.5}"#, "attribute `size`"),
    ("resize", &[PICTURE], r#"{"scale_factor": [1, 0]}"#, "scale_factor 0 along W"),
    ("resize", &[PICTURE], r#"{"scale_factor": -1}"#, "scale_factor -1"),
    ("resize", &[PICTURE], r#"{"scale_factor": 0.15}"#, "0 long along H"),
    ("resize", &[VIDEO], r#"{"scale_factor": [2, 2]}"#, "scale_factor has 2 entries for 3 axes"),
    ("resize", &[PICTURE], r#"{"size": 3, "recompute_scale_factor": true}"#, "recompute_scale_factor"),
    ("resize", &[PICTURE], r#"{"size": 3, "align_corners": true}"#, "align_corners"),
    ("resize", &[PICTURE], r#"{"size": 3, "mode": "area", "antialias": true}"#, "antialias"),
    ("resize", &[PICTURE], r#"{"size": 3, "mode": "lanczos"}"#, "lanczos needs antialias"),
    ("resize", &[PICTURE], r#"{"size": 3, "mode": "sinc"}"#, "sinc"),
    ("resize", &[PICTURE], r#"{"size": 3, "cubic_coeff_a": -0.5}"#, "cubic_coeff_a"),
    ("resize", &[PICTURE], r#"{"size": 3, "mode": "cubic", "cubic_coeff_a": 9}"#, "cubic_coeff_a 9"),
    ("resize", &[&[4, 5]], r#"{"size": 3}"#, "[N, W, C]"),
    ("resize", &[&[1, 2, 3, 4, 5, 6]], r#"{"size": 3}"#, "[N, W, C]"),
];
