// linear_cooperative: linear by cooperative matrices, for adapters that have them: kernels/linear.wgsl with
// lib/cooperative.wgsl, in f16. It is a file of its own because a device without the extension refuses it as a whole.
//
// Layouts: those of kernels/linear.wgsl.
// Dispatch: a row of workgroups, see each entry point.
// Source: see lib/cooperative.wgsl.
//
// Slices are added up by linear_tiled_sum.

enable f16;
enable wgpu_cooperative_matrix;
#import ../linear
#import cooperative
#import cooperative_slices

// COOPERATIVE_LANES invocations, a tile of rows × columns. Rows run fastest.
@compute @workgroup_size(COOPERATIVE_LANES)
fn linear_cooperative(at: Invocation) {
    let m = problem();
    let place = place_of(m, at);
    var sums: array<MatrixC, MATRICES_Y * MATRICES_X>;
    cooperative_sums(&sums, m, place, 0u, m.length);
    cooperative_store(&sums, m, place);
}

// The same for one slice of the sums; slices run last.
@compute @workgroup_size(COOPERATIVE_LANES)
fn linear_cooperative_slices(at: Invocation) {
    let m = problem();
    let place = place_of(m, at);
    let begin = place.number * params.slice_depth;
    var sums: array<MatrixC, MATRICES_Y * MATRICES_X>;
    cooperative_sums(&sums, m, place, begin, min(begin + params.slice_depth, m.length));
    cooperative_slice(&sums, m, place);
}
