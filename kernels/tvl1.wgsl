// tvl1: the iterations of one warp of TV-L1 optical flow.
//
// Frame 1 and its gradient have been sampled where the flow u⁰ leads: I₁ʷ, ∇I = (Ix, Iy). With
//
//   ρ(u) = I₁ʷ − I₀ + ∇I·(u − u⁰) + γ·u₃,   g = |∇I|²,   l = λθ
//
// the flow u and the dual field p, two components for each of u's, are improved by turns:
//
//   v = u + f·(∇I, γ),   f = l where ρ < −l·g,  −l where ρ > l·g,  else −ρ/g,  or 0 where g is nothing
//   u = v + θ·div p                       backward differences, p = 0 before the first pixel
//   p = (p + τ/θ·∇u) / (1 + τ/θ·|∇u|)     forward differences, 0 at the last pixel
//
// With γ there is a third component of u, how much brighter a pixel becomes, else only two. A median of u₁ and u₂ may
// come before every so many iterations. With a threshold, a pair stops after the iteration in which Σ|Δu|² is no more
// than it: what follows finds the sum negative, minus the number of iterations made, and does nothing. The host reads
// nothing in between.
//
// In the other order v is followed several times by p (of v first) and u; then the threshold is for how far u has come
// from the first v, and does not end these iterations but those of further warps: the pair is settled.
//
// Layouts: warped [N, H, W, 3] is I₁ʷ, Ix, Iy; frame [N, H, W] is I₀; flow [N, H, W, C], C = 2 or 3; dual [N, H, W, 2C]
// is p₁₁, p₁₂, p₂₁, p₂₂ and so on; settled [N] is 0 or 1. Working memory, in f32: coefficients Ix, Iy, ρ(0) and g of each
// pixel, flows and dual fields by turns, the partial sums of |Δu|² of each pair, and its totals, of which each iteration
// leaves one in slot iteration mod 2 (tvl1_banded, which makes them itself: its partial sums).
// Dispatch: tvl1_begin, tvl1_end 64 pixels a workgroup; tvl1_data, tvl1_flow, tvl1_dual, tvl1_change 64 pixels of a pair;
// tvl1_median 64 columns and `rows` rows of a pair; tvl1_banded `rows` rows of a pair; tvl1_fused 16×16 pixels of a
// pair; tvl1_blocked an INNER×INNER tile of a pair; tvl1_sum a pair; tvl1_enter, tvl1_settle all pairs.
// Source: Zach, Pock and Bischof 2007; Sánchez, Meinhardt-Llopis and Facciolo 2013; OpenCV's DualTVL1OpticalFlow;
// scikit-image's optical_flow_tvl1.
//
// Ladder: tvl1_data, tvl1_flow and tvl1_dual, a launch for each step → tvl1_banded, one launch an iteration, which loads
// each pixel once for several columns → tvl1_fused, the same with many small workgroups → tvl1_blocked, several
// iterations a launch in workgroup memory, of which the border is made anew by its neighbours.

#import index
#import median
#import nan

alias Elem = f32; // tune: Elem
// Components of the flow, and as many of them.
const CHANNELS: u32 = 2u; // tune: Channels
alias Flow = vec2<f32>; // tune: Flow
const SIDE: u32 = 5u; // tune: Side
const COUNT: u32 = SIDE * SIDE;
// Iterations of tvl1_blocked in workgroup memory.
const DEPTH: u32 = 4u; // tune: Depth
const REGION: u32 = 32u;
const INNER: u32 = REGION - 2u * DEPTH;
// Columns of an invocation of tvl1_banded, and with the next one.
const BLOCK: u32 = 4u;
const WIDE: u32 = 5u;
// Words of a pixel's flow: three components are kept as four.
const WORDS: u32 = 2u * (CHANNELS - 1u);

struct Params {
    first_group: u32,
    count: u32,
    height: u32,
    width: u32,
    // l, θ, τ/θ and γ.
    limit: f32,
    theta: f32,
    step: f32,
    gamma: f32,
    // g of no more than this is nothing.
    nothing: f32,
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
    // Rows of a workgroup.
    rows: u32,
    // How often u and p have changed their place when all iterations are made.
    u_flips: u32,
    p_flips: u32,
}

// Whether pairs stop at the threshold.
override STOPS: u32 = 0u;
// Whether an iteration leaves its result in the other flow and dual field.
override FLIPS: u32 = 0u;
// Whether iterations leave partial sums and no totals.
override SUMS: u32 = 0u;
// Whether there is a dual field to begin with; it is zero else. Whether some pairs may be settled.
override HAS_DUAL: u32 = 1u;
override HAS_SETTLED: u32 = 1u;

