// farneback_update: a new flow from the polynomial expansions of two frames and the flow so far.
//
// Around each pixel of frame 0 the brightness is r₀y + r₁x + r₂y² + r₃x² + r₄xy + c, and so, with other numbers q, around
// the place of frame 1 where the flow (u, v) leads; there q is sampled bilinearly. With
//
//   A = | (r₂ + q₂)/2   (r₄ + q₄)/4 |     b = | (r₀ − q₀)/2 | + A·| v |
//       | (r₄ + q₄)/4   (r₃ + q₃)/2 |         | (r₁ − q₁)/2 |     | u |
//
// both times a weight that falls towards the border, the new flow of a pixel solves (ΣwAᵀA)·(v, u)ᵀ = ΣwAᵀb over a
// window around it, with 10⁻³ added to the determinant. Where the flow leads out of frame 1, q is r but for q₀ = q₁ = 0.
// Pixels of the window beyond the border are those on it.
//
// Layouts: r and q [N, H, W, 5]; flow and output [N, H, W, 2], along x and y; the table holds the window's weights along an
// axis, from its centre on; moments, in f32, AᵀA (yy, xy, xx) and Aᵀb (y, x) of each pixel.
// Dispatch: 64 pixels a workgroup.
// Source: Farnebäck, Two-Frame Motion Estimation Based on Polynomial Expansion (SCIA 2003); OpenCV's
// calcOpticalFlowFarneback.
//
// Ladder: farneback_update_direct → farneback_update_moments, farneback_update_rows, then farneback_update_solve.

#import index
#import nan

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    height: u32,
    width: u32,
    // Pixels of the window on either side of its centre.
    reach: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// farneback_update_direct and farneback_update_moments
@group(0) @binding(1) var<storage, read> first: array<Elem>;
@group(0) @binding(2) var<storage, read> second: array<Elem>;
@group(0) @binding(3) var<storage, read> flow: array<Elem>;
@group(0) @binding(4) var<storage, read> table_of_direct: array<f32>;
@group(0) @binding(5) var<storage, read_write> output_of_direct: array<Elem>;
@group(0) @binding(4) var<storage, read_write> moments_begin: array<f32>;
// farneback_update_rows and farneback_update_solve
@group(0) @binding(1) var<storage, read> moments: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read_write> moments_out: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<Elem>;

struct Moments {
    // yy, xy, xx
    square: vec3<f32>,
    // y, x
    linear: vec2<f32>,
}

// How much a pixel counts that is so far from the border.
fn border_weight(distance: u32) -> f32 {
    return select(select(1.0, 0.4472, distance < 5u), 0.14, distance < 2u);
}

fn expansion(i: u32) -> array<f32, 5> {
    return array<f32, 5>(
        f32(second[i]),
        f32(second[i + 1u]),
        f32(second[i + 2u]),
        f32(second[i + 3u]),
        f32(second[i + 4u]),
    );
}

fn moments_of(i: u32) -> Moments {
    let column = i % params.width;
    let row = i / params.width % params.height;
    let u = f32(flow[2u * i]);
    let v = f32(flow[2u * i + 1u]);
    let x = f32(column) + u;
    let y = f32(row) + v;
    let own = array<f32, 5>(
        f32(first[5u * i]),
        f32(first[5u * i + 1u]),
        f32(first[5u * i + 2u]),
        f32(first[5u * i + 3u]),
        f32(first[5u * i + 4u]),
    );
    var other = array<f32, 5>(0.0, 0.0, own[2], own[3], own[4]);
    let known = !is_nan(x) && !is_nan(y);
    if known && x >= 0.0 && y >= 0.0 && x < f32(params.width - 1u) && y < f32(params.height - 1u) {
        let left = floor(x);
        let top = floor(y);
        let fx = x - left;
        let fy = y - top;
        let picture = i / params.width / params.height * params.height;
        let upper = 5u * ((picture + u32(top)) * params.width + u32(left));
        let lower = upper + 5u * params.width;
        let a = expansion(upper);
        let b = expansion(upper + 5u);
        let c = expansion(lower);
        let d = expansion(lower + 5u);
        // unroll
        for (var k = 0u; k < 5u; k++) {
            other[k] = (1.0 - fy) * ((1.0 - fx) * a[k] + fx * b[k]) + fy * ((1.0 - fx) * c[k] + fx * d[k]);
        }
    }
    let weight = border_weight(column) * border_weight(params.width - 1u - column)
        * border_weight(row) * border_weight(params.height - 1u - row);
    let yy = 0.5 * (own[2] + other[2]);
    let xx = 0.5 * (own[3] + other[3]);
    let xy = 0.25 * (own[4] + other[4]);
    let b_y = weight * (0.5 * (own[0] - other[0]) + yy * v + xy * u);
    let b_x = weight * (0.5 * (own[1] - other[1]) + xy * v + xx * u);
    let a_yy = weight * yy;
    let a_xx = weight * xx;
    let a_xy = weight * xy;
    return Moments(
        vec3<f32>(a_yy * a_yy + a_xy * a_xy, (a_yy + a_xx) * a_xy, a_xx * a_xx + a_xy * a_xy),
        vec2<f32>(a_yy * b_y + a_xy * b_x, a_xy * b_y + a_xx * b_x),
    );
}

