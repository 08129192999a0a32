// norm: y = act((x − centre) · factor · weight + bias), centre and factor from the elements of a set of axes.
//
// MODE  0 layer   1 rms   2 l2      see lib/moments.wgsl
//
// Layouts: input and output contiguous, of one shape. A row, the elements that share their statistics, begins where
// `kept_dims` and `kept_steps` put its index, and lies in `segments` runs, placed by `segment_dims` and
// `segment_steps`, of `length` elements `step` apart. The weight's index is made in the same way, with `kept_weight`,
// `segment_weight` and `weight_step`, which are zero along axes where weights repeat; the bias has the same. All
// innermost axis first. weight looked at if HAS_WEIGHT, bias if HAS_BIAS.
// Dispatch: see each entry point.
// Source: torch.nn.functional.{layer_norm, rms_norm, normalize, instance_norm}.
//
// Ladder: norm_direct (a row an invocation) → norm_tree (a row a workgroup, for long or few rows).

#import index
#import activation
#import strided
#import moments

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    rows: u32,
    segments: u32,
    length: u32,
    step: u32,
    weight_step: u32,
    eps: f32,
    pad_0: u32,
    kept_dims: array<vec4<u32>, 2>,
    kept_steps: array<vec4<u32>, 2>,
    kept_weight: array<vec4<u32>, 2>,
    segment_dims: array<vec4<u32>, 2>,
    segment_steps: array<vec4<u32>, 2>,
    segment_weight: array<vec4<u32>, 2>,
}

override MODE: u32 = 0u;
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
    return strided(s, params.segment_dims, params.segment_steps);
}

fn weight_segment(s: u32) -> u32 {
    return strided(s, params.segment_dims, params.segment_weight);
}

fn finish(m: Moments, at: u32, weight_at: u32) {
    var y = normalised(m, f32(input[at]));
    if HAS_WEIGHT != 0u {
        y *= f32(weight[weight_at]);
    }
    if HAS_BIAS != 0u {
        y += f32(bias[weight_at]);
    }
    output[at] = Elem(activate(ACTIVATION, SLOPE, y));
}

// 64 invocations, one row each: up to three walks along it.
@compute @workgroup_size(64)
fn norm_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if row >= params.rows {
        return;
    }
    let first = strided(row, params.kept_dims, params.kept_steps);
    let first_weight = strided(row, params.kept_dims, params.kept_weight);
    let m = moments_direct(first);
    for (var s = 0u; s < params.segments; s++) {
        let at = first + segment(s);
        let weight_at = first_weight + weight_segment(s);
        for (var k = 0u; k < params.length; k++) {
            finish(m, at + k * params.step, weight_at + k * params.weight_step);
        }
    }
}

// 256 invocations, one row.
@compute @workgroup_size(256)
fn norm_tree(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups);
    let first = strided(row, params.kept_dims, params.kept_steps);
    let first_weight = strided(row, params.kept_dims, params.kept_weight);
    let m = moments_tree(first, lane);
    for (var i = lane; i < params.segments * params.length; i += LANES) {
        let s = i / params.length;
        let k = i % params.length;
        finish(m, first + segment(s) + k * params.step, first_weight + weight_segment(s) + k * params.weight_step);
    }
}
