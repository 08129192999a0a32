use crate::{PICTURE, VIDEO, WEIGHT, Wrong};

pub(crate) const WRONG: &[Wrong] = &[
    ("conv3d", &[VIDEO, WEIGHT], r#"{"stride": 0}"#, "stride"),
    ("conv3d", &[VIDEO, WEIGHT], r#"{"dilation": [1, 1, 0]}"#, "dilation"),
    ("conv3d", &[VIDEO, WEIGHT], r#"{"groups": 4}"#, "groups"),
    ("conv3d", &[VIDEO, WEIGHT], r#"{"padding": -1}"#, "attribute `padding`"),
    ("conv3d", &[&[1, 2, 6, 8, 6], WEIGHT], "{}", "along T"),
    ("conv3d", &[&[1, 4, 6, 8, 5], WEIGHT], "{}", "channels"),
    ("conv3d", &[&[4, 6, 8, 6], WEIGHT], "{}", "[N, T, H, W, C]"),
    ("conv3d", &[VIDEO, WEIGHT, &[5]], "{}", "bias"),
    ("conv2d", &[PICTURE, &[3, 3, 6, 4]], r#"{"stride": [1, 2, 1]}"#, "one for each of H, W"),
    ("conv2d", &[PICTURE, &[3, 3, 6, 4]], r#"{"padding": [[1, 1]]}"#, "attribute `padding`"),
    ("conv2d", &[VIDEO, &[3, 3, 6, 4]], "{}", "[N, H, W, C]"),
    ("conv2d", &[PICTURE, WEIGHT], "{}", "[kH, kW, Cin/groups, Cout]"),
    ("conv2d", &[PICTURE, &[7, 3, 6, 4]], "{}", "along H"),
];
