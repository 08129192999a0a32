// The form of lib/apart.wgsl for devices whose subgroups have at least eight invocations: each loads one of eight vec4s
// and gets the others' from registers. What is not used, `same` here and `own` there, no compiler keeps.
//
// Mesa's llvmpipe before 26 takes a load at an address that a loop counts for one that differs between invocations, and
// makes it eight times, one after the other. lib/matmul.wgsl, lib/attention.wgsl and vector_quantize.wgsl have what was
// measured.

fn of_lane(own: vec4<f32>, lane: u32, same: vec4<f32>) -> vec4<f32> {
    return subgroupShuffle(own, lane);
}
