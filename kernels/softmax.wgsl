// softmax: y = exp(z) / Σ exp(z) or its logarithm z − ln Σ exp(z), over one axis, z = (x − max x)·scale.
//
// A row with NaN or +∞ gives NaN. A row of −∞ alone, as a mask makes, gives zeros (the logarithm −∞).
//
// Layouts: input and output [outer, length, inner].
// Dispatch: see each entry point.
// Source: torch.nn.functional.{softmax, log_softmax}, but for rows of −∞ alone.
//
// Ladder: softmax_direct (a row an invocation) → softmax_tiled (a row a workgroup, for long rows).

#import index
#import nan

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    rows: u32,
    length: u32,
    inner: u32,
    scale: f32,
    lowest: f32,
    nan: f32,
}

override LOG: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;

fn row_start(row: u32) -> u32 {
    return row / params.inner * params.length * params.inner + row % params.inner;
}

// Whether a row's maximum is NaN or infinite, and what the whole row is then.
fn is_special(largest: f32) -> bool {
    return (bitcast<u32>(largest) & 0x7f800000u) == 0x7f800000u;
}

fn special(largest: f32) -> f32 {
    if bitcast<u32>(largest) == 0xff800000u {
        return select(0.0, largest, LOG != 0u);
    }
    return params.nan;
}

// `total` is the sum, or its logarithm.
fn finish(x: f32, largest: f32, total: f32) -> f32 {
    let z = (x - largest) * params.scale;
    if LOG != 0u {
        return z - total;
    }
    return exp(z) / total;
}

// 64 invocations, one row each: three walks along it.
@compute @workgroup_size(64)
fn softmax_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if row >= params.rows {
        return;
    }
    let at = row_start(row);
    var largest = params.lowest;
    for (var k = 0u; k < params.length; k++) {
        largest = max_nan(largest, f32(input[at + k * params.inner]));
    }
    if is_special(largest) {
        for (var k = 0u; k < params.length; k++) {
            output[at + k * params.inner] = Elem(special(largest));
        }
        return;
    }
    var total = 0.0;
    for (var k = 0u; k < params.length; k++) {
        total += exp((f32(input[at + k * params.inner]) - largest) * params.scale);
    }
    if LOG != 0u {
        total = log(total);
    }
    for (var k = 0u; k < params.length; k++) {
        let j = at + k * params.inner;
        output[j] = Elem(finish(f32(input[j]), largest, total));
    }
}

// 256 invocations, one row: each takes every 256th element, and the 256 results meet pairwise in workgroup memory.
const LANES: u32 = 256u;

var<workgroup> partial: array<f32, LANES>;

@compute @workgroup_size(256)
fn softmax_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = row_start(linear_group(params.first_group, workgroup, workgroups));
    var largest = params.lowest;
    for (var k = lane; k < params.length; k += LANES) {
        largest = max_nan(largest, f32(input[at + k * params.inner]));
    }
    partial[lane] = largest;
    workgroupBarrier();
    for (var width = LANES / 2u; width > 0u; width /= 2u) {
        if lane < width {
            partial[lane] = max_nan(partial[lane], partial[lane + width]);
        }
        workgroupBarrier();
    }
    largest = partial[0];
    workgroupBarrier();
    var total = 0.0;
    for (var k = lane; k < params.length; k += LANES) {
        total += exp((f32(input[at + k * params.inner]) - largest) * params.scale);
    }
    partial[lane] = total;
    workgroupBarrier();
    for (var width = LANES / 2u; width > 0u; width /= 2u) {
        if lane < width {
            partial[lane] += partial[lane + width];
        }
        workgroupBarrier();
    }
    total = partial[0];
    if LOG != 0u {
        total = log(total);
    }
    for (var k = lane; k < params.length; k += LANES) {
        let j = at + k * params.inner;
        let y = finish(f32(input[j]), largest, total);
        output[j] = Elem(select(y, special(largest), is_special(largest)));
    }
}
