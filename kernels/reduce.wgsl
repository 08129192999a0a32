// reduce: the sum, mean, largest or smallest element over a set of axes.
//
// MODE  0 sum   1 mean   2 max   3 min      max and min give NaN if any element is
//
// Layouts: input contiguous, of any shape. An output's elements begin where `kept_dims` and `kept_steps` put its
// index, and lie in `segments` runs, placed by `segment_dims` and `segment_steps`, of `length` elements `step`
// apart. All innermost axis first. output contiguous.
// Dispatch: see each entry point.
// Source: torch.{sum, mean, amax, amin}.
//
// Ladder: reduce_direct (an output an invocation) → reduce_tree (an output a workgroup, for long sums or few outputs).

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
    // 0, −∞ or ∞: what changes no result.
    start: f32,
    pad_0: u32,
    pad_1: u32,
    kept_dims: array<vec4<u32>, 2>,
    kept_steps: array<vec4<u32>, 2>,
    segment_dims: array<vec4<u32>, 2>,
    segment_steps: array<vec4<u32>, 2>,
}

override MODE: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;

fn combine(a: f32, b: f32) -> f32 {
    switch MODE {
        case 2u: { return max_nan(a, b); }
        case 3u: { return min_nan(a, b); }
        default: { return a + b; }
    }
}

fn finish(value: f32) -> f32 {
    if MODE == 1u {
        return value / f32(params.segments * params.length);
    }
    return value;
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
    var value = params.start;
    for (var s = 0u; s < params.segments; s++) {
        let at = first + strided(s, params.segment_dims, params.segment_steps);
        for (var k = 0u; k < params.length; k++) {
            value = combine(value, f32(input[at + k * params.step]));
        }
    }
    output[i] = Elem(finish(value));
}

// 256 invocations, one output element: each takes every 256th element, and the 256 results meet pairwise in
// workgroup memory, always in the same order.
const LANES: u32 = 256u;

var<workgroup> partial: array<f32, LANES>;

@compute @workgroup_size(256)
fn reduce_tree(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups);
    let first = strided(i, params.kept_dims, params.kept_steps);
    let total = params.segments * params.length;
    var value = params.start;
    for (var k = lane; k < total; k += LANES) {
        let at = first + strided(k / params.length, params.segment_dims, params.segment_steps);
        value = combine(value, f32(input[at + k % params.length * params.step]));
    }
    partial[lane] = value;
    workgroupBarrier();
    for (var width = LANES / 2u; width > 0u; width /= 2u) {
        if lane < width {
            partial[lane] = combine(partial[lane], partial[lane + width]);
        }
        workgroupBarrier();
    }
    if lane == 0u {
        output[i] = Elem(finish(partial[0]));
    }
}
