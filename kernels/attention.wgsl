// attention: softmax(scale · q·kᵀ + bias) · v for every head, with no matrix of scores in memory; lib/attention.wgsl
// has the walk along the keys.
//
// Layouts: tokens stand `row` elements apart, a token's heads side by side from `at` on, so that the three may lie
// in one buffer. Sequences are strided views of the token axis: token = sequence · sequence_step + i · token_step.
//   query  [N, sequences · queries, …]
//   key    [N, sequences · keys, …], value the same
//   bias   BIAS 1: [queries, keys] at n · bias_batch + head · bias_head
//          BIAS 2: [N, queries, heads, grid_t + grid_h + grid_w]; the key at t, h, w of the grid, which the last keys
//          fill, gets the sum of the three that stand for t, for h and for w, the keys before the grid nothing
//   output [N, sequences · queries, heads · HEAD_DIM]
// Who sees whom: with CAUSAL no query a key behind its own position. With WINDOWED those at most `window` positions
// apart, and the first `everyone` of the queries and of the keys, which see and are seen by all.
// Dispatch: a row of workgroups, see each entry point.
// Source: torch.nn.functional.scaled_dot_product_attention; the grid's bias: Li et al., MViTv2, arXiv 2112.01526; the
// window: Beltagy et al., Longformer, arXiv 2004.05150.
//
// Ladder: attention_direct (a query an invocation) → attention_tiled (GPUs: keys and values by way of workgroup
// memory), attention_uniform (adapters on a processor: eight invocations share what they load); attention_wide for heads of
// more channels than an invocation holds.

#import index
#import attention

alias Elem = f32; // tune: Elem

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
    bias_batch: u32,
    bias_head: u32,
    grid_t: u32,
    grid_h: u32,
    grid_w: u32,
    window: u32,
    everyone: u32,
    scale: f32,
    nan: f32,
}

override BIAS: u32 = 0u;
override CAUSAL: u32 = 0u;
override WINDOWED: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<Part>;
@group(0) @binding(2) var<storage, read> key: array<Part>;
@group(0) @binding(3) var<storage, read> value: array<Part>;
@group(0) @binding(4) var<storage, read> bias: array<Elem>;
@group(0) @binding(5) var<storage, read_write> output: array<Elem>;

struct Problem {
    n: u32,
    head: u32,
    first_query: u32,
    first_key: u32,
}

// Its position, and where its part of the bias begins.
struct Query {
    position: u32,
    bias_at: u32,
}

// Its position, and the grid's three indices into a query's part of the bias.
struct Key {
    position: u32,
    t: u32,
    h: u32,
    w: u32,
}

fn problem_of(index: u32) -> Problem {
    let head = index % params.heads;
    let sequence = index / params.heads % params.sequences;
    let n = index / params.heads / params.sequences;
    let first = sequence * params.sequence_step;
    return Problem(
        n,
        head,
        n * params.sequences * params.queries + first,
        n * params.sequences * params.keys + first,
    );
}

fn query_start(p: Problem, i: u32) -> u32 {
    return (p.first_query + i * params.token_step) * params.query_row + p.head * HEAD_DIM;
}

fn key_start(p: Problem, j: u32) -> u32 {
    return (p.first_key + j * params.token_step) * params.key_row + p.head * HEAD_DIM;
}

fn output_start(p: Problem, i: u32) -> u32 {
    return ((p.first_query + i * params.token_step) * params.heads + p.head) * HEAD_DIM;
}

fn query_of(p: Problem, i: u32) -> Query {
    if BIAS == 2u {
        let axes = params.grid_t + params.grid_h + params.grid_w;
        return Query(i, ((p.n * params.queries + i) * params.heads + p.head) * axes);
    }
    return Query(i, p.n * params.bias_batch + p.head * params.bias_head + i * params.keys);
}

fn key_of(p: Problem, j: u32) -> Key {
    if BIAS == 2u {
        let plane = params.grid_h * params.grid_w;
        let place = max(j + params.grid_t * plane, params.keys) - params.keys;
        return Key(
            j,
            place / plane,
            params.grid_t + place / params.grid_w % params.grid_h,
            params.grid_t + params.grid_h + place % params.grid_w,
        );
    }
    return Key(j, 0u, 0u, 0u);
}

fn sees(q: Query, k: Key) -> bool {
    if CAUSAL != 0u && k.position > q.position {
        return false;
    }
    if WINDOWED != 0u {
        let distance = max(q.position, k.position) - min(q.position, k.position);
        return distance <= params.window || min(q.position, k.position) < params.everyone;
    }
    return true;
}

fn any_seen(first: u32, last: u32, j0: u32, j1: u32) -> bool {
    if CAUSAL != 0u && j0 > last {
        return false;
    }
    if WINDOWED != 0u {
        let near = j0 <= last + params.window && first <= j1 + params.window;
        return near || min(first, j0) < params.everyone;
    }
    return true;
}

fn added(q: Query, k: Key) -> f32 {
    if BIAS == 1u {
        return f32(bias[q.bias_at + k.position]);
    }
    if BIAS == 2u && k.position + params.grid_t * params.grid_h * params.grid_w >= params.keys {
        return f32(bias[q.bias_at + k.t]) + f32(bias[q.bias_at + k.h]) + f32(bias[q.bias_at + k.w]);
    }
    return 0.0;
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

// 8 invocations, QUERIES queries each, of one head of one sequence.
@compute @workgroup_size(8)
fn attention_uniform(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let tiles = (params.queries + 8u * QUERIES - 1u) / (8u * QUERIES);
    walk_uniform(problem_of(group / tiles), group % tiles * 8u * QUERIES, lane);
}

// 64 invocations, one query each, of one head of one sequence.
@compute @workgroup_size(64)
fn attention_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let tiles = (params.queries + 63u) / 64u;
    walk_tiled(problem_of(group / tiles), group % tiles * 64u, lane);
}

// 64 invocations, eight of them a query, of one head of one sequence.
@compute @workgroup_size(64)
fn attention_wide(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let tiles = (params.queries + 7u) / 8u;
    walk_wide(problem_of(group / tiles), group % tiles * 8u, invocation);
}
