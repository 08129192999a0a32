// How eight invocations come to the same vec4s, in one of two forms that a kernel imports by a tune line, SHARING: here each
// loads all of them, at addresses that are the same for all. The other form is lib/shuffled.wgsl.

// What the invocation `lane` has as `own`. `same` is the same for all: what that invocation loaded, loaded by each.
fn of_lane(own: vec4<f32>, lane: u32, same: vec4<f32>) -> vec4<f32> {
    return same;
}
