// gru_cell: the gates of a gated recurrent unit, and its new state.
//
//   r = σ(gates_r + recurrent_r)
//   z = σ(gates_z + recurrent_z)
//   n = tanh(gates_n + r · recurrent_n)     RESET 0: after the product of state and weights, which is recurrent_n
//   n = tanh(gates_n + candidate)           RESET 1: before it; candidate is the product of r · state and weights
//   output = (1 − z) · n + z · state        UPDATE 0
//   output = z · n + (1 − z) · state        UPDATE 1
//   output = r · state                      RESET 2
//
// Layouts: gates [N, T, places, 3·C], of which the time `step` is looked at; recurrent [N, places, 3·C] with RESET 0,
// else [N, places, 2·C], or without the outer axes with `recurrent_row` 0; state, candidate and output [N, places, C].
// The gates of a place lie side by side in the order r, z, n. gru_cell_vec4 makes four channels at a time: C is a
// multiple of four and all lengths are in vec4s.
// HAS_RECURRENT, HAS_STATE, HAS_CANDIDATE: whether the input is there; if not it is zero, and r is not
// looked at where it would be multiplied by that.
// Dispatch: 64 elements (or vec4s) of the output a workgroup.
// Source: Cho et al. 2014, arXiv:1406.1078 (reset before); torch.nn.GRU (reset after, and the order of the gates);
// Ballas et al. 2016, arXiv:1511.06432 (UPDATE 1).
//
// Ladder: gru_cell_direct → gru_cell_vec4.

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
}

override RESET: u32 = 0u;
override UPDATE: u32 = 0u;
override HAS_RECURRENT: u32 = 0u;
override HAS_STATE: u32 = 0u;
override HAS_CANDIDATE: u32 = 0u;

const SIGMOID: u32 = 3u;
const TANH: u32 = 4u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gates_scalar: array<Elem>;
@group(0) @binding(1) var<storage, read> gates: array<vec4<Elem>>;
@group(0) @binding(2) var<storage, read> recurrent_scalar: array<Elem>;
@group(0) @binding(2) var<storage, read> recurrent: array<vec4<Elem>>;
@group(0) @binding(3) var<storage, read> state_scalar: array<Elem>;
@group(0) @binding(3) var<storage, read> state: array<vec4<Elem>>;
@group(0) @binding(4) var<storage, read> candidate_scalar: array<Elem>;
@group(0) @binding(4) var<storage, read> candidate: array<vec4<Elem>>;
@group(0) @binding(5) var<storage, read_write> output_scalar: array<Elem>;
@group(0) @binding(5) var<storage, read_write> output: array<vec4<Elem>>;

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
    return Place(at * params.channels * 3u + channel, row * params.recurrent_row + channel);
}

fn next(gate: vec3<f32>, from_state: vec3<f32>, before: f32) -> f32 {
    let r = activate(SIGMOID, 0.0, gate.x + from_state.x);
    if RESET == 2u {
        return r * before;
    }
    let z = activate(SIGMOID, 0.0, gate.y + from_state.y);
    var added = from_state.z;
    if RESET == 0u && HAS_RECURRENT != 0u {
        added *= r;
    }
    let n = activate(TANH, 0.0, gate.z + added);
    if UPDATE == 0u {
        return n + z * (before - n);
    }
    return before + z * (n - before);
}

@compute @workgroup_size(64)
fn gru_cell_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let place = place_of(i);
    var gate: vec3<f32>;
    var from_state: vec3<f32>;
    // unroll
    for (var k = 0u; k < 3u; k++) {
        gate[k] = f32(gates_scalar[place.gates + k * params.channels]);
        if HAS_RECURRENT != 0u && (k < 2u || RESET == 0u) {
            from_state[k] = f32(recurrent_scalar[place.recurrent + k * params.channels]);
        }
    }
    if HAS_CANDIDATE != 0u {
        from_state.z = f32(candidate_scalar[i]);
    }
    var before = 0.0;
    if HAS_STATE != 0u {
        before = f32(state_scalar[i]);
    }
    output_scalar[i] = Elem(next(gate, from_state, before));
}

@compute @workgroup_size(64)
fn gru_cell_vec4(
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
    var gate: mat3x4<f32>;
    var from_state: mat3x4<f32>;
    // unroll
    for (var k = 0u; k < 3u; k++) {
        gate[k] = vec4<f32>(gates[place.gates + k * params.channels]);
        if HAS_RECURRENT != 0u && (k < 2u || RESET == 0u) {
            from_state[k] = vec4<f32>(recurrent[place.recurrent + k * params.channels]);
        }
    }
    if HAS_CANDIDATE != 0u {
        from_state[2] = vec4<f32>(candidate[i]);
    }
    var before: vec4<f32>;
    if HAS_STATE != 0u {
        before = vec4<f32>(state[i]);
    }
    var y: vec4<f32>;
    // unroll
    for (var k = 0u; k < 4u; k++) {
        let of_channel = vec3<f32>(gate[0][k], gate[1][k], gate[2][k]);
        y[k] = next(of_channel, vec3<f32>(from_state[0][k], from_state[1][k], from_state[2][k]), before[k]);
    }
    output[i] = vec4<Elem>(y);
}
