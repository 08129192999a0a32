// conv3d: 3D convolution (cross-correlation) with bias, addend and activation.
//
//   out[n, t, h, w, o] = act( addend[n, t, h, w, o] + bias[o]
//                             + Σ_{i, a, b, c} in[n, t·st − pt + a·dt, h·sh − ph + b·dh, w·sw − pw + c·dw, i]
//                                            · weight[a, b, c, i, o] )
//
// Outside the input lies what PADDING_MODE says (lib/padding.wgsl); the constant is zero.
//
// Layouts, last axis contiguous:
//   input  [N, T, H, W, Cin]
//   weight [kT, kH, kW, Cin/groups, Cout], columns of one group after the other; the tiled and uniform entry
//          points read rows of vec4, each group's columns padded to a multiple of four
//   bias   [Cout], looked at if HAS_BIAS
//   addend and output [N, T', H', W', Cout], the addend looked at if HAS_ADDEND is 1, the
//             output's own elements taken for it if 2
// Dispatch: a row of workgroups, see each entry point.
// Source: torch.nn.functional.conv3d and torch.nn.Conv3d's padding_mode, with the padding before each axis
// (pt, ph, pw) given by itself.
//
// Ladder: conv3d_direct (one output an invocation) → conv3d_tiled (implicit GEMM in workgroup memory, for GPUs; few
// tiles are made in slices along the sum, by conv3d_tiled_slices, which conv3d_tiled_sum adds up) and conv3d_uniform (implicit GEMM without barriers, for adapters on a processor). The host folds what it can
// into longer segments first: a 1×1×1 convolution becomes one plain matrix product. conv3d_depthwise is for groups of
// one channel in and out, where there is no matrix product to make.
//
// For windows of 3 × 3 positions and f32 there is Winograd's form (lib/winograd.wgsl): conv3d_winograd_input makes of
// patches of 4 × 4 positions, and of 4 frames or each frame by itself, as many factors each; the tiled or uniform entry
// point above multiplies them with transformed weights, every factor a group of its own; conv3d_winograd_output adds
// up to 2 × 2 outputs, of 2 frames or one.

#import index
#import activation
#import matmul
#import slices
#import winograd
#import padding

alias Elem = f32; // tune: Elem

// The channels that conv3d_depthwise computes at a time: two where their number is no multiple of four.
const WIDTH: u32 = 4u; // tune: WIDTH
alias Wide = vec4<f32>; // tune: Wide
alias WideElem = vec4<Elem>; // tune: WideElem

struct Params {
    first_group: u32,
    batch: u32,
    in_t: u32,
    in_h: u32,
    in_w: u32,
    in_c: u32,
    out_t: u32,
    out_h: u32,
    out_w: u32,
    out_c: u32,
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
    // Channels of one group.
    group_in: u32,
    group_out: u32,
    // Elements from one row of weights to the next; for vec4 entry points, vec4s, and of one group's part.
    weight_row: u32,
    weight_group: u32,
    // How many slices the sums are made in, and the products of one.
    slices: u32,
    slice_depth: u32,
    // Patches of Winograd's form along each axis, the first of this dispatch in time, and how many it makes in all.
    patches_t: u32,
    patches_h: u32,
    patches_w: u32,
    first_patch_t: u32,
    patches: u32,
}

override HAS_BIAS: u32 = 0u;
override HAS_ADDEND: u32 = 0u;
override PADDING_MODE: u32 = 0u;
override ACTIVATION: u32 = 0u;
override SLOPE: f32 = 0.0;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(1) var<storage, read> input_runs: array<Run>;
@group(0) @binding(1) var<storage, read> input_wide: array<WideElem>;
@group(0) @binding(1) var<storage, read> input_fours: array<vec4<Elem>>;
@group(0) @binding(1) var<storage, read> slice_sums: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight_scalar: array<Elem>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<Elem>>;
@group(0) @binding(2) var<storage, read> weight_wide: array<WideElem>;
@group(0) @binding(2) var<storage, read> sum_bias: array<Elem>;
@group(0) @binding(2) var<storage, read_write> factors: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> partial_sums: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> sum_addend: array<Elem>;
@group(0) @binding(3) var<storage, read> bias: array<Elem>;
@group(0) @binding(3) var<storage, read> bias_wide: array<WideElem>;
@group(0) @binding(4) var<storage, read> addend: array<Elem>;
@group(0) @binding(4) var<storage, read> addend_wide: array<WideElem>;
@group(0) @binding(4) var<storage, read_write> sum_output: array<Elem>;
@group(0) @binding(5) var<storage, read_write> output: array<Elem>;
@group(0) @binding(5) var<storage, read_write> output_wide: array<WideElem>;

