// binary: y = f(a, b), element by element, with broadcasting.
//
// MODE  0 a + b   1 a − b   2 a · b   3 a / b   4 max(a, b)   5 min(a, b)      max and min give NaN if either is NaN
//
// Layouts: a and b contiguous; output of the broadcast shape `dims`, innermost axis first; a_steps and b_steps are
// zero along axes where the tensor repeats.
// Dispatch: binary_direct, 64 elements a workgroup.
// Source: torch.{add, sub, mul, div, maximum, minimum}.

#import index
#import nan
#import strided

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    same: u32,
    pad: u32,
    dims: array<vec4<u32>, 2>,
    a_steps: array<vec4<u32>, 2>,
    b_steps: array<vec4<u32>, 2>,
}

override MODE: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<Elem>;
@group(0) @binding(2) var<storage, read> b: array<Elem>;
@group(0) @binding(3) var<storage, read_write> output: array<Elem>;

fn combine(x: f32, y: f32) -> f32 {
    switch MODE {
        case 0u: { return x + y; }
        case 1u: { return x - y; }
        case 2u: { return x * y; }
        case 3u: { return x / y; }
        case 4u: { return max_nan(x, y); }
        default: { return min_nan(x, y); }
    }
}

@compute @workgroup_size(64)
fn binary_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    var at_a = i;
    var at_b = i;
    if params.same == 0u {
        at_a = strided(i, params.dims, params.a_steps);
        at_b = strided(i, params.dims, params.b_steps);
    }
    output[i] = Elem(combine(f32(a[at_a]), f32(b[at_b])));
}
