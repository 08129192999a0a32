// conv_transpose3d: the transpose of a 3D convolution, with bias, addend and activation.
//
//   out[n, t, h, w, o] = act( addend[n, t, h, w, o] + bias[o] + Σ in[n, i, j, k, c] · weight[a, b, d, c, o] )
//
// over channels c of the output's group, taps a, b, d and positions i, j, k with t + pt = i·st + a·dt and so on for h
// and w: a gather, so that nothing is added to what another invocation writes.
//
// Along an axis of stride s and dilation d only taps a with a·d ≡ o + p (mod s) reach output o. With g = gcd(s, d)
// there are none unless g divides o + p; else they are those of one class, a ≡ c (mod s/g). All outputs of one phase,
// o mod s, thus share their taps, and from one such output to the next, s further, the input moves by one:
//
//   o = phase + s·q     a = c + m·s/g     i = q + (phase + p − c·d)/s − m·d/g      m = 0, 1, …
//
// so each of the s·s·s phases is a convolution of stride 1 by some of the taps, and no product is made with a zero that
// a stride puts between the inputs. A workgroup serves one phase.
//
// Layouts, last axis contiguous:
//   input  [N, T, H, W, Cin]
//   weight [kT, kH, kW, Cin, Cout/groups]; if PACKED [taps, Cin/groups, Cout], the taps of a class triple together,
//          each group's columns padded to a multiple of four, as the tiled entry point needs it; for the uniform
//          one in panels [groups, Cout/groups / width, taps, Cin/groups, width]
//   bias   [Cout], looked at if HAS_BIAS
//   addend and output [N, T', H', W', Cout], the addend looked at if HAS_ADDEND is 1, the
//             output's own elements taken for it if 2
// Dispatch: a row of workgroups, see each entry point.
// Source: torch.nn.functional.conv_transpose3d.
//
// Ladder: conv_transpose3d_direct (one output an invocation) → conv_transpose3d_tiled (implicit GEMM in workgroup
// memory, for GPUs) and conv_transpose3d_uniform (without barriers, for adapters on a processor). GPUs with cooperative
// matrices: kernels/conv_transpose3d_cooperative.wgsl.

#import index
#import activation
#import finish
#import store_one // tune: STORING
#import matmul

alias Elem = f32; // tune: Elem

// The axes T, H, W in x, y, z.
struct Params {
    first_group: u32,
    batch: u32,
    in_c: u32,
    out_c: u32,
    // Channels of one group.
    group_in: u32,
    group_out: u32,
    // Elements from one row of weights to the next; for vec4 entry points, vec4s, and of one group's part.
    weight_row: u32,
    weight_group: u32,
    // As in lib/matmul.wgsl.
    weight_panel: u32,
    pad_0: u32,
    pad_1: u32,
    pad_2: u32,
    input_size: vec4<u32>,
    output_size: vec4<u32>,
    kernel: vec4<u32>,
    stride: vec4<u32>,
    dilation: vec4<u32>,
    pad_before: vec4<u32>,
    // g, s/g and the inverse of d/g modulo s/g.
    divisor: vec4<u32>,
    classes: vec4<u32>,
    inverse: vec4<u32>,
}

override PACKED: u32 = 0u;
override HAS_BIAS: u32 = 0u;
override HAS_ADDEND: u32 = 0u;
override ACTIVATION: u32 = 0u;
override SLOPE: f32 = 0.0;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(1) var<storage, read> input_runs: array<Run>;
@group(0) @binding(2) var<storage, read> weight_scalar: array<Elem>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<Elem>>;
@group(0) @binding(3) var<storage, read> bias: array<Elem>;
@group(0) @binding(3) var<storage, read> bias_fours: array<vec4<Elem>>;
@group(0) @binding(4) var<storage, read> addend: array<Elem>;
@group(0) @binding(4) var<storage, read> addend_fours: array<vec4<Elem>>;
@group(0) @binding(5) var<storage, read_write> output: array<Elem>;
@group(0) @binding(5) var<storage, read_write> output_fours: array<vec4<Elem>>;

