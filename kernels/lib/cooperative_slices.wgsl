// Slices of the sums of lib/cooperative.wgsl, which wait as lib/slices.wgsl has it. The importing file imports both.

// Stores the sums as a slice's, as store_slice does.
fn cooperative_slice(sums: ptr<function, array<MatrixC, MATRICES_Y * MATRICES_X>>, m: Matmul, place: Place) {
    // unroll
    for (var i = 0u; i < MATRICES_Y; i++) {
        // unroll
        for (var j = 0u; j < MATRICES_X; j++) {
            coopStoreT((*sums)[i * MATRICES_X + j], &matrices_out[place.subgroup * SIZE * SIZE], SIZE);
            workgroupBarrier();
            // unroll
            for (var p = 0u; p < OUT_PARTS; p++) {
                let out = out_of(place, i, j, p);
                if out.x < m.rows && out.y < m.columns4 {
                    partial_sums[(place.number * m.rows + out.x) * m.columns4 + out.y] = out_sum(out.z);
                }
            }
            workgroupBarrier();
        }
    }
}
