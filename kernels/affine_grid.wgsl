// affine_grid: the places from which an affine map takes the elements of a picture or video.
//
//   out[n, p, i] = Σ over j of theta[n, i, j]·p[j] + theta[n, i, AXES]
//
// where p are the coordinates of an output, x along W first: from −1 to 1, its outermost centres there if ALIGN is 1,
// else its outermost edges; the centre of an axis of length 1 is 0.
//
// Layouts: theta [N, AXES, AXES + 1], output [N, T, H, W, AXES], contiguous; with two AXES, T is 1.
// Dispatch: 64 output elements a workgroup.
// Source: torch.nn.functional.affine_grid.
//
// Ladder: affine_grid_direct alone; the output is all there is to write, and little is read.

#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    out_t: u32,
    out_h: u32,
    out_w: u32,
}

override ALIGN: u32 = 0u;
override AXES: u32 = 2u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> theta: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;

fn coordinate(at: u32, length: u32) -> f32 {
    // Twice the distance from the middle, in elements; exact.
    let twice = f32(2 * i32(at) + 1 - i32(length));
    return twice / f32(max(select(length, length - 1u, ALIGN != 0u), 1u));
}

@compute @workgroup_size(64)
fn affine_grid_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let position = i / AXES;
    let nt = position / (params.out_w * params.out_h);
    let row = (nt / params.out_t * AXES + i % AXES) * (AXES + 1u);
    var sum = f32(theta[row]) * coordinate(position % params.out_w, params.out_w)
        + f32(theta[row + 1u]) * coordinate(position / params.out_w % params.out_h, params.out_h);
    if AXES == 3u {
        sum += f32(theta[row + 2u]) * coordinate(nt % params.out_t, params.out_t);
    }
    output[i] = Elem(sum + f32(theta[row + AXES]));
}
