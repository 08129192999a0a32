// group_norm: y = act((x − mean) / √(var + eps) · weight + bias), the statistics being those of a group of channels
// over all places or over those of a frame.
//
// Layouts: input and output [outer, segments, groups, length], contiguous, where outer counts samples, or frames with
// statistics of their own, segments their places and groups · length the channels; weight and bias [groups · length],
// weight looked at if HAS_WEIGHT, bias if HAS_BIAS. A row is one group of one outer index: `segments` runs of `length`.
// Dispatch: see each entry point.
// Source: torch.nn.functional.group_norm.
//
// Ladder: group_norm_direct (a row an invocation) → group_norm_tree (a row a workgroup, for long rows).

#import index
#import activation
#import moments

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    rows: u32,
    groups: u32,
    segments: u32,
    length: u32,
    // 1, as lib/moments.wgsl asks for.
    step: u32,
    eps: f32,
}

const MODE: u32 = 0u;

override HAS_WEIGHT: u32 = 0u;
override HAS_BIAS: u32 = 0u;
override ACTIVATION: u32 = 0u;
override SLOPE: f32 = 0.0;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read> weight: array<Elem>;
@group(0) @binding(3) var<storage, read> bias: array<Elem>;
@group(0) @binding(4) var<storage, read_write> output: array<Elem>;

fn segment(s: u32) -> u32 {
    return s * params.groups * params.length;
}

fn row_start(row: u32) -> u32 {
    return row / params.groups * params.segments * params.groups * params.length + first_channel(row);
}

fn first_channel(row: u32) -> u32 {
    return row % params.groups * params.length;
}

fn finish(m: Moments, at: u32, channel: u32) {
    var y = normalised(m, f32(input[at]));
    if HAS_WEIGHT != 0u {
        y *= f32(weight[channel]);
    }
    if HAS_BIAS != 0u {
        y += f32(bias[channel]);
    }
    output[at] = Elem(activate(ACTIVATION, SLOPE, y));
}

// 64 invocations, one row each: three walks along it.
@compute @workgroup_size(64)
fn group_norm_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if row >= params.rows {
        return;
    }
    let first = row_start(row);
    let m = moments_direct(first);
    for (var s = 0u; s < params.segments; s++) {
        for (var k = 0u; k < params.length; k++) {
            finish(m, first + segment(s) + k, first_channel(row) + k);
        }
    }
}

// 256 invocations, one row.
@compute @workgroup_size(256)
fn group_norm_tree(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups);
    let first = row_start(row);
    let m = moments_tree(first, lane);
    for (var i = lane; i < params.segments * params.length; i += LANES) {
        let k = i % params.length;
        finish(m, first + segment(i / params.length) + k, first_channel(row) + k);
    }
}
