// The form of lib/store_one.wgsl for numbers of channels that are multiples of four: all four at once. An adapter that runs on a
// processor makes a store of each invocation, under a condition, of every one: a third of what its compiler had to do for
// C3D's conv1 (4.4 s and 2.8 s on Mesa 25.0, 0.70 s and 0.60 s on 26.2, with one run). Only outputs of Winograd's form
// compile longer so (conv3a 6 s and 9.5 s on 25.0), and go one by one.
//
// The importing file declares, besides what lib/finish.wgsl wants, the same tensors as vec4<Elem>: `bias_fours`,
// `addend_fours` and `output_fours`.

fn finish_four(at: u32, channel: u32, count: u32, sum: vec4<f32>) {
    if count != 0u {
        var y = sum;
        if HAS_BIAS != 0u {
            y += vec4<f32>(bias_fours[channel / 4u]);
        }
        if HAS_ADDEND == 1u {
            y += vec4<f32>(addend_fours[at / 4u]);
        } else if HAS_ADDEND == 2u {
            y += vec4<f32>(output_fours[at / 4u]);
        }
        // unroll
        for (var i = 0u; i < 4u; i++) {
            y[i] = activate(ACTIVATION, SLOPE, y[i]);
        }
        output_fours[at / 4u] = vec4<Elem>(y);
    }
}