// What the outputs of a phase have in common.
struct Phase {
    at: vec3<u32>,
    // The taps' classes, and how many taps there are.
    class_of: vec3<u32>,
    taps: vec3<u32>,
    // Where the first tap of q = 0 lies in the input. Below zero it wraps to a huge unsigned coordinate.
    start: vec3<u32>,
}

struct Row {
    sample: u32,
    q: vec3<u32>,
}

struct Tap {
    back: vec3<u32>,
}

var<private> phase: Phase;
var<private> group_number: u32;

fn phase_of(number: u32) -> Phase {
    let s = params.stride.xyz;
    let at = vec3<u32>(number / (s.z * s.y), number / s.z % s.y, number % s.z);
    let place = at + params.pad_before.xyz;
    let g = params.divisor.xyz;
    let classes = params.classes.xyz;
    let class_of = (place / g % classes) * params.inverse.xyz % classes;
    let kernel = params.kernel.xyz;
    let reached = (place % g == vec3<u32>()) & (class_of < kernel);
    let taps = select(vec3<u32>(), (kernel - 1u - min(class_of, kernel - 1u)) / classes + 1u, reached);
    let distance = vec3<i32>(place) - vec3<i32>(class_of * params.dilation.xyz);
    return Phase(at, class_of, taps, vec3<u32>(distance / vec3<i32>(s)));
}

// Outputs of one phase along each axis, of which the last may lie beyond the output.
fn steps() -> vec3<u32> {
    return (params.output_size.xyz + params.stride.xyz - 1u) / params.stride.xyz;
}

fn phase_rows() -> u32 {
    let q = steps();
    return params.batch * q.x * q.y * q.z;
}

fn phases() -> u32 {
    return params.stride.x * params.stride.y * params.stride.z;
}

fn q_of(row: u32) -> vec4<u32> {
    let n = steps();
    let t = row / (n.z * n.y);
    return vec4<u32>(t % n.x, row / n.z % n.y, row % n.z, t / n.x);
}

fn row_of(row: u32) -> Row {
    let q = q_of(row);
    let size = params.input_size.xyz;
    let sample = q.w * size.x * size.y * size.z * params.in_c + group_number * params.group_in;
    return Row(sample, q.xyz + phase.start);
}

// How many taps of its axis lie m steps of a class behind the first, for the segment-th tap of the phase.
fn steps_of(segment: u32) -> vec3<u32> {
    // A phase without taps asks for none, but the division must have a meaning.
    let n = max(phase.taps, vec3<u32>(1u));
    let th = quotient(segment, n.z);
    let t = quotient(th, n.y);
    return vec3<u32>(t, th - t * n.y, segment - th * n.z);
}

fn tap_of(segment: u32) -> Tap {
    return Tap(steps_of(segment) * params.dilation.xyz / params.divisor.xyz);
}

fn start(row: Row, tap: Tap) -> u32 {
    let at = row.q - tap.back;
    let size = params.input_size.xyz;
    let inside = all(at < size);
    return select(PADDING, row.sample + ((at.x * size.y + at.y) * size.z + at.z) * params.in_c, inside);
}

// Where the taps of a phase begin in packed weights, counted in taps: behind all of lower classes, T before H before W.
fn first_tap(p: Phase) -> u32 {
    let kernel = params.kernel.xyz;
    let classes = params.classes.xyz;
    let lower = kernel / classes * p.class_of + min(kernel % classes, p.class_of);
    return lower.x * kernel.y * kernel.z + p.taps.x * (lower.y * kernel.z + p.taps.y * lower.z);
}

fn loaded(row: Row, x: vec4<f32>) -> vec4<f32> {
    return x;
}

