// conv3d_cooperative: conv3d by cooperative matrices, for adapters that have them: kernels/conv3d.wgsl with
// lib/cooperative.wgsl, in f16. It is a file of its own because a device without the extension refuses it as a whole.
//
// Layouts: those of kernels/conv3d.wgsl.
// Dispatch: a row of workgroups, see each entry point.
// Source: see lib/cooperative.wgsl.
//
// Slices are added up by conv3d_tiled_sum.

enable f16;
enable wgpu_cooperative_matrix;
#import ../conv3d
#import cooperative
#import cooperative_slices

fn groups() -> u32 {
    return params.out_c / params.group_out;
}

// COOPERATIVE_LANES invocations, a tile of positions × channels of one group. Positions run fastest, then channels, then
// groups.
@compute @workgroup_size(COOPERATIVE_LANES)
fn conv3d_cooperative(at: Invocation) {
    let place = place_of(problem(), at);
    group_number = place.number % groups();
    let m = problem();
    var sums: array<MatrixC, MATRICES_Y * MATRICES_X>;
    cooperative_sums(&sums, m, place, 0u, m.segments * m.length);
    cooperative_store(&sums, m, place);
}

// The same for one slice of the sums; slices run after groups.
@compute @workgroup_size(COOPERATIVE_LANES)
fn conv3d_cooperative_slices(at: Invocation) {
    let place = place_of(problem(), at);
    group_number = place.number % groups();
    let m = problem();
    let begin = place.number / groups() * params.slice_depth;
    let end = min(begin + params.slice_depth, m.segments * m.length);
    var sums: array<MatrixC, MATRICES_Y * MATRICES_X>;
    cooperative_sums(&sums, m, place, begin, end);
    cooperative_slice(&sums, m, place);
}
