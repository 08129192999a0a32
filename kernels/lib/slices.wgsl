// Sums of lib/tiles.wgsl made in slices along k, where there are few tiles: each slice's sums wait in f32, and are
// added up in the slices' order by a dispatch of their own, whatever order they were made in.
//
// The importing file declares `partial_sums: array<vec4<f32>>`, written, and `slice_sums: array<vec4<f32>>`, read: the
// same memory, [slices, problems, rows, columns4].

// Stores the sums of a tile. `place` counts slices, and problems within a slice.
fn store_slice(
    sums: ptr<function, array<vec4<f32>, TILE_SUMS>>,
    rows: u32,
    columns4: u32,
    row0: u32,
    column0: u32,
    place: u32,
    lane: u32,
) {
    // unroll
    for (var i = 0u; i < ROWS_EACH; i++) {
        let row = row0 + lane / TILE_X + TILE_Y * i;
        // unroll
        for (var j = 0u; j < COLUMNS_EACH; j++) {
            let column = column0 + lane % TILE_X + TILE_X * j;
            if row < rows && column < columns4 {
                partial_sums[(place * rows + row) * columns4 + column] = (*sums)[i * COLUMNS_EACH + j];
            }
        }
    }
}

// The i-th of `count` vec4s of every slice.
fn sum_of_slices(i: u32, count: u32, slices: u32) -> vec4<f32> {
    var sum = slice_sums[i];
    for (var slice = 1u; slice < slices; slice++) {
        sum += slice_sums[slice * count + i];
    }
    return sum;
}
