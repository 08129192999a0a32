// conv_transpose3d_cooperative: conv_transpose3d by cooperative matrices, for adapters that have them:
// kernels/conv_transpose3d.wgsl with lib/cooperative.wgsl, in f16. It is a file of its own because a device without the
// extension refuses it as a whole.
//
// Layouts: those of kernels/conv_transpose3d.wgsl.
// Dispatch: a row of workgroups, see the entry point.
// Source: see lib/cooperative.wgsl.

enable f16;
enable wgpu_cooperative_matrix;
#import ../conv_transpose3d
#import cooperative

// COOPERATIVE_LANES invocations, a tile of positions of a phase × channels of one group. Positions run fastest, then
// channels, phases and groups.
@compute @workgroup_size(COOPERATIVE_LANES)
fn conv_transpose3d_cooperative(at: Invocation) {
    let place = place_of(problem(), at);
    phase = phase_of(place.number % phases());
    group_number = place.number / phases();
    let m = problem();
    var sums: array<MatrixC, MATRICES_Y * MATRICES_X>;
    cooperative_sums(&sums, m, place, 0u, m.segments * m.length);
    cooperative_store(&sums, m, place);
}
