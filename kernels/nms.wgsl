// nms: which boxes are left when each, the best first, takes away those that overlap it.
//
// Box i takes box j away, of a lower score and of the same class, if intersection > iou_threshold · union. Boxes of
// equal scores go by their numbers. A score that is NaN is the highest; a box with NaN overlaps none.
//
// Layouts: boxes [rows, K, 4] (x1, y1, x2, y2), scores and classes [rows, K], indices [rows, K] with −1 behind the
// last, counts [rows], contiguous.
// Dispatch: nms_rank, which puts the boxes in their order into indices, 64 boxes a workgroup; then nms_suppress, a row
// a workgroup. K is at most 32 · 256.
// Source: torchvision.ops.{nms, batched_nms}.

#import boxes
#import index

alias Elem = f32; // tune: Elem

struct Params {
    first_group: u32,
    count: u32,
    boxes: u32,
    iou_threshold: f32,
    score_threshold: f32,
}

override HAS_CLASSES: u32 = 0u;
override HAS_SCORE_THRESHOLD: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scores: array<Elem>;
@group(0) @binding(2) var<storage, read_write> ranked: array<i32>;
@group(0) @binding(2) var<storage, read> boxes: array<vec4<Elem>>;
@group(0) @binding(3) var<storage, read> classes: array<i32>;
@group(0) @binding(4) var<storage, read_write> indices: array<i32>;
@group(0) @binding(5) var<storage, read_write> counts: array<i32>;

// A score as an integer that sorts as it does: −∞ to ∞, both zeros alike, then NaN. Comparing integers is exact where
// comparing infinities and NaN is not defined. 0 for a box that does not take part.
fn sortable(score: f32) -> u32 {
    let bits = bitcast<u32>(score);
    let magnitude = bits & 0x7fffffffu;
    let nan = magnitude > 0x7f800000u;
    if HAS_SCORE_THRESHOLD != 0u && (nan || score <= params.score_threshold) {
        return 0u;
    }
    if nan {
        return 0xffffffffu;
    }
    return select(0x80000000u + magnitude, 0x80000000u - magnitude, bits > 0x80000000u);
}

// 64 invocations, one box each: its place is the number of boxes that come before it.
@compute @workgroup_size(64)
fn nms_rank(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(params.first_group, workgroup, workgroups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let own = i % params.boxes;
    let key = sortable(f32(scores[i]));
    var rank = 0u;
    for (var j = 0u; j < params.boxes; j++) {
        let other = sortable(f32(scores[i - own + j]));
        rank += u32(other > key || (other == key && j < own));
    }
    ranked[i - own + rank] = i32(own);
}

// 256 invocations, one row: they go through the boxes together, and each looks after every 256th: bit m of its word
// tells whether box 256·m + lane, by rank, is left.
const LANES: u32 = 256u;

var<workgroup> left: array<atomic<u32>, LANES>;

@compute @workgroup_size(256)
fn nms_suppress(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = linear_group(params.first_group, workgroup, workgroups) * params.boxes;
    var word = 0u;
    for (var j = lane; j < params.boxes; j += LANES) {
        let takes_part = sortable(f32(scores[row + u32(indices[row + j])])) != 0u;
        word |= select(0u, 1u, takes_part) << (j / LANES);
    }
    atomicStore(&left[lane], word);
    workgroupBarrier();
    var kept = 0u;
    for (var i = 0u; i < params.boxes; i++) {
        // Only the bits of later boxes change while this one is looked at.
        if (atomicLoad(&left[i % LANES]) >> (i / LANES) & 1u) != 0u {
            let best = row + u32(indices[row + i]);
            let box = vec4<f32>(boxes[best]);
            var taken = 0u;
            // The first of its boxes after this one.
            let next = i / LANES * LANES + lane + select(0u, LANES, lane <= i % LANES);
            for (var j = next; j < params.boxes; j += LANES) {
                let other = row + u32(indices[row + j]);
                var rivals = true;
                if HAS_CLASSES != 0u {
                    rivals = classes[best] == classes[other];
                }
                if rivals && overlaps(box, vec4<f32>(boxes[other])) {
                    taken |= 1u << (j / LANES);
                }
            }
            if taken != 0u {
                atomicAnd(&left[lane], ~taken);
            }
            // What stood at this place, nobody reads any more: it is not behind i.
            if lane == 0u && kept < i {
                indices[row + kept] = i32(best - row);
            }
            kept++;
        }
        workgroupBarrier();
    }
    for (var j = kept + lane; j < params.boxes; j += LANES) {
        indices[row + j] = -1;
    }
    if lane == 0u {
        counts[row / params.boxes] = i32(kept);
    }
}

fn overlaps(a: vec4<f32>, b: vec4<f32>) -> bool {
    let areas = overlap(a, b);
    return !has_nan(a) && !has_nan(b) && areas.x > 0.0 && areas.x > params.iou_threshold * areas.y;
}
