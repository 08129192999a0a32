// permute: the axes in another order.
//
// Layouts: input contiguous; output contiguous, of shape `dims`, with `steps` from element to element of the input
// along each of its axes. Both innermost axis first.
// Dispatch: permute_direct, 64 elements a workgroup.
// Elem may be vectors of four elements; lengths, steps and counts are then in those.
// Source: torch.permute.

#import index
#import strided

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    pad_0: u32,
    pad_1: u32,
    dims: array<vec4<u32>, 2>,
    steps: array<vec4<u32>, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;

@compute @workgroup_size(64)
fn permute_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i < params.count {
        output[i] = input[strided(i, params.dims, params.steps)];
    }
}
