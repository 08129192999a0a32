// activation: y = f(x), element by element. The functions are in lib/activation.wgsl.
//
// Layouts: input and output of the same shape, any.
// Dispatch: activation_direct, 64 elements a workgroup.
// Source: torch.nn.functional.{relu, leaky_relu, sigmoid, tanh, silu, gelu}; quick_gelu from openai/CLIP.

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
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;

@compute @workgroup_size(64)
fn activation_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i < params.count {
        output[i] = Elem(activate(ACTIVATION, SLOPE, f32(input[i])));
    }
}