// The two components of p for each of u's: along x, and along y.
struct Dual {
    x: Flow,
    y: Flow,
}

@group(0) @binding(0) var<uniform> params: Params;
// tvl1_begin
@group(0) @binding(1) var<storage, read> warped: array<Elem>;
@group(0) @binding(2) var<storage, read> frame: array<Elem>;
@group(0) @binding(3) var<storage, read> flow_before: array<Elem>;
@group(0) @binding(4) var<storage, read> dual_before: array<Elem>;
@group(0) @binding(5) var<storage, read_write> coefficients_out: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> u_begin: array<Flow>;
@group(0) @binding(7) var<storage, read_write> p_begin: array<Dual>;
// tvl1_enter
@group(0) @binding(1) var<storage, read> settled_before: array<Elem>;
// tvl1_fused
@group(0) @binding(1) var<storage, read> coefficients: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> u: array<Flow>;
@group(0) @binding(3) var<storage, read> p: array<Dual>;
@group(0) @binding(4) var<storage, read> totals: array<f32>;
@group(0) @binding(5) var<storage, read_write> u_out: array<Flow>;
@group(0) @binding(6) var<storage, read_write> p_out: array<Dual>;
@group(0) @binding(7) var<storage, read_write> partials: array<f32>;
// tvl1_blocked
@group(0) @binding(4) var<storage, read_write> u_blocked: array<Flow>;
@group(0) @binding(5) var<storage, read_write> p_blocked: array<Dual>;
// tvl1_banded, word by word
@group(0) @binding(1) var<storage, read> coefficient_words: array<f32>;
@group(0) @binding(2) var<storage, read> u_words: array<f32>;
@group(0) @binding(3) var<storage, read> p_words: array<f32>;
@group(0) @binding(4) var<storage, read_write> u_words_out: array<f32>;
@group(0) @binding(5) var<storage, read_write> p_words_out: array<f32>;
@group(0) @binding(6) var<storage, read_write> partials_of_bands: array<f32>;
// tvl1_data
@group(0) @binding(3) var<storage, read> totals_of_data: array<f32>;
@group(0) @binding(4) var<storage, read_write> v_out: array<Flow>;
// tvl1_flow
@group(0) @binding(1) var<storage, read> v: array<Flow>;
@group(0) @binding(2) var<storage, read> p_of_flow: array<Dual>;
@group(0) @binding(3) var<storage, read> totals_of_flow: array<f32>;
@group(0) @binding(4) var<storage, read_write> u_in_place: array<Flow>;
@group(0) @binding(5) var<storage, read_write> partials_of_flow: array<f32>;
// tvl1_dual
@group(0) @binding(1) var<storage, read> u_of_dual: array<Flow>;
@group(0) @binding(2) var<storage, read> totals_of_dual: array<f32>;
@group(0) @binding(3) var<storage, read_write> p_in_place: array<Dual>;
// tvl1_change
@group(0) @binding(3) var<storage, read_write> partials_of_change: array<f32>;
// tvl1_sum
@group(0) @binding(1) var<storage, read> partials_in: array<f32>;
@group(0) @binding(2) var<storage, read_write> totals_out: array<f32>;
// tvl1_median
@group(0) @binding(1) var<storage, read> u_of_median: array<Flow>;
@group(0) @binding(2) var<storage, read> totals_of_median: array<f32>;
@group(0) @binding(3) var<storage, read_write> u_median: array<Flow>;
// tvl1_end
@group(0) @binding(1) var<storage, read> u_first: array<Flow>;
@group(0) @binding(2) var<storage, read> u_second: array<Flow>;
@group(0) @binding(3) var<storage, read> p_first: array<Dual>;
@group(0) @binding(4) var<storage, read> p_second: array<Dual>;
@group(0) @binding(5) var<storage, read> totals_of_end: array<f32>;
@group(0) @binding(6) var<storage, read_write> flow_after: array<Elem>;
@group(0) @binding(7) var<storage, read_write> dual_after: array<Elem>;
// tvl1_settle
@group(0) @binding(1) var<storage, read> totals_of_settle: array<f32>;
@group(0) @binding(2) var<storage, read_write> settled_after: array<Elem>;

var<workgroup> shared_cells: array<Dual, REGION * REGION>;
var<workgroup> shared_sums: array<f32, 256>;

