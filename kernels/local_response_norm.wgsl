// local_response_norm: every element divided by a power of what its neighbouring channels' squares sum to.
//
//   out[…, c] = in[…, c] / (k + scale·Σ in[…, j]²)^beta    with j from c − before to before c − before + size
//
// Channels that do not exist count as zeros. NaN spreads to the elements whose sum it is in.
//
// Layouts: input and output [rows, channels], contiguous.
// Dispatch: 64 elements a workgroup.
// Source: torch.nn.functional.local_response_norm; Krizhevsky et al., "ImageNet Classification with Deep Convolutional
// Neural Networks", 2012, §3.3.
//
// Ladder: local_response_norm_direct.

#import index
#import nan

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    channels: u32,
    before: u32,
    size: u32,
    scale: f32,
    beta: f32,
    k: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;

// 64 invocations, one element each.
@compute @workgroup_size(64)
fn local_response_norm_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let channel = i % params.channels;
    let first = max(channel, params.before) - params.before;
    let end = min(channel + params.size - params.before, params.channels);
    var sum = 0.0;
    for (var j = first; j < end; j++) {
        let x = f32(input[i - channel + j]);
        sum += x * x;
    }
    let y = f32(input[i]) * exp2(-params.beta * log2(params.k + params.scale * sum));
    output[i] = Elem(select(y, sum, is_nan(sum)));
}
