// Floats in their order, as integers: −∞ to ∞, both zeros alike, NaN beyond. Comparing integers is exact where
// comparing infinities and NaN is not defined.

const NAN_KEY: u32 = 0xffffffffu;

fn order_key(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    if magnitude > 0x7f800000u {
        return NAN_KEY;
    }
    return select(0x80000000u + magnitude, 0x80000000u - magnitude, bits > 0x80000000u);
}

// The float of a key that is not NaN's; of zeros the positive one.
fn of_order_key(key: u32) -> f32 {
    return bitcast<f32>(select(0x80000000u | (0x80000000u - key), key - 0x80000000u, key >= 0x80000000u));
}
