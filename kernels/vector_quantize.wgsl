// vector_quantize: the nearest entry of a codebook, for every row, without storing the distances.
//
// DISTANCE   0 Σ(x − c)²   1 Σc² − 2·Σxc   2 −Σxc / (|x|·|c|), lengths at least 10⁻¹²
//
// Layouts: input [rows, channels], codebook [codes, channels], indices [rows], quantized [rows, channels], all
// contiguous. Of equal distances the first code's counts; NaN is smaller than any other distance.
// Dispatch: see each entry point.
// Source: torch.argmin of torch.cdist; the quantizers of VQ-VAE and VQGAN.
//
// Ladder: vector_quantize_direct (a row an invocation) → vector_quantize_tiled (four rows a workgroup, the codes
// shared out over its invocations).

#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    rows: u32,
    codes: u32,
    channels: u32,
}

override DISTANCE: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read> codebook: array<Elem>;
@group(0) @binding(3) var<storage, read_write> indices: array<i32>;
@group(0) @binding(4) var<storage, read_write> quantized: array<Elem>;

// A distance as an integer that sorts as it does: NaN first, then −∞ to ∞, both zeros alike. Comparing integers is
// exact where comparing infinities and NaN is not defined.
const NO_CODE: u32 = 0xffffffffu;

fn sortable(distance: f32) -> u32 {
    let bits = bitcast<u32>(distance);
    let magnitude = bits & 0x7fffffffu;
    if magnitude > 0x7f800000u {
        return 0u;
    }
    return select(0x80000000u + magnitude, 0x80000000u - magnitude, bits > 0x80000000u);
}

// 64 invocations, one row each.
@compute @workgroup_size(64)
fn vector_quantize_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if row >= params.rows {
        return;
    }
    let first = row * params.channels;
    var best = 0u;
    var smallest = NO_CODE;
    for (var code = 0u; code < params.codes; code++) {
        var sum = 0.0;
        var x_squares = 0.0;
        var c_squares = 0.0;
        for (var d = 0u; d < params.channels; d++) {
            let x = f32(input[first + d]);
            let c = f32(codebook[code * params.channels + d]);
            if DISTANCE == 0u {
                sum += (x - c) * (x - c);
            } else {
                sum += x * c;
                x_squares += x * x;
                c_squares += c * c;
            }
        }
        var distance = sum;
        if DISTANCE == 1u {
            distance = c_squares - 2.0 * sum;
        } else if DISTANCE == 2u {
            distance = -sum / (length_of(x_squares) * length_of(c_squares));
        }
        let key = sortable(distance);
        if key < smallest {
            smallest = key;
            best = code;
        }
    }
    indices[row] = i32(best);
    for (var d = 0u; d < params.channels; d++) {
        quantized[first + d] = codebook[best * params.channels + d];
    }
}

// Not max(): that would make a number of NaN.
fn length_of(squares: f32) -> f32 {
    let length = sqrt(squares);
    return select(length, 1.0e-12, length < 1.0e-12);
}

// 256 invocations, four rows: each invocation takes every 256th code, for the four rows at once; the 256 nearest meet
// pairwise in workgroup memory, always in the same order. Then the workgroup copies the four codes.
const LANES: u32 = 256u;

var<workgroup> keys: array<vec4<u32>, LANES>;
var<workgroup> nearest: array<vec4<u32>, LANES>;

@compute @workgroup_size(256)
fn vector_quantize_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first_row = linear_group(params.first_group, workgroup, workgroups) * 4u;
    // Rows past the last are the last again, and not written.
    let rows = min(first_row + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.rows - 1u));
    let first = rows * params.channels;
    let fours = params.channels / 4u * 4u;
    var best = vec4<u32>();
    var smallest = vec4<u32>(NO_CODE);
    for (var code = lane; code < params.codes; code += LANES) {
        let place = code * params.channels;
        var sums = Sums();
        for (var d = 0u; d < fours; d += 4u) {
            // unroll
            for (var i = 0u; i < 4u; i++) {
                sums = add_channel(sums, first + d + i, place + d + i);
            }
        }
        for (var d = fours; d < params.channels; d++) {
            sums = add_channel(sums, first + d, place + d);
        }
        let distance = distances(sums);
        let key = vec4<u32>(
            sortable(distance.x),
            sortable(distance.y),
            sortable(distance.z),
            sortable(distance.w),
        );
        let nearer = key < smallest;
        smallest = select(smallest, key, nearer);
        best = select(best, vec4<u32>(code), nearer);
    }
    keys[lane] = smallest;
    nearest[lane] = best;
    workgroupBarrier();
    for (var width = LANES / 2u; width > 0u; width /= 2u) {
        if lane < width {
            let key = keys[lane + width];
            let code = nearest[lane + width];
            let first_of_equals = (key == keys[lane]) & (code < nearest[lane]);
            let nearer = (key < keys[lane]) | first_of_equals;
            keys[lane] = select(keys[lane], key, nearer);
            nearest[lane] = select(nearest[lane], code, nearer);
        }
        workgroupBarrier();
    }
    for (var i = lane; i < 4u * params.channels; i += LANES) {
        let row = i / params.channels;
        let d = i % params.channels;
        if first_row + row < params.rows {
            let code = nearest[0][row];
            quantized[(first_row + row) * params.channels + d] = codebook[code * params.channels + d];
        }
    }
    if lane < 4u && first_row + lane < params.rows {
        indices[first_row + lane] = i32(nearest[0][lane]);
    }
}

struct Sums {
    sum: vec4<f32>,
    x_squares: vec4<f32>,
    c_squares: f32,
}

fn add_channel(sums: Sums, at: vec4<u32>, code: u32) -> Sums {
    let x = vec4<f32>(f32(input[at.x]), f32(input[at.y]), f32(input[at.z]), f32(input[at.w]));
    let c = f32(codebook[code]);
    var s = sums;
    if DISTANCE == 0u {
        s.sum += (x - c) * (x - c);
    } else {
        s.sum += x * c;
        s.x_squares += x * x;
        s.c_squares += c * c;
    }
    return s;
}

fn distances(s: Sums) -> vec4<f32> {
    if DISTANCE == 1u {
        return s.c_squares - 2.0 * s.sum;
    }
    if DISTANCE == 2u {
        let x = vec4<f32>(
            length_of(s.x_squares.x),
            length_of(s.x_squares.y),
            length_of(s.x_squares.z),
            length_of(s.x_squares.w),
        );
        return -s.sum / (x * length_of(s.c_squares));
    }
    return s.sum;
}
