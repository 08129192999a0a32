// The walk along keys that attentions stand on: softmax(scale · q·kᵀ + what is added) · v of one head, with no matrix
// of scores in memory, in four forms.
//
// A query keeps the largest score so far, and the sum of exp(score − largest) and of that times the value; when a
// larger score comes, both sums are scaled down to it. A key that is not seen, or to whose product −∞ is added, is not
// looked at. A query with no key left gives zeros, one with a score that is NaN or +∞ gives NaN.
//
// The importing file declares `alias Elem`, `query`, `key` and `value`, arrays of Part, `output`, one of Elem, the params'
// `queries` and `keys` of a problem, `key_at` and `value_at` (where the first key and the first value lie), `scale` and
// `nan` (a NaN), and says where things are:
//
//   struct Problem                                 one head of one sequence of one batch element
//   fn query_start(p: Problem, i: u32) -> u32      index of the first channel of the i-th query's head
//   fn key_start(p: Problem, j: u32) -> u32        the same of the j-th key, and of its value
//   fn output_start(p: Problem, i: u32) -> u32     the same of the i-th result
//   struct Query, struct Key                       what is computed once for a query, once for a key
//   fn query_of(p: Problem, i: u32) -> Query
//   fn key_of(p: Problem, j: u32) -> Key
//   fn sees(q: Query, k: Key) -> bool              whether the query looks at the key
//   fn added(q: Query, k: Key) -> f32              what is added to the scaled product
//   fn any_seen(first: u32, last: u32, j0: u32, j1: u32) -> bool
//                                                  false only if no query first…last sees any key j0…j1
//
// Source: Dao et al., FlashAttention, arXiv 2205.14135.

#import apart // tune: SHARING

// Channels of a head, and how many vec4s of them an invocation holds.
const HEAD_DIM: u32 = 8u; // tune: HEAD_DIM
const HELD: u32 = 2u; // tune: HELD

// How query, key and value are read: Elem by Elem, or, where heads are of a multiple of four channels, as vec4<Elem>
// with 4 as PART. vec4<Elem>(x) is of both: it leaves a vec4 as it is.
alias Part = Elem; // tune: Part
const PART: u32 = 1u; // tune: PART

const MINUS_INFINITY: u32 = 0xff800000u;
const EXPONENT: u32 = 0x7f800000u;
const SKIP: f32 = -1.0;

struct State {
    largest: f32,
    total: f32,
    broken: bool,
    sum: array<vec4<f32>, HELD>,
}

// Four channels from d on, a multiple of four; zeros beyond the head.
fn query_chunk(at: u32, d: u32) -> vec4<f32> {
    if PART == 4u {
        let x = vec4<f32>(vec4<Elem>(query[(at + min(d, max(HEAD_DIM, 4u) - 4u)) / 4u]));
        return select(vec4<f32>(), x, d < HEAD_DIM);
    }
    var x = vec4<f32>();
    // unroll
    for (var i = 0u; i < 4u; i++) {
        let one = vec4<Elem>(query[at + min(d + i, HEAD_DIM - 1u)]).x;
        x[i] = select(0.0, f32(one), d + i < HEAD_DIM);
    }
    return x;
}

fn key_chunk(at: u32, d: u32) -> vec4<f32> {
    if PART == 4u {
        let x = vec4<f32>(vec4<Elem>(key[(at + min(d, max(HEAD_DIM, 4u) - 4u)) / 4u]));
        return select(vec4<f32>(), x, d < HEAD_DIM);
    }
    var x = vec4<f32>();
    // unroll
    for (var i = 0u; i < 4u; i++) {
        let one = vec4<Elem>(key[at + min(d + i, HEAD_DIM - 1u)]).x;
        x[i] = select(0.0, f32(one), d + i < HEAD_DIM);
    }
    return x;
}

fn value_chunk(at: u32, d: u32) -> vec4<f32> {
    if PART == 4u {
        let x = vec4<f32>(vec4<Elem>(value[(at + min(d, max(HEAD_DIM, 4u) - 4u)) / 4u]));
        return select(vec4<f32>(), x, d < HEAD_DIM);
    }
    var x = vec4<f32>();
    // unroll
    for (var i = 0u; i < 4u; i++) {
        let one = vec4<Elem>(value[at + min(d + i, HEAD_DIM - 1u)]).x;
        x[i] = select(0.0, f32(one), d + i < HEAD_DIM);
    }
    return x;
}

fn start_state() -> State {
    var state: State;
    state.largest = -3.4028234e38;
    return state;
}

