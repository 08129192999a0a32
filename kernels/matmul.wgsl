// matmul: out[…, m, n] = act(scale · Σ_k a[…, m, k] · b[…, k, n]) for every index of the axes before, the batch axes.
//
// Layouts: every axis of every tensor has a step of its own, so that transposed matrices and axes in any order are
// read and written where they lie; a batch axis along which a side repeats has step 0.
//   a      m · a_row + k · a_depth,         from the batch's a_steps on
//   b      k · b_depth + n · b_column,      from b_steps on
//   output m · out_row + n · out_column,    from out_steps on
// Dispatch: a row of workgroups, see each entry point.
// Source: torch.matmul.
//
// Ladder: matmul_direct (one output an invocation) → matmul_tiled (GPUs: tiles in workgroup memory; few tiles are made in
// slices along the depth, by matmul_tiled_slices, which matmul_tiled_sum adds up), matmul_uniform (adapters on a processor:
// one address of b for all invocations). GPUs with cooperative matrices: kernels/matmul_cooperative.wgsl.

#import index
#import activation
#import strided
#import tiles
#import slices
#import apart // tune: SHARING

alias Elem = f32; // tune: Elem

// How many neighbours along the depth of a, and along the columns of b, are read at once: one or four.
const A_RUN: u32 = 4u; // tune: A_RUN
alias ARun = vec4<Elem>; // tune: ARun
alias WideA = vec4<f32>; // tune: WideA
const A_RUNS: u32 = 4u / A_RUN;
const B_RUN: u32 = 4u; // tune: B_RUN
alias BRun = vec4<Elem>; // tune: BRun
alias WideB = vec4<f32>; // tune: WideB
const B_RUNS: u32 = 4u / B_RUN;

struct Params {
    first_group: u32,
    count: u32,
    rows: u32,
    columns: u32,
    depth: u32,
    a_row: u32,
    a_depth: u32,
    b_depth: u32,
    b_column: u32,
    out_row: u32,
    out_column: u32,
    scale: f32,
    // How many slices the sums are made in, and the products of one.
    slices: u32,
    slice_depth: u32,
    pad_0: u32,
    pad_1: u32,
    // The batch axes.
    dims: array<vec4<u32>, 2>,
    a_steps: array<vec4<u32>, 2>,
    b_steps: array<vec4<u32>, 2>,
    out_steps: array<vec4<u32>, 2>,
}

// Whether neighbours along the depth of b lie nearer in memory than those along its columns.
override B_ALONG_DEPTH: u32 = 0u;
override ACTIVATION: u32 = 0u;
override SLOPE: f32 = 0.0;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<Elem>;
@group(0) @binding(2) var<storage, read> b: array<Elem>;
@group(0) @binding(1) var<storage, read> a_runs: array<ARun>;
@group(0) @binding(1) var<storage, read> slice_sums: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b_runs: array<BRun>;
@group(0) @binding(2) var<storage, read_write> sum_output: array<Elem>;
@group(0) @binding(3) var<storage, read_write> output: array<Elem>;
@group(0) @binding(3) var<storage, read_write> partial_sums: array<vec4<f32>>;

// Where the matrices of one batch begin.
struct Batch {
    a: u32,
    b: u32,
    out: u32,
}

fn batch_of(number: u32) -> Batch {
    return Batch(
        strided(number, params.dims, params.a_steps),
        strided(number, params.dims, params.b_steps),
        strided(number, params.dims, params.out_steps),
    );
}

fn finish(batch: Batch, row: u32, column: u32, sum: f32) {
    let at = batch.out + row * params.out_row + column * params.out_column;
    output[at] = Elem(activate(ACTIVATION, SLOPE, params.scale * sum));
}

// 64 invocations, one output element each; columns run fastest, then rows.
@compute @workgroup_size(64)
fn matmul_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let column = i % params.columns;
    let row = i / params.columns % params.rows;
    let batch = batch_of(i / params.columns / params.rows);
    let from_a = batch.a + row * params.a_row;
    let from_b = batch.b + column * params.b_column;
    var sum = 0.0;
    for (var k = 0u; k < params.depth; k++) {
        sum += f32(a[from_a + k * params.a_depth]) * f32(b[from_b + k * params.b_depth]);
    }
    finish(batch, row, column, sum);
}

// TILE_LANES invocations make a tile of one batch, as lib/tiles.wgsl has it. Rows of tiles run fastest, then columns, then
// batches.

struct Row {
    at: u32,
}

struct Depth {
    k: u32,
    end: u32,
}

var<private> tile_batch: Batch;

fn row_of(row: u32) -> Row {
    return Row(tile_batch.a + row * params.a_row);
}

fn depth_of(k: u32, end: u32) -> Depth {
    return Depth(k, end);
}

