use crate::{PICTURE, VIDEO, Wrong};

pub(crate) const WRONG: &[Wrong] = &[
    ("median", &[PICTURE], r#"{"kernel_size": 4}"#, "kernel_size 4"),
    ("median", &[PICTURE], r#"{"kernel_size": 7}"#, "kernel_size 7"),
    ("median", &[VIDEO], "{}", "[N, H, W, C]"),
];