// An output position: where its window begins, and its sample's first element plus the group's first channel.
// Signed coordinates wrap below zero to huge unsigned ones, so that one comparison finds both borders.
struct Row {
    sample: u32,
    t: u32,
    h: u32,
    w: u32,
}

struct Tap {
    t: u32,
    h: u32,
    w: u32,
}

var<private> group_number: u32;

fn row_of(row: u32) -> Row {
    let w = row % params.out_w;
    let h = row / params.out_w % params.out_h;
    let nt = row / (params.out_w * params.out_h);
    let t = nt % params.out_t;
    let n = nt / params.out_t;
    return Row(
        n * params.in_t * params.in_h * params.in_w * params.in_c + group_number * params.group_in,
        t * params.stride_t - params.pad_t,
        h * params.stride_h - params.pad_h,
        w * params.stride_w - params.pad_w,
    );
}

fn tap_of(tap: u32) -> Tap {
    let ab = quotient(tap, params.kernel_w);
    let a = quotient(ab, params.kernel_h);
    let b = ab - a * params.kernel_h;
    let c = tap - ab * params.kernel_w;
    return Tap(a * params.dilation_t, b * params.dilation_h, c * params.dilation_w);
}

fn start(row: Row, tap: Tap) -> u32 {
    let t = padded(PADDING_MODE, row.t + tap.t, params.in_t);
    let h = padded(PADDING_MODE, row.h + tap.h, params.in_h);
    let w = padded(PADDING_MODE, row.w + tap.w, params.in_w);
    let inside = t < params.in_t && h < params.in_h && w < params.in_w;
    return select(PADDING, row.sample + ((t * params.in_h + h) * params.in_w + w) * params.in_c, inside);
}

fn finish(row: u32, channel: u32, sum: f32) {
    var y = sum;
    if HAS_BIAS != 0u {
        y += f32(bias[channel]);
    }
    let at = row * params.out_c + channel;
    if HAS_ADDEND == 1u {
        y += f32(addend[at]);
    } else if HAS_ADDEND == 2u {
        y += f32(output[at]);
    }
    output[at] = Elem(activate(ACTIVATION, SLOPE, y));
}

// As `finish`, for sums that another dispatch made.
fn finish_sum(row: u32, channel: u32, sum: f32) {
    var y = sum;
    if HAS_BIAS != 0u {
        y += f32(sum_bias[channel]);
    }
    let at = row * params.out_c + channel;
    if HAS_ADDEND == 1u {
        y += f32(sum_addend[at]);
    } else if HAS_ADDEND == 2u {
        y += f32(sum_output[at]);
    }
    sum_output[at] = Elem(activate(ACTIVATION, SLOPE, y));
}

fn loaded(row: Row, x: vec4<f32>) -> vec4<f32> {
    return x;
}

// Four channels of this group.
fn store(row: u32, column: u32, sum: vec4<f32>) {
    let channel = group_number * params.group_out + column;
    // unroll
    for (var i = 0u; i < 4u; i++) {
        if column + i < params.group_out {
            finish(row, channel + i, sum[i]);
        }
    }
}

fn problem() -> Matmul {
    return Matmul(
        params.batch * params.out_t * params.out_h * params.out_w,
        (params.group_out + 3u) / 4u,
        params.kernel_t * params.kernel_h * params.kernel_w,
        params.group_in,
        params.weight_row,
        group_number * params.weight_group,
    );
}

