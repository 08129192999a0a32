// attention: softmax(scale · q·kᵀ + mask) · v for every head, with no matrix of scores in memory.
//
// A query walks once along its keys. It keeps the largest score so far, and the sum of exp(score − largest) and of
// that times the value; when a larger score comes, both sums are scaled down to it.
//
// A mask of −∞ masks: that key and value are not looked at. A query with no key left gives zeros, one with a score
// that is NaN or +∞ gives NaN.
//
// Layouts: tokens stand `row` elements apart, a token's heads side by side from `at` on, so that the three may lie
// in one buffer. Sequences are strided views of the token axis: token = sequence · sequence_step + i · token_step.
//   query  [N, sequences · queries, …]
//   key    [N, sequences · keys, …], value the same
//   mask   [queries, keys] at n · mask_batch + head · mask_head, looked at if HAS_MASK
//   output [N, sequences · queries, heads · HEAD_DIM]
// Dispatch: a row of workgroups, see each entry point.
// Source: torch.nn.functional.scaled_dot_product_attention; Dao et al., FlashAttention, arXiv 2205.14135.
//
// Ladder: attention_direct (a query an invocation) → attention_tiled (GPUs: keys and values by way of workgroup
// memory), attention_uniform (adapters on a processor: one address for all invocations).

#import index

alias Elem = f32; // tune: Elem

// Channels of a head, and vec4s that hold them.
const HEAD_DIM: u32 = 8u; // tune: HEAD_DIM
const CHUNKS: u32 = 2u; // tune: CHUNKS

struct Params {
    first_group: u32,
    rows: u32,
    sequences: u32,
    heads: u32,
    queries: u32,
    keys: u32,
    sequence_step: u32,
    token_step: u32,
    query_row: u32,
    key_row: u32,
    key_at: u32,
    value_at: u32,
    mask_batch: u32,
    mask_head: u32,
    scale: f32,
    nan: f32,
}

override HAS_MASK: u32 = 0u;
override CAUSAL: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<Elem>;
@group(0) @binding(2) var<storage, read> key: array<Elem>;
@group(0) @binding(3) var<storage, read> value: array<Elem>;
@group(0) @binding(4) var<storage, read> mask: array<Elem>;
@group(0) @binding(5) var<storage, read_write> output: array<Elem>;

const MINUS_INFINITY: u32 = 0xff800000u;
const EXPONENT: u32 = 0x7f800000u;
const SKIP: f32 = -1.0;

// One head of one sequence of one batch element.
struct Problem {
    head: u32,
    first_query: u32,
    first_key: u32,
    mask_at: u32,
}

struct State {
    largest: f32,
    total: f32,
    broken: bool,
    sum: array<vec4<f32>, CHUNKS>,
}

fn problem_of(index: u32) -> Problem {
    let head = index % params.heads;
    let sequence = index / params.heads % params.sequences;
    let n = index / params.heads / params.sequences;
    let first = sequence * params.sequence_step;
    return Problem(
        head,
        n * params.sequences * params.queries + first,
        n * params.sequences * params.keys + first,
        n * params.mask_batch + head * params.mask_head,
    );
}

// The first channel of the problem's head of its i-th query.
fn query_start(p: Problem, i: u32) -> u32 {
    return (p.first_query + i * params.token_step) * params.query_row + p.head * HEAD_DIM;
}

// The same of its j-th key or value, but for where the keys or values begin.
fn key_start(p: Problem, j: u32) -> u32 {
    return (p.first_key + j * params.token_step) * params.key_row + p.head * HEAD_DIM;
}

// Four channels from d on, zeros beyond the head.
fn query_chunk(at: u32, d: u32) -> vec4<f32> {
    var x = vec4<f32>();
    // unroll
    for (var i = 0u; i < 4u; i++) {
        x[i] = select(0.0, f32(query[at + min(d + i, HEAD_DIM - 1u)]), d + i < HEAD_DIM);
    }
    return x;
}

fn key_chunk(at: u32, d: u32) -> vec4<f32> {
    var x = vec4<f32>();
    // unroll
    for (var i = 0u; i < 4u; i++) {
        x[i] = select(0.0, f32(key[at + min(d + i, HEAD_DIM - 1u)]), d + i < HEAD_DIM);
    }
    return x;
}

fn value_chunk(at: u32, d: u32) -> vec4<f32> {
    var x = vec4<f32>();
    // unroll
    for (var i = 0u; i < 4u; i++) {
        x[i] = select(0.0, f32(value[at + min(d + i, HEAD_DIM - 1u)]), d + i < HEAD_DIM);
    }
    return x;
}

fn start_state() -> State {
    var state: State;
    state.largest = -3.4028234e38;
    return state;
}

// What the mask adds for query i and key j.
fn added(p: Problem, i: u32, j: u32) -> f32 {
    if HAS_MASK != 0u {
        return f32(mask[p.mask_at + i * params.keys + j]);
    }
    return 0.0;
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
        for (var c = 0u; c < CHUNKS; c++) {
            (*state).sum[c] *= smaller;
        }
    }
    let weight = exp(score - (*state).largest);
    (*state).total += weight;
    return weight;
}

