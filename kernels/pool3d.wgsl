// pool3d: the largest or the mean element of every window.
//
//   out[n, t, h, w, c] = max or mean over a, b, d of in[n, t·st − pt + a·dt, h·sh − ph + b·dh, w·sw − pw + d·dw, c]
//
// MODE  0 max    NaN if any element is; taps in the padding do not count, or are zeros if ZERO_PAD
//       1 mean   the sum of the elements inside over the number of taps inside the padded input, or inside the
//                input if COUNT_PAD is 0; 0 where that number is
// Taps beyond the padded input, where a last window of ceil mode hangs over, never count.
//
// Layouts: input [N, T, H, W, C] and output [N, T', H', W', C], channels contiguous, one or four at a time
// (lib/lanes.wgsl): C is given in cells. indices, of the output's shape, are (t·H + h)·W + w.
// Dispatch: 64 cells of outputs a workgroup.
// Source: torch.nn.functional.{max_pool3d, avg_pool3d}; Caffe's pooling layer is ceil mode without padding.
//
// Ladder: pool3d_direct and pool3d_indices (where the largest elements lie, too) → the same, four channels at a time →
// pool3d_row (four neighbouring windows of stride 1 an invocation, which share the columns that they have in common).

#import index
#import lanes

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    in_t: u32,
    in_h: u32,
    in_w: u32,
    in_c: u32,
    out_t: u32,
    out_h: u32,
    out_w: u32,
    kernel_t: u32,
    kernel_h: u32,
    kernel_w: u32,
    stride_t: u32,
    stride_h: u32,
    stride_w: u32,
    dilation_t: u32,
    dilation_h: u32,
    dilation_w: u32,
    pad_t: u32,
    pad_h: u32,
    pad_w: u32,
    // Lengths with the padding on both sides.
    padded_t: u32,
    padded_h: u32,
    padded_w: u32,
    // −∞ for a maximum, 0 for a mean.
    start: f32,
}

override MODE: u32 = 0u;
override ZERO_PAD: u32 = 0u;
override COUNT_PAD: u32 = 1u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Cell>;
@group(0) @binding(2) var<storage, read_write> output: array<Cell>;
@group(0) @binding(3) var<storage, read_write> indices: array<Index>;

// Where a window begins, in padded coordinates, and how many of its taps lie inside the padded input.
struct Window {
    sample: u32,
    t: u32,
    h: u32,
    w: u32,
    taps_t: u32,
    taps_h: u32,
    taps_w: u32,
}

fn taps(kernel: u32, dilation: u32, first: u32, padded: u32) -> u32 {
    return min(kernel, (padded - first + dilation - 1u) / dilation);
}

fn window_of(position: u32) -> Window {
    let w = position % params.out_w * params.stride_w;
    let h = position / params.out_w % params.out_h * params.stride_h;
    let nt = position / (params.out_w * params.out_h);
    let t = nt % params.out_t * params.stride_t;
    return Window(
        nt / params.out_t * params.in_t * params.in_h * params.in_w,
        t,
        h,
        w,
        taps(params.kernel_t, params.dilation_t, t, params.padded_t),
        taps(params.kernel_h, params.dilation_h, h, params.padded_h),
        taps(params.kernel_w, params.dilation_w, w, params.padded_w),
    );
}

// The first tap of `taps` that is not in the padding before an axis, and the first that is in the padding after.
fn inside(first: u32, taps: u32, dilation: u32, pad: u32, length: u32) -> vec2<u32> {
    let before = (max(pad, first) - first + dilation - 1u) / dilation;
    let end = max(pad + length, first) - first;
    let after = min(taps, (end + dilation - 1u) / dilation);
    return vec2<u32>(min(before, after), after);
}

// What a window of `all` taps, `some` of them inside the input, gives.
fn finish(value: Value, some: u32, all: u32) -> Value {
    if MODE == 0u {
        if ZERO_PAD != 0u && some < all {
            return larger(value, Value());
        }
        return value;
    }
    let divisor = select(some, all, COUNT_PAD != 0u);
    return select(value / f32(max(divisor, 1u)), Value(), some == 0u);
}

fn combine(a: Value, b: Value) -> Value {
    if MODE == 0u {
        return larger(a, b);
    }
    return a + b;
}

// 64 invocations, the cells of ROW neighbouring outputs each, for a stride of 1 without dilation along W: each column
// of the windows is taken once, and goes to the windows that it is in.
const ROW: u32 = 4u;