// Where the iteration before this one has left what it has to say of a pair.
fn slot_before(pair: u32) -> u32 {
    return (params.iteration + 1u) % 2u * params.pairs + pair;
}

// Whether a pair that came to `total` in the iteration before goes on. NaN ends it.
fn goes_on(total: f32) -> bool {
    return params.iteration == 0u || (!is_nan(total) && total > params.threshold);
}

// What is handed on when a pair that came to `total` does not go on: minus the iterations 0 … iteration − 1 that were
// made, unless it ended earlier.
fn ended(total: f32) -> f32 {
    return select(total, -f32(params.iteration), is_nan(total) || total >= 0.0);
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

// A pixel of a workgroup that has 64 of a pair.
struct Pixel {
    pair: u32,
    x: u32,
    y: u32,
    i: u32,
    inside: bool,
}

fn pixel_of(group: u32, lane: u32) -> Pixel {
    let size = params.height * params.width;
    let of_pair = (size + 63u) / 64u;
    let pair = group / of_pair;
    let at = group % of_pair * 64u + lane;
    let inside = at < size && pair < params.pairs;
    return Pixel(min(pair, params.pairs - 1u), at % params.width, at / params.width, pair * size + at, inside);
}

// (∇I, γ)
fn gradient_of(c: vec4<f32>) -> Flow {
    var gradient = Flow();
    gradient.x = c.x;
    gradient.y = c.y;
    gradient[CHANNELS - 1u] = select(c.y, params.gamma, CHANNELS == 3u);
    return gradient;
}

// v − u for a pixel: the step towards ρ = 0. A NaN stays.
fn towards_data(c: vec4<f32>, at: Flow) -> Flow {
    let gradient = gradient_of(c);
    let rho = c.z + dot(gradient, at);
    let most = params.limit * c.w;
    var f = 0.0;
    if rho < -most {
        f = params.limit;
    } else if rho > most {
        f = -params.limit;
    } else if c.w > params.nothing {
        f = -rho / c.w;
    }
    return select(f, rho, is_nan(rho)) * gradient;
}

// A pixel's u after an iteration, from its own p and those to the left and above.
fn primal(c: vec4<f32>, at: Flow, own: Dual, left: Flow, above: Flow) -> Flow {
    return at + towards_data(c, at) + params.theta * (own.x - left + (own.y - above));
}

// A pixel's p after an iteration, from the new u there, to the right and below.
fn dual(own: Dual, at: Flow, right: Flow, below: Flow) -> Dual {
    let dx = right - at;
    let dy = below - at;
    let norm = Flow(1.0) + params.step * sqrt(dx * dx + dy * dy);
    return Dual((own.x + params.step * dx) / norm, (own.y + params.step * dy) / norm);
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
    var at = Flow();
    // unroll
    for (var k = 0u; k < CHANNELS; k++) {
        at[k] = f32(flow_before[CHANNELS * i + k]);
    }
    let constant = f32(warped[3u * i]) - gradient.x * at.x - gradient.y * at.y - f32(frame[i]);
    coefficients_out[i] = vec4<f32>(gradient, constant, dot(gradient, gradient));
    u_begin[i] = at;
    var own = Dual();
    if HAS_DUAL != 0u {
        // unroll
        for (var k = 0u; k < CHANNELS; k++) {
            own.x[k] = f32(dual_before[2u * (CHANNELS * i + k)]);
            own.y[k] = f32(dual_before[2u * (CHANNELS * i + k) + 1u]);
        }
    }
    p_begin[i] = own;
}

// Pairs that are settled have come to nothing, the others far: as if there had been an iteration.
@compute @workgroup_size(64)
fn tvl1_enter(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let pair = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if pair >= params.pairs {
        return;
    }
    var goes = true;
    if HAS_SETTLED != 0u {
        goes = f32(settled_before[pair]) == 0.0;
    }
    totals_out[pair] = select(0.0, 3.0e38, goes);
}

@compute @workgroup_size(64)
fn tvl1_settle(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let pair = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if pair < params.pairs {
        settled_after[pair] = Elem(select(1.0, 0.0, goes_on(totals_of_settle[slot_before(pair)])));
    }
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
        let i = strip.first + y * params.width + strip.x;
        var middle = u_of_median[i];
        middle.x = of_key(median_of(&keys_x));
        middle.y = of_key(median_of(&keys_y));
        u_median[i] = middle;
    }
}

