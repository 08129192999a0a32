// embedding: rows of a table, looked up by index.
//
// Layouts: indices [count / channels], table [rows, channels], output [count / channels, channels], all contiguous.
// An index below 0 or beyond the table gives a row of NaN.
// Dispatch: 64 output elements a workgroup.
// Source: torch.nn.functional.embedding, which refuses such an index.
//
// Ladder: embedding_direct alone; it is a copy.

#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    channels: u32,
    rows: u32,
    nan: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<i32>;
@group(0) @binding(2) var<storage, read> table: array<Elem>;
@group(0) @binding(3) var<storage, read_write> output: array<Elem>;

@compute @workgroup_size(64)
fn embedding_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    // A negative index becomes one beyond every table.
    let row = bitcast<u32>(indices[i / params.channels]);
    if row < params.rows {
        output[i] = table[row * params.channels + i % params.channels];
    } else {
        output[i] = Elem(params.nan);
    }
}
