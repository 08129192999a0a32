// conv3d: 3D convolution (cross-correlation) with bias, addend and activation.
//
//   out[n, t, h, w, o] = act( addend[n, t, h, w, o] + bias[o]
//                             + Σ_{i, a, b, c} in[n, t·st − pt + a·dt, h·sh − ph + b·dh, w·sw − pw + c·dw, i]
//                                            · weight[a, b, c, i, o] )
//
// Outside the input lies what PADDING_MODE says (lib/padding.wgsl); the constant is zero.
//
// With POOL above 1 the output is a pooling of that: the largest of as many positions of windows that have none in common,
// NaN where one is, without addend; the activation comes after the maximum, and must not fall. What windows have outside
// does not count: the nearest position inside, which is of the same window, is taken again in its place.
//
// Layouts, last axis contiguous:
//   input  [N, T, H, W, Cin]
//   weight [kT, kH, kW, Cin/groups, Cout], columns of one group after the other; the tiled and uniform entry
//          points read rows of vec4, each group's columns padded to a multiple of four, and the uniform one also
//          panels [groups, Cout/groups / width, kT, kH, kW, Cin/groups, width], as weight_panel says
//   bias   [Cout], looked at if HAS_BIAS
//   addend and output [N, T', H', W', Cout], the addend looked at if HAS_ADDEND is 1, the
//             output's own elements taken for it if 2
// Dispatch: a row of workgroups, see each entry point.
// Source: torch.nn.functional.conv3d and torch.nn.Conv3d's padding_mode, with the padding before each axis
// (pt, ph, pw) given by itself.
//
// Rows of the matrix product are positions; with a pooling, member k of window i is row
// (i / POOL_STEP · POOL + k) · POOL_STEP + i % POOL_STEP, so that an invocation or a cooperative matrix has all of a window.
//
// Ladder: conv3d_direct (one output an invocation) → conv3d_tiled (implicit GEMM in workgroup memory, for GPUs; few
// tiles are made in slices along the sum, by conv3d_tiled_slices, which conv3d_tiled_sum adds up) and conv3d_uniform (implicit GEMM without barriers, for adapters on a processor). The host folds what it can
// into longer segments first: a 1×1×1 convolution becomes one plain matrix product. conv3d_depthwise is for groups of
// one channel in and out, where there is no matrix product to make.
//
// For three channels or fewer conv3d_lines makes a copy of the input in which all that a window has of a line lies together.
//
// For windows of 3 × 3 positions and f32 there is Winograd's form (lib/winograd.wgsl): conv3d_winograd_input makes of
// patches of 4 × 4 positions, and of 4 frames or each frame by itself, as many factors each; the tiled or uniform entry
// point above multiplies them with transformed weights, every factor a group of its own; conv3d_winograd_output adds
// up to 2 × 2 outputs, of 2 frames or one; conv3d_winograd_pooled takes their maximum, where patches are windows.

#import index
#import activation
#import finish
#import store_one // tune: STORING
#import matmul
#import slices
#import winograd
#import padding

alias Elem = f32; // tune: Elem

const POOL_STEP: u32 = 1u; // tune: POOL_STEP

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
    // As in lib/matmul.wgsl.
    weight_panel: u32,
    // How many slices the sums are made in, and the products of one.
    slices: u32,
    slice_depth: u32,
    // Patches of Winograd's form along each axis, the first of this dispatch in time, and how many it makes in all.
    patches_t: u32,
    patches_h: u32,
    patches_w: u32,
    first_patch_t: u32,
    patches: u32,
    // Of the matrix product.
    rows: u32,
    // Lengths before pooling, and of its windows, the steps between them and the positions before the first.
    sums_t: u32,
    sums_h: u32,
    sums_w: u32,
    pool_t: u32,
    pool_h: u32,
    pool_w: u32,
    pool_stride_t: u32,
    pool_stride_h: u32,
    pool_stride_w: u32,
    pool_pad_t: u32,
    pool_pad_h: u32,
    pool_pad_w: u32,
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
@group(0) @binding(2) var<storage, read_write> factors: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> lines: array<Elem>;
@group(0) @binding(3) var<storage, read_write> partial_sums: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<Elem>;
@group(0) @binding(3) var<storage, read> bias_fours: array<vec4<Elem>>;
@group(0) @binding(3) var<storage, read> bias_wide: array<WideElem>;
@group(0) @binding(4) var<storage, read> addend: array<Elem>;
@group(0) @binding(4) var<storage, read> addend_fours: array<vec4<Elem>>;
@group(0) @binding(4) var<storage, read> addend_wide: array<WideElem>;
@group(0) @binding(5) var<storage, read_write> output: array<Elem>;
@group(0) @binding(5) var<storage, read_write> output_fours: array<vec4<Elem>>;
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

