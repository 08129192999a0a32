// NaN tests on the bits: comparisons such as `x != x` are not reliable for NaN in WGSL.

fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// The larger of two values; NaN if either is.
fn max_nan(a: f32, b: f32) -> f32 {
    return select(select(max(a, b), b, is_nan(b)), a, is_nan(a));
}

// The smaller of two values; NaN if either is.
fn min_nan(a: f32, b: f32) -> f32 {
    return select(select(min(a, b), b, is_nan(b)), a, is_nan(a));
}

// The larger of two values, lane by lane; NaN where either is.
fn max_nan4(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
    let most = vec4<u32>(0x7fffffffu);
    let infinity = vec4<u32>(0x7f800000u);
    let nan_a = (bitcast<vec4<u32>>(a) & most) > infinity;
    let nan_b = (bitcast<vec4<u32>>(b) & most) > infinity;
    return select(select(max(a, b), b, nan_b), a, nan_a);
}