// The flow, x before y.
fn solve(m: Moments) -> vec2<f32> {
    let determinant = m.square.x * m.square.z - m.square.y * m.square.y + 1e-3;
    return vec2<f32>(
        m.square.x * m.linear.y - m.square.y * m.linear.x,
        m.square.z * m.linear.x - m.square.y * m.linear.y,
    ) / determinant;
}

// Where the neighbour `offset − reach` steps further stands along an axis.
fn clamped(at: u32, offset: u32, length: u32) -> u32 {
    return min(max(at + offset, params.reach) - params.reach, length - 1u);
}

// How far the neighbour `offset − reach` is from the window's centre.
fn steps(offset: u32) -> u32 {
    return max(offset, params.reach) - min(offset, params.reach);
}

fn load(i: u32) -> Moments {
    return Moments(
        vec3<f32>(moments[5u * i], moments[5u * i + 1u], moments[5u * i + 2u]),
        vec2<f32>(moments[5u * i + 3u], moments[5u * i + 4u]),
    );
}

// One invocation works out all pixels of its window.
@compute @workgroup_size(64)
fn farneback_update_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let x = i % params.width;
    let y = i / params.width % params.height;
    let picture = i / params.width / params.height * params.height;
    var sum = Moments();
    for (var a = 0u; a <= 2u * params.reach; a++) {
        let row = (picture + clamped(y, a, params.height)) * params.width;
        for (var b = 0u; b <= 2u * params.reach; b++) {
            let weight = table_of_direct[steps(a)] * table_of_direct[steps(b)];
            let part = moments_of(row + clamped(x, b, params.width));
            sum.square += weight * part.square;
            sum.linear += weight * part.linear;
        }
    }
    let result = solve(sum);
    output_of_direct[2u * i] = Elem(result.x);
    output_of_direct[2u * i + 1u] = Elem(result.y);
}

@compute @workgroup_size(64)
fn farneback_update_moments(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let m = moments_of(i);
    moments_begin[5u * i] = m.square.x;
    moments_begin[5u * i + 1u] = m.square.y;
    moments_begin[5u * i + 2u] = m.square.z;
    moments_begin[5u * i + 3u] = m.linear.x;
    moments_begin[5u * i + 4u] = m.linear.y;
}

@compute @workgroup_size(64)
fn farneback_update_rows(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let x = i % params.width;
    var sum = Moments();
    for (var b = 0u; b <= 2u * params.reach; b++) {
        let part = load(i - x + clamped(x, b, params.width));
        sum.square += table[steps(b)] * part.square;
        sum.linear += table[steps(b)] * part.linear;
    }
    moments_out[5u * i] = sum.square.x;
    moments_out[5u * i + 1u] = sum.square.y;
    moments_out[5u * i + 2u] = sum.square.z;
    moments_out[5u * i + 3u] = sum.linear.x;
    moments_out[5u * i + 4u] = sum.linear.y;
}

@compute @workgroup_size(64)
fn farneback_update_solve(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let x = i % params.width;
    let y = i / params.width % params.height;
    let picture = i / params.width / params.height * params.height;
    var sum = Moments();
    for (var a = 0u; a <= 2u * params.reach; a++) {
        let part = load((picture + clamped(y, a, params.height)) * params.width + x);
        sum.square += table[steps(a)] * part.square;
        sum.linear += table[steps(a)] * part.linear;
    }
    let result = solve(sum);
    output[2u * i] = Elem(result.x);
    output[2u * i + 1u] = Elem(result.y);
}
