use crate::{VIDEO, Wrong};

pub(crate) const WRONG: &[Wrong] = &[
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
];
