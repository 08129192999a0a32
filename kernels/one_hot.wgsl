// one_hot: a row of zeros with a one at an index, for every index.
//
// Layouts: indices [count / classes], output [count / classes, classes], both contiguous. An index below 0 or beyond the
// classes gives a row of zeros.
// Dispatch: one_hot_direct, 64 output elements a workgroup.
// Source: torch.nn.functional.one_hot, which refuses such an index.

#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    classes: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<i32>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;

@compute @workgroup_size(64)
fn one_hot_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i < params.count {
        let hot = bitcast<u32>(indices[i / params.classes]) == i % params.classes;
        output[i] = Elem(select(0.0, 1.0, hot));
    }
}