@compute @workgroup_size(64)
fn pool3d_row(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let channel = i % params.in_c;
    let pieces = (params.out_w + ROW - 1u) / ROW;
    let first = i / params.in_c % pieces * ROW;
    let position = i / params.in_c / pieces * params.out_w + first;
    let win = window_of(position);
    let t = inside(win.t, win.taps_t, params.dilation_t, params.pad_t, params.in_t);
    let h = inside(win.h, win.taps_h, params.dilation_h, params.pad_h, params.in_h);
    let columns = inside(first, params.kernel_w + ROW - 1u, 1u, params.pad_w, params.in_w);
    var values = array<Value, ROW>();
    // unroll
    for (var k = 0u; k < ROW; k++) {
        values[k] = Value(params.start);
    }
    for (var d = columns.x; d < columns.y; d++) {
        let at_w = first + d - params.pad_w;
        var column = Value(params.start);
        for (var a = t.x; a < t.y; a++) {
            let at_t = win.t + a * params.dilation_t - params.pad_t;
            for (var b = h.x; b < h.y; b++) {
                let at_h = win.h + b * params.dilation_h - params.pad_h;
                let at = win.sample + (at_t * params.in_h + at_h) * params.in_w + at_w;
                column = combine(column, Value(input[at * params.in_c + channel]));
            }
        }
        // unroll
        for (var k = 0u; k < ROW; k++) {
            if d >= k && d < k + params.kernel_w {
                values[k] = combine(values[k], column);
            }
        }
    }
    let plane = (t.y - t.x) * (h.y - h.x);
    let all = win.taps_t * win.taps_h;
    // unroll
    for (var k = 0u; k < ROW; k++) {
        if first + k < params.out_w {
            let taps_w = taps(params.kernel_w, 1u, first + k, params.padded_w);
            let w = inside(first + k, taps_w, 1u, params.pad_w, params.in_w);
            let value = finish(values[k], plane * (w.y - w.x), all * taps_w);
            output[(position + k) * params.in_c + channel] = Cell(value);
        }
    }
}

// 64 invocations, one cell of outputs each.
@compute @workgroup_size(64)
fn pool3d_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let win = window_of(i / params.in_c);
    let t = inside(win.t, win.taps_t, params.dilation_t, params.pad_t, params.in_t);
    let h = inside(win.h, win.taps_h, params.dilation_h, params.pad_h, params.in_h);
    let w = inside(win.w, win.taps_w, params.dilation_w, params.pad_w, params.in_w);
    var value = Value(params.start);
    for (var a = t.x; a < t.y; a++) {
        let at_t = win.t + a * params.dilation_t - params.pad_t;
        for (var b = h.x; b < h.y; b++) {
            let at_h = win.h + b * params.dilation_h - params.pad_h;
            let row = win.sample + (at_t * params.in_h + at_h) * params.in_w;
            for (var d = w.x; d < w.y; d++) {
                let at_w = win.w + d * params.dilation_w - params.pad_w;
                value = combine(value, Value(input[(row + at_w) * params.in_c + i % params.in_c]));
            }
        }
    }
    let some = (t.y - t.x) * (h.y - h.x) * (w.y - w.x);
    output[i] = Cell(finish(value, some, win.taps_t * win.taps_h * win.taps_w));
}

// The same for a maximum, which must begin with an element: −∞ has a place too. −1 is the place of no element.
@compute @workgroup_size(64)
fn pool3d_indices(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let win = window_of(i / params.in_c);
    let t = inside(win.t, win.taps_t, params.dilation_t, params.pad_t, params.in_t);
    let h = inside(win.h, win.taps_h, params.dilation_h, params.pad_h, params.in_h);
    let w = inside(win.w, win.taps_w, params.dilation_w, params.pad_w, params.in_w);
    var value = Value(params.start);
    var best = Index(-1);
    for (var a = t.x; a < t.y; a++) {
        let at_t = win.t + a * params.dilation_t - params.pad_t;
        for (var b = h.x; b < h.y; b++) {
            let at_h = win.h + b * params.dilation_h - params.pad_h;
            let row = (at_t * params.in_h + at_h) * params.in_w;
            for (var d = w.x; d < w.y; d++) {
                let place = row + win.w + d * params.dilation_w - params.pad_w;
                let x = Value(input[(win.sample + place) * params.in_c + i % params.in_c]);
                let wins = beats(x, value) | (best < Index(0));
                value = select(value, x, wins);
                best = select(best, Index(i32(place)), wins);
            }
        }
    }
    output[i] = Cell(value);
    indices[i] = best;
}
