// roi_align: features under boxes, averaged over the bins of a grid.
//
//   out[k, i, j, c] = the mean over the samples (y, x) of bin (i, j) of box k of in[b, y, x, c], bilinear
//
// with (y1, x1), (y2, x2) the box times `scale` less `offset`, and the bins' samples evenly spread. Samples more than a
// cell outside the input are zeros, others outside are on its edge. A box that is not finite, or a sample number that
// does not exist, gives NaN.
//
// Layouts: input [N, H, W, C], boxes [K, 4] (x1, y1, x2, y2), samples [K], output [K, H', W', C], channels contiguous,
// one or four at a time (lib/lanes.wgsl): C is given in cells.
// Dispatch: 64 cells of outputs a workgroup.
// Source: torchvision.ops.roi_align; He et al., "Mask R-CNN", 2017.
//
// Ladder: roi_align_direct → the same, four channels at a time.

#import index
#import lanes

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    channels: u32,
    in_n: u32,
    in_h: u32,
    in_w: u32,
    out_h: u32,
    out_w: u32,
    // Samples a bin along each axis; 0 for one a cell, or more.
    ratio: u32,
    scale: f32,
    offset: f32,
    // The least side of a box.
    least: f32,
    nan: f32,
}

override HAS_SAMPLES: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Cell>;
@group(0) @binding(2) var<storage, read> boxes: array<vec4<Elem>>;
@group(0) @binding(3) var<storage, read> samples: array<i32>;
@group(0) @binding(4) var<storage, read_write> output: array<Cell>;

// The samples of a bin along an axis: number g lies at start + (g + ½)·step. Of all of them, `count` from `first` on may
// lie inside the input.
struct Bin {
    start: f32,
    step: f32,
    all: f32,
    first: f32,
    count: u32,
}

// The least integer n for which n·bins is not less than the side: exact where a quotient, which may be off, is not.
fn least_samples(side: f32, bins: f32) -> f32 {
    var n = max(floor(side / bins) - 1.0, 0.0);
    // unroll
    for (var i = 0u; i < 3u; i++) {
        n = select(n, n + 1.0, n * bins < side);
    }
    return n;
}

fn bin_of(low: f32, high: f32, index: u32, bins: u32, length: u32) -> Bin {
    let side = max(high - low, params.least);
    let size = side / f32(bins);
    let start = low + f32(index) * size;
    if params.ratio > 0u {
        let all = f32(params.ratio);
        return Bin(start, size / all, all, 0.0, params.ratio);
    }
    let all = least_samples(side, f32(bins));
    let step = size / max(all, 1.0);
    if all < 2.0 {
        return Bin(start, step, all, 0.0, u32(all));
    }
    // Of two samples and more, neighbours are half a cell apart at least.
    let first = clamp(floor((-1.0 - start) / step) - 1.0, 0.0, all);
    let count = min(all - first, f32(length + 1u) / step + 4.0);
    return Bin(start, step, all, first, u32(count));
}

// Two neighbours, and how much of the second.
struct Tap {
    low: u32,
    high: u32,
    share: f32,
}

fn tap_of(at: f32, length: u32) -> Tap {
    let inside = max(at, 0.0);
    let low = u32(inside);
    if low >= length - 1u {
        return Tap(length - 1u, length - 1u, 0.0);
    }
    return Tap(low, low + 1u, inside - f32(low));
}

fn outside(at: f32, length: u32) -> bool {
    return at < -1.0 || at > f32(length);
}

// 64 invocations, one cell of outputs each.
@compute @workgroup_size(64)
fn roi_align_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let channel = i % params.channels;
    let place = i / params.channels;
    let k = place / (params.out_w * params.out_h);
    var sample = 0;
    if HAS_SAMPLES != 0u {
        sample = samples[k];
    }
    let corners = vec4<f32>(boxes[k]);
    let exponents = bitcast<vec4<u32>>(corners) & vec4<u32>(0x7f800000u);
    if any(exponents == vec4<u32>(0x7f800000u)) || sample < 0 || u32(sample) >= params.in_n {
        output[i] = Cell(Value(params.nan));
        return;
    }
    let box = corners * params.scale - params.offset;
    let first = u32(sample) * params.in_h * params.in_w;
    let rows = bin_of(box.y, box.w, place / params.out_w % params.out_h, params.out_h, params.in_h);
    let columns = bin_of(box.x, box.z, place % params.out_w, params.out_w, params.in_w);
    var sum = Value();
    for (var a = 0u; a < rows.count; a++) {
        let y = rows.start + (rows.first + f32(a) + 0.5) * rows.step;
        if outside(y, params.in_h) {
            continue;
        }
        let v = tap_of(y, params.in_h);
        let above = first + v.low * params.in_w;
        let below = first + v.high * params.in_w;
        for (var b = 0u; b < columns.count; b++) {
            let x = columns.start + (columns.first + f32(b) + 0.5) * columns.step;
            if outside(x, params.in_w) {
                continue;
            }
            let u = tap_of(x, params.in_w);
            let upper = (1.0 - u.share) * cell(above + u.low, channel) + u.share * cell(above + u.high, channel);
            let lower = (1.0 - u.share) * cell(below + u.low, channel) + u.share * cell(below + u.high, channel);
            sum += (1.0 - v.share) * upper + v.share * lower;
        }
    }
    output[i] = Cell(sum / max(rows.all * columns.all, 1.0));
}

fn cell(position: u32, channel: u32) -> Value {
    return Value(input[position * params.channels + channel]);
}
