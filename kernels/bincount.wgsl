// bincount: how often each number from 0 on occurs among indices.
//
// An index below 0 or beyond the bins is not counted.
//
// Layouts: indices [count], output [bins], both contiguous.
// Dispatch: see each entry point.
// Source: torch.bincount, which refuses negative indices and makes room for large ones.
//
// Ladder: bincount_direct (a bin an invocation) → bincount_tiled (1024 bins a workgroup, in workgroup memory).

#import index

struct Params {
    first_group: u32,
    count: u32,
    bins: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<i32>;
@group(0) @binding(2) var<storage, read_write> output: array<i32>;

// 64 invocations, one bin each.
@compute @workgroup_size(64)
fn bincount_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let bin = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if bin >= params.bins {
        return;
    }
    var count = 0;
    for (var i = 0u; i < params.count; i++) {
        count += select(0, 1, bitcast<u32>(indices[i]) == bin);
    }
    output[bin] = count;
}

// 256 invocations, 1024 bins: each takes every 256th index. Integers add up to the same in any order.
const LANES: u32 = 256u;
const BINS: u32 = 1024u;

var<workgroup> counts: array<atomic<i32>, BINS>;

@compute @workgroup_size(256)
fn bincount_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = linear_group(params.first_group, workgroup, workgroups) * BINS;
    for (var b = lane; b < BINS; b += LANES) {
        atomicStore(&counts[b], 0);
    }
    workgroupBarrier();
    for (var i = lane; i < params.count; i += LANES) {
        // A negative index becomes one beyond all bins.
        let bin = bitcast<u32>(indices[i]);
        if bin >= first && bin - first < BINS {
            atomicAdd(&counts[bin - first], 1);
        }
    }
    workgroupBarrier();
    for (var b = lane; b < BINS; b += LANES) {
        if first + b < params.bins {
            output[first + b] = atomicLoad(&counts[b]);
        }
    }
}