// 64 invocations, one output element each.
@compute @workgroup_size(64)
fn conv3d_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    let rows = params.batch * params.out_t * params.out_h * params.out_w;
    if i >= rows * params.out_c {
        return;
    }
    let channel = i % params.out_c;
    group_number = channel / params.group_out;
    let column = group_number * params.weight_group + channel % params.group_out;
    let row = row_of(i / params.out_c);
    let taps = params.kernel_t * params.kernel_h * params.kernel_w;
    var sum = 0.0;
    for (var tap = 0u; tap < taps; tap++) {
        let at = start(row, tap_of(tap));
        if at == PADDING {
            continue;
        }
        let w = tap * params.group_in * params.weight_row + column;
        for (var c = 0u; c < params.group_in; c++) {
            sum += f32(input[at + c]) * f32(weight_scalar[w + c * params.weight_row]);
        }
    }
    finish(i / params.out_c, channel, sum);
}

// TILE_LANES invocations, a tile of positions × channels of one group. Positions run fastest, then channels, then
// groups.
@compute @workgroup_size(TILE_LANES)
fn conv3d_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let rows = params.batch * params.out_t * params.out_h * params.out_w;
    let row_tiles = (rows + TILE_ROWS - 1u) / TILE_ROWS;
    let column_tiles = ((params.group_out + 3u) / 4u + TILE_COLUMNS4 - 1u) / TILE_COLUMNS4;
    group_number = group / (row_tiles * column_tiles);
    matmul_tiled(problem(), group % row_tiles * TILE_ROWS, group / row_tiles % column_tiles * TILE_COLUMNS4, lane);
}

// The same for one slice of the sums; slices run after groups.
@compute @workgroup_size(TILE_LANES)
fn conv3d_tiled_slices(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let rows = params.batch * params.out_t * params.out_h * params.out_w;
    let row_tiles = (rows + TILE_ROWS - 1u) / TILE_ROWS;
    let column_tiles = ((params.group_out + 3u) / 4u + TILE_COLUMNS4 - 1u) / TILE_COLUMNS4;
    let groups = params.out_c / params.group_out;
    let place = group / (row_tiles * column_tiles);
    group_number = place % groups;
    let row0 = group % row_tiles * TILE_ROWS;
    let column0 = group / row_tiles % column_tiles * TILE_COLUMNS4;
    let m = problem();
    let begin = place / groups * params.slice_depth;
    var sums: array<vec4<f32>, TILE_SUMS>;
    let end = min(begin + params.slice_depth, m.segments * m.length);
    tile_sums(&sums, m.rows, m.columns4, row0, column0, begin, end, lane);
    store_slice(&sums, m.rows, m.columns4, row0, column0, place, lane);
}

// 64 invocations, each four channels of one position: what the slices came to, always in their order.
@compute @workgroup_size(64)
fn conv3d_tiled_sum(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let rows = params.batch * params.out_t * params.out_h * params.out_w;
    let columns4 = (params.group_out + 3u) / 4u;
    let count = params.out_c / params.group_out * rows * columns4;
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= count {
        return;
    }
    let sum = sum_of_slices(i, count, params.slices);
    let column = i % columns4 * 4u;
    let first = i / columns4 / rows * params.group_out + column;
    // unroll
    for (var j = 0u; j < 4u; j++) {
        if column + j < params.group_out {
            finish_sum(i / columns4 % rows, first + j, sum[j]);
        }
    }
}

// 8 invocations, 8 · UNIFORM_ROWS positions × 16 channels of one group, in the same order.
@compute @workgroup_size(8)
fn conv3d_uniform(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let rows = params.batch * params.out_t * params.out_h * params.out_w;
    let row_tiles = (rows + 8u * UNIFORM_ROWS - 1u) / (8u * UNIFORM_ROWS);
    let column_tiles = (params.group_out + 4u * UNIFORM_COLUMNS4 - 1u) / (4u * UNIFORM_COLUMNS4);
    group_number = group / (row_tiles * column_tiles);
    matmul_uniform(problem(), group % row_tiles * 8u * UNIFORM_ROWS, group / row_tiles % column_tiles * UNIFORM_COLUMNS4, lane);
}

// 64 invocations, each WIDTH channels of a few positions side by side along W, which share the loads of weights. The
// channels of a position run fastest; their number must be a multiple of WIDTH.
const DEPTHWISE_OUTPUTS: u32 = 4u;

