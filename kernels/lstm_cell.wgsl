// lstm_cell: the gates of a long short-term memory, and its new state.
//
//   i, f, g, o = σ, σ, tanh, σ of gates + recurrent (+ peephole · cell for i, f; + peephole · c for o)
//   c = f · cell + i · g
//   h = o · tanh(c)
//
// Layouts: gates [N, T, places, 4·C], of which the time `step` is looked at; recurrent [N, places, 4·C], or [4·C] with
// `recurrent_row` 0; cell, h and c [N, places, C]; peephole [3, plane], plane being C or places·C. The four gates of a
// place lie side by side in the order i, f, g, o. lstm_cell_vec4 makes four channels at a time: C is a multiple of four
// and all lengths are in vec4s.
// HAS_RECURRENT, HAS_CELL, HAS_PEEPHOLE: whether the input is there. Without a cell f is not looked at.
// Dispatch: 64 elements (or vec4s) of h a workgroup.
// Source: Hochreiter & Schmidhuber 1997; Gers & Schmidhuber 2000 (peepholes); gates in the order of torch.nn.LSTM.
//
// Ladder: lstm_cell_direct → lstm_cell_vec4.

#import index
#import activation

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    channels: u32,
    places: u32,
    steps: u32,
    step: u32,
    recurrent_row: u32,
    plane: u32,
}

override HAS_RECURRENT: u32 = 0u;
override HAS_CELL: u32 = 0u;
override HAS_PEEPHOLE: u32 = 0u;

const SIGMOID: u32 = 3u;
const TANH: u32 = 4u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gates_scalar: array<Elem>;
@group(0) @binding(1) var<storage, read> gates: array<vec4<Elem>>;
@group(0) @binding(2) var<storage, read> recurrent_scalar: array<Elem>;
@group(0) @binding(2) var<storage, read> recurrent: array<vec4<Elem>>;
@group(0) @binding(3) var<storage, read> cell_scalar: array<Elem>;
@group(0) @binding(3) var<storage, read> cell: array<vec4<Elem>>;
@group(0) @binding(4) var<storage, read> peephole_scalar: array<Elem>;
@group(0) @binding(4) var<storage, read> peephole: array<vec4<Elem>>;
@group(0) @binding(5) var<storage, read_write> h_scalar: array<Elem>;
@group(0) @binding(5) var<storage, read_write> h: array<vec4<Elem>>;
@group(0) @binding(6) var<storage, read_write> c_scalar: array<Elem>;
@group(0) @binding(6) var<storage, read_write> c: array<vec4<Elem>>;

// Where the first gate of element `i` of the state lies in `gates` and in `recurrent`.
struct Place {
    gates: u32,
    recurrent: u32,
}

fn place_of(i: u32) -> Place {
    let channel = i % params.channels;
    let row = i / params.channels;
    let sample = row / params.places;
    let at = (sample * params.steps + params.step) * params.places + row % params.places;
    return Place(at * params.channels * 4u + channel, row * params.recurrent_row + channel);
}

struct State {
    h: f32,
    c: f32,
}

fn next(sums: vec4<f32>, cell: f32, peephole: vec3<f32>) -> State {
    let i = activate(SIGMOID, 0.0, sums.x + peephole.x * cell);
    let g = activate(TANH, 0.0, sums.z);
    var c = i * g;
    if HAS_CELL != 0u {
        c += activate(SIGMOID, 0.0, sums.y + peephole.y * cell) * cell;
    }
    let o = activate(SIGMOID, 0.0, sums.w + peephole.z * c);
    return State(o * activate(TANH, 0.0, c), c);
}

@compute @workgroup_size(64)
fn lstm_cell_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let place = place_of(i);
    var sums: vec4<f32>;
    // unroll
    for (var k = 0u; k < 4u; k++) {
        sums[k] = f32(gates_scalar[place.gates + k * params.channels]);
        if HAS_RECURRENT != 0u {
            sums[k] += f32(recurrent_scalar[place.recurrent + k * params.channels]);
        }
    }
    var before = 0.0;
    if HAS_CELL != 0u {
        before = f32(cell_scalar[i]);
    }
    var weights: vec3<f32>;
    if HAS_PEEPHOLE != 0u {
        // unroll
        for (var k = 0u; k < 3u; k++) {
            if HAS_CELL != 0u || k == 2u {
                weights[k] = f32(peephole_scalar[i % params.plane + k * params.plane]);
            }
        }
    }
    let state = next(sums, before, weights);
    h_scalar[i] = Elem(state.h);
    c_scalar[i] = Elem(state.c);
}

@compute @workgroup_size(64)
fn lstm_cell_vec4(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let place = place_of(i);
    // Gate by channel.
    var sums: mat4x4<f32>;
    // unroll
    for (var k = 0u; k < 4u; k++) {
        sums[k] = vec4<f32>(gates[place.gates + k * params.channels]);
        if HAS_RECURRENT != 0u {
            sums[k] += vec4<f32>(recurrent[place.recurrent + k * params.channels]);
        }
    }
    var before: vec4<f32>;
    if HAS_CELL != 0u {
        before = vec4<f32>(cell[i]);
    }
    var weights: mat3x4<f32>;
    if HAS_PEEPHOLE != 0u {
        // unroll
        for (var k = 0u; k < 3u; k++) {
            if HAS_CELL != 0u || k == 2u {
                weights[k] = vec4<f32>(peephole[i % params.plane + k * params.plane]);
            }
        }
    }
    var new_h: vec4<f32>;
    var new_c: vec4<f32>;
    // unroll
    for (var k = 0u; k < 4u; k++) {
        let of_channel = vec4<f32>(sums[0][k], sums[1][k], sums[2][k], sums[3][k]);
        let state = next(of_channel, before[k], vec3<f32>(weights[0][k], weights[1][k], weights[2][k]));
        new_h[k] = state.h;
        new_c[k] = state.c;
    }
    h[i] = vec4<Elem>(new_h);
    c[i] = vec4<Elem>(new_c);
}
