// reduce: the sum, mean, largest, smallest, product, norm, variance, deviation or log-sum-exp over a set of axes.
//
// An output is FINISH of the COMBINE of TERM of each of its elements x:
//
//   CENTRE   0 nothing   1 c = the mean x   2 c = the largest x
//   TERM     0 x   1 |x|   2 (x − c)²   3 |x|ᵖ   4 one if x is not zero   5 exp(x − c)
//   COMBINE  0 sum   1 max   2 min   3 product      max and min give NaN if any element is
//   FINISH   0 nothing   1 y / divisor   2 √y   3 y¹ᐟᵖ   4 c + ln y   5 √(y / divisor)
//
// The mean is taken from the first element, the pivot: where elements lie close together far from zero, their
// differences from it are exact, and their sum errs by their spread and not by their magnitude.
//
// Layouts: input contiguous, of any shape. An output's elements begin where `kept_dims` and `kept_steps` put its
// index, and lie in `segments` runs, placed by `segment_dims` and `segment_steps`, of `length` elements `step`
// apart. All innermost axis first. output contiguous.
// Dispatch: see each entry point.
// Source: torch.{sum, mean, amax, amin, prod, var, std, logsumexp}, torch.linalg.vector_norm.
//
// Ladder: reduce_direct (an output an invocation) → reduce_tree (an output a workgroup, for long sums or few outputs),
// reduce_columns (sixteen neighbouring outputs a workgroup, where those are what lies contiguous).

#import index
#import nan
#import strided

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    segments: u32,
    length: u32,
    step: u32,
    // What changes no result of COMBINE, and −∞.
    start: f32,
    lowest: f32,
    divisor: f32,
    power: f32,
    root: f32,
    // How many outputs lie side by side, and in how many blocks of sixteen.
    inner: u32,
    blocks: u32,
    kept_dims: array<vec4<u32>, 2>,
    kept_steps: array<vec4<u32>, 2>,
    segment_dims: array<vec4<u32>, 2>,
    segment_steps: array<vec4<u32>, 2>,
}

override CENTRE: u32 = 0u;
override TERM: u32 = 0u;
override COMBINE: u32 = 0u;
override FINISH: u32 = 0u;
// Whether there is one segment, as neighbouring axes make it: then no element's place needs a division.
override ONE_RUN: u32 = 0u;

const SUM: u32 = 0u;
const MAX: u32 = 1u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;

// Zero, infinite and NaN are what pow() need not know.
fn power(x: f32, exponent: f32) -> f32 {
    if x == 0.0 || is_special(x) {
        return x;
    }
    return pow(x, exponent);
}

fn is_special(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u;
}

// `centre` is in two parts, the second small.
fn term(x: f32, centre: vec2<f32>) -> f32 {
    switch TERM {
        case 1u: { return abs(x); }
        case 2u: {
            let d = x - centre.x - centre.y;
            return d * d;
        }
        case 3u: { return power(abs(x), params.power); }
        case 4u: { return select(0.0, 1.0, (bitcast<u32>(x) & 0x7fffffffu) != 0u); }
        case 5u: { return exp(x - centre.x); }
        default: { return x; }
    }
}

fn combine(how: u32, a: f32, b: f32) -> f32 {
    switch how {
        case 1u: { return max_nan(a, b); }
        case 2u: { return min_nan(a, b); }
        case 3u: { return a * b; }
        default: { return a + b; }
    }
}

fn finish(y: f32, centre: f32) -> f32 {
    switch FINISH {
        case 1u: { return y / params.divisor; }
        case 2u: { return sqrt(y); }
        case 3u: { return power(y, params.root); }
        case 4u: { return select(centre + log(y), centre, is_special(centre)); }
        case 5u: { return sqrt(y / params.divisor); }
        default: { return y; }
    }
}

// The walk before the main one: a sum of differences from the first element, or a maximum.
fn centre_start() -> f32 {
    return select(0.0, params.lowest, CENTRE == 2u);
}

fn centre_combine() -> u32 {
    return select(SUM, MAX, CENTRE == 2u);
}

