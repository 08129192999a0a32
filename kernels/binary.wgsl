// binary: y = f(a, b), element by element, with broadcasting, and an activation after it.
//
// MODE  0 a + b   1 a − b   2 a · b   3 a / b   4 max(a, b)   5 min(a, b)      max and min give NaN if either is NaN
//       6 a to the power b   7 a where a ≥ 0, else a · b
//       8 a = b   9 a ≠ b   10 a < b   11 a ≤ b   12 a > b   13 a ≥ b     1 or 0; with NaN all but ≠ are false
//       14 a and b   15 a or b   16 either a or b     1 or 0, of what is not 0
//       17 the quotient rounded down and 18 what it leaves, with the sign of b; of integers
//
// Layouts: a and b contiguous; output of the broadcast shape `dims`, innermost axis first. A tensor whose `period` is not
// zero is read round and round, element i at i modulo it; one that repeats otherwise by steps, zero along axes where it
// repeats. binary_vec4 reads and writes four elements at a time: counts, periods, steps and the innermost length are in
// vec4s.
// Dispatch: 64 elements (or vec4s of elements) a workgroup.
// Source: torch.{add, sub, mul, div, maximum, minimum, pow, eq, …, logical_and, …, floor_divide, remainder} and
// torch.nn.functional.prelu.
//
// Ladder: binary_direct → binary_vec4; binary_integers for i32.

#import activation
#import index
#import nan
#import power
#import strided

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    a_period: u32,
    b_period: u32,
    nan: f32,
    infinity: f32,
    pad_0: u32,
    pad_1: u32,
    dims: array<vec4<u32>, 2>,
    a_steps: array<vec4<u32>, 2>,
    b_steps: array<vec4<u32>, 2>,
}

override MODE: u32 = 0u;
override ACTIVATION: u32 = 0u;
override SLOPE: f32 = 0.0;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a_scalar: array<Elem>;
@group(0) @binding(1) var<storage, read> a: array<vec4<Elem>>;
@group(0) @binding(2) var<storage, read> b_scalar: array<Elem>;
@group(0) @binding(2) var<storage, read> b: array<vec4<Elem>>;
@group(0) @binding(3) var<storage, read_write> output_scalar: array<Elem>;
@group(0) @binding(3) var<storage, read_write> output: array<vec4<Elem>>;

// Integers that compare as numbers do, both zeros alike: exact for infinities and denormals too.
fn ordered(x: f32) -> i32 {
    let bits = bitcast<u32>(x);
    let magnitude = i32(bits & 0x7fffffffu);
    return select(magnitude, -magnitude, bits >> 31u == 1u);
}

fn compared(x: i32, y: i32) -> bool {
    switch MODE {
        case 8u: { return x == y; }
        case 9u: { return x != y; }
        case 10u: { return x < y; }
        case 11u: { return x <= y; }
        case 12u: { return x > y; }
        case 13u: { return x >= y; }
        case 14u: { return x != 0 && y != 0; }
        case 15u: { return x != 0 || y != 0; }
        default: { return (x != 0) != (y != 0); }
    }
}

fn combine(x: f32, y: f32) -> f32 {
    if MODE >= 8u {
        let unordered = MODE < 14u && (is_nan(x) || is_nan(y));
        return select(0.0, 1.0, select(compared(ordered(x), ordered(y)), MODE == 9u, unordered));
    }
    var z: f32;
    switch MODE {
        case 0u: { z = x + y; }
        case 1u: { z = x - y; }
        case 2u: { z = x * y; }
        case 3u: { z = x / y; }
        case 4u: { z = max_nan(x, y); }
        case 5u: { z = min_nan(x, y); }
        case 6u: { z = power(x, y, params.nan, params.infinity); }
        default: { z = select(select(y * x, x, x >= 0.0), x, is_nan(x)); }
    }
    return activate(ACTIVATION, SLOPE, z);
}

fn combine_integers(x: i32, y: i32) -> i32 {
    if MODE == 17u || MODE == 18u {
        // By zero the quotient is the dividend and leaves nothing, as WGSL has it. The smallest number is its own
        // negative.
        let divisor = select(y, 1, y == 0 || y == -1);
        let cut = x / divisor;
        let left = x - cut * divisor;
        let below = left != 0 && (left < 0) != (divisor < 0);
        let quotient = select(cut - select(0, 1, below), 0 - x, y == -1);
        return select(left + select(0, divisor, below), quotient, MODE == 17u);
    }
    if MODE >= 8u {
        return select(0, 1, compared(x, y));
    }
    switch MODE {
        case 0u: { return x + y; }
        case 1u: { return x - y; }
        case 2u: { return x * y; }
        case 4u: { return max(x, y); }
        default: { return min(x, y); }
    }
}

fn place_of_a(i: u32) -> u32 {
    if params.a_period != 0u {
        return i % params.a_period;
    }
    return strided(i, params.dims, params.a_steps);
}

fn place_of_b(i: u32) -> u32 {
    if params.b_period != 0u {
        return i % params.b_period;
    }
    return strided(i, params.dims, params.b_steps);
}

// 64 invocations, one element each.
@compute @workgroup_size(64)
fn binary_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i < params.count {
        let x = f32(a_scalar[place_of_a(i)]);
        output_scalar[i] = Elem(combine(x, f32(b_scalar[place_of_b(i)])));
    }
}

// 64 invocations, one integer each.
@compute @workgroup_size(64)
fn binary_integers(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i < params.count {
        let x = i32(a_scalar[place_of_a(i)]);
        output_scalar[i] = Elem(combine_integers(x, i32(b_scalar[place_of_b(i)])));
    }
}

// 64 invocations, four elements each.
@compute @workgroup_size(64)
fn binary_vec4(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let x = vec4<f32>(a[place_of_a(i)]);
    let y = vec4<f32>(b[place_of_b(i)]);
    let z = vec4<f32>(combine(x.x, y.x), combine(x.y, y.y), combine(x.z, y.z), combine(x.w, y.w));
    output[i] = vec4<Elem>(z);
}
