// scalar_quantize: each channel to one of a few fixed values, and the number of the combination.
//
// FINITE 1   bounded = tanh(x + shift)·half − offset, q = bounded to the nearest integer (of two the even one),
//            code = q / ⌊levels / 2⌋, index = Σ (q + ⌊levels / 2⌋)·(product of the levels before)
// FINITE 0   code = 1 if x > 0, else −1; index = Σ 2ᵈ over the channels d with x > 0
//
// A channel that is NaN stays NaN, and its row's index is −1.
//
// Layouts: input [rows, channels], indices [rows], codes [rows, channels], all contiguous.
// Dispatch: 64 rows a workgroup.
// Source: Mentzer et al., Finite Scalar Quantization, appendix A.1; Yu et al., Language Model Beats Diffusion, §3.
//
// Ladder: scalar_quantize_direct alone; each row is read once.

#import index
#import nan

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    rows: u32,
    channels: u32,
    nan: f32,
    // Of up to eight channels.
    levels: array<vec4<u32>, 2>,
    halves: array<vec4<f32>, 2>,
    shifts: array<vec4<f32>, 2>,
}

override FINITE: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> indices: array<i32>;
@group(0) @binding(3) var<storage, read_write> codes: array<Elem>;

@compute @workgroup_size(64)
fn scalar_quantize_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if row >= params.rows {
        return;
    }
    var index = 0u;
    var basis = 1u;
    var some_nan = false;
    for (var d = 0u; d < params.channels; d++) {
        let at = row * params.channels + d;
        let x = f32(input[at]);
        var code = params.nan;
        if is_nan(x) {
            some_nan = true;
        } else if FINITE != 0u {
            let levels = params.levels[d / 4u][d % 4u];
            let half_width = levels / 2u;
            let offset = select(0.5, 0.0, levels % 2u == 1u);
            let z = clamp(x + params.shifts[d / 4u][d % 4u], -15.0, 15.0);
            let q = round(tanh(z) * params.halves[d / 4u][d % 4u] - offset);
            code = q / f32(half_width);
            index += u32(i32(q) + i32(half_width)) * basis;
            basis *= levels;
        } else {
            // On the bits: a device may take the smallest floats for zero.
            let above_zero = bitcast<u32>(x) - 1u < 0x7f800000u;
            code = select(-1.0, 1.0, above_zero);
            index += select(0u, basis, above_zero);
            basis *= 2u;
        }
        codes[at] = Elem(code);
    }
    indices[row] = select(i32(index), -1, some_nan);
}
