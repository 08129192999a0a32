// concat: one input of a concatenation, written to its place in the output.
//
// Layouts: input [outer, row], output [outer, output_row], the input's part from `offset` of each row on; a row is
// the joined axis and all axes after it.
// Dispatch: concat_direct once for every input, 64 elements a workgroup.
// Elem may be vectors of four elements; lengths, steps and counts are then in those.
// Source: torch.cat.

#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    row: u32,
    output_row: u32,
    offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;

@compute @workgroup_size(64)
fn concat_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i < params.count {
        output[i / params.row * params.output_row + params.offset + i % params.row] = input[i];
    }
}