@compute @workgroup_size(64)
fn conv3d_depthwise(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let channels = params.out_c / WIDTH;
    let blocks = (params.out_w + DEPTHWISE_OUTPUTS - 1u) / DEPTHWISE_OUTPUTS;
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    let line = i / (channels * blocks);
    if line >= params.batch * params.out_t * params.out_h {
        return;
    }
    let channel = i % channels;
    let out_w = i / channels % blocks * DEPTHWISE_OUTPUTS;
    let h = line % params.out_h * params.stride_h - params.pad_h;
    let t = line / params.out_h % params.out_t * params.stride_t - params.pad_t;
    let sample = line / params.out_h / params.out_t * params.in_t;
    var sums: array<Wide, DEPTHWISE_OUTPUTS>;
    for (var a = 0u; a < params.kernel_t; a++) {
        let at_t = padded(PADDING_MODE, t + a * params.dilation_t, params.in_t);
        if at_t >= params.in_t {
            continue;
        }
        for (var b = 0u; b < params.kernel_h; b++) {
            let at_h = padded(PADDING_MODE, h + b * params.dilation_h, params.in_h);
            if at_h >= params.in_h {
                continue;
            }
            let row = ((sample + at_t) * params.in_h + at_h) * params.in_w;
            let taps = (a * params.kernel_h + b) * params.kernel_w;
            for (var d = 0u; d < params.kernel_w; d++) {
                let weights = Wide(weight_wide[(taps + d) * channels + channel]);
                let first = out_w * params.stride_w - params.pad_w + d * params.dilation_w;
                // unroll
                for (var k = 0u; k < DEPTHWISE_OUTPUTS; k++) {
                    let at_w = padded(PADDING_MODE, first + k * params.stride_w, params.in_w);
                    let inside = at_w < params.in_w;
                    let x = Wide(input_wide[select(0u, (row + at_w) * channels + channel, inside)]);
                    sums[k] += select(Wide(), x, inside) * weights;
                }
            }
        }
    }
    // unroll
    for (var k = 0u; k < DEPTHWISE_OUTPUTS; k++) {
        if out_w + k < params.out_w {
            let at = (line * params.out_w + out_w + k) * channels + channel;
            var y = sums[k];
            if HAS_BIAS != 0u {
                y += Wide(bias_wide[channel]);
            }
            if HAS_ADDEND == 1u {
                y += Wide(addend_wide[at]);
            } else if HAS_ADDEND == 2u {
                y += Wide(output_wide[at]);
            }
            // unroll
            for (var j = 0u; j < WIDTH; j++) {
                y[j] = activate(ACTIVATION, SLOPE, y[j]);
            }
            output_wide[at] = WideElem(y);
        }
    }
}

// Frames that a patch of Winograd's form covers and makes: 4 and 2, or 1 and 1 where time is left to the matrix product.
const PATCH_FRAMES: u32 = 1u; // tune: PATCH_FRAMES
const PATCH_OUTPUTS: u32 = 1u; // tune: PATCH_OUTPUTS

