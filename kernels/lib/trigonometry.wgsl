// Sine and cosine of every finite number, to a few units in the last place; WGSL promises 2⁻¹¹ on [−π, π] alone.
//
// The number of quarter turns is found with integers, which no compiler may reorder: the significand times the 64 bits
// of 2/π that matter at this exponent (Payne and Hanek, Radian reduction for trigonometric functions, 1983).

// 0 and the binary places of 2/π, 32 in a word.
fn two_over_pi(word: u32) -> u32 {
    switch word {
        case 1u: { return 0xa2f9836eu; }
        case 2u: { return 0x4e441529u; }
        case 3u: { return 0xfc2757d1u; }
        case 4u: { return 0xf534ddc0u; }
        case 5u: { return 0xdb629599u; }
        case 6u: { return 0x3c439041u; }
        default: { return 0u; }
    }
}

struct Angle {
    quarters: u32,
    // From −π/4 to π/4.
    rest: f32,
}

fn angle_of(x: f32) -> Angle {
    let magnitude = bitcast<u32>(x) & 0x7fffffffu;
    // Below ½.
    if magnitude < 0x3f000000u {
        return Angle(0u, x);
    }
    let m = (magnitude & 0x7fffffu) | 0x800000u;
    let start = (magnitude >> 23u) - 120u;
    let word = start >> 5u;
    let shift = start & 31u;
    let middle = two_over_pi(word + 1u);
    let high = (two_over_pi(word) << shift) | ((middle >> 1u) >> (31u - shift));
    let low = (middle << shift) | ((two_over_pi(word + 2u) >> 1u) >> (31u - shift));

    // m·(high, low) modulo 2⁶⁴, in halves of 16 bits: quarter turns modulo 4, with 62 binary places.
    let m_high = m >> 16u;
    let m_low = m & 0xffffu;
    let low_low = m_low * (low & 0xffffu);
    let cross = m_high * (low & 0xffffu) + (low_low >> 16u);
    let inner = m_low * (low >> 16u) + (cross & 0xffffu);
    let carried = m_high * (low >> 16u) + (cross >> 16u) + (inner >> 16u);
    let top = m * high + carried;
    let bottom = (inner << 16u) | (low_low & 0xffffu);

    let quarters = (top + 0x20000000u) >> 30u;
    let places = f32(bitcast<i32>((top << 2u) | (bottom >> 30u)));
    let further = f32(bottom << 2u);
    let rest = 1.5707963 * (places * 2.3283064e-10 + further * 5.4210109e-20);
    if bitcast<u32>(x) >> 31u == 1u {
        return Angle(0u - quarters, -rest);
    }
    return Angle(quarters, rest);
}

// The Taylor series, on a quarter turn about zero.
fn of_quarters(angle: Angle) -> f32 {
    let r = angle.rest;
    let s = r * r;
    var y = r * (1.0 + s * (-0.16666667 + s * (0.0083333333 + s * (-0.00019841270 + s * 0.0000027557319))));
    if (angle.quarters & 1u) == 1u {
        y = 1.0 + s * (-0.5 + s * (0.041666667 + s * (-0.0013888889 + s * (0.000024801587 - s * 2.7557319e-7))));
    }
    return select(y, -y, (angle.quarters & 2u) != 0u);
}

fn sine(x: f32) -> f32 {
    return of_quarters(angle_of(x));
}

fn cosine(x: f32) -> f32 {
    let angle = angle_of(x);
    return of_quarters(Angle(angle.quarters + 1u, angle.rest));
}
