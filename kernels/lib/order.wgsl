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
