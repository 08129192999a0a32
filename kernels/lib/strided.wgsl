// Walking a tensor of up to eight axes by steps of one's own. Lengths and steps stand innermost first, missing
// axes have length 1.

fn strided(index: u32, dims: array<vec4<u32>, 2>, steps: array<vec4<u32>, 2>) -> u32 {
    var rest = index;
    var at = 0u;
    // unroll
    for (var half = 0u; half < 2u; half++) {
        // unroll
        for (var axis = 0u; axis < 4u; axis++) {
            let length = dims[half][axis];
            at += rest % length * steps[half][axis];
            rest /= length;
        }
    }
    return at;
}
