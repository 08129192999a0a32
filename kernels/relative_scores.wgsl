// relative_scores: products of queries with an embedding of relative positions that is decomposed into the axes of a
// grid.
//
//   out[n, i, head, e] = Σ_c query[n, i, head, c] · R[row(e), c]
//
// Of the columns e the first stand for the places of the keys along T, the next along H, the last along W; R is the
// table of that axis. With q and k places of queries and keys on the axis and m the larger of the two, a query at place
// a and a key at place b have distance ⌊a·m/q⌋ + ⌊(k − 1 − b)·m/k⌋ of 2m − 1. A table of another length is resampled
// linearly to 2m − 1 rows, with the ends, not the middles of the outermost rows, brought together.
// Queries before the grid, which the last ones fill, get zeros.
//
// Layouts: query [N, queries, heads, width], a table [rows, width], output [N, queries, heads, kT + kH + kW].
// Dispatch: relative_scores_direct, 64 elements a workgroup.
// Source: Li et al., MViTv2, arXiv 2112.01526; torchvision.models.video.mvit._add_rel_pos.

#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    queries: u32,
    heads: u32,
    width: u32,
    query_t: u32,
    query_h: u32,
    query_w: u32,
    key_t: u32,
    key_h: u32,
    key_w: u32,
    rows_t: u32,
    rows_h: u32,
    rows_w: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<Elem>;
@group(0) @binding(2) var<storage, read> table_t: array<Elem>;
@group(0) @binding(3) var<storage, read> table_h: array<Elem>;
@group(0) @binding(4) var<storage, read> table_w: array<Elem>;
@group(0) @binding(5) var<storage, read_write> output: array<Elem>;

// The two rows of a table that one distance lies between, and the second's share.
struct Place {
    axis: u32,
    low: u32,
    high: u32,
    share: f32,
}

fn place_of(axis: u32, a: u32, b: u32, queries: u32, keys: u32, rows: u32) -> Place {
    let most = max(queries, keys);
    let distance = a * most / queries + (keys - 1u - b) * most / keys;
    // ((distance + ½) · rows / wanted − ½), not below zero, in units of 1 / (2 · wanted).
    let wanted = 2u * most - 1u;
    let at = max((2u * distance + 1u) * rows, wanted) - wanted;
    let low = at / (2u * wanted);
    return Place(axis, low, min(low + 1u, rows - 1u), f32(at % (2u * wanted)) / f32(2u * wanted));
}

fn of_table(axis: u32, at: u32) -> f32 {
    if axis == 0u {
        return f32(table_t[at]);
    }
    if axis == 1u {
        return f32(table_h[at]);
    }
    return f32(table_w[at]);
}

@compute @workgroup_size(64)
fn relative_scores_direct(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if index >= params.count {
        return;
    }
    let columns = params.key_t + params.key_h + params.key_w;
    let e = index % columns;
    let row = index / columns;
    let i = row / params.heads % params.queries;
    let grid = params.query_t * params.query_h * params.query_w;
    if i + grid < params.queries {
        output[index] = Elem(0.0);
        return;
    }
    let token = i + grid - params.queries;
    var place: Place;
    if e < params.key_t {
        let a = token / (params.query_h * params.query_w);
        place = place_of(0u, a, e, params.query_t, params.key_t, params.rows_t);
    } else if e < params.key_t + params.key_h {
        let a = token / params.query_w % params.query_h;
        place = place_of(1u, a, e - params.key_t, params.query_h, params.key_h, params.rows_h);
    } else {
        let b = e - params.key_t - params.key_h;
        place = place_of(2u, token % params.query_w, b, params.query_w, params.key_w, params.rows_w);
    }
    let from_query = row * params.width;
    var sum = 0.0;
    for (var c = 0u; c < params.width; c++) {
        var r = of_table(place.axis, place.low * params.width + c);
        // Not looked at otherwise: zero times infinity is NaN.
        if place.share > 0.0 {
            let above = of_table(place.axis, place.high * params.width + c);
            r = (1.0 - place.share) * r + place.share * above;
        }
        sum += f32(query[from_query + c]) * r;
    }
    output[index] = Elem(sum);
}
