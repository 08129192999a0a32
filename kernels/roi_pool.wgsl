// roi_pool: the largest elements under boxes, in the bins of a grid of whole cells.
//
//   out[k, i, j, c] = max over the cells (y, x) of bin (i, j) of box k of in[b, y, x, c]; 0 for a bin without cells
//
// with the corners of the box times `scale` rounded to whole cells, halves away from zero, and both ends inclusive. Bin
// i of n over h cells goes from ⌊i·h / n⌋ to before ⌈(i + 1)·h / n⌉. NaN if any element is. A box that is not finite, or
// a sample number that does not exist, gives NaN.
//
// Layouts: input [N, H, W, C], boxes [K, 4] (x1, y1, x2, y2), samples [K], output [K, H', W', C], channels contiguous,
// one or four at a time (lib/lanes.wgsl): C is given in cells.
// Dispatch: 64 cells of outputs a workgroup.
// Source: torchvision.ops.roi_pool; Girshick, "Fast R-CNN", 2015.
//
// Ladder: roi_pool_direct → the same, four channels at a time.

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
    scale: f32,
    // −∞, and NaN.
    start: f32,
    nan: f32,
}

override HAS_SAMPLES: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Cell>;
@group(0) @binding(2) var<storage, read> boxes: array<vec4<Elem>>;
@group(0) @binding(3) var<storage, read> samples: array<i32>;
@group(0) @binding(4) var<storage, read_write> output: array<Cell>;

// Beyond this, no cell is; and sums and products of cells and bins stay within 32 bits.
const FAR: f32 = 1048576.0;

fn cell_of(corner: f32) -> i32 {
    let at = clamp(corner * params.scale, -FAR, FAR);
    let nearest = i32(floor(abs(at) + 0.5));
    return select(nearest, -nearest, at < 0.0);
}

// The first cell of a bin along an axis, and the first after it.
fn bin_of(low: i32, high: i32, index: u32, bins: u32, length: u32) -> vec2<u32> {
    let cells = u32(max(high - low + 1, 1));
    // index·cells / bins, in parts that do not overflow.
    let whole = cells / bins;
    let rest = cells % bins;
    let first = low + i32(index * whole + index * rest / bins);
    let end = low + i32((index + 1u) * whole + ((index + 1u) * rest + bins - 1u) / bins);
    return vec2<u32>(vec2<i32>(clamp(first, 0, i32(length)), clamp(end, 0, i32(length))));
}

// 64 invocations, one cell of outputs each.
@compute @workgroup_size(64)
fn roi_pool_direct(
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
    let rows = bin_of(
        cell_of(corners.y),
        cell_of(corners.w),
        place / params.out_w % params.out_h,
        params.out_h,
        params.in_h,
    );
    let columns =
        bin_of(cell_of(corners.x), cell_of(corners.z), place % params.out_w, params.out_w, params.in_w);
    var value = Value(params.start);
    for (var y = rows.x; y < rows.y; y++) {
        let row = (u32(sample) * params.in_h + y) * params.in_w;
        for (var x = columns.x; x < columns.y; x++) {
            value = larger(value, Value(input[(row + x) * params.channels + channel]));
        }
    }
    let empty = rows.x >= rows.y || columns.x >= columns.y;
    output[i] = Cell(select(value, Value(), empty));
}
