// tvl1: the iterations of one warp of TV-L1 optical flow.
//
// Frame 1 and its gradient have been sampled where the flow u⁰ leads: I₁ʷ, ∇I = (Ix, Iy). With
//
//   ρ(u) = I₁ʷ − I₀ + ∇I·(u − u⁰),   g = |∇I|²,   l = λθ
//
// the flow u and the dual field p, two components for each of u's, are improved by turns:
//
//   v = u + f·∇I,   f = l where ρ < −l·g,  −l where ρ > l·g,  else −ρ/g,  or 0 where g is nothing
//   u = v + θ·div p                       backward differences, p = 0 before the first pixel
//   p = (p + τ/θ·∇u) / (1 + τ/θ·|∇u|)     forward differences, 0 at the last pixel
//
// A median of u's components may come before every so many iterations. With a threshold, a pair stops after the
// iteration in which Σ|Δu|² is no more than it: what follows finds the sum negative, minus the number of iterations
// made, and does nothing. The host reads nothing in between.
//
// Layouts: warped [N, H, W, 3] is I₁ʷ, Ix, Iy; frame [N, H, W] is I₀; flow [N, H, W, 2]; dual [N, H, W, 4] is p₁₁, p₁₂,
// p₂₁, p₂₂. Working memory, in f32: coefficients Ix, Iy, g and ρ(0) of each pixel, two flows and two dual fields, the
// partial sums of |Δu|² of each pair, and its totals, of which each iteration leaves one in slot iteration mod 2.
// Dispatch: tvl1_begin and tvl1_end 64 pixels a workgroup; tvl1_median, tvl1_primal and tvl1_dual 64 columns and `rows`
// rows of a pair, so that a pair that has ended costs few workgroups; tvl1_fused 16×16 pixels of a pair; tvl1_blocked an
// INNER×INNER tile of a pair; tvl1_sum a pair a workgroup.
// Source: Zach, Pock and Bischof 2007; Sánchez, Meinhardt-Llopis and Facciolo 2013; OpenCV's DualTVL1OpticalFlow.
//
// Ladder: tvl1_primal and tvl1_dual, in place → tvl1_fused, one launch an iteration → tvl1_blocked, several iterations
// a launch in workgroup memory, of which the border is made anew by its neighbours.

#import index
#import median
#import nan

alias Elem = f32; // tune: Elem
const SIDE: u32 = 5u; // tune: Side
const COUNT: u32 = SIDE * SIDE;
// Iterations of tvl1_blocked in workgroup memory.
const DEPTH: u32 = 4u; // tune: Depth
const REGION: u32 = 32u;
const INNER: u32 = REGION - 2u * DEPTH;
// OpenCV takes a gradient no larger than this for none.
const NOTHING: f32 = 1.1920929e-7;

struct Params {
    first_group: u32,
    count: u32,
    height: u32,
    width: u32,
    // l, θ and τ/θ.
    limit: f32,
    theta: f32,
    step: f32,
    // Σ|Δu|² that ends a pair's iterations.
    threshold: f32,
    // Iterations made before, in this warp.
    iteration: u32,
    // Iterations to make in this launch.
    iterations: u32,
    // Iterations after a median; 0 without.
    period: u32,
    // Partial sums of a pair.
    partials: u32,
    pairs: u32,
    // Rows of a workgroup's 64 columns.
    rows: u32,
    // How often u and p have changed their place when all iterations are made.
    u_flips: u32,
    p_flips: u32,
}

// Whether pairs stop at the threshold.
override STOPS: u32 = 0u;
// Whether an iteration leaves its result in the other flow and dual field.
override FLIPS: u32 = 0u;
// Whether there is a dual field to begin with; it is zero else.
override HAS_DUAL: u32 = 1u;

