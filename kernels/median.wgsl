// median: the median of every window of SIDE × SIDE pixels, channel by channel.
//
//   out[n, h, w, c] = median over a, b of in[n, h + a − r, w + b − r, c],   r = (SIDE − 1) / 2
//
// Pixels beyond the border are those on it. NaN counts as larger than +∞ (smaller than −∞ if its sign is set).
//
// Layouts: input and output [N, H, W, C], channels contiguous.
// Dispatch: median_direct, 64 elements a workgroup.
// Source: OpenCV's medianBlur.

#import index
#import median

alias Elem = f32; // tune: Elem
const SIDE: u32 = 5u; // tune: Side
const COUNT: u32 = SIDE * SIDE;

struct Params {
    first_group: u32,
    count: u32,
    height: u32,
    width: u32,
    channels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;

@compute @workgroup_size(64)
fn median_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let row = params.width * params.channels;
    let c = i % params.channels;
    let w = i % row / params.channels;
    let h = i / row % params.height;
    let picture = i / row / params.height * params.height;
    var keys: array<i32, COUNT>;
    // unroll
    for (var a = 0u; a < SIDE; a++) {
        let y = min(max(h + a, SIDE / 2u) - SIDE / 2u, params.height - 1u);
        // unroll
        for (var b = 0u; b < SIDE; b++) {
            let x = min(max(w + b, SIDE / 2u) - SIDE / 2u, params.width - 1u);
            keys[a * SIDE + b] = key_of(f32(input[(picture + y) * row + x * params.channels + c]));
        }
    }
    output[i] = Elem(of_key(median_of(&keys)));
}
