// vector_quantize: the nearest entry of a codebook, for every row, without storing the distances.
//
// DISTANCE   0 Σ(x − c)²   1 Σc² − 2·Σxc   2 −Σxc / (|x|·|c|), lengths at least 10⁻¹²
//
// Layouts: input [rows, channels], codebook [codes, channels], indices [rows], quantized [rows, channels], all
// contiguous. Of equal distances the first code's counts; NaN is smaller than any other distance.
// Dispatch: see each entry point.
// Source: torch.argmin of torch.cdist; the quantizers of VQ-VAE and VQGAN.
//
// Ladder: vector_quantize_direct (a row an invocation) → in three steps, the codes cut in slices so that there are enough
// workgroups: vector_quantize_squares, then vector_quantize_uniform (some rows an invocation and 32 codes at a time, which
// eight invocations share: for adapters on a processor) or vector_quantize_tiled (four rows a workgroup, a slice's codes shared
// out over its invocations), then vector_quantize_choose. Between these lie
//   squares  [codes]: Σc² of each code, f32
//   found    [rows, slices, 2]: the least distance in a slice, as an integer that sorts as it does, and its code

#import index
#import apart // tune: SHARING

alias Elem = f32; // tune: Elem

// How vector_quantize_uniform reads: Elem by Elem, or, where channels are a multiple of four, as vec4<Elem> with 4 as PART.
// vec4<Elem>(x) is of both: it leaves a vec4 as it is.
alias Part = Elem; // tune: Part
const PART: u32 = 1u; // tune: PART

struct Params {
    first_group: u32,
    rows: u32,
    codes: u32,
    channels: u32,
    // Codes of a slice, and how many slices there are.
    slice: u32,
    slices: u32,
}

override DISTANCE: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read> codebook: array<Elem>;
@group(0) @binding(1) var<storage, read> input_parts: array<Part>;
@group(0) @binding(2) var<storage, read> codebook_parts: array<Part>;
@group(0) @binding(3) var<storage, read_write> indices: array<i32>;
@group(0) @binding(4) var<storage, read_write> quantized: array<Elem>;

@group(0) @binding(1) var<storage, read> codes_alone: array<Elem>;
@group(0) @binding(2) var<storage, read_write> squares_out: array<f32>;

@group(0) @binding(3) var<storage, read> squares: array<f32>;
@group(0) @binding(4) var<storage, read_write> found_out: array<u32>;

@group(0) @binding(2) var<storage, read> found: array<u32>;

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

// 64 invocations, one code each.
@compute @workgroup_size(64)
fn vector_quantize_squares(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let code = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if code >= params.codes {
        return;
    }
    var sum = 0.0;
    for (var d = 0u; d < params.channels; d++) {
        let c = f32(codes_alone[code * params.channels + d]);
        sum += c * c;
    }
    squares_out[code] = sum;
}

// What the distance is made of `sum`, which is Σ(x − c)² or Σxc.
fn distance_of(sum: f32, x_squares: f32, code: u32) -> f32 {
    if DISTANCE == 0u {
        return sum;
    }
    if DISTANCE == 1u {
        return squares[code] - 2.0 * sum;
    }
    return -sum / (length_of(x_squares) * length_of(squares[code]));
}

// Four channels from d on, a multiple of four, of the row or code that begins at `at`; zeros beyond the last.
fn input_chunk(at: u32, d: u32) -> vec4<f32> {
    if PART == 4u {
        return vec4<f32>(vec4<Elem>(input_parts[(at + d) / 4u]));
    }
    var x = vec4<f32>();
    // unroll
    for (var i = 0u; i < 4u; i++) {
        let one = vec4<Elem>(input_parts[at + min(d + i, params.channels - 1u)]).x;
        x[i] = select(0.0, f32(one), d + i < params.channels);
    }
    return x;
}

fn code_chunk(at: u32, d: u32) -> vec4<f32> {
    if PART == 4u {
        return vec4<f32>(vec4<Elem>(codebook_parts[(at + d) / 4u]));
    }
    var x = vec4<f32>();
    // unroll
    for (var i = 0u; i < 4u; i++) {
        let one = vec4<Elem>(codebook_parts[at + min(d + i, params.channels - 1u)]).x;
        x[i] = select(0.0, f32(one), d + i < params.channels);
    }
    return x;
}

// 8 invocations, QUANTIZED rows each, lane + 8·r, and a slice, 32 codes at a time, of which each invocation loads four.
//
// Measured with 256 rows, 16384 codes of 256 channels, milliseconds of a run on Mesa 22.3: a row an invocation and sixteen
// codes, each channel loaded apart, 31284; this form 157.
const QUANTIZED: u32 = 4u; // tune: QUANTIZED
const CODES: u32 = 32u;

