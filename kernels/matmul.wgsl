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
// Ladder: matmul_direct (one output an invocation) → matmul_tiled (GPUs: tiles in workgroup memory),
// matmul_uniform (adapters on a processor: one address of b for all invocations).

#import index
#import activation
#import strided

alias Elem = f32; // tune: Elem

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
    // The batch axes.
    dims: array<vec4<u32>, 2>,
    a_steps: array<vec4<u32>, 2>,
    b_steps: array<vec4<u32>, 2>,
    out_steps: array<vec4<u32>, 2>,
}

// Whether neighbours along the depth lie nearer in memory than those along the other axis of a matrix.
override A_ALONG_DEPTH: u32 = 1u;
override B_ALONG_DEPTH: u32 = 0u;
override ACTIVATION: u32 = 0u;
override SLOPE: f32 = 0.0;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<Elem>;
@group(0) @binding(2) var<storage, read> b: array<Elem>;
@group(0) @binding(3) var<storage, read_write> output: array<Elem>;

// Where the matrices of one batch begin.
struct Batch {
    a: u32,
    b: u32,
    out: u32,
}

fn batch_of(index: u32) -> Batch {
    return Batch(
        strided(index, params.dims, params.a_steps),
        strided(index, params.dims, params.b_steps),
        strided(index, params.dims, params.out_steps),
    );
}

fn store(batch: Batch, row: u32, column: u32, sum: f32) {
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
    store(batch, row, column, sum);
}

// 256 invocations make 64 × 64 outputs of one batch: invocation (x, y) rows y + 16·i and columns x + 16·j. Rows of
// tiles run fastest, then columns, then batches. Per step of 16 along the depth:
//
//   every invocation fetches 4 elements of a and 4 of b, neighbours in memory by neighbouring invocations
//   barrier
//   acc[i][j] += tile_a[k][y + 16·i] · tile_b[k][x + 16·j]   for 16 values of k, written out
//   barrier

const TILE_DEPTH: u32 = 16u;
// Odd, to spread what is written across the banks.
const TILE_STRIDE: u32 = 65u;

var<workgroup> tile_a: array<f32, TILE_DEPTH * TILE_STRIDE>;
var<workgroup> tile_b: array<f32, TILE_DEPTH * TILE_STRIDE>;

// The i-th of the four elements that an invocation fetches: its depth, and its row or column.
fn fetched(along_depth: u32, lane: u32, i: u32) -> vec2<u32> {
    if along_depth != 0u {
        return vec2<u32>(lane % 16u, lane / 16u + 16u * i);
    }
    return vec2<u32>(lane / 64u + 4u * i, lane % 64u);
}

@compute @workgroup_size(256)
fn matmul_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let row_tiles = (params.rows + 63u) / 64u;
    let column_tiles = (params.columns + 63u) / 64u;
    let batch = batch_of(group / row_tiles / column_tiles);
    let row0 = group % row_tiles * 64u;
    let column0 = group / row_tiles % column_tiles * 64u;
    let x = lane % 16u;
    let y = lane / 16u;
    var acc: array<vec4<f32>, 4>;
    for (var k0 = 0u; k0 < params.depth; k0 += TILE_DEPTH) {
        // unroll
        for (var i = 0u; i < 4u; i++) {
            let of_a = fetched(A_ALONG_DEPTH, lane, i);
            let row = min(row0 + of_a.y, params.rows - 1u);
            let ka = min(k0 + of_a.x, params.depth - 1u);
            let from_a = f32(a[batch.a + row * params.a_row + ka * params.a_depth]);
            tile_a[of_a.x * TILE_STRIDE + of_a.y] = select(0.0, from_a, k0 + of_a.x < params.depth);
            let of_b = fetched(B_ALONG_DEPTH, lane, i);
            let column = min(column0 + of_b.y, params.columns - 1u);
            let kb = min(k0 + of_b.x, params.depth - 1u);
            let from_b = f32(b[batch.b + kb * params.b_depth + column * params.b_column]);
            tile_b[of_b.x * TILE_STRIDE + of_b.y] = select(0.0, from_b, k0 + of_b.x < params.depth);
        }
        workgroupBarrier();
        // unroll
        for (var k = 0u; k < TILE_DEPTH; k++) {
            let at = k * TILE_STRIDE + x;
            let row = vec4<f32>(tile_b[at], tile_b[at + 16u], tile_b[at + 32u], tile_b[at + 48u]);
            // unroll
            for (var i = 0u; i < 4u; i++) {
                acc[i] += tile_a[k * TILE_STRIDE + y + 16u * i] * row;
            }
        }
        workgroupBarrier();
    }
    // unroll
    for (var i = 0u; i < 4u; i++) {
        let row = row0 + y + 16u * i;
        // unroll
        for (var j = 0u; j < 4u; j++) {
            let column = column0 + x + 16u * j;
            if row < params.rows && column < params.columns {
                store(batch, row, column, acc[i][j]);
            }
        }
    }
}

// 8 invocations make 32 × 16 outputs of one batch, rows lane + 8·i and all columns each, in the order of the tiled
// entry point. A barrier is a switch of coroutines on a processor, and a load at an address that differs between
// invocations a loop: there are none of the first, and the addresses of b are the same for all eight.

// How many products one turn of the loop takes; must divide the depth.
const UNIFORM_STEP: u32 = 1u; // tune: UNIFORM_STEP

@compute @workgroup_size(8)
fn matmul_uniform(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let row_tiles = (params.rows + 31u) / 32u;
    let column_tiles = (params.columns + 15u) / 16u;
    let batch = batch_of(group / row_tiles / column_tiles);
    let row0 = group % row_tiles * 32u + lane;
    let column0 = group / row_tiles % column_tiles * 16u;
    var from_a: array<u32, 4>;
    // unroll
    for (var i = 0u; i < 4u; i++) {
        from_a[i] = batch.a + min(row0 + 8u * i, params.rows - 1u) * params.a_row;
    }
    var from_b: array<vec4<u32>, 4>;
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let column = min(column0 + 4u * j + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.columns - 1u));
        from_b[j] = batch.b + column * params.b_column;
    }
    var acc: array<vec4<f32>, 16>;
    for (var k0 = 0u; k0 < params.depth; k0 += UNIFORM_STEP) {
        // unroll
        for (var u = 0u; u < UNIFORM_STEP; u++) {
            let k = k0 + u;
            // unroll
            for (var j = 0u; j < 4u; j++) {
                let at = from_b[j] + k * params.b_depth;
                let row = vec4<f32>(f32(b[at.x]), f32(b[at.y]), f32(b[at.z]), f32(b[at.w]));
                // unroll
                for (var i = 0u; i < 4u; i++) {
                    acc[i * 4u + j] += f32(a[from_a[i] + k * params.a_depth]) * row;
                }
            }
        }
    }
    // unroll
    for (var i = 0u; i < 4u; i++) {
        let row = row0 + 8u * i;
        if row < params.rows {
            // unroll
            for (var c = 0u; c < 16u; c++) {
                if column0 + c < params.columns {
                    store(batch, row, column0 + c, acc[i * 4u + c / 4u][c % 4u]);
                }
            }
        }
    }
}
