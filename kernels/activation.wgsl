// activation: y = f(x), element by element. The functions are in lib/activation.wgsl.
//
// Layouts: input and output of the same shape, any; activation_vec4 reads and writes four elements at a time.
// Dispatch: 64 elements (or vec4s of elements) a workgroup.
// Source: torch.nn.functional.{relu, leaky_relu, sigmoid, tanh, silu, gelu, …}; quick_gelu from openai/CLIP.
//
// Ladder: activation_direct → activation_vec4.

#import index
#import activation

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
}

override ACTIVATION: u32 = 0u;
override SLOPE: f32 = 0.0;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input_scalar: array<Elem>;
@group(0) @binding(1) var<storage, read> input: array<vec4<Elem>>;
@group(0) @binding(2) var<storage, read_write> output_scalar: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4<Elem>>;

fn apply(x: f32) -> f32 {
    return activate(ACTIVATION, SLOPE, x);
}

// 64 invocations, one element each.
@compute @workgroup_size(64)
fn activation_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i < params.count {
        output_scalar[i] = Elem(apply(f32(input_scalar[i])));
    }
}

// 64 invocations, four elements each.
@compute @workgroup_size(64)
fn activation_vec4(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i < params.count {
        let x = vec4<f32>(input[i]);
        output[i] = vec4<Elem>(vec4<f32>(apply(x.x), apply(x.y), apply(x.z), apply(x.w)));
    }
}
