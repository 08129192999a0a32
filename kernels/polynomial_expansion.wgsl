// polynomial_expansion: the quadratic polynomial nearest to the neighbourhood of every pixel.
//
//   f(y + a, x + b) ≈ c + r₀a + r₁b + r₂a² + r₃b² + r₄ab     for |a|, |b| ≤ n, weighted with g(a)·g(b), Σg = 1
//
// Only r₀ … r₄ are kept. With mₖ = Σ aᵏg(a) and the moments B_ij = Σ aⁱbʲ g(a)g(b) f(y + a, x + b), the normal equations
// have the solution
//
//   r₀ = B₁₀/m₂   r₁ = B₀₁/m₂   r₂ = (B₂₀ − m₂B₀₀)/(m₄ − m₂²)   r₃ = (B₀₂ − m₂B₀₀)/(m₄ − m₂²)   r₄ = B₁₁/m₂²
//
// Pixels beyond the border are those on it.
//
// Layouts: input [N, H, W]; the table holds g(k), k·g(k) and k²·g(k) for k = 0 … n; columns, in f32, the sums of each pixel
// along its column with those three; output [N, H, W, 5].
// Dispatch: 64 pixels a workgroup.
// Source: Farnebäck, Two-Frame Motion Estimation Based on Polynomial Expansion (SCIA 2003); OpenCV's
// calcOpticalFlowFarneback.
//
// Ladder: polynomial_expansion_direct → polynomial_expansion_columns, then polynomial_expansion_rows.

#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    height: u32,
    width: u32,
    reach: u32,
    // 1/m₂, 1/m₂², 1/(m₄ − m₂²) and m₂.
    linear: f32,
    mixed: f32,
    square: f32,
    second: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
// polynomial_expansion_direct
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<Elem>;
// polynomial_expansion_columns; polynomial_expansion_rows reads what it writes in the place of the input.
@group(0) @binding(3) var<storage, read_write> columns_out: array<f32>;
@group(0) @binding(1) var<storage, read> columns: array<f32>;

// Where the neighbour `offset − reach` steps further stands along an axis.
fn clamped(at: u32, offset: u32, length: u32) -> u32 {
    return min(max(at + offset, params.reach) - params.reach, length - 1u);
}

// g, k·g and k²·g of the neighbour k = offset − reach.
fn weights(offset: u32) -> vec3<f32> {
    let before = offset < params.reach;
    let k = 3u * select(offset - params.reach, params.reach - offset, before);
    return vec3<f32>(table[k], select(table[k + 1u], -table[k + 1u], before), table[k + 2u]);
}

// The sums of a pixel: with g along columns, and g, b·g and b²·g along rows; with a·g; with a²·g.
fn store(i: u32, none: vec3<f32>, one: vec3<f32>, two: vec3<f32>) {
    let constant = params.second * none.x;
    output[5u * i] = Elem(one.x * params.linear);
    output[5u * i + 1u] = Elem(none.y * params.linear);
    output[5u * i + 2u] = Elem((two.x - constant) * params.square);
    output[5u * i + 3u] = Elem((none.z - constant) * params.square);
    output[5u * i + 4u] = Elem(one.y * params.mixed);
}

@compute @workgroup_size(64)
fn polynomial_expansion_direct(
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
    var none = vec3<f32>();
    var one = vec3<f32>();
    var two = vec3<f32>();
    for (var a = 0u; a <= 2u * params.reach; a++) {
        let row = (picture + clamped(y, a, params.height)) * params.width;
        let down = weights(a);
        for (var b = 0u; b <= 2u * params.reach; b++) {
            let across = weights(b) * f32(input[row + clamped(x, b, params.width)]);
            none += down.x * across;
            one += down.y * across;
            two += down.z * across;
        }
    }
    store(i, none, one, two);
}

@compute @workgroup_size(64)
fn polynomial_expansion_columns(
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
    var sums = vec3<f32>();
    for (var a = 0u; a <= 2u * params.reach; a++) {
        let at = (picture + clamped(y, a, params.height)) * params.width + x;
        sums += weights(a) * f32(input[at]);
    }
    columns_out[3u * i] = sums.x;
    columns_out[3u * i + 1u] = sums.y;
    columns_out[3u * i + 2u] = sums.z;
}

@compute @workgroup_size(64)
fn polynomial_expansion_rows(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let x = i % params.width;
    var none = vec3<f32>();
    var one = vec3<f32>();
    var two = vec3<f32>();
    for (var b = 0u; b <= 2u * params.reach; b++) {
        let at = 3u * (i - x + clamped(x, b, params.width));
        let across = weights(b);
        none += across * columns[at];
        one += across * columns[at + 1u];
        two += across * columns[at + 2u];
    }
    store(i, none, one, two);
}