@group(0) @binding(0) var<uniform> params: Params;
// tvl1_begin
@group(0) @binding(1) var<storage, read> warped: array<Elem>;
@group(0) @binding(2) var<storage, read> frame: array<Elem>;
@group(0) @binding(3) var<storage, read> flow_before: array<Elem>;
@group(0) @binding(4) var<storage, read> dual_before: array<Elem>;
@group(0) @binding(5) var<storage, read_write> coefficients_out: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> u_begin: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read_write> p_begin: array<vec4<f32>>;
// the iterations
@group(0) @binding(1) var<storage, read> coefficients: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> u: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> p: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> totals: array<f32>;
@group(0) @binding(5) var<storage, read_write> u_out: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read_write> p_out: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> partials: array<f32>;
// tvl1_blocked
@group(0) @binding(4) var<storage, read_write> u_blocked: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read_write> p_blocked: array<vec4<f32>>;
// tvl1_primal and tvl1_dual
@group(0) @binding(2) var<storage, read> p_of_primal: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> totals_of_primal: array<f32>;
@group(0) @binding(4) var<storage, read_write> u_in_place: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read_write> partials_of_primal: array<f32>;
@group(0) @binding(1) var<storage, read> u_of_dual: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> totals_of_dual: array<f32>;
@group(0) @binding(3) var<storage, read_write> p_in_place: array<vec4<f32>>;
// tvl1_sum
@group(0) @binding(1) var<storage, read> partials_in: array<f32>;
@group(0) @binding(2) var<storage, read_write> totals_out: array<f32>;
// tvl1_median
@group(0) @binding(1) var<storage, read> u_of_median: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> totals_of_median: array<f32>;
@group(0) @binding(3) var<storage, read_write> u_median: array<vec2<f32>>;
// tvl1_end
@group(0) @binding(1) var<storage, read> u_first: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> u_second: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> p_first: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> p_second: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> totals_of_end: array<f32>;
@group(0) @binding(6) var<storage, read_write> flow_after: array<Elem>;
@group(0) @binding(7) var<storage, read_write> dual_after: array<Elem>;

var<workgroup> shared_cells: array<vec4<f32>, REGION * REGION>;
var<workgroup> shared_sums: array<f32, 256>;

// Where the total of the iteration before this one stands.
fn slot_before(pair: u32) -> u32 {
    return (params.iteration + 1u) % 2u * params.pairs + pair;
}

// Whether a pair that came to `total` in the iteration before goes on. NaN ends it.
fn goes_on(total: f32) -> bool {
    return params.iteration == 0u || (!is_nan(total) && total > params.threshold);
}

// What a workgroup of 64 columns and `params.rows` rows works on.
struct Strip {
    pair: u32,
    // The place of the pair's first pixel.
    first: u32,
    x: u32,
    // The first row, and the one after the last; none if the column lies outside.
    y: u32,
    end: u32,
}

fn strip_of(group: u32, lane: u32) -> Strip {
    let across = (params.width + 63u) / 64u;
    let down = (params.height + params.rows - 1u) / params.rows;
    let pair = group / (across * down);
    let x = group % across * 64u + lane;
    let y = group / across % down * params.rows;
    let inside = x < params.width && pair < params.pairs;
    let end = select(y, min(y + params.rows, params.height), inside);
    return Strip(min(pair, params.pairs - 1u), pair * params.height * params.width, x, y, end);
}

// v − u for a pixel: the step towards ρ = 0. A NaN stays.
fn towards_data(c: vec4<f32>, at: vec2<f32>) -> vec2<f32> {
    let rho = c.w + c.x * at.x + c.y * at.y;
    let most = params.limit * c.z;
    var f = 0.0;
    if rho < -most {
        f = params.limit;
    } else if rho > most {
        f = -params.limit;
    } else if c.z > NOTHING {
        f = -rho / c.z;
    }
    return select(f, rho, is_nan(rho)) * c.xy;
}

// A pixel's u after an iteration, from its own p and those to the left and above.
fn primal(c: vec4<f32>, at: vec2<f32>, own: vec4<f32>, left: vec4<f32>, above: vec4<f32>) -> vec2<f32> {
    let divergence = own.xz - left.xz + (own.yw - above.yw);
    return at + towards_data(c, at) + params.theta * divergence;
}

// A pixel's p after an iteration, from the new u there, to the right and below.
fn dual(own: vec4<f32>, at: vec2<f32>, right: vec2<f32>, below: vec2<f32>) -> vec4<f32> {
    let dx = right - at;
    let dy = below - at;
    let norm = vec2<f32>(1.0) + params.step * sqrt(dx * dx + dy * dy);
    return vec4<f32>(own.xz + params.step * dx, own.yw + params.step * dy).xzyw / norm.xxyy;
}

@compute @workgroup_size(64)
fn tvl1_begin(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let gradient = vec2<f32>(f32(warped[3u * i + 1u]), f32(warped[3u * i + 2u]));
    let at = vec2<f32>(f32(flow_before[2u * i]), f32(flow_before[2u * i + 1u]));
    let constant = f32(warped[3u * i]) - gradient.x * at.x - gradient.y * at.y - f32(frame[i]);
    coefficients_out[i] = vec4<f32>(gradient, dot(gradient, gradient), constant);
    u_begin[i] = at;
    var own = vec4<f32>();
    if HAS_DUAL != 0u {
        let d = 4u * i;
        own = vec4<f32>(
            f32(dual_before[d]),
            f32(dual_before[d + 1u]),
            f32(dual_before[d + 2u]),
            f32(dual_before[d + 3u]),
        );
    }
    p_begin[i] = own;
}

