// Activations, by the number that the host's `Activation::code` gives. Each lets NaN through: none of them
// may hide it, and `max` alone would.

#import nan

fn erf_approx(x: f32) -> f32 {
    // Abramowitz & Stegun 7.1.26, |error| < 1.5e-7; near zero its Taylor series, which keeps the relative
    // accuracy there.
    let a = abs(x);
    if a < 0.5 {
        let s = x * x;
        let series = 1.0 + s * (-0.33333333 + s * (0.1 + s * (-0.023809524 + s * (0.0046296296
            + s * (-0.00075757576 + s * 0.00010683761)))));
        return 1.1283791671 * x * series;
    }
    let t = 1.0 / (1.0 + 0.3275911 * a);
    let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    let e = 1.0 - p * exp(-a * a);
    return select(e, -e, x < 0.0);
}

fn sigmoid(x: f32) -> f32 {
    // exp of a negative number only, so that nothing overflows.
    let e = exp(-abs(x));
    let r = 1.0 / (1.0 + e);
    return select(e * r, r, x >= 0.0);
}

fn activate(code: u32, slope: f32, x: f32) -> f32 {
    var y = x;
    switch code {
        case 1u: { y = max(x, 0.0); }
        case 2u: { y = select(slope * x, x, x >= 0.0); }
        case 3u: { y = sigmoid(x); }
        case 4u: { y = tanh(clamp(x, -15.0, 15.0)); }
        case 5u: { y = x * sigmoid(x); }
        case 6u: { y = 0.5 * x * (1.0 + erf_approx(x * 0.70710678)); }
        case 7u: { y = 0.5 * x * (1.0 + tanh(clamp(0.79788456 * (x + 0.044715 * x * x * x), -15.0, 15.0))); }
        case 8u: { y = x * sigmoid(1.702 * x); }
        default: {}
    }
    return select(y, x, is_nan(x));
}
