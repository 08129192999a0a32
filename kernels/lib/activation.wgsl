// Activations, by the number that the host's `Activation::code` gives. Each lets NaN through: none of them
// may hide it, and `max` alone would.

#import elementary
#import nan

// The second parameter of those that have two; the first comes with every call.
override SECOND: f32 = 0.0;

fn sigmoid(x: f32) -> f32 {
    // exp of a negative number only, so that nothing overflows.
    let e = exp(-abs(x));
    let r = 1.0 / (1.0 + e);
    return select(e * r, r, x >= 0.0);
}

// log(1 + eˣ).
fn softplus(x: f32) -> f32 {
    return max(x, 0.0) + log_one_plus(exp(-abs(x)));
}

// x·tanh(softplus(x)), the tanh as a quotient of polynomials in e^−|x|.
fn mish(x: f32) -> f32 {
    let e = exp(-abs(x));
    let above = 1.0 + 2.0 * e;
    let below = e * (e + 2.0);
    return x * select(below / (below + 2.0), above / (above + 2.0 * e * e), x >= 0.0);
}

// Kin share a case: what stands here is written into a kernel for every element that it stores.
fn activate(code: u32, slope: f32, x: f32) -> f32 {
    var y = x;
    switch code {
        case 1u: { y = max(x, 0.0); }
        case 2u: { y = select(slope * x, x, x >= 0.0); }
        case 3u, 5u, 8u: {
            let s = sigmoid(select(x, 1.702 * x, code == 8u));
            y = select(x * s, s, code == 3u);
        }
        case 4u, 7u: {
            let inner = select(x, 0.79788456 * (x + 0.044715 * x * x * x), code == 7u);
            let t = tanh(clamp(inner, -15.0, 15.0));
            y = select(t, 0.5 * x * (1.0 + t), code == 7u);
        }
        case 6u: { y = 0.5 * x * (1.0 + error_function(x * 0.70710678)); }
        case 9u: { y = clamp(x, 0.0, 6.0); }
        case 10u: { y = min(max(x, slope), SECOND); }
        case 11u, 12u: {
            let h = clamp(x + 3.0, 0.0, 6.0) / 6.0;
            y = select(x * h, h, code == 11u);
        }
        case 13u: { y = select(slope * exp_minus_one(min(x, 0.0)), x, x >= 0.0); }
        case 14u, 15u: {
            let s = softplus(select(slope * x, -x, code == 15u));
            y = select(select(s / slope, x, slope * x > SECOND), -s, code == 15u);
        }
        case 16u: { y = mish(x); }
        default: {}
    }
    return select(y, x, is_nan(x));
}
