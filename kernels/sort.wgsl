// sort: the first `kept` elements of each row in order, and their places.
//
// NaN is larger than any number, and of equals the one that stood before comes first, whichever way it goes.
//
// Layouts: input [outer, length, inner], values and indices [outer, kept, inner], all contiguous.
// Dispatch: see each entry point.
// Source: torch.sort with stable=True; torch.topk, which leaves the order of equals open.
//
// Ladder: sort_rank (an element an invocation, which counts what comes before it) → sort_tiled (a row a workgroup, by
// Batcher's bitonic network), sort_select (a row a workgroup: finds the last of the kept, then sorts what comes before).

#import index
#import order
#import select

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    length: u32,
    inner: u32,
    kept: u32,
    // Half the power of two that the sorted elements fill.
    pairs: u32,
    // Digits of 8 bits in a place.
    digits: u32,
}

override DESCENDING: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> values: array<Elem>;
@group(0) @binding(3) var<storage, read_write> indices: array<i32>;

fn row_key(first: u32, k: u32) -> u32 {
    let key = order_key(f32(input[first + k * params.inner]));
    return select(key, ~key, DESCENDING != 0u);
}

fn row_start(row: u32, length: u32) -> u32 {
    return row / params.inner * length * params.inner + row % params.inner;
}

fn write(row: u32, rank: u32, k: u32) {
    let to = row_start(row, params.kept) + rank * params.inner;
    values[to] = input[row_start(row, params.length) + k * params.inner];
    indices[to] = i32(k);
}

// 64 invocations, one element each.
@compute @workgroup_size(64)
fn sort_rank(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let own_place = i / params.inner % params.length;
    let row = i / (params.inner * params.length) * params.inner + i % params.inner;
    let first = row_start(row, params.length);
    let own = row_key(first, own_place);
    var rank = 0u;
    for (var k = 0u; k < params.length; k++) {
        let key = row_key(first, k);
        if key < own || (key == own && k < own_place) {
            rank++;
        }
    }
    if rank < params.kept {
        write(row, rank, own_place);
    }
}

// The most elements that a workgroup sorts.
const MOST: u32 = 3072u;

var<workgroup> places: array<u32, MOST>;

// Puts two places in order. What lies past the last element counts as larger than all, and stays there.
fn exchange(first: u32, count: u32, a: u32, b: u32) {
    if b >= count {
        return;
    }
    let x = places[a];
    let y = places[b];
    let key_x = row_key(first, x);
    let key_y = row_key(first, y);
    if key_y < key_x || (key_y == key_x && y < x) {
        places[a] = y;
        places[b] = x;
    }
}

// Batcher's bitonic network, in the form whose every comparison puts the smaller first: each run is merged with the
// next one read backwards.
fn sort_places(first: u32, lane: u32, count: u32) {
    workgroupBarrier();
    for (var size = 2u; size <= 2u * params.pairs; size *= 2u) {
        let half = size / 2u;
        for (var p = lane; p < params.pairs; p += LANES) {
            let run = p / half * size;
            exchange(first, count, run + p % half, run + size - 1u - p % half);
        }
        workgroupBarrier();
        for (var width = half / 2u; width > 0u; width /= 2u) {
            for (var p = lane; p < params.pairs; p += LANES) {
                let a = p / width * 2u * width + p % width;
                exchange(first, count, a, a + width);
            }
            workgroupBarrier();
        }
    }
}

// 256 invocations, one row of at most MOST elements.
@compute @workgroup_size(256)
fn sort_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups);
    for (var k = lane; k < params.length; k += LANES) {
        places[k] = k;
    }
    sort_places(row_start(row, params.length), lane, params.length);
    for (var rank = lane; rank < params.kept; rank += LANES) {
        write(row, rank, places[rank]);
    }
}

var<workgroup> taken: atomic<u32>;

// 256 invocations, one row of which at most MOST elements are kept.
@compute @workgroup_size(256)
fn sort_select(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups);
    let first = row_start(row, params.length);
    // The last of the kept: its key, then its place among those of that key.
    let last = select_key(first, lane, params.kept - 1u);
    var place = 0u;
    var left = last.y;
    for (var digit = params.digits; digit > 0u; digit--) {
        let shift = 8u * (digit - 1u);
        for (var k = lane; k < params.length; k += LANES) {
            if ((k ^ place) >> shift) >> 8u == 0u && row_key(first, k) == last.x {
                atomicAdd(&histogram[(k >> shift) & 0xffu], 1u);
            }
        }
        let found = select_digit(lane, left);
        place |= found.x << shift;
        left = found.y;
    }
    if lane == 0u {
        atomicStore(&taken, 0u);
    }
    workgroupBarrier();
    // In any order: they are sorted next.
    for (var k = lane; k < params.length; k += LANES) {
        let key = row_key(first, k);
        if key < last.x || (key == last.x && k <= place) {
            places[atomicAdd(&taken, 1u)] = k;
        }
    }
    sort_places(first, lane, params.kept);
    for (var rank = lane; rank < params.kept; rank += LANES) {
        write(row, rank, places[rank]);
    }
}