@compute @workgroup_size(64)
fn tvl1_median(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let strip = strip_of(linear_group(params.first_group, workgroup, workgroups), lane);
    if STOPS != 0u && !goes_on(totals_of_median[slot_before(strip.pair)]) {
        return;
    }
    for (var y = strip.y; y < strip.end; y++) {
        var keys_x: array<i32, COUNT>;
        var keys_y: array<i32, COUNT>;
        // unroll
        for (var a = 0u; a < SIDE; a++) {
            let above = min(max(y + a, SIDE / 2u) - SIDE / 2u, params.height - 1u);
            let row = strip.first + above * params.width;
            // unroll
            for (var b = 0u; b < SIDE; b++) {
                let at = u_of_median[row + min(max(strip.x + b, SIDE / 2u) - SIDE / 2u, params.width - 1u)];
                keys_x[a * SIDE + b] = key_of(at.x);
                keys_y[a * SIDE + b] = key_of(at.y);
            }
        }
        let middle = vec2<f32>(of_key(median_of(&keys_x)), of_key(median_of(&keys_y)));
        u_median[strip.first + y * params.width + strip.x] = middle;
    }
}

@compute @workgroup_size(64)
fn tvl1_primal(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let strip = strip_of(group, lane);
    if STOPS != 0u && !goes_on(totals_of_primal[slot_before(strip.pair)]) {
        return;
    }
    var change = 0.0;
    for (var y = strip.y; y < strip.end; y++) {
        let i = strip.first + y * params.width + strip.x;
        let left = select(vec4<f32>(), p_of_primal[i - min(strip.x, 1u)], strip.x > 0u);
        let above = select(vec4<f32>(), p_of_primal[i - min(y, 1u) * params.width], y > 0u);
        let before = u_in_place[i];
        let after = primal(coefficients[i], before, p_of_primal[i], left, above);
        u_in_place[i] = after;
        change += dot(after - before, after - before);
    }
    // Those beyond the image add nothing.
    if STOPS != 0u && group * 64u < params.partials * params.pairs {
        partials_of_primal[group * 64u + lane] = change;
    }
}

@compute @workgroup_size(64)
fn tvl1_dual(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let strip = strip_of(linear_group(params.first_group, workgroup, workgroups), lane);
    if STOPS != 0u && !goes_on(totals_of_dual[slot_before(strip.pair)]) {
        return;
    }
    for (var y = strip.y; y < strip.end; y++) {
        let i = strip.first + y * params.width + strip.x;
        // The last pixel is its own neighbour: its difference is 0.
        let right = u_of_dual[i + select(0u, 1u, strip.x + 1u < params.width)];
        let below = u_of_dual[i + select(0u, params.width, y + 1u < params.height)];
        p_in_place[i] = dual(p_in_place[i], u_of_dual[i], right, below);
    }
}

// A pixel's u after an iteration, from what lies in memory.
fn primal_at(i: u32, x: u32, y: u32) -> vec2<f32> {
    let left = select(vec4<f32>(), p[i - min(x, 1u)], x > 0u);
    let above = select(vec4<f32>(), p[i - min(y, 1u) * params.width], y > 0u);
    return primal(coefficients[i], u[i], p[i], left, above);
}

@compute @workgroup_size(16, 16)
fn tvl1_fused(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let across = (params.width + 15u) / 16u;
    let pair = group / params.partials;
    let x = group % params.partials % across * 16u + local.x;
    let y = group % params.partials / across * 16u + local.y;
    let runs = STOPS == 0u || goes_on(totals[slot_before(min(pair, params.pairs - 1u))]);
    var change = 0.0;
    if runs && pair < params.pairs && x < params.width && y < params.height {
        let i = (pair * params.height + y) * params.width + x;
        let after = primal_at(i, x, y);
        var right = after;
        if x + 1u < params.width {
            right = primal_at(i + 1u, x + 1u, y);
        }
        var below = after;
        if y + 1u < params.height {
            below = primal_at(i + params.width, x, y + 1u);
        }
        u_out[i] = after;
        p_out[i] = dual(p[i], after, right, below);
        change = dot(after - u[i], after - u[i]);
    }
    if STOPS != 0u {
        shared_sums[lane] = change;
        for (var half = 128u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if lane < half {
                shared_sums[lane] += shared_sums[lane + half];
            }
        }
        if lane == 0u && pair < params.pairs {
            partials[group] = shared_sums[0];
        }
    }
}

