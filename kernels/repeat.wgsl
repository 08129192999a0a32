// repeat: a tensor a number of times along each axis.
//
//   out[i, j, …] = in[i mod I, j mod J, …]
//
// Layouts: input contiguous, its axes `lengths` long with `steps` from element to element; output contiguous, of shape
// `dims`. All innermost axis first.
// Dispatch: repeat_direct, 64 elements a workgroup.
// Elem may be vectors of four elements; lengths, steps and counts are then in those.
// Source: torch.tile.

#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    pad_0: u32,
    pad_1: u32,
    dims: array<vec4<u32>, 2>,
    lengths: array<vec4<u32>, 2>,
    steps: array<vec4<u32>, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;

@compute @workgroup_size(64)
fn repeat_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    var rest = i;
    var at = 0u;
    // unroll
    for (var half = 0u; half < 2u; half++) {
        // unroll
        for (var axis = 0u; axis < 4u; axis++) {
            let place = rest % params.dims[half][axis];
            rest /= params.dims[half][axis];
            at += place % params.lengths[half][axis] * params.steps[half][axis];
        }
    }
    output[i] = input[at];
}
