// gated: one half of the channels times an activation of the other.
//
//   out[r, c] = in[r, value + c] · f(in[r, gate + c])      of `value` and `gate` one is 0, the other the channels' number
//
// Layouts: input [rows, 2 · channels], output [rows, channels], both contiguous; gated_vec4 reads and writes four channels
// at a time, so counts and channels are in vec4s.
// Dispatch: 64 elements (or vec4s of elements) a workgroup.
// Source: torch.nn.functional.glu; Shazeer, GLU Variants Improve Transformer, arXiv:2002.05202.
//
// Ladder: gated_direct → gated_vec4.

#import activation
#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    channels: u32,
    value: u32,
    gate: u32,
}

override ACTIVATION: u32 = 0u;
override SLOPE: f32 = 0.0;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input_scalar: array<Elem>;
@group(0) @binding(1) var<storage, read> input: array<vec4<Elem>>;
@group(0) @binding(2) var<storage, read_write> output_scalar: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4<Elem>>;

// The first of the two halves of an output element's row, and the element in it.
fn place(i: u32) -> u32 {
    return i / params.channels * 2u * params.channels + i % params.channels;
}

// 64 invocations, one element each.
@compute @workgroup_size(64)
fn gated_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i < params.count {
        let at = place(i);
        let gate = activate(ACTIVATION, SLOPE, f32(input_scalar[at + params.gate]));
        output_scalar[i] = Elem(f32(input_scalar[at + params.value]) * gate);
    }
}

// 64 invocations, four elements each.
@compute @workgroup_size(64)
fn gated_vec4(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i < params.count {
        let at = place(i);
        let x = vec4<f32>(input[at + params.gate]);
        let gate = vec4<f32>(
            activate(ACTIVATION, SLOPE, x.x),
            activate(ACTIVATION, SLOPE, x.y),
            activate(ACTIVATION, SLOPE, x.z),
            activate(ACTIVATION, SLOPE, x.w),
        );
        output[i] = vec4<Elem>(vec4<f32>(input[at + params.value]) * gate);
    }
}