// Takes one more score in and gives its value's weight, or SKIP.
fn weigh(state: ptr<function, State>, score: f32) -> f32 {
    let bits = bitcast<u32>(score);
    if bits == MINUS_INFINITY {
        return SKIP;
    }
    if (bits & EXPONENT) == EXPONENT {
        (*state).broken = true;
        return SKIP;
    }
    if score > (*state).largest {
        let smaller = exp((*state).largest - score);
        (*state).largest = score;
        (*state).total *= smaller;
        // unroll
        for (var c = 0u; c < HELD; c++) {
            (*state).sum[c] *= smaller;
        }
    }
    let weight = exp(score - (*state).largest);
    (*state).total += weight;
    return weight;
}

// Writes every `lanes`-th vec4 of the head, from the `lane`-th on.
fn finish(p: Problem, i: u32, state: ptr<function, State>, lane: u32, lanes: u32) {
    let at = output_start(p, i);
    let any = (*state).total > 0.0;
    let total = select(1.0, (*state).total, any);
    // unroll
    for (var c = 0u; c < HELD; c++) {
        let y = (*state).sum[c] / total;
        let first = (c * lanes + lane) * 4u;
        // unroll
        for (var d = 0u; d < 4u; d++) {
            if first + d < HEAD_DIM {
                output[at + first + d] = Elem(select(select(0.0, y[d], any), params.nan, (*state).broken));
            }
        }
    }
}

// One invocation, one query.
fn walk(p: Problem, i: u32) {
    var q: array<vec4<f32>, HELD>;
    let from_query = query_start(p, i);
    // unroll
    for (var c = 0u; c < HELD; c++) {
        q[c] = query_chunk(from_query, c * 4u);
    }
    let own = query_of(p, i);
    var state = start_state();
    for (var j = 0u; j < params.keys; j++) {
        let other = key_of(p, j);
        if !sees(own, other) {
            continue;
        }
        let plus = added(own, other);
        if bitcast<u32>(plus) == MINUS_INFINITY {
            continue;
        }
        let from_key = key_start(p, j);
        var products = vec4<f32>();
        // unroll
        for (var c = 0u; c < HELD; c++) {
            products += q[c] * key_chunk(from_key + params.key_at, c * 4u);
        }
        let product = products.x + products.y + products.z + products.w;
        let weight = weigh(&state, product * params.scale + plus);
        if weight < 0.0 {
            continue;
        }
        // unroll
        for (var c = 0u; c < HELD; c++) {
            state.sum[c] += weight * value_chunk(from_key + params.value_at, c * 4u);
        }
    }
    finish(p, i, &state, 0u, 1u);
}

// Uniform: 8 invocations, QUERIES queries each, `first` + lane + 8·r, for adapters that run on a processor, where loads at
// addresses that are the same for all invocations are fast only if none of them can have left, and loads of lib/shuffled.wgsl
// need all eight. So they all take the same way: queries beyond the last repeat it and write nothing, and keys that are not
// seen get the weight zero. Keys are taken four at a time, so that sums are scaled down once for them, and each is
// loaded once for all queries.
//
// Measured at 196 places, 12 heads of 64 channels, 8 frames, milliseconds in kernels on two cores that a compiler used too: a
// query an invocation with branches, as `walk` has them, 670 on Mesa 25.0 and 105 on 26.2; four without, loaded apart, 264
// and 87; shuffled 73 and 83.
const QUERIES: u32 = 4u; // tune: QUERIES
// How many vec4s of a key or value an invocation loads.
const HELD_LOADS: u32 = 1u; // tune: HELD_LOADS

struct Block {
    own: array<Query, QUERIES>,
    q: array<vec4<f32>, QUERIES * HELD>,
    largest: array<f32, QUERIES>,
    total: array<f32, QUERIES>,
    broken: array<bool, QUERIES>,
    sum: array<vec4<f32>, QUERIES * HELD>,
}

