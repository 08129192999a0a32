// random: numbers of a counter-based generator. The words are those of Philox 4x32-10: block b of four has the counter
// offset + b, as 64 bits of 128, and the seed as key; element i is made of word i % 4 of block i / 4.
//
//   MODE  0 uniform   the 24 low bits of a word, times 2⁻²⁴
//         1 normal    of words a, b and again c, d: √(−2·ln u) · cos 2πv, √(−2·ln u) · sin 2πv with u the 24 leading bits
//                     of a, or of 1 if a is 0, times 2⁻³², and v the 26 high bits of b, times 2⁻²⁶
//         2 integers  low + word % range, or low + word if range is 0, as signed integers
//
// Layouts: output [count]; key [4], i32, the low and high word of seed and offset, looked at if HAS_KEY instead of params.
// Dispatch: 64 blocks of four elements a workgroup.
// Source: Salmon et al. 2011, Parallel Random Numbers: As Easy as 1, 2, 3; uniform numbers and integers agree with
// torch._philox_uniform_ and torch._philox_randint_ of 32 bits.
//
// Ladder: random_floats and random_integers alone; an invocation makes a block.

#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    seed_low: u32,
    seed_high: u32,
    offset_low: u32,
    offset_high: u32,
    low: i32,
    range: u32,
}

override MODE: u32 = 0u;
override HAS_KEY: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> key: array<i32>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output_integers: array<i32>;

// The low and the high word of a product.
fn wide_product(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let left = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let right = (a & 0xffffu) * (b >> 16u) + (left & 0xffffu);
    return vec2<u32>(a * b, (a >> 16u) * (b >> 16u) + (left >> 16u) + (right >> 16u));
}

fn philox(block: u32) -> vec4<u32> {
    var seed = vec2<u32>(params.seed_low, params.seed_high);
    var offset = vec2<u32>(params.offset_low, params.offset_high);
    if HAS_KEY != 0u {
        seed = vec2<u32>(bitcast<u32>(key[0]), bitcast<u32>(key[1]));
        offset = vec2<u32>(bitcast<u32>(key[2]), bitcast<u32>(key[3]));
    }
    let low = offset.x + block;
    var words = vec4<u32>(low, offset.y + select(0u, 1u, low < block), 0u, 0u);
    // unroll
    for (var round = 0u; round < 10u; round++) {
        let a = wide_product(0xd2511f53u, words.x);
        let b = wide_product(0xcd9e8d57u, words.z);
        words = vec4<u32>(b.y ^ words.y ^ seed.x, b.x, a.y ^ words.w ^ seed.y, a.x);
        seed += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return words;
}

// ln of n · 2⁻³² for n of at most 24 significant bits: n = m · 2^e with m from √½ to √2, and
// ln m = 2 · artanh s, s = (m − 1)/(m + 1), as a series; WGSL's own log may be off by as much as ln u itself near 1.
fn log_fraction(n: u32) -> f32 {
    let bits = bitcast<u32>(f32(n)) + 0x004afb0du;
    let e = i32(bits >> 23u) - 127 - 32;
    let m = bitcast<f32>((bits & 0x007fffffu) + 0x3f3504f3u);
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let q = s * s;
    let series = 1.0 + q * (0.33333333 + q * (0.2 + q * (0.14285714 + q * 0.11111111)));
    return f32(e) * 0.69314718 + 2.0 * s * series;
}

// cos and sin of v · 2π, v being the 26 high bits of a word as a fraction: a quarter turn is taken off exactly, and the
// rest, at most an eighth of a turn, goes into the series of π/2 · x.
fn turn(word: u32) -> vec2<f32> {
    let quarter = (word + 0x20000000u) >> 30u;
    let x = f32(bitcast<i32>(word - (quarter << 30u)) >> 6u) * 5.9604645e-8;
    let q = x * x;
    let s = x * (1.5707963 + q * (-0.64596410 + q * (0.079692626 + q * (-0.0046817541 + q * 0.00016044118))));
    let c = 1.0 + q * (-1.2337006 + q * (0.25366951 + q * (-0.020863481 + q * (0.00091926027
        + q * -0.000025202042))));
    switch quarter {
        case 0u: { return vec2<f32>(c, s); }
        case 1u: { return vec2<f32>(-s, c); }
        case 2u: { return vec2<f32>(-c, -s); }
        default: { return vec2<f32>(s, -c); }
    }
}

fn normals(a: u32, b: u32) -> vec2<f32> {
    let n = max(a, 1u);
    // The bits after the 24 leading ones.
    let dropped = max(firstLeadingBit(n), 23u) - 23u;
    return sqrt(-2.0 * log_fraction((n >> dropped) << dropped)) * turn(b);
}

@compute @workgroup_size(64)
fn random_floats(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let block = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    let first = block * 4u;
    if block > (params.count - 1u) / 4u {
        return;
    }
    let words = philox(block);
    var y = vec4<f32>(words & vec4<u32>(0xffffffu)) * 5.9604645e-8;
    if MODE == 1u {
        y = vec4<f32>(normals(words.x, words.y), normals(words.z, words.w));
    }
    // unroll
    for (var i = 0u; i < 4u; i++) {
        if first + i < params.count {
            output[first + i] = Elem(y[i]);
        }
    }
}

@compute @workgroup_size(64)
fn random_integers(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let block = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    let first = block * 4u;
    if block > (params.count - 1u) / 4u {
        return;
    }
    let words = philox(block);
    // unroll
    for (var i = 0u; i < 4u; i++) {
        var drawn = words[i];
        if params.range != 0u {
            drawn %= params.range;
        }
        if first + i < params.count {
            output_integers[first + i] = params.low + bitcast<i32>(drawn);
        }
    }
}
