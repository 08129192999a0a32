// pad: a tensor with more elements before and after each axis.
//
//   out[i, j, …] = in[p(i − before), p(j − before), …]      `value` where an axis has no such element
//
// MODE is a mode of lib/padding.wgsl, which gives p.
//
// Layouts: input and output contiguous, of up to eight axes, innermost first in `dims` (the output's), `lengths` (the
// input's) and `before`; pad_vec4 reads and writes four elements at a time, so the innermost axis must have no padding
// and a length that is a multiple of four, given in vec4s.
// Dispatch: 64 outputs (or vec4s of outputs) a workgroup.
// Source: torch.nn.functional.pad.
//
// Ladder: pad_direct → pad_vec4.

#import index
#import padding

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    value: f32,
    pad_0: u32,
    dims: array<vec4<u32>, 2>,
    lengths: array<vec4<u32>, 2>,
    before: array<vec4<u32>, 2>,
}

override MODE: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input_scalar: array<Elem>;
@group(0) @binding(1) var<storage, read> input: array<vec4<Elem>>;
@group(0) @binding(2) var<storage, read_write> output_scalar: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4<Elem>>;

const NOTHING = 0xffffffffu;

// Where output element `index` lies in the input, or NOTHING.
fn source(index: u32) -> u32 {
    var rest = index;
    var at = 0u;
    var step = 1u;
    var inside = true;
    // unroll
    for (var half = 0u; half < 2u; half++) {
        // unroll
        for (var axis = 0u; axis < 4u; axis++) {
            let length = params.lengths[half][axis];
            let p = padded(MODE, rest % params.dims[half][axis] - params.before[half][axis], length);
            inside = inside && p < length;
            at += p * step;
            step *= length;
            rest /= params.dims[half][axis];
        }
    }
    return select(NOTHING, at, inside);
}

// 64 invocations, one output element each.
@compute @workgroup_size(64)
fn pad_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let at = source(i);
    if at == NOTHING {
        output_scalar[i] = Elem(params.value);
    } else {
        output_scalar[i] = input_scalar[at];
    }
}

// 64 invocations, four output elements each.
@compute @workgroup_size(64)
fn pad_vec4(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let at = source(i);
    if at == NOTHING {
        output[i] = vec4<Elem>(Elem(params.value));
    } else {
        output[i] = input[at];
    }
}
