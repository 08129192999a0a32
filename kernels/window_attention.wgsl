// window_attention: attention within shifted windows of a grid of tokens, with a bias by relative position;
// lib/attention.wgsl has the walk along the keys.
//
// The grid is seen rolled back by `shift` along each axis and cut into windows: nothing is copied, a token's place is
// computed. Tokens that the roll brings together from opposite ends of an axis do not see each other.
//
// Layouts:
//   query, key, value  one buffer [N, T, H, W, 3 · heads · HEAD_DIM], in this order
//   table  [(2·Bt − 1)(2·Bh − 1)(2·Bw − 1), heads], looked at if HAS_TABLE: a row for each difference in place of
//          query and key, within a window of Bt × Bh × Bw whose tokens are numbered as those of the window are
//   output [N, T, H, W, heads · HEAD_DIM]
// Dispatch: a row of workgroups, see each entry point. A problem is one head of one window.
// Source: Liu et al., Video Swin Transformer, arXiv 2106.13230; torchvision.models.video.swin_transformer.
//
// Ladder: window_attention_direct → window_attention_tiled (GPUs), window_attention_uniform (adapters on a processor).

#import index
#import attention

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    rows: u32,
    heads: u32,
    queries: u32,
    keys: u32,
    key_at: u32,
    value_at: u32,
    grid_t: u32,
    grid_h: u32,
    grid_w: u32,
    window_t: u32,
    window_h: u32,
    window_w: u32,
    shift_t: u32,
    shift_h: u32,
    shift_w: u32,
    // The window that the table is for.
    table_t: u32,
    table_h: u32,
    table_w: u32,
    scale: f32,
    nan: f32,
}

override HAS_TABLE: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<Part>;
@group(0) @binding(2) var<storage, read> key: array<Part>;
@group(0) @binding(3) var<storage, read> value: array<Part>;
@group(0) @binding(4) var<storage, read> table: array<Elem>;
@group(0) @binding(5) var<storage, read_write> output: array<Elem>;

// The batch element, and the window's first token in the rolled grid.
struct Problem {
    n: u32,
    head: u32,
    t: u32,
    h: u32,
    w: u32,
}

// The row of the table for this query and a key at place 0, as an index into the table with the head; and which of the
// pieces of the window it lies in.
struct Query {
    row: u32,
    piece: u32,
}

// How far the row of the table lies before that, and the piece.
struct Key {
    row: u32,
    piece: u32,
}

fn problem_of(index: u32) -> Problem {
    let head = index % params.heads;
    let windows_w = params.grid_w / params.window_w;
    let windows_h = params.grid_h / params.window_h;
    let windows_t = params.grid_t / params.window_t;
    let w = index / params.heads;
    let h = w / windows_w;
    let t = h / windows_h;
    return Problem(
        t / windows_t,
        head,
        t % windows_t * params.window_t,
        h % windows_h * params.window_h,
        w % windows_w * params.window_w,
    );
}

// The i-th token of a window in the rolled grid.
fn rolled(p: Problem, i: u32) -> vec3<u32> {
    return vec3<u32>(
        p.t + i / (params.window_w * params.window_h),
        p.h + i / params.window_w % params.window_h,
        p.w + i % params.window_w,
    );
}

// The token's number in the grid as it lies.
fn token(p: Problem, i: u32) -> u32 {
    let grid = vec3<u32>(params.grid_t, params.grid_h, params.grid_w);
    let at = (rolled(p, i) + vec3<u32>(params.shift_t, params.shift_h, params.shift_w)) % grid;
    return ((p.n * grid.x + at.x) * grid.y + at.y) * grid.z + at.z;
}

fn query_start(p: Problem, i: u32) -> u32 {
    return (token(p, i) * 3u * params.heads + p.head) * HEAD_DIM;
}

fn key_start(p: Problem, j: u32) -> u32 {
    return query_start(p, j);
}

fn output_start(p: Problem, i: u32) -> u32 {
    return (token(p, i) * params.heads + p.head) * HEAD_DIM;
}

// A number for the piece of its window that a token lies in: the roll cuts an axis at grid − shift.
fn piece(p: Problem, i: u32) -> u32 {
    let at = rolled(p, i);
    return u32(at.x >= params.grid_t - params.shift_t)
        + 2u * u32(at.y >= params.grid_h - params.shift_h)
        + 4u * u32(at.z >= params.grid_w - params.shift_w);
}

fn place(i: u32) -> u32 {
    let row = 2u * params.table_w - 1u;
    let plane = (2u * params.table_h - 1u) * row;
    let w = i % params.table_w;
    let h = i / params.table_w % params.table_h;
    let t = i / (params.table_w * params.table_h);
    return (t * plane + h * row + w) * params.heads;
}

fn query_of(p: Problem, i: u32) -> Query {
    let last = params.table_t * params.table_h * params.table_w - 1u;
    return Query(place(i) + place(last) + p.head, piece(p, i));
}

fn key_of(p: Problem, j: u32) -> Key {
    return Key(place(j), piece(p, j));
}

fn sees(q: Query, k: Key) -> bool {
    return q.piece == k.piece;
}

fn any_seen(first: u32, last: u32, j0: u32, j1: u32) -> bool {
    return true;
}

fn added(q: Query, k: Key) -> f32 {
    if HAS_TABLE != 0u {
        return f32(table[q.row - k.row]);
    }
    return 0.0;
}

// 64 invocations, one query each.
@compute @workgroup_size(64)
fn window_attention_direct(
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

// 8 invocations, QUERIES queries each, of one head of one window.
@compute @workgroup_size(8)
fn window_attention_uniform(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let tiles = (params.queries + 8u * QUERIES - 1u) / (8u * QUERIES);
    walk_uniform(problem_of(group / tiles), group % tiles * 8u * QUERIES, lane);
}

// 64 invocations, one query each, of one head of one window.
@compute @workgroup_size(64)
fn window_attention_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let tiles = (params.queries + 63u) / 64u;
    walk_tiled(problem_of(group / tiles), group % tiles * 64u, lane);
}
