// adaptive_pool3d: the largest or the mean element of as many windows as are wanted.
//
//   out[n, t, h, w, c] = max or mean over a, b, d of in[n, a, b, d, c]
//
// with a from ⌊t·T / T'⌋ to before ⌈(t + 1)·T / T'⌉, and b and d so of h and w: windows that cover the input, of lengths
// that differ by one at most and which may overlap by one.
//
// MODE  0 max (NaN if any element is)   1 mean
//
// Layouts: input [N, T, H, W, C] and output [N, T', H', W', C], channels contiguous, one or four at a time
// (lib/lanes.wgsl): C is given in cells. indices, of the output's shape, are (a·H + b)·W + d.
// Dispatch: see each entry point.
// Source: torch.nn.functional.{adaptive_max_pool3d, adaptive_avg_pool3d}.
//
// Ladder: adaptive_pool3d_direct and adaptive_pool3d_indices (where the largest elements lie, too) → the same, four
// channels at a time → adaptive_pool3d_tiled (a window shared out over a workgroup, for long windows and few outputs).

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
    // Of the tiled form: how many cells of channels a workgroup takes, a power of two, and how many workgroups all.
    tile: u32,
    tiles: u32,
    // −∞ for a maximum, 0 for a mean.
    start: f32,
}

override MODE: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Cell>;
@group(0) @binding(2) var<storage, read_write> output: array<Cell>;
@group(0) @binding(3) var<storage, read_write> indices: array<Index>;

// The window of an output position: where it begins along T, H and W, how long it is, and in which sample.
struct Window {
    first: vec3<u32>,
    length: vec3<u32>,
    sample: u32,
}

fn window_of(position: u32) -> Window {
    let outputs = vec3<u32>(params.out_t, params.out_h, params.out_w);
    let lengths = vec3<u32>(params.in_t, params.in_h, params.in_w);
    let nt = position / (params.out_w * params.out_h);
    let at = vec3<u32>(nt % params.out_t, position / params.out_w % params.out_h, position % params.out_w);
    let first = at * lengths / outputs;
    let end = ((at + 1u) * lengths + outputs - 1u) / outputs;
    return Window(first, end - first, nt / params.out_t * params.in_t * params.in_h * params.in_w);
}

// The place in its sample of element k of a window.
fn place_of(win: Window, k: u32) -> u32 {
    let d = k % win.length.z;
    let b = k / win.length.z % win.length.y;
    let a = k / (win.length.z * win.length.y);
    return ((win.first.x + a) * params.in_h + win.first.y + b) * params.in_w + win.first.z + d;
}

fn combine(a: Value, b: Value) -> Value {
    if MODE == 0u {
        return larger(a, b);
    }
    return a + b;
}

fn finish(value: Value, elements: u32) -> Value {
    if MODE == 0u {
        return value;
    }
    return value / f32(elements);
}

// 64 invocations, one cell of outputs each.
@compute @workgroup_size(64)
fn adaptive_pool3d_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let win = window_of(i / params.channels);
    var value = Value(params.start);
    for (var a = 0u; a < win.length.x; a++) {
        for (var b = 0u; b < win.length.y; b++) {
            let row = ((win.first.x + a) * params.in_h + win.first.y + b) * params.in_w + win.first.z;
            for (var d = 0u; d < win.length.z; d++) {
                let at = (win.sample + row + d) * params.channels + i % params.channels;
                value = combine(value, Value(input[at]));
            }
        }
    }
    output[i] = Cell(finish(value, win.length.x * win.length.y * win.length.z));
}

// 64 invocations, one cell of largest elements and of their places each.
@compute @workgroup_size(64)
fn adaptive_pool3d_indices(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let win = window_of(i / params.channels);
    let first = place_of(win, 0u);
    var value = Value(input[(win.sample + first) * params.channels + i % params.channels]);
    var best = Index(i32(first));
    for (var k = 1u; k < win.length.x * win.length.y * win.length.z; k++) {
        let place = place_of(win, k);
        let x = Value(input[(win.sample + place) * params.channels + i % params.channels]);
        let wins = beats(x, value);
        value = select(value, x, wins);
        best = select(best, Index(i32(place)), wins);
    }
    output[i] = Cell(value);
    indices[i] = best;
}

// 256 invocations, `tile` cells of one position: the invocations of a cell take the window's elements in turn, and what
// they have meets pairwise in workgroup memory, always in the same order. Neighbours read neighbouring channels.
const LANES: u32 = 256u;

var<workgroup> sums: array<Value, LANES>;

@compute @workgroup_size(256)
fn adaptive_pool3d_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let position = group / params.tiles;
    let channel = group % params.tiles * params.tile + lane % params.tile;
    let win = window_of(position);
    let elements = win.length.x * win.length.y * win.length.z;
    let rows = LANES / params.tile;
    var value = Value(params.start);
    if channel < params.channels {
        for (var k = lane / params.tile; k < elements; k += rows) {
            value = combine(value, Value(input[(win.sample + place_of(win, k)) * params.channels + channel]));
        }
    }
    sums[lane] = value;
    workgroupBarrier();
    for (var width = LANES / 2u; width >= params.tile; width /= 2u) {
        if lane < width {
            sums[lane] = combine(sums[lane], sums[lane + width]);
        }
        workgroupBarrier();
    }
    if lane < params.tile && channel < params.channels {
        output[position * params.channels + channel] = Cell(finish(sums[lane], elements));
    }
}