fn a_four(row: Row, depth: Depth) -> vec4<f32> {
    var four = vec4<f32>();
    // unroll
    for (var i = 0u; i < A_RUNS; i++) {
        let k = depth.k + i * A_RUN;
        let inside = k < depth.end;
        let x = vec4<f32>(WideA(a_runs[select(0u, (row.at + k * params.a_depth) / A_RUN, inside)]));
        four = select(four, select(vec4<f32>(), x, inside), vec4<u32>(0u, 1u, 2u, 3u) / A_RUN == vec4<u32>(i));
    }
    return four;
}

fn b_four(k: u32, end: u32, column4: u32) -> vec4<f32> {
    var four = vec4<f32>();
    // unroll
    for (var i = 0u; i < B_RUNS; i++) {
        let column = column4 * 4u + i * B_RUN;
        let inside = k < end && column < params.columns;
        let at = tile_batch.b + k * params.b_depth + column * params.b_column;
        let x = vec4<f32>(WideB(b_runs[select(0u, at / B_RUN, inside)]));
        four = select(four, select(vec4<f32>(), x, inside), vec4<u32>(0u, 1u, 2u, 3u) / B_RUN == vec4<u32>(i));
    }
    return four;
}

// Four columns from `column`.
fn store(row: u32, column: u32, sum: vec4<f32>) {
    // unroll
    for (var i = 0u; i < 4u; i++) {
        if column + i < params.columns {
            finish(tile_batch, row, column + i, sum[i]);
        }
    }
}

// The first row and vec4 column of a tile, and how many tiles a batch has.
fn tile_of(group: u32) -> vec3<u32> {
    let row_tiles = (params.rows + TILE_ROWS - 1u) / TILE_ROWS;
    let column_tiles = (params.columns + 4u * TILE_COLUMNS4 - 1u) / (4u * TILE_COLUMNS4);
    let row0 = group % row_tiles * TILE_ROWS;
    let column0 = group / row_tiles % column_tiles * TILE_COLUMNS4;
    return vec3<u32>(row0, column0, row_tiles * column_tiles);
}

@compute @workgroup_size(TILE_LANES)
fn matmul_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let tile = tile_of(group);
    tile_batch = batch_of(group / tile.z);
    let columns4 = (params.columns + 3u) / 4u;
    var sums: array<vec4<f32>, TILE_SUMS>;
    tile_sums(&sums, params.rows, columns4, tile.x, tile.y, 0u, params.depth, lane);
    // unroll
    for (var i = 0u; i < ROWS_EACH; i++) {
        let row = tile.x + lane / TILE_X + TILE_Y * i;
        // unroll
        for (var j = 0u; j < COLUMNS_EACH; j++) {
            let column = 4u * (tile.y + lane % TILE_X + TILE_X * j);
            if row < params.rows && column < params.columns {
                store(row, column, sums[i * COLUMNS_EACH + j]);
            }
        }
    }
}

// The same for one slice of the sums; slices run after batches.
@compute @workgroup_size(TILE_LANES)
fn matmul_tiled_slices(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let tile = tile_of(group);
    let place = group / tile.z;
    let batches = params.count / params.columns / params.rows;
    tile_batch = batch_of(place % batches);
    let columns4 = (params.columns + 3u) / 4u;
    let begin = place / batches * params.slice_depth;
    let end = min(begin + params.slice_depth, params.depth);
    var sums: array<vec4<f32>, TILE_SUMS>;
    tile_sums(&sums, params.rows, columns4, tile.x, tile.y, begin, end, lane);
    store_slice(&sums, params.rows, columns4, tile.x, tile.y, place, lane);
}

// 64 invocations, each four columns of one row: what the slices came to, always in their order.
@compute @workgroup_size(64)
fn matmul_tiled_sum(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let columns4 = (params.columns + 3u) / 4u;
    let count = params.count / params.columns * columns4;
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= count {
        return;
    }
    let sum = sum_of_slices(i, count, params.slices);
    let row_at = batch_of(i / columns4 / params.rows).out + i / columns4 % params.rows * params.out_row;
    // unroll
    for (var c = 0u; c < 4u; c++) {
        let column = i % columns4 * 4u + c;
        if column < params.columns {
            sum_output[row_at + column * params.out_column] = Elem(activate(ACTIVATION, SLOPE, params.scale * sum[c]));
        }
    }
}

// 8 invocations make 8 · UNIFORM_ROWS × 4 · UNIFORM_COLUMNS4 outputs of one batch, rows lane + 8·i and all columns each, in the
// order of the tiled entry point. As in lib/matmul.wgsl there is no barrier, and what is loaded of b is shared.

