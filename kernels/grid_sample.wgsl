// grid_sample: the input at places that a grid names.
//
//   out[n, p, c] = Σ over taps a, b, d of u(z)[a]·v(y)[b]·w(x)[d] · in[n, a, b, d, c]    x, y, z = place(grid[n, p])
//
// place(g) = g·scale + offset, and the output's own place if DISPLACEMENT is 1.
// MODE     0 linear   the two elements around a place, along each axis
//          1 nearest  the element nearest to it, of two as near the even one
//          2 cubic    the four around it, a = CUBIC
// PADDING  0 zeros       elements outside are zero; so is what is sampled where a place is NaN or infinite
//          1 border      the outermost elements go on; NaN stands for the first
//          2 reflection  the input goes on as its mirror image about its outermost centres (ALIGN) or edges; NaN and
//                        infinity stand for the first element
// What a weight of zero is given to does not count, whatever it is.
//
// Layouts: input [N, T, H, W, C] and output [N, T', H', W', C], channels contiguous, grid [N, T', H', W', AXES] with
// x, y, z from the innermost axis on; with two AXES both T are 1. grid_sample_vec4 reads and writes four channels at a
// time, so C must be a multiple of four and is given in vec4s.
// Dispatch: 64 outputs (or vec4s of outputs) a workgroup.
// Source: torch.nn.functional.grid_sample.
//
// Ladder: grid_sample_direct → grid_sample_vec4.

#import index
#import nan

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
    scale_t: f32,
    scale_h: f32,
    scale_w: f32,
    offset_t: f32,
    offset_h: f32,
    offset_w: f32,
}

override MODE: u32 = 0u;
override PADDING: u32 = 0u;
override ALIGN: u32 = 0u;
override DISPLACEMENT: u32 = 0u;
override AXES: u32 = 2u;
// Taps along each axis, and along T.
override TAPS: u32 = 2u;
override TAPS_T: u32 = 1u;
// The cubic's coefficient.
override CUBIC: f32 = -0.75;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input_scalar: array<Elem>;
@group(0) @binding(1) var<storage, read> input: array<vec4<Elem>>;
@group(0) @binding(2) var<storage, read> grid: array<Elem>;
@group(0) @binding(3) var<storage, read_write> output_scalar: array<Elem>;
@group(0) @binding(3) var<storage, read_write> output: array<vec4<Elem>>;

// A place near the input, where the padding is the same as at `x`; finite whatever `x` is.
fn nearby(x: f32, length: u32) -> f32 {
    let size = f32(length);
    let infinite = (bitcast<u32>(x) & 0x7fffffffu) >= 0x7f800000u;
    if PADDING == 2u {
        let low = select(-0.5, 0.0, ALIGN != 0u);
        let span = select(size, size - 1.0, ALIGN != 0u);
        if infinite || span == 0.0 {
            return 0.0;
        }
        let away = abs(x - low);
        let flips = floor(away / span);
        let rest = away - flips * span;
        let back = flips - 2.0 * floor(0.5 * flips) != 0.0;
        return clamp(low + select(rest, span - rest, back), -1.0, size);
    }
    if is_nan(x) {
        return select(-8.0, 0.0, PADDING == 1u);
    }
    if infinite {
        return select(size + 8.0, -8.0, (bitcast<u32>(x) >> 31u) != 0u);
    }
    return clamp(x, -8.0, size + 8.0);
}

// The elements that a place is made of along an axis, and their weights.
struct Taps {
    index: vec4<u32>,
    weight: vec4<f32>,
}

// (a + 2)|x|³ − (a + 3)|x|² + 1 below 1.
fn inner_cubic(x: f32) -> f32 {
    return ((CUBIC + 2.0) * x - (CUBIC + 3.0)) * (x * x) + 1.0;
}

