// cumulative: the sums or products of each row's elements up to each of them.
//
// MODE  0 sum   1 product
//
// Layouts: input and output [outer, length, inner], both contiguous.
// Dispatch: see each entry point.
// Source: torch.{cumsum, cumprod}.
//
// Ladder: cumulative_direct (a row an invocation) → cumulative_tiled (a row a workgroup, for long or few rows).

#import index

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
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;

fn start() -> f32 {
    return select(0.0, 1.0, MODE == 1u);
}

fn combine(a: f32, b: f32) -> f32 {
    if MODE == 1u {
        return a * b;
    }
    return a + b;
}

fn row_start(row: u32) -> u32 {
    return row / params.inner * params.length * params.inner + row % params.inner;
}

// 64 invocations, one row each.
@compute @workgroup_size(64)
fn cumulative_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if row >= params.count {
        return;
    }
    let first = row_start(row);
    var value = start();
    for (var k = 0u; k < params.length; k++) {
        value = combine(value, f32(input[first + k * params.inner]));
        output[first + k * params.inner] = Elem(value);
    }
}

// 256 invocations, one row, in pieces of four elements an invocation: each walks its four, the 256 ends are combined
// in eight steps (Hillis and Steele), and the last of them is carried to the next piece.
const LANES: u32 = 256u;
const EACH: u32 = 4u;

var<workgroup> ends: array<f32, LANES>;

@compute @workgroup_size(256)
fn cumulative_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = row_start(linear_group(params.first_group, workgroup, workgroups));
    var carry = start();
    for (var piece = 0u; piece < params.length; piece += LANES * EACH) {
        var walked: array<f32, EACH>;
        var end = start();
        // unroll
        for (var i = 0u; i < EACH; i++) {
            let k = piece + lane * EACH + i;
            if k < params.length {
                end = combine(end, f32(input[first + k * params.inner]));
            }
            walked[i] = end;
        }
        ends[lane] = end;
        workgroupBarrier();
        for (var width = 1u; width < LANES; width *= 2u) {
            var before = start();
            if lane >= width {
                before = ends[lane - width];
            }
            workgroupBarrier();
            ends[lane] = combine(before, ends[lane]);
            workgroupBarrier();
        }
        var before = carry;
        if lane > 0u {
            before = combine(carry, ends[lane - 1u]);
        }
        // unroll
        for (var i = 0u; i < EACH; i++) {
            let k = piece + lane * EACH + i;
            if k < params.length {
                output[first + k * params.inner] = Elem(combine(before, walked[i]));
            }
        }
        carry = combine(carry, ends[LANES - 1u]);
        // Whoever still reads the ends.
        workgroupBarrier();
    }
}