fn outputs() -> u32 {
    return params.batch * params.out_t * params.out_h * params.out_w;
}

// A member of a window along an axis: a position before pooling.
fn member_of(window: u32, stride: u32, member: u32, pad: u32, length: u32) -> u32 {
    return min(max(window * stride + member, pad) - pad, length - 1u);
}

// The row of a position of the output, or of a member of its window.
fn row_at(output_position: u32, member: u32) -> Row {
    var w = output_position % params.out_w;
    var h = output_position / params.out_w % params.out_h;
    let nt = output_position / (params.out_w * params.out_h);
    var t = nt % params.out_t;
    let n = nt / params.out_t;
    if POOL > 1u {
        let line = member / params.pool_w;
        w = member_of(w, params.pool_stride_w, member % params.pool_w, params.pool_pad_w, params.sums_w);
        h = member_of(h, params.pool_stride_h, line % params.pool_h, params.pool_pad_h, params.sums_h);
        t = member_of(t, params.pool_stride_t, line / params.pool_h, params.pool_pad_t, params.sums_t);
    }
    return Row(
        n * params.in_t * params.in_h * params.in_w * params.in_c + group_number * params.group_in,
        t * params.stride_t - params.pad_t,
        h * params.stride_h - params.pad_h,
        w * params.stride_w - params.pad_w,
    );
}

// The output that a row is a member of.
fn output_of(row: u32) -> u32 {
    if POOL > 1u {
        return row / (POOL_STEP * POOL) * POOL_STEP + row % POOL_STEP;
    }
    return row;
}

// The first row of an output; its others follow each POOL_STEP after the one before.
fn first_row_of(output_position: u32) -> u32 {
    if POOL > 1u {
        return output_position / POOL_STEP * (POOL_STEP * POOL) + output_position % POOL_STEP;
    }
    return output_position;
}

