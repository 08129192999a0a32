// resize: every element a weighted sum of a few along T, H and W.
//
//   out[n, t, h, w, c] = Σ over a, b, d of u[t, a]·v[h, b]·z[w, d] · in[n, t₀ + a, h₀ + b, w₀ + d, c]
//
// with a, b, d below TAPS_T, TAPS_H, TAPS_W, and t₀, h₀, w₀ the first taps of t, h, w. What a weight of zero is given
// to does not count, whatever it is, and may lie outside the input.
//
// Layouts: input [N, T, H, W, C] and output [N, T', H', W', C], channels contiguous; resize_vec4 reads and writes four
// channels at a time, so C must be a multiple of four and is given in vec4s. The table holds for each t, h, w in turn
// the first tap, and the weights as bits of f32s.
// Dispatch: 64 outputs (or vec4s of outputs) a workgroup.
// Source: torch.nn.functional.interpolate; the host makes the weights of its modes.
//
// Ladder: resize_direct → resize_vec4.

#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    channels: u32,
    in_t: u32,
    in_h: u32,
    in_w: u32,
    out_t: u32,
    out_h: u32,
    out_w: u32,
}

override TAPS_T: u32 = 1u;
override TAPS_H: u32 = 1u;
override TAPS_W: u32 = 1u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input_scalar: array<Elem>;
@group(0) @binding(1) var<storage, read> input: array<vec4<Elem>>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> output_scalar: array<Elem>;
@group(0) @binding(3) var<storage, read_write> output: array<vec4<Elem>>;

// Where the rows of the table for one position lie, and the first element of its sample in positions.
struct Place {
    row_t: u32,
    row_h: u32,
    row_w: u32,
    sample: u32,
}

fn place_of(position: u32) -> Place {
    let w = position % params.out_w;
    let h = position / params.out_w % params.out_h;
    let nt = position / (params.out_w * params.out_h);
    let rows_h = params.out_t * (1u + TAPS_T);
    let rows_w = rows_h + params.out_h * (1u + TAPS_H);
    return Place(
        nt % params.out_t * (1u + TAPS_T),
        rows_h + h * (1u + TAPS_H),
        rows_w + w * (1u + TAPS_W),
        nt / params.out_t * params.in_t * params.in_h * params.in_w,
    );
}

fn weight(row: u32, tap: u32) -> f32 {
    return bitcast<f32>(table[row + 1u + tap]);
}

// 64 invocations, one output element each.
@compute @workgroup_size(64)
fn resize_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let place = place_of(i / params.channels);
    var sum = 0.0;
    for (var a = 0u; a < TAPS_T; a++) {
        let u = weight(place.row_t, a);
        if u == 0.0 {
            continue;
        }
        var frame = 0.0;
        for (var b = 0u; b < TAPS_H; b++) {
            let v = weight(place.row_h, b);
            if v == 0.0 {
                continue;
            }
            let first = place.sample
                + ((table[place.row_t] + a) * params.in_h + table[place.row_h] + b) * params.in_w
                + table[place.row_w];
            var row = 0.0;
            for (var d = 0u; d < TAPS_W; d++) {
                let z = weight(place.row_w, d);
                if z != 0.0 {
                    row += z * f32(input_scalar[(first + d) * params.channels + i % params.channels]);
                }
            }
            frame += v * row;
        }
        sum += u * frame;
    }
    output_scalar[i] = Elem(sum);
}

// 64 invocations, four channels of one position each.
@compute @workgroup_size(64)
fn resize_vec4(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let place = place_of(i / params.channels);
    var sum = vec4<f32>();
    for (var a = 0u; a < TAPS_T; a++) {
        let u = weight(place.row_t, a);
        if u == 0.0 {
            continue;
        }
        var frame = vec4<f32>();
        for (var b = 0u; b < TAPS_H; b++) {
            let v = weight(place.row_h, b);
            if v == 0.0 {
                continue;
            }
            let first = place.sample
                + ((table[place.row_t] + a) * params.in_h + table[place.row_h] + b) * params.in_w
                + table[place.row_w];
            var row = vec4<f32>();
            for (var d = 0u; d < TAPS_W; d++) {
                let z = weight(place.row_w, d);
                if z != 0.0 {
                    row += z * vec4<f32>(input[(first + d) * params.channels + i % params.channels]);
                }
            }
            frame += v * row;
        }
        sum += u * frame;
    }
    output[i] = vec4<Elem>(sum);
}