fn pivot_of(first: u32) -> f32 {
    if CENTRE == 1u {
        return f32(input[first]);
    }
    return 0.0;
}

fn centre_of(pivot: f32, walked: f32) -> vec2<f32> {
    if CENTRE == 1u {
        return vec2(pivot, walked / f32(params.segments * params.length));
    }
    return vec2(walked, 0.0);
}

// 64 invocations, one output element each.
@compute @workgroup_size(64)
fn reduce_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let first = strided(i, params.kept_dims, params.kept_steps);
    var centre = vec2<f32>();
    if CENTRE != 0u {
        let pivot = pivot_of(first);
        var value = centre_start();
        for (var s = 0u; s < params.segments; s++) {
            let at = first + strided(s, params.segment_dims, params.segment_steps);
            for (var k = 0u; k < params.length; k++) {
                value = combine(centre_combine(), value, f32(input[at + k * params.step]) - pivot);
            }
        }
        centre = centre_of(pivot, value);
    }
    var value = params.start;
    for (var s = 0u; s < params.segments; s++) {
        let at = first + strided(s, params.segment_dims, params.segment_steps);
        for (var k = 0u; k < params.length; k++) {
            value = combine(COMBINE, value, term(f32(input[at + k * params.step]), centre));
        }
    }
    output[i] = Elem(finish(value, centre.x));
}

const LANES: u32 = 256u;

var<workgroup> partial: array<f32, LANES>;

// The values of the lanes whose numbers differ by multiples of `columns` meet pairwise, always in the same order.
fn meet(lane: u32, columns: u32, how: u32, value: f32) -> f32 {
    // Whoever still reads the last values.
    workgroupBarrier();
    partial[lane] = value;
    workgroupBarrier();
    for (var width = LANES / 2u; width >= columns; width /= 2u) {
        if lane < width {
            partial[lane] = combine(how, partial[lane], partial[lane + width]);
        }
        workgroupBarrier();
    }
    return partial[lane % columns];
}

// What a lane makes of every `lanes`th element from `k` on, all lanes together.
fn shared_reduction(first: u32, lane: u32, columns: u32) -> f32 {
    let total = params.segments * params.length;
    let lanes = LANES / columns;
    var centre = vec2<f32>();
    if CENTRE != 0u {
        let pivot = pivot_of(first);
        var value = centre_start();
        for (var k = lane / columns; k < total; k += lanes) {
            value = combine(centre_combine(), value, element(first, k) - pivot);
        }
        centre = centre_of(pivot, meet(lane, columns, centre_combine(), value));
    }
    var value = params.start;
    for (var k = lane / columns; k < total; k += lanes) {
        value = combine(COMBINE, value, term(element(first, k), centre));
    }
    return finish(meet(lane, columns, COMBINE, value), centre.x);
}

fn element(first: u32, k: u32) -> f32 {
    if ONE_RUN != 0u {
        return f32(input[first + k * params.step]);
    }
    let at = first + strided(k / params.length, params.segment_dims, params.segment_steps);
    return f32(input[at + k % params.length * params.step]);
}

// 256 invocations, one output element: each takes every 256th element.
@compute @workgroup_size(256)
fn reduce_tree(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups);
    let first = strided(i, params.kept_dims, params.kept_steps);
    let y = shared_reduction(first, lane, 1u);
    if lane == 0u {
        output[i] = Elem(y);
    }
}

// 256 invocations, sixteen neighbouring output elements: sixteen invocations read side by side, and each takes every
// sixteenth element of its output. Columns past the last are the last again, and not written.
const COLUMNS: u32 = 16u;

@compute @workgroup_size(256)
fn reduce_columns(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let column = group % params.blocks * COLUMNS + lane % COLUMNS;
    let i = group / params.blocks * params.inner + min(column, params.inner - 1u);
    let first = strided(i, params.kept_dims, params.kept_steps);
    let y = shared_reduction(first, lane, COLUMNS);
    if lane < COLUMNS && column < params.inner {
        output[i] = Elem(y);
    }
}