const UNIFORM_ROWS: u32 = 4u; // tune: UNIFORM_ROWS
const UNIFORM_COLUMNS4: u32 = 8u; // tune: UNIFORM_COLUMNS4
// How many products one turn of the loop takes; must divide the depth.
const UNIFORM_STEP: u32 = 1u; // tune: UNIFORM_STEP
// How many vec4s of b an invocation loads in a turn.
const UNIFORM_LOADS: u32 = 1u; // tune: UNIFORM_LOADS
// Whether a turn's products are four, and their elements of b are read at once.
override B_DEEP: u32 = 0u;

// Element k of b in four columns; where they are read at once, columns beyond the last repeat the last four.
fn b_across(k: u32, column: u32) -> vec4<f32> {
    let row = tile_batch.b + k * params.b_depth;
    if B_RUN == 4u {
        return vec4<f32>(WideB(b_runs[(row + min(column, params.columns - 4u)) / 4u]));
    }
    var four: vec4<f32>;
    // unroll
    for (var c = 0u; c < 4u; c++) {
        let at = row + min(column + c, params.columns - 1u) * params.b_column;
        four[c] = vec4<f32>(WideB(b_runs[at])).x;
    }
    return four;
}

// Elements k to k + 3 of b in one column.
fn b_deep(k: u32, column: u32) -> vec4<f32> {
    let at = tile_batch.b + k + min(column, params.columns - 1u) * params.b_column;
    return vec4<f32>(WideB(b_runs[at / B_RUN]));
}

// The vec4 of this number that a turn needs: of columns side by side, or of a column's elements one after the other.
fn b_numbered(k: u32, column0: u32, number: u32) -> vec4<f32> {
    if B_DEEP != 0u {
        return b_deep(k, column0 + number);
    }
    let u = min(k + number / UNIFORM_COLUMNS4, params.depth - 1u);
    return b_across(u, column0 + 4u * (number % UNIFORM_COLUMNS4));
}

@compute @workgroup_size(8)
fn matmul_uniform(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let row_tiles = (params.rows + 8u * UNIFORM_ROWS - 1u) / (8u * UNIFORM_ROWS);
    let column_tiles = (params.columns + 4u * UNIFORM_COLUMNS4 - 1u) / (4u * UNIFORM_COLUMNS4);
    tile_batch = batch_of(group / row_tiles / column_tiles);
    let row0 = group % row_tiles * 8u * UNIFORM_ROWS + lane;
    let column0 = group / row_tiles % column_tiles * 4u * UNIFORM_COLUMNS4;
    var from_a: array<u32, UNIFORM_ROWS>;
    // unroll
    for (var i = 0u; i < UNIFORM_ROWS; i++) {
        from_a[i] = tile_batch.a + min(row0 + 8u * i, params.rows - 1u) * params.a_row;
    }
    var acc: array<vec4<f32>, UNIFORM_ROWS * UNIFORM_COLUMNS4>;
    for (var k = 0u; k < params.depth; k += UNIFORM_STEP) {
        var own: array<vec4<f32>, UNIFORM_LOADS>;
        // unroll
        for (var n = 0u; n < UNIFORM_LOADS; n++) {
            own[n] = b_numbered(k, column0, lane + 8u * n);
        }
        var x: array<f32, UNIFORM_ROWS * UNIFORM_STEP>;
        // unroll
        for (var i = 0u; i < UNIFORM_ROWS; i++) {
            // unroll
            for (var u = 0u; u < UNIFORM_STEP; u++) {
                x[i * UNIFORM_STEP + u] = f32(a[from_a[i] + (k + u) * params.a_depth]);
            }
        }
        // unroll
        for (var number = 0u; number < UNIFORM_STEP * UNIFORM_COLUMNS4; number++) {
            let four = of_lane(own[number / 8u], number % 8u, b_numbered(k, column0, number));
            // unroll
            for (var i = 0u; i < UNIFORM_ROWS; i++) {
                if B_DEEP != 0u {
                    // unroll
                    for (var u = 0u; u < UNIFORM_STEP; u++) {
                        let at = i * UNIFORM_COLUMNS4 + number / 4u;
                        acc[at][number % 4u] = fma(x[i * UNIFORM_STEP + u], four[u], acc[at][number % 4u]);
                    }
                } else {
                    let at = i * UNIFORM_COLUMNS4 + number % UNIFORM_COLUMNS4;
                    acc[at] = fma(vec4<f32>(x[i * UNIFORM_STEP + number / UNIFORM_COLUMNS4]), four, acc[at]);
                }
            }
        }
    }
    // unroll
    for (var i = 0u; i < UNIFORM_ROWS; i++) {
        let row = row0 + 8u * i;
        if row < params.rows {
            // unroll
            for (var j = 0u; j < UNIFORM_COLUMNS4; j++) {
                store(row, column0 + 4u * j, acc[i * UNIFORM_COLUMNS4 + j]);
            }
        }
    }
}
