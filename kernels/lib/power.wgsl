// Powers, as C's pow and torch.pow have them: 1 for an exponent of 0 and for a base of 1, NaN for a negative base with
// a fractional exponent; zeros and infinities as IEEE 754 says. Denormal bases count as zero.

#import elementary
#import nan

// Exponents up to here are multiplied out, which is exact where the products are.
const MOST_FACTORS: f32 = 64.0;

fn is_infinite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u;
}

// `nan` and `infinity` come from the host: WGSL has no constants for them.
fn power(x: f32, y: f32, nan: f32, infinity: f32) -> f32 {
    if y == 0.0 || x == 1.0 {
        return 1.0;
    }
    if is_nan(x) || is_nan(y) {
        return nan;
    }
    let a = abs(x);
    let n = abs(y);
    var p: f32;
    if is_infinite(y) {
        p = select(0.0, infinity, (a > 1.0) == (y > 0.0));
        return select(p, 1.0, a == 1.0);
    } else if a < 1.1754944e-38 {
        p = select(infinity, 0.0, y > 0.0);
    } else if is_infinite(a) {
        p = select(0.0, infinity, y > 0.0);
    } else if n <= MOST_FACTORS && n == trunc(n) {
        p = multiplied(select(1.0 / a, a, y > 0.0), u32(n));
    } else {
        p = positive_power(a, y, infinity);
    }
    if bitcast<u32>(x) >> 31u == 0u {
        return p;
    }
    // From 2²⁴ on every number is even.
    let whole = n == trunc(n);
    if n < 16777216.0 && whole && (u32(n) & 1u) == 1u {
        return -p;
    }
    return select(p, nan, !whole && a >= 1.1754944e-38 && !is_infinite(a));
}

fn multiplied(a: f32, exponent: u32) -> f32 {
    var p = 1.0;
    var factor = a;
    var rest = exponent;
    while rest > 1u {
        if (rest & 1u) == 1u {
            p *= factor;
        }
        factor *= factor;
        rest >>= 1u;
    }
    return p * factor;
}

// 2^(y·log₂ a) for a positive, finite base: the logarithm by the series of artanh of a significand near 1, the power of
// two in a whole part and a rest below ½.
fn positive_power(a: f32, y: f32, infinity: f32) -> f32 {
    let bits = bitcast<u32>(a);
    let fraction = bitcast<f32>((bits & 0x7fffffu) | 0x3f000000u);
    let low = fraction < 0.70710678;
    let m = select(fraction, 2.0 * fraction, low);
    let e = f32(i32(bits >> 23u) - 126) - select(0.0, 1.0, low);
    let s = (m - 1.0) / (m + 1.0);
    let t = y * (e + 2.8853901 * s * odd_series(s * s));
    if t >= 128.0 {
        return infinity;
    }
    if t < -150.0 {
        return 0.0;
    }
    let whole = round(t);
    // Two steps, for 2^128 is too large and 2^−127 may be flushed.
    let half = trunc(0.5 * whole);
    return exp2(t - whole) * exp2(half) * exp2(whole - half);
}
