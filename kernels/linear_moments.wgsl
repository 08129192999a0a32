// linear_moments: what normalises the rows of linear's input, or the rows normalised.
//
// MODE  0 layer   1 rms      see lib/moments.wgsl
//
// Layouts:
//   input   [rows, length]
//   moments [rows, 4]: pivot, offset, factor and nothing
//   normal  [rows, length], (x − pivot − offset) · factor
// Dispatch: see each entry point.
// Source: kernels/norm.wgsl; weight and bias have been moved into the linear layer's.
//
// Ladder: linear_moments_direct (a row an invocation) → linear_moments_tree (a row a workgroup, for long rows);
// linear_moments_rows for kernels that would have to normalise an element many times.

#import index
#import moments

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    rows: u32,
    // 1, as lib/moments.wgsl asks for; `step` too.
    segments: u32,
    length: u32,
    step: u32,
    eps: f32,
}

override MODE: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> moments: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> normal: array<f32>;

fn segment(s: u32) -> u32 {
    return 0u;
}

// 64 invocations, one row each: two walks along it.
@compute @workgroup_size(64)
fn linear_moments_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if row >= params.rows {
        return;
    }
    let m = moments_direct(row * params.length);
    moments[row] = vec4<f32>(m.pivot, m.offset, m.factor, 0.0);
}

// 256 invocations, one row.
@compute @workgroup_size(256)
fn linear_moments_tree(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups);
    let m = moments_tree(row * params.length, lane);
    if lane == 0u {
        moments[row] = vec4<f32>(m.pivot, m.offset, m.factor, 0.0);
    }
}

// 64 invocations, one row each: three walks along it.
@compute @workgroup_size(64)
fn linear_moments_rows(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if row >= params.rows {
        return;
    }
    let first = row * params.length;
    let m = moments_direct(first);
    for (var k = 0u; k < params.length; k++) {
        normal[first + k] = normalised(m, f32(input[first + k]));
    }
}
