// The matrix product that convolution and linear layers stand on, in two forms.
//
//   out[r, c] = Σ_k A[r, k] · weight[k, c]
//
// A is never stored: its row r is made of `segments` runs of `length` contiguous elements of `input`, one run
// for every tap of a convolution, a single run for a linear layer (implicit GEMM). The importing file says
// where the runs are:
//
//   struct Row                             what can be computed once for a row
//   struct Tap                             what can be computed once for a segment
//   fn row_of(row: u32) -> Row
//   fn tap_of(segment: u32) -> Tap
//   fn start(row: Row, tap: Tap) -> u32    index into `input` of the segment's first element, or PADDING
//   fn store(row: u32, column: u32, sum: vec4<f32>)      four columns from `column`; must check the bounds
//
// and declares `alias Elem`, `input: array<Elem>` and `weight: array<vec4<Elem>>`, whose row k begins at
// `k · weight_row + weight_at`, in vec4s.

const PADDING = 0xffffffffu;

struct Matmul {
    rows: u32,
    // Columns, in vec4s; the last may be partly padding.
    columns4: u32,
    segments: u32,
    length: u32,
    weight_row: u32,
    weight_at: u32,
}

fn element(at: u32, offset: u32) -> f32 {
    let x = f32(input[select(at + offset, 0u, at == PADDING)]);
    return select(x, 0.0, at == PADDING);
}

// Tiled: 256 invocations make 64 × 64 outputs, 4 × 4 each. Per step of 16 along k:
//
//   every invocation fetches 4 elements of A, at one k and four rows, and one vec4 of weights → workgroup memory
//   barrier
//   acc[i] += a[4·y + i] · b[x]   for 16 values of k, written out
//   barrier
//
// Neighbouring invocations fetch neighbouring k: contiguous channels. The odd stride of tile_a spreads the
// writes of one row over the banks.

const TILE_K: u32 = 16u;
const TILE_STRIDE: u32 = 65u;

var<workgroup> tile_a: array<f32, TILE_K * TILE_STRIDE>;
var<workgroup> tile_b: array<vec4<f32>, 256>;

fn matmul_tiled(m: Matmul, row0: u32, column0: u32, lane: u32) {
    let x = lane % 16u;
    let y = lane / 16u;
    var rows: array<Row, 4>;
    // unroll
    for (var i = 0u; i < 4u; i++) {
        rows[i] = row_of(min(row0 + y + 16u * i, m.rows - 1u));
    }
    let column = min(column0 + x, m.columns4 - 1u);
    let depth = m.segments * m.length;
    var acc: array<vec4<f32>, 4>;
    for (var k0 = 0u; k0 < depth; k0 += TILE_K) {
        let ka = k0 + x;
        let segment = min(ka / m.length, m.segments - 1u);
        let offset = ka - segment * m.length;
        let tap = tap_of(segment);
        let in_depth = ka < depth;
        // unroll
        for (var i = 0u; i < 4u; i++) {
            let at = select(PADDING, start(rows[i], tap), in_depth);
            tile_a[x * TILE_STRIDE + y + 16u * i] = element(at, offset);
        }
        let kb = k0 + y;
        let b = vec4<f32>(weight[min(kb, depth - 1u) * m.weight_row + m.weight_at + column]);
        tile_b[lane] = select(vec4<f32>(), b, kb < depth);
        workgroupBarrier();
        // unroll
        for (var k = 0u; k < TILE_K; k++) {
            let b = tile_b[k * 16u + x];
            // unroll
            for (var i = 0u; i < 4u; i++) {
                acc[i] += tile_a[k * TILE_STRIDE + 4u * y + i] * b;
            }
        }
        workgroupBarrier();
    }
    if column0 + x < m.columns4 {
        // unroll
        for (var i = 0u; i < 4u; i++) {
            let row = row0 + 4u * y + i;
            if row < m.rows {
                store(row, (column0 + x) * 4u, acc[i]);
            }
        }
    }
}

// Uniform: 8 invocations make 32 × 16 outputs, 4 rows × 16 columns each, with no workgroup memory. For adapters
// that run on a processor: there a barrier is a switch of coroutines and a load at an address that differs
// between invocations is a loop, but the weights' addresses here are the same for all eight.

const UNIFORM_ROWS: u32 = 4u;
// How many elements of a segment one turn of the loop takes; must divide `length`.
const UNIFORM_STEP: u32 = 1u; // tune: UNIFORM_STEP

fn matmul_uniform(m: Matmul, row0: u32, column0: u32, lane: u32) {
    var rows: array<Row, UNIFORM_ROWS>;
    // unroll
    for (var i = 0u; i < UNIFORM_ROWS; i++) {
        rows[i] = row_of(min(row0 + lane + 8u * i, m.rows - 1u));
    }
    let c1 = min(column0 + 1u, m.columns4 - 1u) - column0;
    let c2 = min(column0 + 2u, m.columns4 - 1u) - column0;
    let c3 = min(column0 + 3u, m.columns4 - 1u) - column0;
    var acc: array<vec4<f32>, UNIFORM_ROWS * 4u>;
    for (var s = 0u; s < m.segments; s++) {
        let tap = tap_of(s);
        var at: array<u32, UNIFORM_ROWS>;
        // unroll
        for (var i = 0u; i < UNIFORM_ROWS; i++) {
            at[i] = start(rows[i], tap);
        }
        let w = s * m.length * m.weight_row + m.weight_at + column0;
        for (var c = 0u; c < m.length; c += UNIFORM_STEP) {
            // unroll
            for (var u = 0u; u < UNIFORM_STEP; u++) {
                let wk = w + (c + u) * m.weight_row;
                let w0 = vec4<f32>(weight[wk]);
                let w1 = vec4<f32>(weight[wk + c1]);
                let w2 = vec4<f32>(weight[wk + c2]);
                let w3 = vec4<f32>(weight[wk + c3]);
                // unroll
                for (var i = 0u; i < UNIFORM_ROWS; i++) {
                    let x = element(at[i], c + u);
                    acc[i * 4u] += x * w0;
                    acc[i * 4u + 1u] += x * w1;
                    acc[i * 4u + 2u] += x * w2;
                    acc[i * 4u + 3u] += x * w3;
                }
            }
        }
    }
    // unroll
    for (var i = 0u; i < UNIFORM_ROWS; i++) {
        let row = row0 + lane + 8u * i;
        if row < m.rows {
            // unroll
            for (var j = 0u; j < 4u; j++) {
                if column0 + j < m.columns4 {
                    store(row, (column0 + j) * 4u, acc[i * 4u + j]);
                }
            }
        }
    }
}
