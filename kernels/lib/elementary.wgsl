// Elementary functions that WGSL does not have, to a few units in the last place. Each lets NaN through where the
// device does: who must promise it tests before.

// The error function: an odd polynomial below 1, one for the logarithm of 1 − erf up to 4 (both least squares at
// Chebyshev points), 1 beyond.
fn error_function(x: f32) -> f32 {
    let a = abs(x);
    if a < 1.0 {
        let s = x * x;
        return x * (1.1283791 + s * (-0.37612626 + s * (0.11283597 + s * (-0.026854329 + s * (0.0051893122
            + s * (-0.0008018855 + s * 0.000078824975))))));
    }
    let s = min(a, 4.0) - 1.0;
    let r = -1.8496058 + s * (-2.6389537 + s * (-0.84320295 + s * (-0.0413141 + s * (0.0097353999
        + s * (-0.0018109325 + s * (0.00022440631 + s * -0.000013309389))))));
    let e = 1.0 - exp(r);
    return select(e, -e, x < 0.0);
}

// eˣ − 1: its Taylor series about zero.
fn exp_minus_one(x: f32) -> f32 {
    if abs(x) < 0.5 {
        return x * (1.0 + 0.5 * x * (1.0 + 0.33333333 * x * (1.0 + 0.25 * x * (1.0 + 0.2 * x * (1.0
            + 0.16666667 * x * (1.0 + 0.14285714 * x * (1.0 + 0.125 * x * (1.0 + 0.11111111 * x))))))));
    }
    return exp(x) - 1.0;
}

// log(1 + x): the series of 2·artanh(x / (2 + x)) about zero.
fn log_one_plus(x: f32) -> f32 {
    if x > -0.3 && x < 0.5 {
        let s = x / (2.0 + x);
        return 2.0 * s * odd_series(s * s);
    }
    return log(1.0 + x);
}

// artanh(s) / s of s², for |s| ≤ 0.2.
fn odd_series(s: f32) -> f32 {
    return 1.0 + s * (0.33333333 + s * (0.2 + s * (0.14285714 + s * (0.11111111 + s * (0.090909091
        + s * 0.076923077)))));
}
