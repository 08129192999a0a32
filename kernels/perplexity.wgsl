// perplexity: exp(−Σ p·ln(p + 10⁻¹⁰)) of the shares p = count / Σ counts: how many bins are used, in effect.
//
// Negative counts are zero; a row without counts gives 1.
//
// Layouts: counts [rows, bins], output [rows], both contiguous.
// Dispatch: see each entry point.
// Source: van den Oord et al., Neural Discrete Representation Learning, as its public implementations report it.
//
// Ladder: perplexity_direct (a row an invocation) → perplexity_tree (a row a workgroup).

#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    rows: u32,
    bins: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> counts: array<i32>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;

fn count(row: u32, bin: u32) -> u32 {
    return u32(max(counts[row * params.bins + bin], 0));
}

fn term(count: u32, total: u32) -> f32 {
    let p = f32(count) / f32(max(total, 1u));
    return p * log(p + 1.0e-10);
}

// 64 invocations, one row each.
@compute @workgroup_size(64)
fn perplexity_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if row >= params.rows {
        return;
    }
    var total = 0u;
    for (var bin = 0u; bin < params.bins; bin++) {
        total += count(row, bin);
    }
    var sum = 0.0;
    for (var bin = 0u; bin < params.bins; bin++) {
        sum += term(count(row, bin), total);
    }
    output[row] = Elem(exp(-sum));
}

// 256 invocations, one row: each takes every 256th bin, and the 256 results meet pairwise in workgroup memory, always
// in the same order.
const LANES: u32 = 256u;

var<workgroup> totals: array<u32, LANES>;
var<workgroup> sums: array<f32, LANES>;

@compute @workgroup_size(256)
fn perplexity_tree(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups);
    var total = 0u;
    for (var bin = lane; bin < params.bins; bin += LANES) {
        total += count(row, bin);
    }
    totals[lane] = total;
    workgroupBarrier();
    for (var width = LANES / 2u; width > 0u; width /= 2u) {
        if lane < width {
            totals[lane] += totals[lane + width];
        }
        workgroupBarrier();
    }
    var sum = 0.0;
    for (var bin = lane; bin < params.bins; bin += LANES) {
        sum += term(count(row, bin), totals[0]);
    }
    sums[lane] = sum;
    workgroupBarrier();
    for (var width = LANES / 2u; width > 0u; width /= 2u) {
        if lane < width {
            sums[lane] += sums[lane + width];
        }
        workgroupBarrier();
    }
    if lane == 0u {
        output[row] = Elem(exp(-sums[0]));
    }
}
