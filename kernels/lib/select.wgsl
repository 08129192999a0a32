// The key of a given rank among a row's, by a workgroup of 256 and without sorting: digit by digit from the highest, it
// counts how often each digit occurs among the keys that begin as the one looked for, and takes the digit that the
// rank falls on. The counts are integers: their order does not matter.
//
// The importing file declares `params.length` and the key of element `k` of the row that begins at `first`:
//
//   fn row_key(first: u32, k: u32) -> u32

const LANES: u32 = 256u;

var<workgroup> histogram: array<atomic<u32>, LANES>;
var<workgroup> counts: array<u32, LANES>;
var<workgroup> chosen: vec2<u32>;

// To be called before the first digit is counted.
fn clear_histogram(lane: u32) {
    atomicStore(&histogram[lane], 0u);
    workgroupBarrier();
}

// The digit that `rank`, counted from 0, falls on, and the rank among those of that digit. Clears the histogram.
fn select_digit(lane: u32, rank: u32) -> vec2<u32> {
    workgroupBarrier();
    let own = atomicLoad(&histogram[lane]);
    var sum = own;
    counts[lane] = sum;
    workgroupBarrier();
    for (var width = 1u; width < LANES; width *= 2u) {
        var below = 0u;
        if lane >= width {
            below = counts[lane - width];
        }
        workgroupBarrier();
        sum += below;
        counts[lane] = sum;
        workgroupBarrier();
    }
    if rank < sum && rank >= sum - own {
        chosen = vec2(lane, rank - (sum - own));
    }
    atomicStore(&histogram[lane], 0u);
    workgroupBarrier();
    return chosen;
}

// The key of this rank, counted from 0, and the rank among those equal to it.
fn select_key(first: u32, lane: u32, rank: u32) -> vec2<u32> {
    clear_histogram(lane);
    var key = 0u;
    var left = rank;
    for (var digit = 0u; digit < 4u; digit++) {
        let shift = 24u - 8u * digit;
        for (var k = lane; k < params.length; k += LANES) {
            let own = row_key(first, k);
            // In two shifts, for one by 32 there is not.
            if ((own ^ key) >> shift) >> 8u == 0u {
                atomicAdd(&histogram[(own >> shift) & 0xffu], 1u);
            }
        }
        let found = select_digit(lane, left);
        key |= found.x << shift;
        left = found.y;
    }
    return vec2(key, left);
}
