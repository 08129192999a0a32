// arg_reduce: the place of the largest or smallest element along an axis.
//
// MODE  0 largest   1 smallest      of equals the first; NaN comes before any number
//
// Layouts: input [outer, length, inner], output [outer, inner], both contiguous.
// Dispatch: see each entry point.
// Source: torch.{argmax, argmin}.
//
// Ladder: arg_reduce_direct (an output an invocation) → arg_reduce_tree (an output a workgroup, for long rows).

#import index
#import order

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    length: u32,
    inner: u32,
}

override MODE: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<i32>;

// What is smallest for the element looked for; never NO_KEY.
const NO_KEY: u32 = 0xffffffffu;

fn key(x: f32) -> u32 {
    let k = order_key(x);
    if k == NAN_KEY {
        return 0u;
    }
    return select(k, ~k, MODE == 0u);
}

fn row_start(row: u32) -> u32 {
    return row / params.inner * params.length * params.inner + row % params.inner;
}

// 64 invocations, one output element each.
@compute @workgroup_size(64)
fn arg_reduce_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if row >= params.count {
        return;
    }
    let first = row_start(row);
    var best = 0u;
    var smallest = NO_KEY;
    for (var k = 0u; k < params.length; k++) {
        let own = key(f32(input[first + k * params.inner]));
        if own < smallest {
            smallest = own;
            best = k;
        }
    }
    output[row] = i32(best);
}

// 256 invocations, one output element: each takes every 256th element, and the 256 first ones meet pairwise in
// workgroup memory.
const LANES: u32 = 256u;

var<workgroup> keys: array<u32, LANES>;
var<workgroup> places: array<u32, LANES>;

@compute @workgroup_size(256)
fn arg_reduce_tree(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups);
    let first = row_start(row);
    var best = 0u;
    var smallest = NO_KEY;
    for (var k = lane; k < params.length; k += LANES) {
        let own = key(f32(input[first + k * params.inner]));
        if own < smallest {
            smallest = own;
            best = k;
        }
    }
    keys[lane] = smallest;
    places[lane] = best;
    workgroupBarrier();
    for (var width = LANES / 2u; width > 0u; width /= 2u) {
        if lane < width {
            let other = keys[lane + width];
            let place = places[lane + width];
            if other < keys[lane] || (other == keys[lane] && place < places[lane]) {
                keys[lane] = other;
                places[lane] = place;
            }
        }
        workgroupBarrier();
    }
    if lane == 0u {
        output[row] = i32(places[0]);
    }
}
