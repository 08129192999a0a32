// select: an element of one tensor where a condition holds, of another where it does not, with broadcasting.
//
//   out[i] = condition[i] ≠ 0 ? a[i] : b[i]      NaN is not 0
//
// Layouts: condition, a and b contiguous; output of the broadcast shape `dims`, innermost axis first; `steps` of zero along
// axes where a tensor repeats. With `same` all three are of the output's shape.
// Dispatch: select_direct, 64 elements a workgroup.
// Source: torch.where.

#import index
#import strided

alias Elem = f32; // tune: Elem
alias Condition = f32; // tune: Condition

struct Params {
    first_group: u32,
    count: u32,
    same: u32,
    pad: u32,
    dims: array<vec4<u32>, 2>,
    condition_steps: array<vec4<u32>, 2>,
    a_steps: array<vec4<u32>, 2>,
    b_steps: array<vec4<u32>, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> condition: array<Condition>;
@group(0) @binding(2) var<storage, read> a: array<Elem>;
@group(0) @binding(3) var<storage, read> b: array<Elem>;
@group(0) @binding(4) var<storage, read_write> output: array<Elem>;

@compute @workgroup_size(64)
fn select_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    var at = vec3<u32>(i);
    if params.same == 0u {
        at.x = strided(i, params.dims, params.condition_steps);
        at.y = strided(i, params.dims, params.a_steps);
        at.z = strided(i, params.dims, params.b_steps);
    }
    // On the bits: NaN compares with nothing, and a device may take a denormal for zero.
    if (bitcast<u32>(f32(condition[at.x])) & 0x7fffffffu) != 0u {
        output[i] = a[at.y];
    } else {
        output[i] = b[at.z];
    }
}
