// ema_codebook: a codebook that follows the rows that were assigned to its codes, by exponential moving averages.
//
//   size'     = decay·size + (1 − decay)·n                 n the rows of the code
//   sum'      = decay·sum + (1 − decay)·Σ x                over these rows
//   codebook' = sum' / ((size' + eps) / (total + K·eps) · total),     total = Σ size'
//
// An index below 0 or beyond the codebook assigns its row to no code.
//
// Layouts: input [rows, channels], indices [rows], sizes [codes], sums [codes, channels]; outputs new_sizes [codes],
// new_sums and codebook [codes, channels]. All contiguous.
// Dispatch: see each entry point.
// Source: van den Oord et al., Neural Discrete Representation Learning, appendix A.1, and its public implementations.
//
// Ladder: ema_codebook_direct (an element of the codebook an invocation, which looks at every row) →
// ema_codebook_tiled (sixteen channels of a code a workgroup).

#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    rows: u32,
    codes: u32,
    channels: u32,
    // Of sixteen channels.
    blocks: u32,
    decay: f32,
    // 1 − decay.
    rest: f32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read> indices: array<i32>;
@group(0) @binding(3) var<storage, read> sizes: array<Elem>;
@group(0) @binding(4) var<storage, read> sums: array<Elem>;
@group(0) @binding(5) var<storage, read_write> new_sizes: array<Elem>;
@group(0) @binding(6) var<storage, read_write> new_sums: array<Elem>;
@group(0) @binding(7) var<storage, read_write> codebook: array<Elem>;

struct Seen {
    // Over the rows of the code: one channel's sum, and how many there are.
    sum: f32,
    own: f32,
    // Rows of any code, and the sum of the sizes so far.
    all: f32,
    sizes: f32,
}

// Every `step`th row and size, from the `first` on.
fn see(code: u32, channel: u32, first: u32, step: u32) -> Seen {
    var seen = Seen();
    for (var row = first; row < params.rows; row += step) {
        let index = bitcast<u32>(indices[row]);
        if index == code {
            seen.sum += f32(input[row * params.channels + channel]);
            seen.own += 1.0;
        }
        seen.all += select(0.0, 1.0, index < params.codes);
    }
    for (var k = first; k < params.codes; k += step) {
        seen.sizes += f32(sizes[k]);
    }
    return seen;
}

fn write(code: u32, channel: u32, seen: Seen) {
    let at = code * params.channels + channel;
    let size = params.decay * f32(sizes[code]) + params.rest * seen.own;
    let sum = params.decay * f32(sums[at]) + params.rest * seen.sum;
    let total = params.decay * seen.sizes + params.rest * seen.all;
    let smoothed = (size + params.eps) / (total + f32(params.codes) * params.eps) * total;
    new_sums[at] = Elem(sum);
    codebook[at] = Elem(sum / smoothed);
    if channel == 0u {
        new_sizes[code] = Elem(size);
    }
}

// 64 invocations, one element of the codebook each.
@compute @workgroup_size(64)
fn ema_codebook_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.codes * params.channels {
        return;
    }
    let code = i / params.channels;
    let channel = i % params.channels;
    write(code, channel, see(code, channel, 0u, 1u));
}

// 256 invocations, sixteen channels of a code: each takes every sixteenth row of a channel, and what the sixteen saw
// meets pairwise in workgroup memory, always in the same order. Channels past the last are the last again, and not
// written.
const LANES: u32 = 256u;
const COLUMNS: u32 = 16u;

var<workgroup> partial: array<vec4<f32>, LANES>;

@compute @workgroup_size(256)
fn ema_codebook_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let code = group / params.blocks;
    let column = group % params.blocks * COLUMNS + lane % COLUMNS;
    let channel = min(column, params.channels - 1u);
    let seen = see(code, channel, lane / COLUMNS, LANES / COLUMNS);
    partial[lane] = vec4(seen.sum, seen.own, seen.all, seen.sizes);
    workgroupBarrier();
    for (var width = LANES / 2u; width >= COLUMNS; width /= 2u) {
        if lane < width {
            partial[lane] += partial[lane + width];
        }
        workgroupBarrier();
    }
    if lane < COLUMNS && column < params.channels {
        let all = partial[lane];
        write(code, channel, Seen(all.x, all.y, all.z, all.w));
    }
}
