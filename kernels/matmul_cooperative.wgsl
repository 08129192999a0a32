// matmul_cooperative: matmul by cooperative matrices, for adapters that have them: kernels/matmul.wgsl with
// lib/cooperative.wgsl, in f16. It is a file of its own because a device without the extension refuses it as a whole.
//
// Layouts: those of kernels/matmul.wgsl.
// Dispatch: a row of workgroups, see each entry point.
// Source: see lib/cooperative.wgsl.
//
// Slices are added up by matmul_tiled_sum.

enable f16;
enable wgpu_cooperative_matrix;
#import ../matmul
#import nan
#import cooperative
#import cooperative_slices

const POOL: u32 = 1u;

struct Matmul {
    rows: u32,
    columns4: u32,
}

fn problem() -> Matmul {
    return Matmul(params.rows, (params.columns + 3u) / 4u);
}

// COOPERATIVE_LANES invocations, a tile of one batch. Rows run fastest, then columns, then batches.
@compute @workgroup_size(COOPERATIVE_LANES)
fn matmul_cooperative(at: Invocation) {
    let m = problem();
    let place = place_of(m, at);
    tile_batch = batch_of(place.number);
    var sums: array<MatrixC, MATRICES_Y * MATRICES_X>;
    cooperative_sums(&sums, m, place, 0u, params.depth);
    cooperative_store(&sums, m, place);
}

// The same for one slice of the sums; slices run after batches.
@compute @workgroup_size(COOPERATIVE_LANES)
fn matmul_cooperative_slices(at: Invocation) {
    let m = problem();
    let place = place_of(m, at);
    let batches = params.count / params.columns / params.rows;
    tile_batch = batch_of(place.number % batches);
    let begin = place.number / batches * params.slice_depth;
    var sums: array<MatrixC, MATRICES_Y * MATRICES_X>;
    cooperative_sums(&sums, m, place, begin, min(begin + params.slice_depth, params.depth));
    cooperative_slice(&sums, m, place);
}