@compute @workgroup_size(64)
fn tvl1_data(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = pixel_of(linear_group(params.first_group, workgroup, workgroups), lane);
    if !at.inside || (STOPS != 0u && !goes_on(totals_of_data[slot_before(at.pair)])) {
        return;
    }
    v_out[at.i] = u[at.i] + towards_data(coefficients[at.i], u[at.i]);
}

@compute @workgroup_size(64)
fn tvl1_flow(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let at = pixel_of(group, lane);
    if STOPS != 0u && !goes_on(totals_of_flow[slot_before(at.pair)]) {
        return;
    }
    var change = 0.0;
    if at.inside {
        let own = p_of_flow[at.i];
        let left = select(Flow(), p_of_flow[at.i - min(at.x, 1u)].x, at.x > 0u);
        let above = select(Flow(), p_of_flow[at.i - min(at.y, 1u) * params.width].y, at.y > 0u);
        let before = u_in_place[at.i];
        let after = v[at.i] + params.theta * (own.x - left + (own.y - above));
        u_in_place[at.i] = after;
        change = dot(after - before, after - before);
    }
    // Pixels beyond the image add nothing.
    if STOPS != 0u && group * 64u < params.partials * params.pairs {
        partials_of_flow[group * 64u + lane] = change;
    }
}

@compute @workgroup_size(64)
fn tvl1_dual(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = pixel_of(linear_group(params.first_group, workgroup, workgroups), lane);
    if !at.inside || (STOPS != 0u && !goes_on(totals_of_dual[slot_before(at.pair)])) {
        return;
    }
    // The last pixel is its own neighbour: its difference is 0.
    let right = u_of_dual[at.i + select(0u, 1u, at.x + 1u < params.width)];
    let below = u_of_dual[at.i + select(0u, params.width, at.y + 1u < params.height)];
    p_in_place[at.i] = dual(p_in_place[at.i], u_of_dual[at.i], right, below);
}

@compute @workgroup_size(64)
fn tvl1_change(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let at = pixel_of(group, lane);
    var change = 0.0;
    if at.inside {
        let moved = u[at.i] - v[at.i];
        change = dot(moved, moved);
    }
    if group * 64u < params.partials * params.pairs {
        partials_of_change[group * 64u + lane] = change;
    }
}

// Words from a place on.
fn flow_words(place: u32) -> Flow {
    var at = Flow();
    // unroll
    for (var k = 0u; k < CHANNELS; k++) {
        at[k] = u_words[place + k];
    }
    return at;
}

fn dual_words(place: u32) -> Flow {
    var at = Flow();
    // unroll
    for (var k = 0u; k < CHANNELS; k++) {
        at[k] = p_words[place + k];
    }
    return at;
}

// What a pair came to in the iteration before; negative where it has ended.
fn came_to_of_bands(pair: u32) -> f32 {
    let first = slot_before(pair) * params.partials;
    var total = partials_of_bands[first];
    if params.iteration > 0u && !(total < 0.0) {
        for (var k = 1u; k < params.partials; k++) {
            total += partials_of_bands[first + k];
        }
    }
    return total;
}

