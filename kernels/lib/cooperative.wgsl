// The matrix products of lib/tiles.wgsl by cooperative matrices (tensor cores): factors in f16, sums in f32.
//
// SUBGROUPS_Y × SUBGROUPS_X subgroups of LANES invocations make a tile; each holds MATRICES_Y × MATRICES_X square
// matrices of sums. Per COOPERATIVE_DEPTH along the sum:
//
//   every invocation asks for its part of the next step's tiles
//   products of this step's tiles, loaded from workgroup memory as matrices
//   barrier, what was asked for is put into workgroup memory, barrier
//
// Rows in workgroup memory are SKEW vec4s longer than they need be, so that the rows of a matrix lie in different banks.
// Sums go through workgroup memory, a matrix of each subgroup at a time, for only there can their elements be reached.
//
// The importing file gives what lib/tiles.wgsl wants, as lib/matmul.wgsl does for convolutions and linear layers, and
//
//   struct Matmul                          with `rows` and `columns4`, those in vec4s
//   const POOL: u32                        as lib/matmul.wgsl has it, and lib/nan.wgsl
//   params.first_group                     as lib/index.wgsl has it
//   fn store(row: u32, column: u32, sum: vec4<f32>)      four columns from `column`; must check the bounds of columns
//
// and has `enable f16;` and `enable wgpu_cooperative_matrix;`. Slices are stored by lib/cooperative_slices.wgsl.
//
// Source: the loading in advance, the skew and the way out are those of jeffbolznv/vk_cooperative_matrix_perf.

alias MatrixA = coop_mat16x16<f16, A>; // tune: MatrixA
alias MatrixB = coop_mat16x16<f16, B>; // tune: MatrixB
alias MatrixC = coop_mat16x16<f32, C>; // tune: MatrixC
const SIZE: u32 = 16u; // tune: SIZE
const LANES: u32 = 32u; // tune: LANES
const SUBGROUPS_Y: u32 = 2u; // tune: SUBGROUPS_Y
const SUBGROUPS_X: u32 = 2u; // tune: SUBGROUPS_X
const MATRICES_Y: u32 = 4u; // tune: MATRICES_Y
const MATRICES_X: u32 = 4u; // tune: MATRICES_X

const COOPERATIVE_DEPTH: u32 = 32u;
const DEPTH4: u32 = COOPERATIVE_DEPTH / 4u;
const SKEW: u32 = 2u;
const COOPERATIVE_LANES: u32 = LANES * SUBGROUPS_Y * SUBGROUPS_X;
const SUBGROUP_ROWS: u32 = SIZE * MATRICES_Y;
const SUBGROUP_COLUMNS4: u32 = SIZE * MATRICES_X / 4u;
const COOPERATIVE_ROWS: u32 = SUBGROUP_ROWS * SUBGROUPS_Y;
const COOPERATIVE_COLUMNS4: u32 = SUBGROUP_COLUMNS4 * SUBGROUPS_X;
const A_PITCH: u32 = DEPTH4 + SKEW;
const B_PITCH: u32 = COOPERATIVE_COLUMNS4 + SKEW;
const A_PARTS: u32 = COOPERATIVE_ROWS * DEPTH4 / COOPERATIVE_LANES;
const B_PARTS: u32 = COOPERATIVE_DEPTH * COOPERATIVE_COLUMNS4 / COOPERATIVE_LANES;
const STEPS: u32 = COOPERATIVE_DEPTH / SIZE;
const OUT_PARTS: u32 = SIZE * SIZE / 4u / LANES;

var<workgroup> matrices_a: array<vec4<f16>, COOPERATIVE_ROWS * A_PITCH>;
var<workgroup> matrices_b: array<vec4<f16>, COOPERATIVE_DEPTH * B_PITCH>;
var<workgroup> matrices_out: array<f32, SIZE * SIZE * SUBGROUPS_Y * SUBGROUPS_X>;

struct Place {
    // Row and vec4 column of the tile.
    row: u32,
    column: u32,
    // Which product of rows × columns it belongs to: slices are counted, and problems within a slice.
    number: u32,
    lane: u32,
    subgroup: u32,
    subgroup_lane: u32,
}

// What an entry point is given.
struct Invocation {
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
}

// The tile of a workgroup. Rows run fastest, then columns, then problems, all as long as `m`, then slices.
fn place_of(m: Matmul, at: Invocation) -> Place {
    let group = linear_group(params.first_group, at.workgroup, at.workgroups);
    let row_tiles = (m.rows + COOPERATIVE_ROWS - 1u) / COOPERATIVE_ROWS;
    let column_tiles = (m.columns4 + COOPERATIVE_COLUMNS4 - 1u) / COOPERATIVE_COLUMNS4;
    return Place(
        group % row_tiles * COOPERATIVE_ROWS,
        group / row_tiles % column_tiles * COOPERATIVE_COLUMNS4,
        group / (row_tiles * column_tiles),
        at.lane,
        at.subgroup,
        at.subgroup_lane,
    );
}

// Place in the tile of b of the i-th vec4 that an invocation fetches: its depth and its vec4 column.
fn cooperative_place_in_b(lane: u32, i: u32) -> vec2<u32> {
    let at = lane + COOPERATIVE_LANES * i;
    if B_ALONG_DEPTH != 0u {
        return vec2<u32>(at % COOPERATIVE_DEPTH, at / COOPERATIVE_DEPTH);
    }
    return vec2<u32>(at / COOPERATIVE_COLUMNS4, at % COOPERATIVE_COLUMNS4);
}

