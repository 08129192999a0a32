// attention_lanes: attention with a query shared out over eight invocations of a subgroup, for GPUs whose subgroups have at
// least eight: kernels/attention.wgsl with sums by shuffles in place of attention_wide's workgroup memory and barriers. It is a
// file of its own because a device without subgroups refuses it as a whole.
//
// Layouts: those of kernels/attention.wgsl.
// Dispatch: a row of workgroups of 64 invocations, each eight queries of one head of one sequence.
// Source: see lib/attention.wgsl.

#import ../attention

// What a lane's sums have when key j is lane j's: of the lanes' eight parts of eight products, each lane gets one whole
// product. Halves change places at distances of four, two and one lanes.
fn whole_product(parts: ptr<function, array<f32, 8>>, lane: u32) -> f32 {
    // unroll
    for (var j = 0u; j < 4u; j++) {
        let high = (lane & 4u) != 0u;
        let given = select((*parts)[j + 4u], (*parts)[j], high);
        (*parts)[j] = select((*parts)[j], (*parts)[j + 4u], high) + subgroupShuffleXor(given, 4u);
    }
    // unroll
    for (var j = 0u; j < 2u; j++) {
        let high = (lane & 2u) != 0u;
        let given = select((*parts)[j + 2u], (*parts)[j], high);
        (*parts)[j] = select((*parts)[j], (*parts)[j + 2u], high) + subgroupShuffleXor(given, 2u);
    }
    let high = (lane & 1u) != 0u;
    let given = select((*parts)[1], (*parts)[0], high);
    return select((*parts)[0], (*parts)[1], high) + subgroupShuffleXor(given, 1u);
}

// The same for all eight lanes.
fn sum_of_eight(own: f32) -> f32 {
    let two = own + subgroupShuffleXor(own, 4u);
    let four = two + subgroupShuffleXor(two, 2u);
    return four + subgroupShuffleXor(four, 1u);
}

fn max_of_eight(own: f32) -> f32 {
    let two = max(own, subgroupShuffleXor(own, 4u));
    let four = max(two, subgroupShuffleXor(two, 2u));
    return max(four, subgroupShuffleXor(four, 1u));
}

// How many keys are multiplied at once, and of how many values the loads are under way: as many as registers can hold.
const TOGETHER: u32 = 8u; // tune: TOGETHER

// Lane l holds vec4s l, l + 8, … of the channels, and of every eight keys looks at the l-th. No invocation goes another way
// than the others of its workgroup: keys that are not seen get a weight below zero.
@compute @workgroup_size(64)
fn attention_lanes(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_size) subgroup_size: u32,
    @builtin(subgroup_invocation_id) invocation: u32,
) {
    let group = linear_group(params.first_group, workgroup, workgroups);
    let tiles = (params.queries + 7u) / 8u;
    let p = problem_of(group / tiles);
    let first = group % tiles * 8u;
    let lane = invocation % 8u;
    let row = first + subgroup * (subgroup_size / 8u) + invocation / 8u;
    let i = min(row, params.queries - 1u);
    let from_query = query_start(p, i);
    var q: array<vec4<f32>, HELD>;
    // unroll
    for (var c = 0u; c < HELD; c++) {
        q[c] = query_chunk(from_query, (c * 8u + lane) * 4u);
    }
    let own = query_of(p, i);
    var largest = -3.4028234e38;
    // Of the lane's own keys.
    var total = 0.0;
    var broken = 0.0;
    var sum: array<vec4<f32>, HELD>;
    for (var j0 = 0u; j0 < params.keys; j0 += 8u) {
        if !any_seen(first, first + 7u, j0, j0 + 7u) {
            continue;
        }
        var product = 0.0;
        for (var some = 0u; some < 8u; some += TOGETHER) {
            var parts: array<f32, 8>;
            // unroll
            for (var j = 0u; j < TOGETHER; j++) {
                let at = key_start(p, min(j0 + some + j, params.keys - 1u)) + params.key_at;
                var products = vec4<f32>();
                // unroll
                for (var c = 0u; c < HELD; c++) {
                    products += q[c] * key_chunk(at, (c * 8u + lane) * 4u);
                }
                parts[j] = products.x + products.y + products.z + products.w;
            }
            if TOGETHER == 8u {
                product = whole_product(&parts, lane);
            } else {
                // unroll
                for (var j = 0u; j < TOGETHER; j++) {
                    product = select(product, sum_of_eight(parts[j]), lane == some + j);
                }
            }
        }
        let other = key_of(p, min(j0 + lane, params.keys - 1u));
        let plus = added(own, other);
        let score = product * params.scale + plus;
        let bits = bitcast<u32>(score);
        let masked = (bitcast<u32>(plus) == MINUS_INFINITY) | (bits == MINUS_INFINITY);
        let hidden = masked | (j0 + lane >= params.keys) | !sees(own, other);
        let wrong = !hidden & ((bits & EXPONENT) == EXPONENT);
        broken = select(broken, 1.0, wrong);
        let now = max_of_eight(max(largest, select(score, largest, hidden | wrong)));
        let smaller = exp(largest - now);
        largest = now;
        let weight = select(exp(score - now), SKIP, hidden | wrong);
        total = total * smaller + max(weight, 0.0);
        // unroll
        for (var c = 0u; c < HELD; c++) {
            sum[c] *= smaller;
        }
        for (var some = 0u; some < 8u; some += TOGETHER) {
            // unroll
            for (var j = 0u; j < TOGETHER; j++) {
                let of_key = subgroupShuffle(weight, invocation - lane + some + j);
                let at = key_start(p, min(j0 + some + j, params.keys - 1u)) + params.value_at;
                // unroll
                for (var c = 0u; c < HELD; c++) {
                    // Zero times an infinity would be NaN.
                    let v = select(vec4<f32>(), value_chunk(at, (c * 8u + lane) * 4u), of_key >= 0.0);
                    sum[c] += max(of_key, 0.0) * v;
                }
            }
        }
    }
    var state: State;
    state.total = sum_of_eight(total);
    state.broken = sum_of_eight(broken) > 0.0;
    state.sum = sum;
    if row < params.queries {
        finish(p, i, &state, lane, 8u);
    }
}
