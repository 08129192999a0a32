// upfirdn2d: zeros between the elements, padding or cropping, a filter along H and W, and every so many outputs kept.
//
//   out[n, y, x, c] = gain · Σ over i, j of f[i, j] · padded[n, y·down_h + i, x·down_w + j, c]
//
// where padded[p] is in[(p − pad) / up] if that is whole and inside; else zero, or what EDGE says. The filter is turned
// round unless FLIP is 1, so that this is a convolution; of a filter of one axis (SEPARABLE), f[i, j] is f[i]·f[j].
// EDGE  0 zeros  1 reflect, about the outermost centres  2 replicate    1 and 2 for up = 1 alone
//
// Layouts: input [N, H, W, C] and output [N, H', W', C], channels contiguous, f [kH, kW] or [k]; upfirdn2d_vec4 reads
// and writes four channels at a time, so C must be a multiple of four and is given in vec4s.
// Dispatch: 64 outputs (or vec4s of outputs) a workgroup.
// Source: Karras et al., Analyzing and Improving the Image Quality of StyleGAN (arXiv:1912.04958);
// torch_utils/ops/upfirdn2d of NVlabs/stylegan2-ada-pytorch.
//
// Ladder: upfirdn2d_direct → upfirdn2d_vec4.

#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    channels: u32,
    in_h: u32,
    in_w: u32,
    out_h: u32,
    out_w: u32,
    taps_h: u32,
    taps_w: u32,
    up_h: u32,
    up_w: u32,
    down_h: u32,
    down_w: u32,
    pad_h: i32,
    pad_w: i32,
    gain: f32,
}

override EDGE: u32 = 0u;
override FLIP: u32 = 0u;
override SEPARABLE: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input_scalar: array<Elem>;
@group(0) @binding(1) var<storage, read> input: array<vec4<Elem>>;
@group(0) @binding(2) var<storage, read> taps: array<Elem>;
@group(0) @binding(3) var<storage, read_write> output_scalar: array<Elem>;
@group(0) @binding(3) var<storage, read_write> output: array<vec4<Elem>>;

// The taps of an output along an axis: every `up`th from `tap` on, the first of them at element `at`.
struct Walk {
    tap: u32,
    at: i32,
}

fn walk(at: u32, down: u32, up: u32, pad: i32) -> Walk {
    let first = i32(at * down) - pad;
    let step = i32(up);
    // To the next multiple of `up`.
    let tap = (step - first % step) % step;
    return Walk(u32(tap), (first + tap) / step);
}

// The element that stands at an index, −1 for a zero.
fn element(index: i32, length: u32) -> i32 {
    let last = i32(length) - 1;
    if EDGE == 1u {
        return min(abs(index), 2 * last - index);
    }
    let clamped = clamp(index, 0, last);
    if EDGE == 2u {
        return clamped;
    }
    return select(-1, index, index == clamped);
}

fn weight(i: u32, j: u32) -> f32 {
    let row = select(params.taps_h - 1u - i, i, FLIP != 0u);
    let column = select(params.taps_w - 1u - j, j, FLIP != 0u);
    if SEPARABLE != 0u {
        return f32(taps[row]) * f32(taps[column]);
    }
    return f32(taps[row * params.taps_w + column]);
}

// 64 invocations, one output element each.
@compute @workgroup_size(64)
fn upfirdn2d_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if index >= params.count {
        return;
    }
    let position = index / params.channels;
    let nh = position / params.out_w;
    let h = walk(nh % params.out_h, params.down_h, params.up_h, params.pad_h);
    let w = walk(position % params.out_w, params.down_w, params.up_w, params.pad_w);
    var sum = 0.0;
    var at_h = h.at;
    for (var i = h.tap; i < params.taps_h; i += params.up_h) {
        let row = element(at_h, params.in_h);
        at_h++;
        if row < 0 {
            continue;
        }
        let first = (nh / params.out_h * params.in_h + u32(row)) * params.in_w;
        var at_w = w.at;
        for (var j = w.tap; j < params.taps_w; j += params.up_w) {
            let column = element(at_w, params.in_w);
            at_w++;
            if column >= 0 {
                let x = input_scalar[(first + u32(column)) * params.channels + index % params.channels];
                sum += weight(i, j) * f32(x);
            }
        }
    }
    output_scalar[index] = Elem(params.gain * sum);
}

// 64 invocations, four channels of one position each.
@compute @workgroup_size(64)
fn upfirdn2d_vec4(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if index >= params.count {
        return;
    }
    let position = index / params.channels;
    let nh = position / params.out_w;
    let h = walk(nh % params.out_h, params.down_h, params.up_h, params.pad_h);
    let w = walk(position % params.out_w, params.down_w, params.up_w, params.pad_w);
    var sum = vec4<f32>();
    var at_h = h.at;
    for (var i = h.tap; i < params.taps_h; i += params.up_h) {
        let row = element(at_h, params.in_h);
        at_h++;
        if row < 0 {
            continue;
        }
        let first = (nh / params.out_h * params.in_h + u32(row)) * params.in_w;
        var at_w = w.at;
        for (var j = w.tap; j < params.taps_w; j += params.up_w) {
            let column = element(at_w, params.in_w);
            at_w++;
            if column >= 0 {
                let x = input[(first + u32(column)) * params.channels + index % params.channels];
                sum += weight(i, j) * vec4<f32>(x);
            }
        }
    }
    output[index] = vec4<Elem>(params.gain * sum);
}
