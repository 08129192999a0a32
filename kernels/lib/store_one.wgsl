// How an invocation finishes the sums of up to four channels of a position, in one of two forms that a kernel imports by a tune
// line, STORING: here one by one. The other form is lib/store_four.wgsl.

#import finish

// The first `count` of four.
fn finish_four(at: u32, channel: u32, count: u32, sum: vec4<f32>) {
    // unroll
    for (var i = 0u; i < 4u; i++) {
        if i < count {
            finish(at + i, channel + i, sum[i]);
        }
    }
}
