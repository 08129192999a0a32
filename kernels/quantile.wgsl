// quantile: the element of a given rank of each row, or a mean of it and the next.
//
//   y = lo + weight·(hi − lo), lo the element of rank `rank`, hi the one after it; lo where both are the same
//
// A row with NaN gives NaN.
//
// Layouts: input [outer, length, inner], output [outer, inner] from element `offset` on, both contiguous.
// Dispatch: see each entry point; one dispatch a quantile.
// Source: torch.quantile.
//
// Ladder: quantile_direct (an output an invocation, by bisection: a bit of the key a walk) → quantile_tiled (an output a
// workgroup, a digit of 8 bits a walk).

#import index
#import order
#import select

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    length: u32,
    inner: u32,
    offset: u32,
    rank: u32,
    weight: f32,
    nan: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;

fn row_key(first: u32, k: u32) -> u32 {
    return order_key(f32(input[first + k * params.inner]));
}

fn row_start(row: u32) -> u32 {
    return row / params.inner * params.length * params.inner + row % params.inner;
}

fn between(lo_key: u32, hi_key: u32) -> f32 {
    let lo = of_order_key(lo_key);
    if params.weight == 0.0 || lo_key == hi_key {
        return lo;
    }
    // From the nearer end, as torch.lerp.
    let hi = of_order_key(hi_key);
    if params.weight < 0.5 {
        return lo + params.weight * (hi - lo);
    }
    return hi - (1.0 - params.weight) * (hi - lo);
}

// 64 invocations, one output element each.
@compute @workgroup_size(64)
fn quantile_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if row >= params.count {
        return;
    }
    let first = row_start(row);
    // The largest key below which lie no more than `rank`.
    var key = 0u;
    for (var bit = 0x80000000u; bit > 0u; bit >>= 1u) {
        var below = 0u;
        for (var k = 0u; k < params.length; k++) {
            below += select(0u, 1u, row_key(first, k) < (key | bit));
        }
        if below <= params.rank {
            key |= bit;
        }
    }
    var through = 0u;
    var above = NAN_KEY;
    var largest = 0u;
    for (var k = 0u; k < params.length; k++) {
        let own = row_key(first, k);
        if own <= key {
            through++;
        } else {
            above = min(above, own);
        }
        largest = max(largest, own);
    }
    let y = between(key, select(above, key, through > params.rank + 1u));
    output[params.offset + row] = Elem(select(y, params.nan, largest == NAN_KEY));
}

var<workgroup> equals: atomic<u32>;
var<workgroup> smallest_above: atomic<u32>;
var<workgroup> largest_of_all: atomic<u32>;

// 256 invocations, one output element.
@compute @workgroup_size(256)
fn quantile_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups);
    let first = row_start(row);
    let found = select_key(first, lane, params.rank);
    if lane == 0u {
        atomicStore(&equals, 0u);
        atomicStore(&smallest_above, NAN_KEY);
        atomicStore(&largest_of_all, 0u);
    }
    workgroupBarrier();
    var own_equals = 0u;
    var above = NAN_KEY;
    var largest = 0u;
    for (var k = lane; k < params.length; k += LANES) {
        let own = row_key(first, k);
        if own == found.x {
            own_equals++;
        } else if own > found.x {
            above = min(above, own);
        }
        largest = max(largest, own);
    }
    atomicAdd(&equals, own_equals);
    atomicMin(&smallest_above, above);
    atomicMax(&largest_of_all, largest);
    workgroupBarrier();
    if lane == 0u {
        let is_next = atomicLoad(&equals) > found.y + 1u;
        let y = between(found.x, select(atomicLoad(&smallest_above), found.x, is_next));
        output[params.offset + row] = Elem(select(y, params.nan, atomicLoad(&largest_of_all) == NAN_KEY));
    }
}
