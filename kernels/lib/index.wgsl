// Where a workgroup stands. A dispatch is a row of workgroups, counted from 0; because a device takes at
// most 65,535 in one dimension, the host folds the row into two dimensions and may cut it into several
// dispatches, each of which is told the number of its first workgroup as the first field of its params.

fn linear_group(first: u32, group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return first + group.x + group.y * groups.x;
}