// Takes in four keys from j0 on, some of which may lie beyond the last one.
fn take_four(p: Problem, lane: u32, j0: u32, b: ptr<function, Block>) {
    var scores: array<vec4<f32>, QUERIES>;
    var hidden: array<vec4<bool>, QUERIES>;
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let number = min(j0 + j, params.keys - 1u);
        let at = key_start(p, number) + params.key_at;
        var products: array<vec4<f32>, QUERIES>;
        var loaded: array<vec4<f32>, HELD_LOADS>;
        // unroll
        for (var n = 0u; n < HELD_LOADS; n++) {
            loaded[n] = key_chunk(at, (lane + 8u * n) * 4u);
        }
        // unroll
        for (var c = 0u; c < HELD; c++) {
            let k = of_lane(loaded[c / 8u], c % 8u, key_chunk(at, c * 4u));
            // unroll
            for (var r = 0u; r < QUERIES; r++) {
                products[r] = fma((*b).q[r * HELD + c], k, products[r]);
            }
        }
        // unroll
        for (var r = 0u; r < QUERIES; r++) {
            let product = products[r].x + products[r].y + products[r].z + products[r].w;
            scores[r][j] = product * params.scale;
        }
        let other = key_of(p, number);
        // unroll
        for (var r = 0u; r < QUERIES; r++) {
            let plus = added((*b).own[r], other);
            scores[r][j] += plus;
            let seen = j0 + j < params.keys & sees((*b).own[r], other);
            hidden[r][j] = !seen | (bitcast<u32>(plus) == MINUS_INFINITY);
        }
    }
    var weights: array<vec4<f32>, QUERIES>;
    // unroll
    for (var r = 0u; r < QUERIES; r++) {
        let bits = bitcast<vec4<u32>>(scores[r]);
        hidden[r] |= bits == vec4<u32>(MINUS_INFINITY);
        let wrong = !hidden[r] & ((bits & vec4<u32>(EXPONENT)) == vec4<u32>(EXPONENT));
        (*b).broken[r] |= any(wrong);
        let score = select(scores[r], vec4<f32>((*b).largest[r]), hidden[r] | wrong);
        let largest = max(max(score.x, score.y), max(score.z, score.w));
        let now = max(largest, (*b).largest[r]);
        let smaller = exp((*b).largest[r] - now);
        (*b).largest[r] = now;
        weights[r] = select(exp(score - now), vec4<f32>(), hidden[r]);
        (*b).total[r] = (*b).total[r] * smaller + (weights[r].x + weights[r].y + weights[r].z + weights[r].w);
        // unroll
        for (var c = 0u; c < HELD; c++) {
            (*b).sum[r * HELD + c] *= smaller;
        }
    }
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let at = key_start(p, min(j0 + j, params.keys - 1u)) + params.value_at;
        var loaded: array<vec4<f32>, HELD_LOADS>;
        // unroll
        for (var n = 0u; n < HELD_LOADS; n++) {
            loaded[n] = value_chunk(at, (lane + 8u * n) * 4u);
        }
        // unroll
        for (var c = 0u; c < HELD; c++) {
            let v = of_lane(loaded[c / 8u], c % 8u, value_chunk(at, c * 4u));
            // unroll
            for (var r = 0u; r < QUERIES; r++) {
                // Zero times an infinity would be NaN.
                let seen = select(v, vec4<f32>(), hidden[r][j]);
                (*b).sum[r * HELD + c] = fma(vec4<f32>(weights[r][j]), seen, (*b).sum[r * HELD + c]);
            }
        }
    }
}

fn walk_uniform(p: Problem, first: u32, lane: u32) {
    var b: Block;
    // unroll
    for (var r = 0u; r < QUERIES; r++) {
        let i = min(first + lane + 8u * r, params.queries - 1u);
        let from_query = query_start(p, i);
        // unroll
        for (var c = 0u; c < HELD; c++) {
            b.q[r * HELD + c] = query_chunk(from_query, c * 4u);
        }
        b.own[r] = query_of(p, i);
        b.largest[r] = -3.4028234e38;
    }
    for (var j0 = 0u; j0 < params.keys; j0 += 4u) {
        if any_seen(first, first + 8u * QUERIES - 1u, j0, j0 + 3u) {
            take_four(p, lane, j0, &b);
        }
    }
    // unroll
    for (var r = 0u; r < QUERIES; r++) {
        if first + lane + 8u * r < params.queries {
            var state: State;
            state.total = b.total[r];
            state.broken = b.broken[r];
            // unroll
            for (var c = 0u; c < HELD; c++) {
                state.sum[c] = b.sum[r * HELD + c];
            }
            finish(p, first + lane + 8u * r, &state, 0u, 1u);
        }
    }
}

// 64 invocations, one query each from `first` on. Together they fetch TILE keys and values into workgroup memory, and
// then each walks along them.
const TILE: u32 = 8u; // tune: TILE

var<workgroup> tile_key: array<vec4<f32>, TILE * HELD>;
var<workgroup> tile_value: array<vec4<f32>, TILE * HELD>;
var<workgroup> tile_of: array<Key, TILE>;

