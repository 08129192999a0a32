// The form of lib/apart.wgsl for devices whose subgroups have at least eight invocations: each loads one of eight vec4s
// and gets the others' from registers. What is not used, `same` here and `own` there, no compiler keeps.
//
// Measured on Mesa's llvmpipe, two cores, five layers of C3D's shapes and attention over a frame's 196 places: see
// benches/results. Mesa 22.3 and 25.0 take a load at an address that a loop counts for one that differs between
// invocations, and make it eight times, one after the other.

fn of_lane(own: vec4<f32>, lane: u32, same: vec4<f32>) -> vec4<f32> {
    return subgroupShuffle(own, lane);
}
