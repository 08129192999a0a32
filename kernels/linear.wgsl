// linear: y = act(x · weight + bias + addend) over the last axis, x normalised row by row if NORMALISED.
//
// Layouts, last axis contiguous:
//   input   [rows, In]
//   weight  [In, Out]; all entry points but the direct one read rows of vec4, Out padded to a multiple of four, and
//           linear_uniform and linear_rows also panels [Out / width, In, width], as weight_panel says
//   moments [rows, 4]: pivot, offset and factor of each row, as in lib/moments.wgsl, looked at if NORMALISED
//   bias    [Out], looked at if HAS_BIAS
//   addend and output [rows, Out], the addend looked at if HAS_ADDEND is 1, the
//             output's own elements taken for it if 2
// Dispatch: a row of workgroups, see each entry point.
// Source: torch.nn.functional.linear, with the weight transposed.
//
// Ladder: linear_direct → linear_tiled (GPUs; few tiles are made in slices along the sum, by linear_tiled_slices, which
// linear_tiled_sum adds up), linear_uniform (adapters on a processor), linear_rows (a few rows:
// the weights are read once and the sum is shared out, for nothing else would keep the device busy). Moments come from
// linear_moments.wgsl; linear_uniform has its rows normalised there, for it loads an element once for every tile of columns.

#import index
#import activation
#import finish
#import store_one // tune: STORING
#import matmul
#import slices

alias Elem = f32; // tune: Elem
// The input's elements.
alias Source = Elem; // tune: Source

struct Params {
    first_group: u32,
    rows: u32,
    in_c: u32,
    out_c: u32,
    // Elements, or vec4s, from one row of weights to the next.
    weight_row: u32,
    // As in lib/matmul.wgsl.
    weight_panel: u32,
    // How many slices the sums are made in, and the products of one.
    slices: u32,
    slice_depth: u32,
}

override NORMALISED: u32 = 0u;
override HAS_BIAS: u32 = 0u;
override HAS_ADDEND: u32 = 0u;
override ACTIVATION: u32 = 0u;
override SLOPE: f32 = 0.0;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Source>;
@group(0) @binding(1) var<storage, read> input_runs: array<Run>;
@group(0) @binding(1) var<storage, read> slice_sums: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight_scalar: array<Elem>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<Elem>>;
@group(0) @binding(3) var<storage, read> moments: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> bias: array<Elem>;
@group(0) @binding(4) var<storage, read> bias_fours: array<vec4<Elem>>;
@group(0) @binding(4) var<storage, read_write> partial_sums: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> addend: array<Elem>;
@group(0) @binding(5) var<storage, read> addend_fours: array<vec4<Elem>>;
@group(0) @binding(6) var<storage, read_write> output: array<Elem>;
@group(0) @binding(6) var<storage, read_write> output_fours: array<vec4<Elem>>;

struct Row {
    at: u32,
    moments: vec4<f32>,
}

struct Tap {
    at: u32,
}

fn row_of(row: u32) -> Row {
    var own = vec4<f32>();
    if NORMALISED != 0u {
        own = moments[row];
    }
    return Row(row * params.in_c, own);
}

fn tap_of(segment: u32) -> Tap {
    return Tap(0u);
}

fn start(row: Row, tap: Tap) -> u32 {
    return row.at + tap.at;
}

fn loaded(row: Row, x: vec4<f32>) -> vec4<f32> {
    if NORMALISED != 0u {
        return (x - row.moments.x - row.moments.y) * row.moments.z;
    }
    return x;
}

fn element(row: Row, k: u32) -> f32 {
    return loaded(row, vec4<f32>(f32(input[row.at + k]))).x;
}

fn store(row: u32, column: u32, sum: vec4<f32>) {
    finish_four(row * params.out_c + column, column, max(column, params.out_c) - column, sum);
}

fn problem() -> Matmul {
    return Matmul(params.rows, (params.out_c + 3u) / 4u, 1u, params.in_c, params.weight_row, 0u, params.weight_panel);
}

