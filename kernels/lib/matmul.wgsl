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
//   fn loaded(row: Row, x: vec4<f32>) -> vec4<f32>       what elements of a row stand for; the tiled form alone asks
//   fn store(row: u32, column: u32, sum: vec4<f32>)      four columns from `column`; must check the bounds
//   fn problem() -> Matmul
//
// and declares `alias Elem`, `input: array<Elem>` and, at the same binding, `input_runs: array<Run>`, and
// `weight: array<vec4<Elem>>`, whose row k begins at `k · weight_row + weight_at`, in vec4s. The uniform form takes weights
// in panels too: rows as short as a tile of columns, and those of the next tile `weight_panel` after.

// Of every POOL rows of an invocation only the largest sums are stored, NaN where one is, at the first of those rows.

#import tiles
#import nan
#import apart // tune: SHARING

const POOL: u32 = 1u; // tune: POOL

const PADDING = 0xffffffffu;

struct Matmul {
    rows: u32,
    // Columns, in vec4s; the last may be partly padding.
    columns4: u32,
    segments: u32,
    length: u32,
    weight_row: u32,
    weight_at: u32,
    // In vec4s.
    weight_panel: u32,
}

// a / b for a below 2²⁰, by way of floats: a + ½ is further from a multiple of b than the rounding errors are.
fn quotient(a: u32, b: u32) -> u32 {
    return u32((f32(a) + 0.5) * (1.0 / f32(b)));
}

// Tiled: lib/tiles.wgsl. Four consecutive k lie in one segment and are read at once, where the length of
// segments is a multiple of four; else each is looked for by itself.

const RUN: u32 = 4u; // tune: RUN
alias Run = vec4<Elem>; // tune: Run
alias WideRun = vec4<f32>; // tune: WideRun
const RUNS: u32 = 4u / RUN;

override B_ALONG_DEPTH: u32 = 0u;

struct Depth {
    taps: array<Tap, RUNS>,
    // Within the segment; PADDING beyond the end.
    offsets: array<u32, RUNS>,
}

fn depth_of(k: u32, end: u32) -> Depth {
    let m = problem();
    var depth: Depth;
    // unroll
    for (var j = 0u; j < RUNS; j++) {
        let at = k + j * RUN;
        let segment = min(quotient(at, m.length), m.segments - 1u);
        depth.taps[j] = tap_of(segment);
        depth.offsets[j] = select(PADDING, at - segment * m.length, at < end);
    }
    return depth;
}

fn a_four(row: Row, depth: Depth) -> vec4<f32> {
    var four = vec4<f32>();
    // unroll
    for (var j = 0u; j < RUNS; j++) {
        let at = start(row, depth.taps[j]);
        let inside = at != PADDING && depth.offsets[j] != PADDING;
        let x = loaded(row, vec4<f32>(WideRun(input_runs[select(0u, (at + depth.offsets[j]) / RUN, inside)])));
        four = select(four, select(vec4<f32>(), x, inside), vec4<u32>(0u, 1u, 2u, 3u) / RUN == vec4<u32>(j));
    }
    return four;
}

fn b_four(k: u32, end: u32, column4: u32) -> vec4<f32> {
    let m = problem();
    let b = vec4<f32>(weight[select(0u, k * m.weight_row, k < end) + m.weight_at + column4]);
    return select(vec4<f32>(), b, k < end);
}

fn matmul_tiled(m: Matmul, row0: u32, column0: u32, lane: u32) {
    var sums: array<vec4<f32>, TILE_SUMS>;
    tile_sums(&sums, m.rows, m.columns4, row0, column0, 0u, m.segments * m.length, lane);
    // unroll
    for (var i = 0u; i < ROWS_EACH / POOL; i++) {
        let row = row0 + lane / TILE_X + TILE_Y * POOL * i;
        // unroll
        for (var j = 0u; j < COLUMNS_EACH; j++) {
            let column = column0 + lane % TILE_X + TILE_X * j;
            if row < m.rows && column < m.columns4 {
                var sum = sums[i * POOL * COLUMNS_EACH + j];
                // unroll
                for (var k = 1u; k < POOL; k++) {
                    sum = max_nan4(sum, sums[(i * POOL + k) * COLUMNS_EACH + j]);
                }
                store(row, column * 4u, sum);
            }
        }
    }
}