fn finish(p: Problem, i: u32, state: ptr<function, State>) {
    let at = ((p.first_query + i * params.token_step) * params.heads + p.head) * HEAD_DIM;
    let any = (*state).total > 0.0;
    let total = select(1.0, (*state).total, any);
    // unroll
    for (var c = 0u; c < CHUNKS; c++) {
        let y = (*state).sum[c] / total;
        // unroll
        for (var d = 0u; d < 4u; d++) {
            if c * 4u + d < HEAD_DIM {
                output[at + c * 4u + d] = Elem(select(select(0.0, y[d], any), params.nan, (*state).broken));
            }
        }
    }
}

fn walk(p: Problem, i: u32) {
    var q: array<vec4<f32>, CHUNKS>;
    let from_query = query_start(p, i);
    // unroll
    for (var c = 0u; c < CHUNKS; c++) {
        q[c] = query_chunk(from_query, c * 4u);
    }
    var state = start_state();
    var count = params.keys;
    if CAUSAL != 0u {
        count = min(count, i + 1u);
    }
    for (var j = 0u; j < count; j++) {
        let plus = added(p, i, j);
        if bitcast<u32>(plus) == MINUS_INFINITY {
            continue;
        }
        let from_key = key_start(p, j);
        var products = vec4<f32>();
        // unroll
        for (var c = 0u; c < CHUNKS; c++) {
            products += q[c] * key_chunk(from_key + params.key_at, c * 4u);
        }
        let product = products.x + products.y + products.z + products.w;
        let weight = weigh(&state, product * params.scale + plus);
        if weight < 0.0 {
            continue;
        }
        // unroll
        for (var c = 0u; c < CHUNKS; c++) {
            state.sum[c] += weight * value_chunk(from_key + params.value_at, c * 4u);
        }
    }
    finish(p, i, &state);
}

// 64 invocations, one query each.
@compute @workgroup_size(64)
fn attention_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if row >= params.rows {
        return;
    }
    walk(problem_of(row / params.queries), row % params.queries);
}

// 8 invocations, one query each, of one head of one sequence.
@compute @workgroup_size(8)
fn attention_uniform(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let tiles = (params.queries + 7u) / 8u;
    let i = group % tiles * 8u + lane;
    if i < params.queries {
        walk(problem_of(group / tiles), i);
    }
}

// 64 invocations, one query each, of one head of one sequence. Together they fetch TILE keys and values into
// workgroup memory, and then each walks along them.
const TILE: u32 = 8u; // tune: TILE

var<workgroup> tile_key: array<vec4<f32>, TILE * CHUNKS>;
var<workgroup> tile_value: array<vec4<f32>, TILE * CHUNKS>;

@compute @workgroup_size(64)
fn attention_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let tiles = (params.queries + 63u) / 64u;
    let p = problem_of(group / tiles);
    let first = group % tiles * 64u;
    // Those beyond the last query repeat it and write nothing.
    let i = min(first + lane, params.queries - 1u);
    var q: array<vec4<f32>, CHUNKS>;
    let from_query = query_start(p, i);
    // unroll
    for (var c = 0u; c < CHUNKS; c++) {
        q[c] = query_chunk(from_query, c * 4u);
    }
    var state = start_state();
    var count = params.keys;
    if CAUSAL != 0u {
        count = min(count, first + 64u);
    }
    for (var j0 = 0u; j0 < count; j0 += TILE) {
        for (var e = lane; e < TILE * CHUNKS; e += 64u) {
            let from_key = key_start(p, min(j0 + e / CHUNKS, params.keys - 1u));
            tile_key[e] = key_chunk(from_key + params.key_at, e % CHUNKS * 4u);
            tile_value[e] = value_chunk(from_key + params.value_at, e % CHUNKS * 4u);
        }
        workgroupBarrier();
        var last = min(TILE, count - j0);
        if CAUSAL != 0u {
            last = min(last, max(i + 1u, j0) - j0);
        }
        for (var j = 0u; j < last; j++) {
            let plus = added(p, i, j0 + j);
            if bitcast<u32>(plus) == MINUS_INFINITY {
                continue;
            }
            var products = vec4<f32>();
            // unroll
            for (var c = 0u; c < CHUNKS; c++) {
                products += q[c] * tile_key[j * CHUNKS + c];
            }
            let product = products.x + products.y + products.z + products.w;
            let weight = weigh(&state, product * params.scale + plus);
            if weight < 0.0 {
                continue;
            }
            // unroll
            for (var c = 0u; c < CHUNKS; c++) {
                state.sum[c] += weight * tile_value[j * CHUNKS + c];
            }
        }
        workgroupBarrier();
    }
    if first + lane < params.queries {
        finish(p, i, &state);
    }
}
