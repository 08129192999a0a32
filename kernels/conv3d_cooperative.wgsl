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

// Sets `group_number`; slices run after groups.
fn place_of(group: u32, lane: u32, subgroup: u32, subgroup_lane: u32) -> Place {
    let row_tiles = (params.rows + COOPERATIVE_ROWS - 1u) / COOPERATIVE_ROWS;
    let column_tiles = ((params.group_out + 3u) / 4u + COOPERATIVE_COLUMNS4 - 1u) / COOPERATIVE_COLUMNS4;
    group_number = group / (row_tiles * column_tiles) % (params.out_c / params.group_out);
    return Place(
        group % row_tiles * COOPERATIVE_ROWS,
        group / row_tiles % column_tiles * COOPERATIVE_COLUMNS4,
        lane,
        subgroup,
        subgroup_lane,
    );
}

// COOPERATIVE_LANES invocations, a tile of positions × channels of one group. Positions run fastest, then channels, then
// groups.
@compute @workgroup_size(COOPERATIVE_LANES)
fn conv3d_cooperative(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let place = place_of(group, lane, subgroup, subgroup_lane);
    let m = problem();
    var sums: array<MatrixC, MATRICES_Y * MATRICES_X>;
    cooperative_sums(&sums, m, place, 0u, m.segments * m.length);
    cooperative_store(&sums, m, place);
}

// The same for one slice of the sums; slices run after groups.
@compute @workgroup_size(COOPERATIVE_LANES)
fn conv3d_cooperative_slices(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let place = place_of(group, lane, subgroup, subgroup_lane);
    let m = problem();
    let row_tiles = (m.rows + COOPERATIVE_ROWS - 1u) / COOPERATIVE_ROWS;
    let column_tiles = (m.columns4 + COOPERATIVE_COLUMNS4 - 1u) / COOPERATIVE_COLUMNS4;
    let number = group / (row_tiles * column_tiles);
    let begin = number / (params.out_c / params.group_out) * params.slice_depth;
    let end = min(begin + params.slice_depth, m.segments * m.length);
    var sums: array<MatrixC, MATRICES_Y * MATRICES_X>;
    cooperative_sums(&sums, m, place, begin, end);
    cooperative_slice(&sums, m, place, number);
}