// The sums over k from `k_begin` up to `k_end`.
fn cooperative_sums(
    sums: ptr<function, array<MatrixC, MATRICES_Y * MATRICES_X>>,
    m: Matmul,
    place: Place,
    k_begin: u32,
    k_end: u32,
) {
    let lane = place.lane;
    let ka = lane % DEPTH4 * 4u;
    var fetch_row: array<Row, A_PARTS>;
    var next_a: array<vec4<f16>, A_PARTS>;
    var next_b: array<vec4<f16>, B_PARTS>;
    let first = depth_of(k_begin + ka, k_end);
    // unroll
    for (var i = 0u; i < A_PARTS; i++) {
        fetch_row[i] = row_of(min(place.row + (lane + COOPERATIVE_LANES * i) / DEPTH4, m.rows - 1u));
        next_a[i] = vec4<f16>(a_four(fetch_row[i], first));
    }
    // unroll
    for (var i = 0u; i < B_PARTS; i++) {
        let in_b = cooperative_place_in_b(lane, i);
        let column = min(place.column + in_b.y, m.columns4 - 1u);
        next_b[i] = vec4<f16>(b_four(k_begin + in_b.x, k_end, column));
    }
    let subgroup_row = place.subgroup / SUBGROUPS_X * SUBGROUP_ROWS;
    let subgroup_column = place.subgroup % SUBGROUPS_X * SUBGROUP_COLUMNS4;
    for (var k = k_begin; k < k_end; k += COOPERATIVE_DEPTH) {
        // unroll
        for (var i = 0u; i < A_PARTS; i++) {
            let at = lane + COOPERATIVE_LANES * i;
            matrices_a[at / DEPTH4 * A_PITCH + at % DEPTH4] = next_a[i];
        }
        // unroll
        for (var i = 0u; i < B_PARTS; i++) {
            let in_b = cooperative_place_in_b(lane, i);
            matrices_b[in_b.x * B_PITCH + in_b.y] = next_b[i];
        }
        workgroupBarrier();
        let next = depth_of(k + COOPERATIVE_DEPTH + ka, k_end);
        // unroll
        for (var i = 0u; i < A_PARTS; i++) {
            next_a[i] = vec4<f16>(a_four(fetch_row[i], next));
        }
        // unroll
        for (var i = 0u; i < B_PARTS; i++) {
            let in_b = cooperative_place_in_b(lane, i);
            let column = min(place.column + in_b.y, m.columns4 - 1u);
            next_b[i] = vec4<f16>(b_four(k + COOPERATIVE_DEPTH + in_b.x, k_end, column));
        }
        // unroll
        for (var s = 0u; s < STEPS; s++) {
            var a: array<MatrixA, MATRICES_Y>;
            // unroll
            for (var i = 0u; i < MATRICES_Y; i++) {
                let at = (subgroup_row + SIZE * i) * A_PITCH + SIZE / 4u * s;
                a[i] = coopLoadT<MatrixA>(&matrices_a[at], A_PITCH);
            }
            // unroll
            for (var j = 0u; j < MATRICES_X; j++) {
                let at = SIZE * s * B_PITCH + subgroup_column + SIZE / 4u * j;
                let b = coopLoadT<MatrixB>(&matrices_b[at], B_PITCH);
                // unroll
                for (var i = 0u; i < MATRICES_Y; i++) {
                    (*sums)[i * MATRICES_X + j] = coopMultiplyAdd(a[i], b, (*sums)[i * MATRICES_X + j]);
                }
            }
        }
        workgroupBarrier();
    }
}

// Row, vec4 column and place in workgroup memory of an invocation's part of matrix i, j.
fn out_of(place: Place, i: u32, j: u32, part: u32) -> vec3<u32> {
    let at = place.subgroup_lane + LANES * part;
    return vec3<u32>(
        place.row + place.subgroup / SUBGROUPS_X * SUBGROUP_ROWS + SIZE * i + at / (SIZE / 4u),
        place.column + place.subgroup % SUBGROUPS_X * SUBGROUP_COLUMNS4 + SIZE / 4u * j + at % (SIZE / 4u),
        place.subgroup * SIZE * SIZE + 4u * at,
    );
}

fn out_sum(at: u32) -> vec4<f32> {
    return vec4<f32>(matrices_out[at], matrices_out[at + 1u], matrices_out[at + 2u], matrices_out[at + 3u]);
}

// The largest of POOL sums that lie as many rows of the matrix apart as there are such, NaN where one is.
fn out_largest(at: u32) -> vec4<f32> {
    var sum = out_sum(at);
    // unroll
    for (var k = 1u; k < POOL; k++) {
        sum = max_nan4(sum, out_sum(at + k * (SIZE / POOL) * SIZE));
    }
    return sum;
}

// Stores the sums as outputs: of every POOL rows of a matrix the largest, at the first of those rows.
fn cooperative_store(sums: ptr<function, array<MatrixC, MATRICES_Y * MATRICES_X>>, m: Matmul, place: Place) {
    // unroll
    for (var i = 0u; i < MATRICES_Y; i++) {
        // unroll
        for (var j = 0u; j < MATRICES_X; j++) {
            coopStoreT((*sums)[i * MATRICES_X + j], &matrices_out[place.subgroup * SIZE * SIZE], SIZE);
            workgroupBarrier();
            // unroll
            for (var p = 0u; p < OUT_PARTS; p++) {
                let out = out_of(place, i, j, p);
                let first = POOL == 1u || out.x % SIZE < SIZE / POOL;
                if first && out.x < m.rows && out.y < m.columns4 {
                    store(out.x, out.y * 4u, out_largest(out.z));
                }
            }
            workgroupBarrier();
        }
    }
}
