// scatter_add: a tensor with others added to it at indices along an axis.
//
// With `dim` the axis and j a place along it, over all l whose index is j, in their order:
//   elements   out[i, j, k] = in[i, j, k] + Σ source[i, l, k]      where index[i, l, k] = j
//   rows       out[i, j, k] = in[i, j, k] + Σ source[i, l, k]      where index[l] = j
// An index that names no place adds nothing. Every output looks through all the indices that may name it: the same bits
// in every run, at a cost of their number for each.
//
// Layouts: all contiguous; input and output of shape `dims`, along whose axes source and index have steps of their own,
// zero along the axis; `source_step` and `index_step` are those. Innermost axis first. `source_dims` is the source's shape.
// Dispatch: scatter_add_direct, 64 elements a workgroup.
// Source: torch.scatter_add and torch.index_add, which refuse such an index.

#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    length: u32,
    places: u32,
    step: u32,
    source_step: u32,
    index_step: u32,
    pad: u32,
    dims: array<vec4<u32>, 2>,
    source_dims: array<vec4<u32>, 2>,
    source_steps: array<vec4<u32>, 2>,
    index_steps: array<vec4<u32>, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read> indices: array<i32>;
@group(0) @binding(3) var<storage, read> source: array<Elem>;
@group(0) @binding(4) var<storage, read_write> output: array<Elem>;

@compute @workgroup_size(64)
fn scatter_add_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    var rest = i;
    var at_source = 0u;
    var at_index = 0u;
    // The source may end before the input does, along every axis.
    var inside = true;
    // unroll
    for (var half = 0u; half < 2u; half++) {
        // unroll
        for (var axis = 0u; axis < 4u; axis++) {
            let place = rest % params.dims[half][axis];
            rest /= params.dims[half][axis];
            at_source += place * params.source_steps[half][axis];
            at_index += place * params.index_steps[half][axis];
            inside = inside && place < params.source_dims[half][axis];
        }
    }
    let wanted = i32(i / params.step % params.places);
    var sum = f32(input[i]);
    if inside {
        for (var l = 0u; l < params.length; l++) {
            if indices[at_index + l * params.index_step] == wanted {
                sum += f32(source[at_source + l * params.source_step]);
            }
        }
    }
    output[i] = Elem(sum);
}
