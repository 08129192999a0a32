// max_unpool3d: elements put back where a max pooling found them, zeros elsewhere.
//
//   out[n, t, h, w, c] = in[n, a, b, d, c] for the last window (a, b, d) that covers (t, h, w) and whose index is
//                        (t·H' + h)·W' + w, and 0 if there is none
//
// A window covers a·st − pt, …, a·st − pt + kt − 1, and so on. Each output looks at the windows that cover it, so no
// two invocations write the same place, and an index outside its own window counts for nothing.
//
// Layouts: input and indices [N, T, H, W, C], output [N, T', H', W', C], channels contiguous, one or four at a time
// (lib/lanes.wgsl): C is given in cells.
// Dispatch: 64 cells of outputs a workgroup.
// Source: torch.nn.functional.max_unpool3d.
//
// Ladder: max_unpool3d_direct → the same, four channels at a time.

#import index
#import lanes

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    channels: u32,
    in_t: u32,
    in_h: u32,
    in_w: u32,
    out_t: u32,
    out_h: u32,
    out_w: u32,
    kernel_t: u32,
    kernel_h: u32,
    kernel_w: u32,
    stride_t: u32,
    stride_h: u32,
    stride_w: u32,
    pad_t: u32,
    pad_h: u32,
    pad_w: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Cell>;
@group(0) @binding(2) var<storage, read> indices: array<Index>;
@group(0) @binding(3) var<storage, read_write> output: array<Cell>;

// The first window that covers a place, counted with the padding, and the first after it that does not.
fn covering(place: u32, kernel: u32, stride: u32, windows: u32) -> vec2<u32> {
    let first = select(0u, (place - kernel) / stride + 1u, place >= kernel);
    return vec2<u32>(first, min(place / stride + 1u, windows));
}

// 64 invocations, one cell of outputs each.
@compute @workgroup_size(64)
fn max_unpool3d_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let plane = params.out_t * params.out_h * params.out_w;
    let place = i / params.channels % plane;
    let sample = i / params.channels / plane * params.in_t;
    let at_w = place % params.out_w;
    let at_h = place / params.out_w % params.out_h;
    let at_t = place / params.out_w / params.out_h;
    let t = covering(at_t + params.pad_t, params.kernel_t, params.stride_t, params.in_t);
    let h = covering(at_h + params.pad_h, params.kernel_h, params.stride_h, params.in_h);
    let w = covering(at_w + params.pad_w, params.kernel_w, params.stride_w, params.in_w);
    var value = Cell();
    for (var a = t.x; a < t.y; a++) {
        for (var b = h.x; b < h.y; b++) {
            let row = ((sample + a) * params.in_h + b) * params.in_w;
            for (var d = w.x; d < w.y; d++) {
                let at = (row + d) * params.channels + i % params.channels;
                value = select(value, input[at], indices[at] == Index(i32(place)));
            }
        }
    }
    output[i] = value;
}
