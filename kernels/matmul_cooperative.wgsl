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
fn matmul_cooperative(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let m = problem();
    let place = place_of(m, group, lane, subgroup, subgroup_lane);
    tile_batch = batch_of(place.number);
    var sums: array<MatrixC, MATRICES_Y * MATRICES_X>;
    cooperative_sums(&sums, m, place, 0u, params.depth);
    cooperative_store(&sums, m, place);
}

// The same for one slice of the sums; slices run after batches.
@compute @workgroup_size(COOPERATIVE_LANES)
fn matmul_cooperative_slices(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let m = problem();
    let place = place_of(m, group, lane, subgroup, subgroup_lane);
    let batches = params.count / params.columns / params.rows;
    tile_batch = batch_of(place.number % batches);
    let begin = place.number / batches * params.slice_depth;
    var sums: array<MatrixC, MATRICES_Y * MATRICES_X>;
    cooperative_sums(&sums, m, place, begin, min(begin + params.slice_depth, params.depth));
    cooperative_slice(&sums, m, place);
}
