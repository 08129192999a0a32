// group_norm: y = act((x − mean) / √(var + eps) · weight + bias), the statistics being those of a group of channels
// over all places or over those of a frame.
//
// Layouts: input and output [outer, segments, groups, length], contiguous, where outer counts samples, or frames with
// statistics of their own, segments their places and groups · length the channels; weight and bias [groups · length],
// weight looked at if HAS_WEIGHT, bias if HAS_BIAS. A row is one group of one outer index: `segments` runs of `length`.
// Dispatch: see each entry point.
// Source: torch.nn.functional.group_norm.
//
// Ladder: group_norm_direct (a row an invocation) → group_norm_tree (a row a workgroup, for long rows) →
// group_norm_sums, group_norm_moments, group_norm_finish (four channels of some places an invocation, so that there are
// enough of them; for channels that are a multiple of four). Between these lie, in f32,
//   sums     [outer, parts, 2, channels]: of each channel in `part` places the mean and the sum of squared deviations
//   moments  [outer, 3, channels]: of each channel's group pivot, offset and factor, as in lib/moments.wgsl

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
    outer: u32,
    // Places whose sums one invocation makes, and how many such parts there are.
    part: u32,
    parts: u32,
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

@group(0) @binding(1) var<storage, read> input_vec4: array<vec4<Elem>>;
@group(0) @binding(2) var<storage, read> elements: array<Elem>;
@group(0) @binding(3) var<storage, read_write> sums_out: array<vec4<f32>>;

@group(0) @binding(2) var<storage, read> sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> moments_out: array<f32>;

@group(0) @binding(2) var<storage, read> moments: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> weight_vec4: array<vec4<Elem>>;
@group(0) @binding(4) var<storage, read> bias_vec4: array<vec4<Elem>>;
@group(0) @binding(5) var<storage, read_write> output_vec4: array<vec4<Elem>>;

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

// 64 invocations, four channels of one part each.
@compute @workgroup_size(64)
fn group_norm_sums(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    let fours = params.groups * params.length / 4u;
    if i >= params.outer * params.parts * fours {
        return;
    }
    let four = i % fours;
    let part = i / fours;
    let outer = part / params.parts;
    let first = part % params.parts * params.part;
    let count = min(params.part, params.segments - first);
    let groups = (vec4<u32>(4u * four) + vec4<u32>(0u, 1u, 2u, 3u)) / params.length * params.length;
    let of_groups = groups + outer * params.segments * 4u * fours;
    let pivot = vec4<f32>(
        f32(elements[of_groups.x]),
        f32(elements[of_groups.y]),
        f32(elements[of_groups.z]),
        f32(elements[of_groups.w]),
    );
    let start = (outer * params.segments + first) * fours + four;
    var sum = vec4<f32>();
    for (var p = 0u; p < count; p++) {
        sum += vec4<f32>(input_vec4[start + p * fours]) - pivot;
    }
    let mean = sum / f32(count);
    var squares = vec4<f32>();
    for (var p = 0u; p < count; p++) {
        let d = vec4<f32>(input_vec4[start + p * fours]) - pivot - mean;
        squares += d * d;
    }
    sums_out[2u * part * fours + four] = mean;
    sums_out[(2u * part + 1u) * fours + four] = squares;
}

// 256 invocations, one row: its parts' channels are put together (Chan, Golub and LeVeque, Updating Formulae and a
// Pairwise Algorithm for Computing Sample Variances, 1979).
@compute @workgroup_size(256)
fn group_norm_moments(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups);
    let outer = row / params.groups;
    let channels = params.groups * params.length;
    let total = params.parts * params.length;
    let first = 2u * outer * params.parts * channels + first_channel(row);
    var sum = 0.0;
    for (var i = lane; i < total; i += LANES) {
        let part = i / params.length;
        sum += places_of(part) * sums[first + 2u * part * channels + i % params.length];
    }
    let offset = offset_of(sum_of_lanes(lane, sum));
    var squares = 0.0;
    for (var i = lane; i < total; i += LANES) {
        let part = i / params.length;
        let at = first + 2u * part * channels + i % params.length;
        let d = sums[at] - offset;
        squares += sums[at + channels] + places_of(part) * d * d;
    }
    let factor = factor_of(sum_of_lanes(lane, squares));
    let pivot = f32(input[row_start(row)]);
    for (var k = lane; k < params.length; k += LANES) {
        let at = 3u * outer * channels + first_channel(row) + k;
        moments_out[at] = pivot;
        moments_out[at + channels] = offset;
        moments_out[at + 2u * channels] = factor;
    }
}

fn places_of(part: u32) -> f32 {
    return f32(min(params.part, params.segments - part * params.part));
}

// 64 invocations, four channels of PLACES places each.
const PLACES: u32 = 8u;

@compute @workgroup_size(64)
fn group_norm_finish(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    let fours = params.groups * params.length / 4u;
    let runs = (params.segments + PLACES - 1u) / PLACES;
    if i >= params.outer * runs * fours {
        return;
    }
    let four = i % fours;
    let outer = i / fours / runs;
    let first = i / fours % runs * PLACES;
    let of_channels = 3u * outer * fours + four;
    let pivot = moments[of_channels];
    let offset = moments[of_channels + fours];
    let factor = moments[of_channels + 2u * fours];
    var scale = vec4<f32>(1.0);
    var shift = vec4<f32>();
    if HAS_WEIGHT != 0u {
        scale = vec4<f32>(weight_vec4[four]);
    }
    if HAS_BIAS != 0u {
        shift = vec4<f32>(bias_vec4[four]);
    }
    let start = (outer * params.segments + first) * fours + four;
    for (var p = 0u; p < min(PLACES, params.segments - first); p++) {
        let at = start + p * fours;
        let y = (vec4<f32>(input_vec4[at]) - pivot - offset) * factor * scale + shift;
        output_vec4[at] = vec4<Elem>(
            Elem(activate(ACTIVATION, SLOPE, y.x)),
            Elem(activate(ACTIVATION, SLOPE, y.y)),
            Elem(activate(ACTIVATION, SLOPE, y.z)),
            Elem(activate(ACTIVATION, SLOPE, y.w)),
        );
    }
}