// 64 invocations, one output element each.
@compute @workgroup_size(64)
fn linear_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.rows * params.out_c {
        return;
    }
    let row = i / params.out_c;
    let column = i % params.out_c;
    let own = row_of(row);
    var sum = 0.0;
    for (var k = 0u; k < params.in_c; k++) {
        sum += element(own, k) * f32(weight_scalar[k * params.weight_row + column]);
    }
    finish(i, column, sum);
}

// TILE_LANES invocations, a tile of rows × columns. Rows run fastest.
@compute @workgroup_size(TILE_LANES)
fn linear_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let row_tiles = (params.rows + TILE_ROWS - 1u) / TILE_ROWS;
    matmul_tiled(problem(), group % row_tiles * TILE_ROWS, group / row_tiles * TILE_COLUMNS4, lane);
}

// The same for one slice of the sums; slices run last.
@compute @workgroup_size(TILE_LANES)
fn linear_tiled_slices(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let row_tiles = (params.rows + TILE_ROWS - 1u) / TILE_ROWS;
    let column_tiles = ((params.out_c + 3u) / 4u + TILE_COLUMNS4 - 1u) / TILE_COLUMNS4;
    let slice = group / (row_tiles * column_tiles);
    let row0 = group % row_tiles * TILE_ROWS;
    let column0 = group / row_tiles % column_tiles * TILE_COLUMNS4;
    let m = problem();
    let begin = slice * params.slice_depth;
    var sums: array<vec4<f32>, TILE_SUMS>;
    tile_sums(&sums, m.rows, m.columns4, row0, column0, begin, min(begin + params.slice_depth, m.length), lane);
    store_slice(&sums, m.rows, m.columns4, row0, column0, slice, lane);
}

// 64 invocations, each four columns of one row: what the slices came to, always in their order.
@compute @workgroup_size(64)
fn linear_tiled_sum(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let columns4 = (params.out_c + 3u) / 4u;
    let count = params.rows * columns4;
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= count {
        return;
    }
    store(i / columns4, i % columns4 * 4u, sum_of_slices(i, count, params.slices));
}

// 8 invocations, 8 · UNIFORM_ROWS rows × 4 · UNIFORM_COLUMNS4 columns. Rows run fastest.
@compute @workgroup_size(8)
fn linear_uniform(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let row_tiles = (params.rows + 8u * UNIFORM_ROWS - 1u) / (8u * UNIFORM_ROWS);
    matmul_uniform(problem(), group % row_tiles * 8u * UNIFORM_ROWS, group / row_tiles * UNIFORM_COLUMNS4, lane);
}

// 256 invocations, one row × 128 columns: 32 vec4 columns, each summed in 8 parts, one after the other along the row, that
// meet in workgroup memory, in a fixed order. Columns lie together as for linear_uniform, so that eight invocations walk
// through memory from its beginning to its end; in rows of all columns each turn would be of another page.
const PARTS: u32 = 8u;

var<workgroup> partial: array<vec4<f32>, 256>;

@compute @workgroup_size(256)
fn linear_rows(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let columns4 = (params.out_c + 3u) / 4u;
    let column_tiles = (columns4 + 31u) / 32u;
    let row = group / column_tiles;
    let column = group % column_tiles * 32u + lane % 32u;
    let in_range = column < columns4;
    let own = row_of(row);
    var sum = vec4<f32>();
    let part = lane / 32u;
    let each = (params.in_c + PARTS - 1u) / PARTS;
    let place = min(column, columns4 - 1u);
    let first = place / UNIFORM_COLUMNS4 * params.weight_panel + place % UNIFORM_COLUMNS4;
    for (var k = part * each; k < min(part * each + each, params.in_c); k++) {
        let w = weight[first + k * params.weight_row];
        sum += element(own, k) * vec4<f32>(w);
    }
    partial[lane] = sum;
    workgroupBarrier();
    if part == 0u && in_range {
        // unroll
        for (var p = 1u; p < PARTS; p++) {
            sum += partial[p * 32u + lane];
        }
        store(row, column * 4u, sum);
    }
}