@compute @workgroup_size(8)
fn vector_quantize_uniform(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let slice = group % params.slices;
    let row0 = group / params.slices * 8u * QUANTIZED + lane;
    let end = min((slice + 1u) * params.slice, params.codes);
    // Rows past the last are the last again: all invocations do the same.
    var first: array<u32, QUANTIZED>;
    var best: array<u32, QUANTIZED>;
    var smallest: array<u32, QUANTIZED>;
    // unroll
    for (var r = 0u; r < QUANTIZED; r++) {
        first[r] = min(row0 + 8u * r, params.rows - 1u) * params.channels;
        smallest[r] = NO_CODE;
    }
    for (var code = slice * params.slice; code < end; code += CODES) {
        var sums: array<vec4<f32>, QUANTIZED * CODES / 4u>;
        var x_squares: array<f32, QUANTIZED>;
        for (var d = 0u; d < params.channels; d += 4u) {
            var own: array<vec4<f32>, CODES / 8u>;
            // unroll
            for (var n = 0u; n < CODES / 8u; n++) {
                own[n] = code_chunk(min(code + lane + 8u * n, end - 1u) * params.channels, d);
            }
            var x: array<vec4<f32>, QUANTIZED>;
            // unroll
            for (var r = 0u; r < QUANTIZED; r++) {
                x[r] = input_chunk(first[r], d);
                if DISTANCE == 2u {
                    x_squares[r] += dot(x[r], x[r]);
                }
            }
            // unroll
            for (var i = 0u; i < CODES; i++) {
                let c = of_lane(own[i / 8u], i % 8u, code_chunk(min(code + i, end - 1u) * params.channels, d));
                // unroll
                for (var r = 0u; r < QUANTIZED; r++) {
                    let a = select(x[r], x[r] - c, DISTANCE == 0u);
                    let b = select(c, x[r] - c, DISTANCE == 0u);
                    let sum = sums[r * CODES / 4u + i / 4u][i % 4u];
                    sums[r * CODES / 4u + i / 4u][i % 4u] =
                        fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
                }
            }
        }
        // Codes past the last are the last again, which is not nearer than itself.
        // unroll
        for (var i = 0u; i < CODES; i++) {
            let candidate = min(code + i, end - 1u);
            // unroll
            for (var r = 0u; r < QUANTIZED; r++) {
                let sum = sums[r * CODES / 4u + i / 4u][i % 4u];
                let key = sortable(distance_of(sum, x_squares[r], candidate));
                let nearer = key < smallest[r];
                smallest[r] = select(smallest[r], key, nearer);
                best[r] = select(best[r], candidate, nearer);
            }
        }
    }
    // unroll
    for (var r = 0u; r < QUANTIZED; r++) {
        let row = row0 + 8u * r;
        if row < params.rows {
            found_out[2u * (row * params.slices + slice)] = smallest[r];
            found_out[2u * (row * params.slices + slice) + 1u] = best[r];
        }
    }
}

// 256 invocations, four rows and a slice: each invocation takes every 256th code, for the four rows at once; the 256
// nearest meet pairwise in workgroup memory, always in the same order.
const LANES: u32 = 256u;

var<workgroup> keys: array<vec4<u32>, LANES>;
var<workgroup> nearest: array<vec4<u32>, LANES>;

@compute @workgroup_size(256)
fn vector_quantize_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let slice = group % params.slices;
    let first_row = group / params.slices * 4u;
    // Rows past the last are the last again, and not written.
    let rows = min(first_row + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.rows - 1u));
    let first = rows * params.channels;
    let fours = params.channels / 4u * 4u;
    let end = min((slice + 1u) * params.slice, params.codes);
    var best = vec4<u32>();
    var smallest = vec4<u32>(NO_CODE);
    for (var code = slice * params.slice + lane; code < end; code += LANES) {
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
        let key = vec4<u32>(
            sortable(distance_of(sums.sum.x, sums.x_squares.x, code)),
            sortable(distance_of(sums.sum.y, sums.x_squares.y, code)),
            sortable(distance_of(sums.sum.z, sums.x_squares.z, code)),
            sortable(distance_of(sums.sum.w, sums.x_squares.w, code)),
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
    if lane < 4u && first_row + lane < params.rows {
        let at = 2u * ((first_row + lane) * params.slices + slice);
        found_out[at] = keys[0][lane];
        found_out[at + 1u] = nearest[0][lane];
    }
}

struct Sums {
    sum: vec4<f32>,
    x_squares: vec4<f32>,
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
    }
    return s;
}

// 64 invocations, one row: the nearest of the slices', the first of equally near ones, and a copy of it.
@compute @workgroup_size(64)
fn vector_quantize_choose(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups);
    var best = 0u;
    var smallest = NO_CODE;
    for (var slice = 0u; slice < params.slices; slice++) {
        let key = found[2u * (row * params.slices + slice)];
        if key < smallest {
            smallest = key;
            best = found[2u * (row * params.slices + slice) + 1u];
        }
    }
    for (var d = lane; d < params.channels; d += 64u) {
        quantized[row * params.channels + d] = codes_alone[best * params.channels + d];
    }
    if lane == 0u {
        indices[row] = i32(best);
    }
}