// 64 invocations, each the factors of four channels of one patch; channels run fastest, then W, H and time. The input
// and factors are vec4s of channels: [patches, 16 · PATCH_FRAMES, Cin].
@compute @workgroup_size(64)
fn conv3d_winograd_input(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let channels = params.in_c / 4u;
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    let patch_number = i / channels;
    if patch_number >= params.patches {
        return;
    }
    let channel = i % channels;
    let first_w = patch_number % params.patches_w * 2u - params.pad_w;
    let first_h = patch_number / params.patches_w % params.patches_h * 2u - params.pad_h;
    let patch_t = params.first_patch_t + patch_number / params.patches_w / params.patches_h;
    let sample = patch_t / params.patches_t * params.in_t;
    let first_t = patch_t % params.patches_t * PATCH_OUTPUTS - params.pad_t * (PATCH_OUTPUTS - 1u);
    var d: array<vec4<f32>, 16u * PATCH_FRAMES>;
    // unroll
    for (var f = 0u; f < PATCH_FRAMES; f++) {
        let t = padded(PADDING_MODE, first_t + f, params.in_t);
        // unroll
        for (var b = 0u; b < 4u; b++) {
            let h = padded(PADDING_MODE, first_h + b, params.in_h);
            let row = ((sample + t) * params.in_h + h) * params.in_w;
            // unroll
            for (var c = 0u; c < 4u; c++) {
                let w = padded(PADDING_MODE, first_w + c, params.in_w);
                let inside = t < params.in_t && h < params.in_h && w < params.in_w;
                let x = vec4<f32>(input_fours[select(0u, (row + w) * channels + channel, inside)]);
                d[16u * f + 4u * b + c] = select(vec4<f32>(), x, inside);
            }
            let along_w = winograd_of_input(
                d[16u * f + 4u * b], d[16u * f + 4u * b + 1u], d[16u * f + 4u * b + 2u], d[16u * f + 4u * b + 3u]);
            // unroll
            for (var c = 0u; c < 4u; c++) {
                d[16u * f + 4u * b + c] = along_w[c];
            }
        }
        // unroll
        for (var c = 0u; c < 4u; c++) {
            let along_h = winograd_of_input(d[16u * f + c], d[16u * f + 4u + c], d[16u * f + 8u + c], d[16u * f + 12u + c]);
            // unroll
            for (var b = 0u; b < 4u; b++) {
                d[16u * f + 4u * b + c] = along_h[b];
            }
        }
    }
    // unroll
    for (var j = 0u; j < PATCH_FRAMES / 4u * 16u; j++) {
        let along_t = winograd_of_input(d[j], d[16u + j], d[32u + j], d[48u + j]);
        // unroll
        for (var f = 0u; f < 4u; f++) {
            d[16u * f + j] = along_t[f];
        }
    }
    // unroll
    for (var j = 0u; j < 16u * PATCH_FRAMES; j++) {
        factors[(patch_number * 16u * PATCH_FRAMES + j) * channels + channel] = d[j];
    }
}

// 64 invocations, each the outputs of four channels of one patch, in the same order. The sums are vec4s of channels:
// [patches, 16 · PATCH_FRAMES, Cout].
@compute @workgroup_size(64)
fn conv3d_winograd_output(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let channels = params.out_c / 4u;
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    let patch_number = i / channels;
    if patch_number >= params.patches {
        return;
    }
    let channel = i % channels;
    var m: array<vec4<f32>, 16u * PATCH_FRAMES>;
    // unroll
    for (var j = 0u; j < 16u * PATCH_FRAMES; j++) {
        m[j] = slice_sums[(patch_number * 16u * PATCH_FRAMES + j) * channels + channel];
    }
    // unroll
    for (var j = 0u; j < PATCH_FRAMES / 4u * 16u; j++) {
        let along_t = winograd_sums(m[j], m[16u + j], m[32u + j], m[48u + j]);
        m[j] = along_t[0];
        m[16u + j] = along_t[1];
    }
    let first_w = patch_number % params.patches_w * 2u;
    let first_h = patch_number / params.patches_w % params.patches_h * 2u;
    let patch_t = params.first_patch_t + patch_number / params.patches_w / params.patches_h;
    let sample = patch_t / params.patches_t * params.out_t;
    let first_t = patch_t % params.patches_t * PATCH_OUTPUTS;
    // unroll
    for (var f = 0u; f < PATCH_OUTPUTS; f++) {
        // unroll
        for (var c = 0u; c < 4u; c++) {
            let along_h = winograd_sums(m[16u * f + c], m[16u * f + 4u + c], m[16u * f + 8u + c], m[16u * f + 12u + c]);
            m[16u * f + c] = along_h[0];
            m[16u * f + 4u + c] = along_h[1];
        }
        // unroll
        for (var b = 0u; b < 2u; b++) {
            let along_w = winograd_sums(
                m[16u * f + 4u * b], m[16u * f + 4u * b + 1u], m[16u * f + 4u * b + 2u], m[16u * f + 4u * b + 3u]);
            // unroll
            for (var c = 0u; c < 2u; c++) {
                let inside = first_t + f < params.out_t && first_h + b < params.out_h && first_w + c < params.out_w;
                if inside {
                    let row = ((sample + first_t + f) * params.out_h + first_h + b) * params.out_w + first_w + c;
                    // unroll
                    for (var j = 0u; j < 4u; j++) {
                        finish_sum(row, 4u * channel + j, along_w[c][j]);
                    }
                }
            }
        }
    }
}
