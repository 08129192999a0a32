// gather: elements, or whole rows, at indices along an axis.
//
// With `dim` the axis and j an output's place along it:
//   elements   out[i, j, k] = in[i, index[i, j, k], k]
//   rows       out[i, j, k] = in[i, index[j], k]
// Where there is no such index, `none`.
//
// Layouts: all contiguous; output of shape `dims`, along whose axes input and index have steps of their own, zero for the
// input along the axis and for the index along all others if it names rows. Innermost axis first.
// Dispatch: gather_direct, 64 elements a workgroup.
// Source: torch.gather and torch.index_select, which refuse such an index.

#import index
#import strided

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    length: u32,
    step: u32,
    none: f32,
    none_integer: i32,
    pad_0: u32,
    pad_1: u32,
    dims: array<vec4<u32>, 2>,
    input_steps: array<vec4<u32>, 2>,
    index_steps: array<vec4<u32>, 2>,
}

override INTEGERS: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read> indices: array<i32>;
@group(0) @binding(3) var<storage, read_write> output: array<Elem>;

@compute @workgroup_size(64)
fn gather_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    // A negative index becomes one beyond every axis.
    let index = bitcast<u32>(indices[strided(i, params.dims, params.index_steps)]);
    if index < params.length {
        output[i] = input[strided(i, params.dims, params.input_steps) + index * params.step];
    } else if INTEGERS != 0u {
        output[i] = Elem(params.none_integer);
    } else {
        output[i] = Elem(params.none);
    }
}