fn taps_at(place: f32, length: u32) -> Taps {
    let x = nearby(place, length);
    let below = floor(x);
    let t = x - below;
    var first = i32(below);
    var weight = vec4<f32>(1.0 - t, t, 0.0, 0.0);
    if MODE == 1u {
        first = i32(round(x));
        weight = vec4<f32>(1.0, 0.0, 0.0, 0.0);
    }
    if MODE == 2u {
        first -= 1;
        let s = 1.0 - t;
        weight = vec4<f32>(CUBIC * t * s * s, inner_cubic(t), inner_cubic(s), CUBIC * s * t * t);
    }
    let index = vec4<i32>(first) + vec4<i32>(0, 1, 2, 3);
    let size = i32(length);
    let clamped = clamp(index, vec4<i32>(0), vec4<i32>(size - 1));
    if PADDING == 0u {
        weight = select(vec4<f32>(), weight, index == clamped);
    }
    if PADDING == 2u {
        // About centres the input comes again after 2·size − 2 elements, about edges after 2·size.
        let period = select(2 * size, max(2 * size - 2, 1), ALIGN != 0u);
        let at = (index % period + period) % period;
        let mirrored = period - select(1, 0, ALIGN != 0u) - at;
        return Taps(vec4<u32>(min(at, mirrored)), weight);
    }
    return Taps(vec4<u32>(clamped), weight);
}

struct Sample {
    t: Taps,
    h: Taps,
    w: Taps,
    // The first element of the sample, in positions.
    start: u32,
}

fn place(at: u32, scale: f32, offset: f32, own: u32) -> f32 {
    let shift = select(0.0, f32(own), DISPLACEMENT != 0u);
    return f32(grid[at]) * scale + (offset + shift);
}

fn sample_of(position: u32) -> Sample {
    let w = position % params.out_w;
    let h = position / params.out_w % params.out_h;
    let nt = position / (params.out_w * params.out_h);
    let at = position * AXES;
    var of_t = Taps(vec4<u32>(), vec4<f32>(1.0, 0.0, 0.0, 0.0));
    if AXES == 3u {
        of_t = taps_at(place(at + 2u, params.scale_t, params.offset_t, nt % params.out_t), params.in_t);
    }
    return Sample(
        of_t,
        taps_at(place(at + 1u, params.scale_h, params.offset_h, h), params.in_h),
        taps_at(place(at, params.scale_w, params.offset_w, w), params.in_w),
        nt / params.out_t * params.in_t * params.in_h * params.in_w,
    );
}

// 64 invocations, one output element each.
@compute @workgroup_size(64)
fn grid_sample_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let s = sample_of(i / params.channels);
    var sum = 0.0;
    for (var a = 0u; a < TAPS_T; a++) {
        for (var b = 0u; b < TAPS; b++) {
            let uv = s.t.weight[a] * s.h.weight[b];
            if uv == 0.0 {
                continue;
            }
            let row = s.start + (s.t.index[a] * params.in_h + s.h.index[b]) * params.in_w;
            for (var d = 0u; d < TAPS; d++) {
                let weight = uv * s.w.weight[d];
                if weight != 0.0 {
                    sum += weight * f32(input_scalar[(row + s.w.index[d]) * params.channels + i % params.channels]);
                }
            }
        }
    }
    output_scalar[i] = Elem(sum);
}

// 64 invocations, four channels of one position each.
@compute @workgroup_size(64)
fn grid_sample_vec4(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let s = sample_of(i / params.channels);
    var sum = vec4<f32>();
    for (var a = 0u; a < TAPS_T; a++) {
        for (var b = 0u; b < TAPS; b++) {
            let uv = s.t.weight[a] * s.h.weight[b];
            if uv == 0.0 {
                continue;
            }
            let row = s.start + (s.t.index[a] * params.in_h + s.h.index[b]) * params.in_w;
            for (var d = 0u; d < TAPS; d++) {
                let weight = uv * s.w.weight[d];
                if weight != 0.0 {
                    sum += weight * vec4<f32>(input[(row + s.w.index[d]) * params.channels + i % params.channels]);
                }
            }
        }
    }
    output[i] = vec4<Elem>(sum);
}
