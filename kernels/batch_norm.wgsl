// batch_norm: y = act((x − mean) / √(variance + eps) · weight + bias), with the running statistics of each channel.
//
// Layouts: input and output [count / channels, channels], contiguous; mean, variance, weight and bias [channels],
// weight looked at if HAS_WEIGHT, bias if HAS_BIAS.
// Dispatch: batch_norm_direct, 64 elements a workgroup.
// Source: torch.nn.functional.batch_norm with training=False.

#import index
#import activation

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    channels: u32,
    eps: f32,
}

override HAS_WEIGHT: u32 = 0u;
override HAS_BIAS: u32 = 0u;
override ACTIVATION: u32 = 0u;
override SLOPE: f32 = 0.0;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read> mean: array<Elem>;
@group(0) @binding(3) var<storage, read> variance: array<Elem>;
@group(0) @binding(4) var<storage, read> weight: array<Elem>;
@group(0) @binding(5) var<storage, read> bias: array<Elem>;
@group(0) @binding(6) var<storage, read_write> output: array<Elem>;

@compute @workgroup_size(64)
fn batch_norm_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let c = i % params.channels;
    // The difference first: folded into one factor and one summand, a large mean would cost the digits of a small
    // deviation.
    var y = (f32(input[i]) - f32(mean[c])) * inverseSqrt(f32(variance[c]) + params.eps);
    if HAS_WEIGHT != 0u {
        y *= f32(weight[c]);
    }
    if HAS_BIAS != 0u {
        y += f32(bias[c]);
    }
    output[i] = Elem(activate(ACTIVATION, SLOPE, y));
}
