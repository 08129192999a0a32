// What becomes of a sum: bias, addend and activation.
//
// The importing file declares `bias`, `addend` and `output`, arrays of Elem, and the override constants HAS_BIAS, HAS_ADDEND
// (2: the output's own elements), ACTIVATION and SLOPE.

#import activation

// The sum of one channel, and where it lies in the output.
fn finish(at: u32, channel: u32, sum: f32) {
    var y = sum;
    if HAS_BIAS != 0u {
        y += f32(bias[channel]);
    }
    if HAS_ADDEND == 1u {
        y += f32(addend[at]);
    } else if HAS_ADDEND == 2u {
        y += f32(output[at]);
    }
    output[at] = Elem(activate(ACTIVATION, SLOPE, y));
}