// Four channels of this group.
fn store(row: u32, column: u32, sum: vec4<f32>) {
    let q = q_of(row);
    let size = params.output_size.xyz;
    let o = q.xyz * params.stride.xyz + phase.at;
    if any(o >= size) {
        return;
    }
    let position = ((q.w * size.x + o.x) * size.y + o.y) * size.z + o.z;
    let channel = group_number * params.group_out + column;
    finish_four(position * params.out_c + channel, channel, max(column, params.group_out) - column, sum);
}

fn problem() -> Matmul {
    let p = phase;
    return Matmul(
        phase_rows(),
        (params.group_out + 3u) / 4u,
        p.taps.x * p.taps.y * p.taps.z,
        params.group_in,
        params.weight_row,
        group_number * params.weight_group + first_tap(p) * params.group_in * params.weight_row,
        params.weight_panel,
    );
}

// 64 invocations, one output element each.
@compute @workgroup_size(64)
fn conv_transpose3d_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    let size = params.output_size.xyz;
    if i >= params.batch * size.x * size.y * size.z * params.out_c {
        return;
    }
    let channel = i % params.out_c;
    let position = i / params.out_c;
    let t = position / (size.z * size.y);
    let o = vec3<u32>(t % size.x, position / size.z % size.y, position % size.z);
    let s = params.stride.xyz;
    let at = o % s;
    phase = phase_of((at.x * s.y + at.y) * s.z + at.z);
    group_number = channel / params.group_out;
    let n = steps();
    let q = o / s;
    let row = row_of(((t / size.x * n.x + q.x) * n.y + q.y) * n.z + q.z);
    // From the group's first row and column of weights to the next tap's.
    var column = channel % params.group_out;
    var tap_rows = params.in_c;
    if PACKED != 0u {
        column += group_number * params.weight_group;
        tap_rows = params.group_in;
    } else {
        column += group_number * params.group_in * params.weight_row;
    }
    let first = first_tap(phase);
    var sum = 0.0;
    for (var segment = 0u; segment < phase.taps.x * phase.taps.y * phase.taps.z; segment++) {
        let at = start(row, tap_of(segment));
        if at == PADDING {
            continue;
        }
        var tap = first + segment;
        if PACKED == 0u {
            let k = phase.class_of + steps_of(segment) * params.classes.xyz;
            tap = (k.x * params.kernel.y + k.y) * params.kernel.z + k.z;
        }
        let w = tap * tap_rows * params.weight_row + column;
        for (var c = 0u; c < params.group_in; c++) {
            sum += f32(input[at + c]) * f32(weight_scalar[w + c * params.weight_row]);
        }
    }
    finish(i, channel, sum);
}

// TILE_LANES invocations, a tile of positions of a phase × channels of one group. Positions run fastest, then phases,
// channels and groups.
@compute @workgroup_size(TILE_LANES)
fn conv_transpose3d_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let row_tiles = (phase_rows() + TILE_ROWS - 1u) / TILE_ROWS;
    let column_tiles = ((params.group_out + 3u) / 4u + TILE_COLUMNS4 - 1u) / TILE_COLUMNS4;
    let column = group / (row_tiles * phases());
    phase = phase_of(group / row_tiles % phases());
    group_number = column / column_tiles;
    matmul_tiled(problem(), group % row_tiles * TILE_ROWS, column % column_tiles * TILE_COLUMNS4, lane);
}

// 8 invocations, 8 · UNIFORM_ROWS positions of a phase × 4 · UNIFORM_COLUMNS4 channels of one group, in the
// same order.
@compute @workgroup_size(8)
fn conv_transpose3d_uniform(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let row_tiles = (phase_rows() + 8u * UNIFORM_ROWS - 1u) / (8u * UNIFORM_ROWS);
    let column_tiles = (params.group_out + 4u * UNIFORM_COLUMNS4 - 1u) / (4u * UNIFORM_COLUMNS4);
    let column = group / (row_tiles * phases());
    phase = phase_of(group / row_tiles % phases());
    group_number = column / column_tiles;
    matmul_uniform(problem(), group % row_tiles * 8u * UNIFORM_ROWS, column % column_tiles * UNIFORM_COLUMNS4, lane);
}