// Uniform: 8 invocations make 8 · UNIFORM_ROWS × 4 · UNIFORM_COLUMNS4 outputs, UNIFORM_ROWS rows and all columns each, with
// no workgroup memory. For adapters that run on a processor: there a barrier is a switch of coroutines and a load at an
// address that differs between invocations is a loop. The weights are the same for all eight, which share them as
// lib/apart.wgsl or lib/shuffled.wgsl has it; the input's elements differ, so that a tile has many columns.
//
// Measured with C3D's conv5b (512 → 512 channels, 2×7×7 positions) and conv4a (256 → 512, 4×14×14), both in Winograd's form,
// milliseconds of a run on two cores that a compiler used too: 8 rows × 16 columns loaded apart 276, not measured (Mesa
// 22.3), 251, 335 (25.0), 70, 135 (26.2); 4 rows × 32 columns shuffled 66, not measured, 79, 196 and 74, 141. Two to six
// rows of 32 columns and two to four of 64 lie within a fifth of the latter, and compile the longer the more they are.
//
// Since then fused multiply-adds, four elements a turn and weights in panels: TimeSformer's qkv (1568 × 768 by 768 × 2304) on two
// cores of a Xeon 182, 148, 123 ms before and 165, 145, 61 after (Mesa 22.3, 25.0, 26.2); with 4 rows of 64 columns not
// measured, 135, 56, but C3D's conv3b then takes 9.2 s to compile on 25.0 instead of 5.8. Three elements a turn, for inputs
// of three channels: C3D's conv1 115 ms instead of 93 on 25.0, 57 instead of 65 on 26.2.

// Tiles of this many rows an invocation, and fours of columns: those that cover all with the least waste.
const UNIFORM_ROWS: u32 = 4u; // tune: UNIFORM_ROWS
const UNIFORM_COLUMNS4: u32 = 8u; // tune: UNIFORM_COLUMNS4
// How many elements of a segment one turn of the loop takes; must divide `length`. llvmpipe loads and stores all sums once a
// turn.
const UNIFORM_STEP: u32 = 1u; // tune: UNIFORM_STEP
// How many vec4s of weights an invocation loads in a turn.
const UNIFORM_LOADS: u32 = 1u; // tune: UNIFORM_LOADS

fn matmul_uniform(m: Matmul, row0: u32, column0: u32, lane: u32) {
    var rows: array<Row, UNIFORM_ROWS>;
    // unroll
    for (var i = 0u; i < UNIFORM_ROWS; i++) {
        rows[i] = row_of(min(row0 + lane + 8u * i, m.rows - 1u));
    }
    let last = m.columns4 - 1u - column0;
    let first = m.weight_at + column0 / UNIFORM_COLUMNS4 * m.weight_panel;
    var acc: array<vec4<f32>, UNIFORM_ROWS * UNIFORM_COLUMNS4>;
    for (var s = 0u; s < m.segments; s++) {
        let tap = tap_of(s);
        // Padding is read from the input's beginning, and all its bits masked out.
        var at: array<u32, UNIFORM_ROWS>;
        var mask: array<u32, UNIFORM_ROWS>;
        // unroll
        for (var i = 0u; i < UNIFORM_ROWS; i++) {
            let from_input = start(rows[i], tap);
            at[i] = select(from_input, 0u, from_input == PADDING);
            mask[i] = select(0xffffffffu, 0u, from_input == PADDING);
        }
        let w = first + s * m.length * m.weight_row;
        for (var c = 0u; c < m.length; c += UNIFORM_STEP) {
            // Element by element of the segment, the fours of its weights are numbered from 0 to 8 · UNIFORM_LOADS.
            var own: array<vec4<f32>, UNIFORM_LOADS>;
            // unroll
            for (var n = 0u; n < UNIFORM_LOADS; n++) {
                let number = lane + 8u * n;
                let wk = w + min(c + number / UNIFORM_COLUMNS4, m.length - 1u) * m.weight_row;
                own[n] = vec4<f32>(weight[wk + min(number % UNIFORM_COLUMNS4, last)]);
            }
            // unroll
            for (var u = 0u; u < UNIFORM_STEP; u++) {
                var x: array<f32, UNIFORM_ROWS>;
                // unroll
                for (var i = 0u; i < UNIFORM_ROWS; i++) {
                    x[i] = bitcast<f32>(bitcast<u32>(f32(input[at[i] + c + u])) & mask[i]);
                }
                let wk = w + (c + u) * m.weight_row;
                // unroll
                for (var j = 0u; j < UNIFORM_COLUMNS4; j++) {
                    let number = u * UNIFORM_COLUMNS4 + j;
                    let weights = of_lane(own[number / 8u], number % 8u, vec4<f32>(weight[wk + min(j, last)]));
                    // unroll
                    for (var i = 0u; i < UNIFORM_ROWS; i++) {
                        let sum = acc[i * UNIFORM_COLUMNS4 + j];
                        acc[i * UNIFORM_COLUMNS4 + j] = fma(vec4<f32>(x[i]), weights, sum);
                    }
                }
            }
        }
    }
    // unroll
    for (var i = 0u; i < UNIFORM_ROWS / POOL; i++) {
        let row = row0 + lane + 8u * POOL * i;
        if row < m.rows {
            // unroll
            for (var j = 0u; j < UNIFORM_COLUMNS4; j++) {
                if column0 + j < m.columns4 {
                    var sum = acc[i * POOL * UNIFORM_COLUMNS4 + j];
                    // unroll
                    for (var k = 1u; k < POOL; k++) {
                        sum = max_nan4(sum, acc[(i * POOL + k) * UNIFORM_COLUMNS4 + j]);
                    }
                    store(row, (column0 + j) * 4u, sum);
                }
            }
        }
    }
}