// Eight invocations go through the rows of a band, each with BLOCK columns at a time and one more, whose new u is to the
// right of the last. A row's p follows when the row below has its new u.
@compute @workgroup_size(8)
fn tvl1_banded(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let bands = (params.height + params.rows - 1u) / params.rows;
    let pair = group / bands;
    if pair >= params.pairs {
        return;
    }
    let sums = (params.iteration % 2u * params.pairs + pair) * params.partials;
    if STOPS != 0u {
        let total = came_to_of_bands(pair);
        if !goes_on(total) {
            if group % bands == 0u && lane == 0u {
                partials_of_bands[sums] = ended(total);
            }
            return;
        }
    }
    let first = pair * params.height * params.width;
    let top = group % bands * params.rows;
    let end = min(top + params.rows, params.height);
    var change = 0.0;
    for (var x = lane * BLOCK; x < params.width; x += 8u * BLOCK) {
        // Of the row before: the old p of each column, and the new u.
        var own: array<Dual, WIDE>;
        var at: array<Flow, WIDE>;
        if top > 0u {
            // unroll
            for (var k = 0u; k < WIDE; k++) {
                let i = first + (top - 1u) * params.width + min(x + k, params.width - 1u);
                own[k].y = dual_words((2u * i + 1u) * WORDS);
            }
        }
        // The row after the last is only for its u; after the image's last that is its own neighbour.
        for (var y = top; y <= end; y++) {
            let row = first + min(y, params.height - 1u) * params.width;
            var left = Flow();
            if x > 0u {
                left = dual_words(2u * (row + x - 1u) * WORDS);
            }
            var next: array<Dual, WIDE>;
            var after: array<Flow, WIDE>;
            // unroll
            for (var k = 0u; k < WIDE; k++) {
                let i = row + min(x + k, params.width - 1u);
                let ix = coefficient_words[4u * i];
                let iy = coefficient_words[4u * i + 1u];
                let c = vec4<f32>(ix, iy, coefficient_words[4u * i + 2u], ix * ix + iy * iy);
                let before = flow_words(i * WORDS);
                next[k].x = dual_words(2u * i * WORDS);
                next[k].y = dual_words((2u * i + 1u) * WORDS);
                after[k] = primal(c, before, next[k], left, own[k].y);
                left = next[k].x;
                if k < BLOCK && x + k < params.width && y < end {
                    // unroll
                    for (var j = 0u; j < CHANNELS; j++) {
                        u_words_out[i * WORDS + j] = after[k][j];
                    }
                    change += dot(after[k] - before, after[k] - before);
                }
            }
            if y > top {
                // unroll
                for (var k = 0u; k < BLOCK; k++) {
                    if x + k < params.width {
                        let i = first + (y - 1u) * params.width + x + k;
                        let right = select(at[k], at[k + 1u], x + k + 1u < params.width);
                        let made = dual(own[k], at[k], right, select(at[k], after[k], y < params.height));
                        // unroll
                        for (var j = 0u; j < CHANNELS; j++) {
                            p_words_out[2u * i * WORDS + j] = made.x[j];
                            p_words_out[(2u * i + 1u) * WORDS + j] = made.y[j];
                        }
                    }
                }
            }
            own = next;
            at = after;
        }
    }
    if STOPS != 0u {
        partials_of_bands[sums + group % bands * 8u + lane] = change;
    }
}

// A pixel's u after an iteration, from what lies in memory.
fn primal_at(i: u32, x: u32, y: u32) -> Flow {
    let left = select(Flow(), p[i - min(x, 1u)].x, x > 0u);
    let above = select(Flow(), p[i - min(y, 1u) * params.width].y, y > 0u);
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
    var at: array<Flow, 4>;
    var own: array<Dual, 4>;
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
            let left = shared_cells[cell - min(column, 1u)].x;
            let above = shared_cells[cell - select(0u, REGION, cell >= REGION)].y;
            at[k] = primal(c[k], at[k], own[k], left, above);
        }
        workgroupBarrier();
        // unroll
        for (var k = 0u; k < 4u; k++) {
            shared_cells[lane + 256u * k].x = at[k];
        }
        workgroupBarrier();
        // unroll
        for (var k = 0u; k < 4u; k++) {
            let cell = lane + 256u * k;
            let row = lane / REGION + 8u * k;
            let y = first_y + row - REGION;
            let inside = in_x && first_y + row >= REGION && y < params.height;
            let right = shared_cells[cell + select(0u, 1u, column + 1u < REGION && x + 1u < params.width)].x;
            let below = shared_cells[cell + select(0u, REGION, row + 1u < REGION && y + 1u < params.height)].x;
            let made = dual(own[k], at[k], right, below);
            own[k] = Dual(select(Flow(), made.x, inside), select(Flow(), made.y, inside));
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
    let slot = params.iteration % 2u * params.pairs + min(pair, params.pairs - 1u);
    var before = 0.0;
    var first = pair * params.partials;
    var goes = pair < params.pairs;
    if SUMS != 0u {
        first = slot * params.partials;
        before = partials_in[first];
        goes = goes && !(before < 0.0);
    } else {
        before = totals_out[slot_before(min(pair, params.pairs - 1u))];
        goes = goes && goes_on(before);
    }
    var sum = 0.0;
    if goes {
        for (var k = lane; k < params.partials; k += 256u) {
            sum += partials_in[first + k];
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
        totals_out[slot] = select(ended(before), shared_sums[0], goes);
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
    // unroll
    for (var k = 0u; k < CHANNELS; k++) {
        flow_after[CHANNELS * i + k] = Elem(at[k]);
        dual_after[2u * (CHANNELS * i + k)] = Elem(own.x[k]);
        dual_after[2u * (CHANNELS * i + k) + 1u] = Elem(own.y[k]);
    }
}
