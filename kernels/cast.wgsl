// cast: integers as floats, or floats as integers.
//
// A float becomes the next integer towards zero; beyond the integers the smallest or the largest, NaN becomes 0.
//
// Layouts: input and output of the same shape, any.
// Dispatch: 64 elements a workgroup.
// Source: torch.Tensor.to; Rust's `as`.

#import index
#import nan

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> integers: array<i32>;
@group(0) @binding(1) var<storage, read> floats: array<Elem>;
@group(0) @binding(2) var<storage, read_write> float_output: array<Elem>;
@group(0) @binding(2) var<storage, read_write> integer_output: array<i32>;

@compute @workgroup_size(64)
fn cast_to_floats(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i < params.count {
        float_output[i] = Elem(f32(integers[i]));
    }
}

fn integer_of(x: f32) -> i32 {
    if is_nan(x) {
        return 0;
    }
    if x >= 2147483648.0 {
        return 0x7fffffff;
    }
    if x <= -2147483648.0 {
        return i32(-2147483648);
    }
    return i32(x);
}

@compute @workgroup_size(64)
fn cast_to_integers(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i < params.count {
        integer_output[i] = integer_of(f32(floats[i]));
    }
}