@compute @workgroup_size(256)
fn tvl1_blocked(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let across = (params.width + INNER - 1u) / INNER;
    let down = (params.height + INNER - 1u) / INNER;
    let pair = group / (across * down);
    // The region's first pixel, which may lie before the image: one region more than it is added.
    let first_x = group % across * INNER + REGION - DEPTH;
    let first_y = group / across % down * INNER + REGION - DEPTH;
    // Each invocation keeps the cells of a column of the region, eight rows apart.
    let column = lane % REGION;
    let x = first_x + column - REGION;
    let in_x = first_x + column >= REGION && x < params.width;
    var c: array<vec4<f32>, 4>;
    var at: array<vec2<f32>, 4>;
    var own: array<vec4<f32>, 4>;
    // unroll
    for (var k = 0u; k < 4u; k++) {
        let row = lane / REGION + 8u * k;
        let y = first_y + row - REGION;
        if in_x && first_y + row >= REGION && y < params.height && pair < params.pairs {
            let i = (pair * params.height + y) * params.width + x;
            c[k] = coefficients[i];
            at[k] = u[i];
            own[k] = p[i];
        }
    }
    for (var turn = 0u; turn < params.iterations; turn++) {
        workgroupBarrier();
        // unroll
        for (var k = 0u; k < 4u; k++) {
            shared_cells[lane + 256u * k] = own[k];
        }
        workgroupBarrier();
        // unroll
        for (var k = 0u; k < 4u; k++) {
            // Outside the image p is 0; outside the region the cell's result is not needed.
            let cell = lane + 256u * k;
            let left = shared_cells[cell - min(column, 1u)];
            let above = shared_cells[cell - select(0u, REGION, cell >= REGION)];
            at[k] = primal(c[k], at[k], own[k], left, above);
        }
        workgroupBarrier();
        // unroll
        for (var k = 0u; k < 4u; k++) {
            shared_cells[lane + 256u * k] = vec4<f32>(at[k], 0.0, 0.0);
        }
        workgroupBarrier();
        // unroll
        for (var k = 0u; k < 4u; k++) {
            let cell = lane + 256u * k;
            let row = lane / REGION + 8u * k;
            let y = first_y + row - REGION;
            let inside = in_x && first_y + row >= REGION && y < params.height;
            let right = shared_cells[cell + select(0u, 1u, column + 1u < REGION && x + 1u < params.width)].xy;
            let below = shared_cells[cell + select(0u, REGION, row + 1u < REGION && y + 1u < params.height)].xy;
            own[k] = select(vec4<f32>(), dual(own[k], at[k], right, below), inside);
        }
    }
    // unroll
    for (var k = 0u; k < 4u; k++) {
        let row = lane / REGION + 8u * k;
        let y = first_y + row - REGION;
        let kept = min(column, row) >= DEPTH && max(column, row) < REGION - DEPTH;
        if kept && x < params.width && y < params.height && pair < params.pairs {
            let i = (pair * params.height + y) * params.width + x;
            u_blocked[i] = at[k];
            p_blocked[i] = own[k];
        }
    }
}

@compute @workgroup_size(256)
fn tvl1_sum(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let pair = linear_group(params.first_group, workgroup, workgroups);
    let before = totals_out[slot_before(min(pair, params.pairs - 1u))];
    var sum = 0.0;
    if pair < params.pairs && goes_on(before) {
        for (var k = lane; k < params.partials; k += 256u) {
            sum += partials_in[pair * params.partials + k];
        }
    }
    shared_sums[lane] = sum;
    for (var half = 128u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            shared_sums[lane] += shared_sums[lane + half];
        }
    }
    if lane == 0u && pair < params.pairs {
        var total = shared_sums[0];
        if !goes_on(before) {
            // Iterations 0 … iteration − 1 were made, unless it ended earlier.
            total = select(before, -f32(params.iteration), is_nan(before) || before >= 0.0);
        }
        totals_out[params.iteration % 2u * params.pairs + pair] = total;
    }
}

@compute @workgroup_size(64)
fn tvl1_end(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    var u_flips = params.u_flips;
    var p_flips = params.p_flips;
    if STOPS != 0u {
        let total = totals_of_end[slot_before(i / (params.height * params.width))];
        if total < 0.0 {
            let made = u32(-total);
            p_flips = made * FLIPS;
            u_flips = p_flips;
            if params.period > 0u {
                u_flips += (made + params.period - 1u) / params.period;
            }
        }
    }
    var at = u_first[i];
    if u_flips % 2u == 1u {
        at = u_second[i];
    }
    var own = p_first[i];
    if p_flips % 2u == 1u {
        own = p_second[i];
    }
    flow_after[2u * i] = Elem(at.x);
    flow_after[2u * i + 1u] = Elem(at.y);
    dual_after[4u * i] = Elem(own.x);
    dual_after[4u * i + 1u] = Elem(own.y);
    dual_after[4u * i + 2u] = Elem(own.z);
    dual_after[4u * i + 3u] = Elem(own.w);
}
