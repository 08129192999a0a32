// box_iou: the intersection over the union of every box of one list with every box of another.
//
// A box is (x1, y1, x2, y2). NaN where a coordinate is, or where both boxes are empty.
//
// Layouts: first [A, 4], second [B, 4], output [A, B], contiguous.
// Dispatch: 64 pairs a workgroup.
// Source: torchvision.ops.box_iou.
//
// Ladder: box_iou_direct.

#import boxes
#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    second: u32,
    nan: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> first_boxes: array<vec4<Elem>>;
@group(0) @binding(2) var<storage, read> second_boxes: array<vec4<Elem>>;
@group(0) @binding(3) var<storage, read_write> output: array<Elem>;

// 64 invocations, one pair each.
@compute @workgroup_size(64)
fn box_iou_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let a = vec4<f32>(first_boxes[i / params.second]);
    let b = vec4<f32>(second_boxes[i % params.second]);
    let areas = overlap(a, b);
    let defined = !has_nan(a) && !has_nan(b) && areas.y != 0.0;
    output[i] = Elem(select(params.nan, areas.x / areas.y, defined));
}
