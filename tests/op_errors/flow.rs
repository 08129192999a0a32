use crate::{PICTURE, VIDEO, Wrong};

const FIELD: &[usize] = &[1, 4, 5, 4];
const FLOW: &[usize] = &[1, 4, 5, 2];
const EXPANSION: &[usize] = &[1, 4, 5, 5];
const GRAY: &[usize] = &[1, 4, 5, 1];
const PAIR: &[&[usize]] = &[&[1, 4, 5, 3], &[1, 4, 5, 1], &[1, 4, 5, 2], FIELD];

pub(crate) const WRONG: &[Wrong] = &[
    ("farneback_update", &[EXPANSION, EXPANSION, EXPANSION], "{}", "the flow must be [1, 4, 5, 2]"),
    ("farneback_update", &[PICTURE, EXPANSION, FLOW], "{}", "the first expansion must be [1, 4, 5, 5]"),
    ("farneback_update", &[EXPANSION, PICTURE, FLOW], "{}", "the second expansion must be [1, 4, 5, 5]"),
    ("farneback_update", &[EXPANSION, EXPANSION, FLOW], r#"{"winsize": 1}"#, "winsize 1"),
    ("farneback_update", &[EXPANSION, EXPANSION, FLOW], r#"{"winsize": 241}"#, "winsize 241"),
    ("median", &[PICTURE], r#"{"kernel_size": 4}"#, "kernel_size 4"),
    ("median", &[PICTURE], r#"{"kernel_size": 7}"#, "kernel_size 7"),
    ("median", &[VIDEO], "{}", "[N, H, W, C]"),
    ("polynomial_expansion", &[EXPANSION], "{}", "it has 5 channels"),
    ("polynomial_expansion", &[VIDEO], "{}", "[N, H, W, 1]"),
    ("polynomial_expansion", &[GRAY], r#"{"poly_n": 0}"#, "poly_n 0"),
    ("polynomial_expansion", &[GRAY], r#"{"poly_n": 101}"#, "poly_n 101"),
    ("polynomial_expansion", &[GRAY], r#"{"poly_sigma": -1}"#, "poly_sigma -1"),
    ("polynomial_expansion", &[GRAY], r#"{"poly_sigma": 0.1}"#, "poly_sigma 0.1 leaves too little"),
    ("tvl1", &[&[1, 4, 5, 3], &[1, 4, 5, 1], &[1, 4, 5, 3], FIELD], "{}", "the flow must be [1, 4, 5, 2]"),
    ("tvl1", &[&[1, 4, 5, 3], &[1, 5, 4, 1], &[1, 4, 5, 2], FIELD], "{}", "the frame must be [1, 4, 5, 1]"),
    (
        "tvl1",
        &[&[1, 4, 5, 1], &[1, 4, 5, 1], &[1, 4, 5, 2], FIELD],
        "{}",
        "the warped frame must be [1, 4, 5, 3]",
    ),
    ("tvl1", &[&[1, 4, 5, 3], &[1, 4, 5, 1], &[1, 4, 5, 2], &[1, 4, 5, 2]], "{}", "the dual field must be"),
    ("tvl1", PAIR, r#"{"tau": 0}"#, "tau 0"),
    ("tvl1", PAIR, r#"{"lambda": -1}"#, "lambda -1"),
    ("tvl1", PAIR, r#"{"theta": 1e-44}"#, "theta"),
    ("tvl1", PAIR, r#"{"epsilon": -0.5}"#, "epsilon -0.5"),
    ("tvl1", PAIR, r#"{"median_filtering": 2}"#, "median_filtering 2"),
    ("tvl1", PAIR, r#"{"inner_iterations": 4000, "outer_iterations": 4000}"#, "at most"),
    ("tvl1", PAIR, r#"{"scales": 5}"#, "scales"),
    ("tvl1", PAIR, r#"{"gamma": 1}"#, "the flow must be [1, 4, 5, 3]"),
    ("tvl1", PAIR, r#"{"flat": -1}"#, "flat -1"),
    ("tvl1", PAIR, r#"{"dual_iterations": 2}"#, "median_filtering 5 with dual_iterations 2"),
    (
        "tvl1",
        PAIR,
        r#"{"dual_iterations": 4000, "outer_iterations": 40, "median_filtering": 0}"#,
        "times dual_iterations 4000",
    ),
    (
        "tvl1",
        &[&[1, 4, 5, 3], &[1, 4, 5, 1], &[1, 4, 5, 2], FIELD, &[1]],
        r#"{"dual_iterations": 2, "median_filtering": 0, "epsilon": 0}"#,
        "settled",
    ),
    (
        "tvl1",
        &[&[1, 4, 5, 3], &[1, 4, 5, 1], &[1, 4, 5, 2], FIELD, &[2]],
        r#"{"dual_iterations": 2, "median_filtering": 0}"#,
        "the list of settled pairs must be [1]",
    ),
];
