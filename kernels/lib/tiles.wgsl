// Matrix products in tiles of workgroup memory, for GPUs:  out[r, c] = Σ_k a[r, k] · b[k, c].
//
// TILE_X · TILE_Y invocations make a tile of TILE_Y · ROWS_EACH rows and TILE_X · COLUMNS_EACH vec4 columns:
// invocation (x, y) rows y + TILE_Y·i and vec4 columns x + TILE_X·j. Per step of TILE_DEPTH along k:
//
//   every invocation asks for its part of the next step's tiles, vec4s of a along k and of b along columns
//   products of this step's tiles out of workgroup memory, written out
//   what was asked for is put into the other half of workgroup memory
//   barrier
//
// a lies in workgroup memory as it was fetched, four k in a vec4, so that nothing is transposed; a row's
// TILE_DEPTH4 vec4s serve TILE_DEPTH values of k.
//
// The importing file gives
//
//   struct Row, fn row_of(row: u32) -> Row       what can be computed once for a row below `rows`
//   struct Depth, fn depth_of(k: u32, end: u32) -> Depth
//                                                what can be computed once for k … k + 3, k a multiple of 4; from
//                                                `end` on there is nothing
//   fn a_four(row: Row, depth: Depth) -> vec4<f32>              a[row, k … k + 3], zero from `end` on
//   fn b_four(k: u32, end: u32, column4: u32) -> vec4<f32>      b[k, 4·column4 …], zero from `end` on
//   override B_ALONG_DEPTH: u32                  whether neighbours in memory lie along the depth of b

const TILE_X: u32 = 16u; // tune: TILE_X
const TILE_Y: u32 = 8u; // tune: TILE_Y
const ROWS_EACH: u32 = 8u; // tune: ROWS_EACH
const COLUMNS_EACH: u32 = 1u; // tune: COLUMNS_EACH

const TILE_DEPTH: u32 = 8u;
const TILE_DEPTH4: u32 = TILE_DEPTH / 4u;
const TILE_LANES: u32 = TILE_X * TILE_Y;
const TILE_ROWS: u32 = TILE_Y * ROWS_EACH;
const TILE_COLUMNS4: u32 = TILE_X * COLUMNS_EACH;
const TILE_SUMS: u32 = ROWS_EACH * COLUMNS_EACH;
const TILE_A: u32 = TILE_ROWS * TILE_DEPTH4;
const TILE_B: u32 = TILE_COLUMNS4 * TILE_DEPTH;
const A_FETCHES: u32 = TILE_A / TILE_LANES;
const B_FETCHES: u32 = TILE_B / TILE_LANES;

var<workgroup> tile_a: array<vec4<f32>, 2u * TILE_A>;
var<workgroup> tile_b: array<vec4<f32>, 2u * TILE_B>;

// Place in the tile of b of the i-th vec4 that an invocation fetches: its depth and its vec4 column.
fn place_in_b(lane: u32, i: u32) -> vec2<u32> {
    let at = lane + TILE_LANES * i;
    if B_ALONG_DEPTH != 0u {
        return vec2<u32>(at % TILE_DEPTH, at / TILE_DEPTH);
    }
    return vec2<u32>(at / TILE_COLUMNS4, at % TILE_COLUMNS4);
}

// The sums over k from `k_begin`, a multiple of TILE_DEPTH, up to `k_end`.
fn tile_sums(
    sums: ptr<function, array<vec4<f32>, TILE_SUMS>>,
    rows: u32,
    columns4: u32,
    row0: u32,
    column0: u32,
    k_begin: u32,
    k_end: u32,
    lane: u32,
) {
    let x = lane % TILE_X;
    let y = lane / TILE_X;
    let ka = lane % TILE_DEPTH4 * 4u;
    var fetch_row: array<Row, A_FETCHES>;
    var fetch_b: array<vec2<u32>, B_FETCHES>;
    let first = depth_of(k_begin + ka, k_end);
    // unroll
    for (var i = 0u; i < A_FETCHES; i++) {
        let at = lane + TILE_LANES * i;
        fetch_row[i] = row_of(min(row0 + at / TILE_DEPTH4, rows - 1u));
        tile_a[at] = a_four(fetch_row[i], first);
    }
    // unroll
    for (var i = 0u; i < B_FETCHES; i++) {
        let place = place_in_b(lane, i);
        fetch_b[i] = vec2<u32>(place.x, min(column0 + place.y, columns4 - 1u));
        tile_b[place.x * TILE_COLUMNS4 + place.y] = b_four(k_begin + place.x, k_end, fetch_b[i].y);
    }
    workgroupBarrier();
    var half = 0u;
    for (var k = k_begin; k < k_end; k += TILE_DEPTH) {
        var next_a: array<vec4<f32>, A_FETCHES>;
        var next_b: array<vec4<f32>, B_FETCHES>;
        let next = depth_of(k + TILE_DEPTH + ka, k_end);
        // unroll
        for (var i = 0u; i < A_FETCHES; i++) {
            next_a[i] = a_four(fetch_row[i], next);
        }
        // unroll
        for (var i = 0u; i < B_FETCHES; i++) {
            next_b[i] = b_four(k + TILE_DEPTH + fetch_b[i].x, k_end, fetch_b[i].y);
        }
        let from_a = half * TILE_A + y * TILE_DEPTH4;
        let from_b = half * TILE_B + x;
        // unroll
        for (var q = 0u; q < TILE_DEPTH4; q++) {
            var a: array<vec4<f32>, ROWS_EACH>;
            // unroll
            for (var i = 0u; i < ROWS_EACH; i++) {
                a[i] = tile_a[from_a + TILE_Y * TILE_DEPTH4 * i + q];
            }
            // unroll
            for (var u = 0u; u < 4u; u++) {
                // unroll
                for (var j = 0u; j < COLUMNS_EACH; j++) {
                    let b = tile_b[from_b + (4u * q + u) * TILE_COLUMNS4 + TILE_X * j];
                    // unroll
                    for (var i = 0u; i < ROWS_EACH; i++) {
                        (*sums)[i * COLUMNS_EACH + j] += a[i][u] * b;
                    }
                }
            }
        }
        half = 1u - half;
        // unroll
        for (var i = 0u; i < A_FETCHES; i++) {
            tile_a[half * TILE_A + lane + TILE_LANES * i] = next_a[i];
        }
        // unroll
        for (var i = 0u; i < B_FETCHES; i++) {
            let place = place_in_b(lane, i);
            tile_b[half * TILE_B + place.x * TILE_COLUMNS4 + place.y] = next_b[i];
        }
        workgroupBarrier();
    }
}