fn row_of(row: u32) -> Row {
    if POOL > 1u {
        return row_at(min(output_of(row), outputs() - 1u), row / POOL_STEP % POOL);
    }
    return row_at(row, 0u);
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

fn loaded(row: Row, x: vec4<f32>) -> vec4<f32> {
    return x;
}

// Four channels of this group.
fn store(row: u32, column: u32, sum: vec4<f32>) {
    let channel = group_number * params.group_out + column;
    let position = output_of(row);
    // Rows are filled up to whole runs of windows.
    if POOL == 1u || position < outputs() {
        let count = max(column, params.group_out) - column;
        finish_four(position * params.out_c + channel, channel, count, sum);
    }
}

fn problem() -> Matmul {
    return Matmul(
        params.rows,
        (params.group_out + 3u) / 4u,
        params.kernel_t * params.kernel_h * params.kernel_w,
        params.group_in,
        params.weight_row,
        group_number * params.weight_group,
        params.weight_panel,
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
    if i >= outputs() * params.out_c {
        return;
    }
    let channel = i % params.out_c;
    group_number = channel / params.group_out;
    let column = group_number * params.weight_group + channel % params.group_out;
    var rows: array<Row, POOL>;
    // unroll
    for (var m = 0u; m < POOL; m++) {
        rows[m] = row_at(i / params.out_c, m);
    }
    let taps = params.kernel_t * params.kernel_h * params.kernel_w;
    var sums: array<f32, POOL>;
    for (var tap = 0u; tap < taps; tap++) {
        var at: array<u32, POOL>;
        // unroll
        for (var m = 0u; m < POOL; m++) {
            at[m] = start(rows[m], tap_of(tap));
        }
        if POOL == 1u && at[0] == PADDING {
            continue;
        }
        let w = tap * params.group_in * params.weight_row + column;
        for (var c = 0u; c < params.group_in; c++) {
            let factor = f32(weight_scalar[w + c * params.weight_row]);
            // unroll
            for (var m = 0u; m < POOL; m++) {
                if POOL == 1u || at[m] != PADDING {
                    sums[m] += f32(input[at[m] + c]) * factor;
                }
            }
        }
    }
    var sum = sums[0];
    // unroll
    for (var m = 1u; m < POOL; m++) {
        sum = max_nan(sum, sums[m]);
    }
    finish(i, channel, sum);
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
    let row_tiles = (params.rows + TILE_ROWS - 1u) / TILE_ROWS;
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
    let row_tiles = (params.rows + TILE_ROWS - 1u) / TILE_ROWS;
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
    let columns4 = (params.group_out + 3u) / 4u;
    let groups = params.out_c / params.group_out;
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= groups * outputs() * columns4 {
        return;
    }
    let group = i / columns4 / outputs();
    let position = i / columns4 % outputs();
    let count = groups * params.rows * columns4;
    let place = (group * params.rows + first_row_of(position)) * columns4 + i % columns4;
    var sum = sum_of_slices(place, count, params.slices);
    // unroll
    for (var k = 1u; k < POOL; k++) {
        sum = max_nan4(sum, sum_of_slices(place + k * POOL_STEP * columns4, count, params.slices));
    }
    let column = i % columns4 * 4u;
    let first = group * params.group_out + column;
    finish_four(position * params.out_c + first, first, params.group_out - column, sum);
}

// 8 invocations, 8 · UNIFORM_ROWS positions × 4 · UNIFORM_COLUMNS4 channels of one group, in the same order.
@compute @workgroup_size(8)
fn conv3d_uniform(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let row_tiles = (params.rows + 8u * UNIFORM_ROWS - 1u) / (8u * UNIFORM_ROWS);
    let column_tiles = (params.group_out + 4u * UNIFORM_COLUMNS4 - 1u) / (4u * UNIFORM_COLUMNS4);
    group_number = group / (row_tiles * column_tiles);
    matmul_uniform(problem(), group % row_tiles * 8u * UNIFORM_ROWS, group / row_tiles % column_tiles * UNIFORM_COLUMNS4, lane);
}

// 64 invocations, each one element of a copy of the input whose lines along W have out_w positions, with their padding, and
// whose channels are filled up to out_c with zeros. The tiled and uniform entry points then take all that a window has of a
// line for the channels of one position.
@compute @workgroup_size(64)
fn conv3d_lines(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    let c = i % params.out_c;
    let line = i / params.out_c / params.out_w;
    if line >= params.batch * params.in_t * params.in_h {
        return;
    }
    let w = padded(PADDING_MODE, i / params.out_c % params.out_w - params.pad_w, params.in_w);
    let inside = w < params.in_w && c < params.in_c;
    lines[i] = select(Elem(), input[select(0u, (line * params.in_w + w) * params.in_c + c, inside)], inside);
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
    // Frame by frame of the factors, each of which is made of two frames of the input: few are held at a time, and the kernel
    // compiles several times as fast.
    for (var f = 0u; f < PATCH_FRAMES; f++) {
        var d: array<vec4<f32>, 16>;
        for (var s = 0u; s < min(PATCH_FRAMES, 2u); s++) {
            let term = winograd_term_of_input(f, s);
            let t = padded(PADDING_MODE, first_t + term.at, params.in_t);
            // unroll
            for (var b = 0u; b < 4u; b++) {
                let h = padded(PADDING_MODE, first_h + b, params.in_h);
                let row = ((sample + t) * params.in_h + h) * params.in_w;
                // unroll
                for (var c = 0u; c < 4u; c++) {
                    let w = padded(PADDING_MODE, first_w + c, params.in_w);
                    let inside = t < params.in_t && h < params.in_h && w < params.in_w;
                    let x = vec4<f32>(input_fours[select(0u, (row + w) * channels + channel, inside)]);
                    d[4u * b + c] += term.sign * select(vec4<f32>(), x, inside);
                }
            }
        }
        // unroll
        for (var b = 0u; b < 4u; b++) {
            let along_w = winograd_of_input(d[4u * b], d[4u * b + 1u], d[4u * b + 2u], d[4u * b + 3u]);
            // unroll
            for (var c = 0u; c < 4u; c++) {
                d[4u * b + c] = along_w[c];
            }
        }
        // unroll
        for (var c = 0u; c < 4u; c++) {
            let along_h = winograd_of_input(d[c], d[4u + c], d[8u + c], d[12u + c]);
            // unroll
            for (var b = 0u; b < 4u; b++) {
                factors[((patch_number * PATCH_FRAMES + f) * 16u + 4u * b + c) * channels + channel] = along_h[b];
            }
        }
    }
}

// The sums that one patch comes to in its frame f, four channels of each: [2, 2].
fn patch_sums(patch_number: u32, f: u32, channels: u32, channel: u32) -> array<vec4<f32>, 4> {
    var m: array<vec4<f32>, 16>;
    for (var s = 0u; s < min(PATCH_FRAMES, 3u); s++) {
        let term = winograd_term_of_sums(f, s);
        let first = (patch_number * PATCH_FRAMES + term.at) * 16u;
        // unroll
        for (var j = 0u; j < 16u; j++) {
            m[j] += term.sign * slice_sums[(first + j) * channels + channel];
        }
    }
    // unroll
    for (var c = 0u; c < 4u; c++) {
        let along_h = winograd_sums(m[c], m[4u + c], m[8u + c], m[12u + c]);
        m[c] = along_h[0];
        m[4u + c] = along_h[1];
    }
    let upper = winograd_sums(m[0], m[1], m[2], m[3]);
    let lower = winograd_sums(m[4], m[5], m[6], m[7]);
    return array<vec4<f32>, 4>(upper[0], upper[1], lower[0], lower[1]);
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
    let first_w = patch_number % params.patches_w * 2u;
    let first_h = patch_number / params.patches_w % params.patches_h * 2u;
    let patch_t = params.first_patch_t + patch_number / params.patches_w / params.patches_h;
    let sample = patch_t / params.patches_t * params.out_t;
    let first_t = patch_t % params.patches_t * PATCH_OUTPUTS;
    for (var f = 0u; f < PATCH_OUTPUTS; f++) {
        let sums = patch_sums(patch_number, f, channels, channel);
        // unroll
        for (var p = 0u; p < 4u; p++) {
            let inside = first_t + f < params.out_t && first_h + p / 2u < params.out_h && first_w + p % 2u < params.out_w;
            if inside {
                let row = ((sample + first_t + f) * params.out_h + first_h + p / 2u) * params.out_w + first_w + p % 2u;
                finish_four(row * params.out_c + 4u * channel, 4u * channel, 4u, sums[p]);
            }
        }
    }
}

// Frames of a window that is 2 × 2 positions, a patch: 1 or 2. An invocation takes GATHERED patches, one after the other in
// time, to MADE outputs.
const WINDOW_FRAMES: u32 = 1u; // tune: WINDOW_FRAMES
const GATHERED: u32 = 1u; // tune: GATHERED
const MADE: u32 = GATHERED * PATCH_OUTPUTS / WINDOW_FRAMES;

// 64 invocations, each four channels of the windows that GATHERED patches are; `patches` counts invocations.
@compute @workgroup_size(64)
fn conv3d_winograd_pooled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let channels = params.out_c / 4u;
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    let number = i / channels;
    if number >= params.patches {
        return;
    }
    let channel = i % channels;
    let plane = params.patches_h * params.patches_w;
    let in_plane = number % plane;
    let gathers = (params.patches_t + GATHERED - 1u) / GATHERED;
    // The first gather of this dispatch, then this one: of which sample, and its number there.
    let begin = params.first_patch_t / params.patches_t * gathers + params.first_patch_t % params.patches_t / GATHERED;
    let sample = (begin + number / plane) / gathers;
    let gather = (begin + number / plane) % gathers;
    let first_w = in_plane % params.patches_w * 2u - params.pool_pad_w;
    let first_h = in_plane / params.patches_w * 2u - params.pool_pad_h;
    for (var o = 0u; o < MADE; o++) {
        var best: vec4<f32>;
        var found = false;
        for (var k = 0u; k < WINDOW_FRAMES; k++) {
            let frame = (gather * MADE + o) * WINDOW_FRAMES + k;
            let patch_t = min(frame / PATCH_OUTPUTS, params.patches_t - 1u);
            let patch_number = (sample * params.patches_t + patch_t - params.first_patch_t) * plane + in_plane;
            let sums = patch_sums(patch_number, frame % PATCH_OUTPUTS, channels, channel);
            // unroll
            for (var p = 0u; p < 4u; p++) {
                let h = first_h + p / 2u;
                let w = first_w + p % 2u;
                if frame < params.sums_t && h < params.sums_h && w < params.sums_w {
                    best = select(sums[p], max_nan4(best, sums[p]), found);
                    found = true;
                }
            }
        }
        let t = gather * MADE + o;
        if t < params.out_t {
            let position = (sample * params.out_t + t) * plane + in_plane;
            finish_four(position * params.out_c + 4u * channel, 4u * channel, 4u, best);
        }
    }
}
