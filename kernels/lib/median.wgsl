// The median of an odd number of keys, by forgetful selection: of the first half of them and two more, neither the
// smallest nor the largest can be the median, so both go and the next key comes in, until one is left. Only exchanges
// at fixed places, no branches.
//
// Keys are integers that sort as the floats do, NaN beyond the infinity of its sign: every device chooses alike.
//
// The importing file declares `const COUNT: u32`, how many keys there are.

const HALF: u32 = COUNT / 2u;
const HELD: u32 = HALF + 2u;

fn key_of(x: f32) -> i32 {
    let bits = bitcast<i32>(x);
    return bits ^ ((bits >> 31u) & 0x7fffffff);
}

fn of_key(key: i32) -> f32 {
    return bitcast<f32>(key ^ ((key >> 31u) & 0x7fffffff));
}

fn exchange(keys: ptr<function, array<i32, COUNT>>, low: u32, high: u32) {
    let a = (*keys)[low];
    let b = (*keys)[high];
    (*keys)[low] = min(a, b);
    (*keys)[high] = max(a, b);
}

fn median_of(keys: ptr<function, array<i32, COUNT>>) -> i32 {
    // Step s holds the places s to HELD − 1, and brings their smallest to s and their largest to HELD − 1.
    // unroll
    for (var s = 0u; s < HALF; s++) {
        if s > 0u {
            (*keys)[HELD - 1u] = (*keys)[HELD - 1u + s];
        }
        // unroll
        for (var i = 0u; i < HALF; i++) {
            if s + i < HELD - 1u - i {
                exchange(keys, s + i, HELD - 1u - i);
            }
        }
        // The smallest is in the lower half now, the largest in the upper.
        // unroll
        for (var i = 1u; i < HALF; i++) {
            if 2u * i < HELD - s + 1u - (HELD - s + 1u) % 2u {
                exchange(keys, s, s + i);
                exchange(keys, HELD - 1u - i, HELD - 1u);
            }
        }
    }
    return (*keys)[HALF];
}