fn walk_tiled(p: Problem, first: u32, lane: u32) {
    // Those beyond the last query repeat it and write nothing.
    let i = min(first + lane, params.queries - 1u);
    var q: array<vec4<f32>, HELD>;
    let from_query = query_start(p, i);
    // unroll
    for (var c = 0u; c < HELD; c++) {
        q[c] = query_chunk(from_query, c * 4u);
    }
    let own = query_of(p, i);
    var state = start_state();
    for (var j0 = 0u; j0 < params.keys; j0 += TILE) {
        if !any_seen(first, first + 63u, j0, j0 + TILE - 1u) {
            continue;
        }
        for (var e = lane; e < TILE * HELD; e += 64u) {
            let from_key = key_start(p, min(j0 + e / HELD, params.keys - 1u));
            tile_key[e] = key_chunk(from_key + params.key_at, e % HELD * 4u);
            tile_value[e] = value_chunk(from_key + params.value_at, e % HELD * 4u);
        }
        if lane < TILE {
            tile_of[lane] = key_of(p, min(j0 + lane, params.keys - 1u));
        }
        workgroupBarrier();
        let last = min(TILE, params.keys - j0);
        for (var j = 0u; j < last; j++) {
            let other = tile_of[j];
            if !sees(own, other) {
                continue;
            }
            let plus = added(own, other);
            if bitcast<u32>(plus) == MINUS_INFINITY {
                continue;
            }
            var products = vec4<f32>();
            // unroll
            for (var c = 0u; c < HELD; c++) {
                products += q[c] * tile_key[j * HELD + c];
            }
            let product = products.x + products.y + products.z + products.w;
            let weight = weigh(&state, product * params.scale + plus);
            if weight < 0.0 {
                continue;
            }
            // unroll
            for (var c = 0u; c < HELD; c++) {
                state.sum[c] += weight * tile_value[j * HELD + c];
            }
        }
        workgroupBarrier();
    }
    if first + lane < params.queries {
        finish(p, i, &state, 0u, 1u);
    }
}

// For heads that one invocation could not hold: 64 invocations, eight queries from `first` on, the channels of each
// shared out over eight lanes, of which lane l holds vec4s l, l + 8, …. Per BLOCK keys:
//
//   every lane multiplies its channels of the query with those of each key → workgroup memory
//   barrier
//   every lane sums the eight parts of each product, all eight in the same order, and takes its channels of the value
//   barrier

const LANES: u32 = 8u;
const BLOCK: u32 = 16u;

var<workgroup> part_of: array<f32, 8u * BLOCK * LANES>;
var<workgroup> block_of: array<Key, BLOCK>;

fn walk_wide(p: Problem, first: u32, invocation: u32) {
    let lane = invocation % LANES;
    let own_parts = invocation / LANES * BLOCK;
    let row = first + invocation / LANES;
    let i = min(row, params.queries - 1u);
    var q: array<vec4<f32>, HELD>;
    let from_query = query_start(p, i);
    // unroll
    for (var c = 0u; c < HELD; c++) {
        q[c] = query_chunk(from_query, (c * LANES + lane) * 4u);
    }
    let own = query_of(p, i);
    var state = start_state();
    for (var j0 = 0u; j0 < params.keys; j0 += BLOCK) {
        if !any_seen(first, first + 7u, j0, j0 + BLOCK - 1u) {
            continue;
        }
        for (var j = 0u; j < BLOCK; j++) {
            let at = key_start(p, min(j0 + j, params.keys - 1u)) + params.key_at;
            var products = vec4<f32>();
            // unroll
            for (var c = 0u; c < HELD; c++) {
                products += q[c] * key_chunk(at, (c * LANES + lane) * 4u);
            }
            part_of[(own_parts + j) * LANES + lane] = products.x + products.y + products.z + products.w;
        }
        if invocation < BLOCK {
            block_of[invocation] = key_of(p, min(j0 + invocation, params.keys - 1u));
        }
        workgroupBarrier();
        let last = min(BLOCK, params.keys - j0);
        for (var j = 0u; j < last; j++) {
            let other = block_of[j];
            if !sees(own, other) {
                continue;
            }
            let plus = added(own, other);
            if bitcast<u32>(plus) == MINUS_INFINITY {
                continue;
            }
            var product = 0.0;
            // unroll
            for (var l = 0u; l < LANES; l++) {
                product += part_of[(own_parts + j) * LANES + l];
            }
            let weight = weigh(&state, product * params.scale + plus);
            if weight < 0.0 {
                continue;
            }
            let at = key_start(p, j0 + j) + params.value_at;
            // unroll
            for (var c = 0u; c < HELD; c++) {
                state.sum[c] += weight * value_chunk(at, (c * LANES + lane) * 4u);
            }
        }
        workgroupBarrier();
    }
    if row < params.queries {
        finish(p, i, &state, lane, LANES);
    }
}
