//! Convolutions of the first layer, of three channels or fewer: a copy of the input has its padding along W, so that all that
//! a window has of one line lies together and its place is looked for once. GPUs, which read four elements at once, have the
//! channels filled up to four.
//!
//! Milliseconds on two cores of a Xeon before and after, copy included: C3D's conv1 100 and 98 (Mesa 25.0), 77 and 48 (26.2),
//! I3D's stem 472 and 398, 386 and 179. Filled up to four there, a third more products: 123 and 58, 537 and 233; an element a
//! turn instead of three: 86 and 64, 373 and 295; tiles of 64 columns: 92 and 43, 386 and 167, but twice as long to compile.

use super::KERNEL;
use super::geometry::{Conv3dParams, Geometry};
use crate::error::Result;
use crate::graph::{Dispatch, Family, Operand, Recorder};
use crate::tensor::Tensor;

/// How many channels are too many, and what GPUs fill up to.
const FOUR: usize = 4;

/// A copy of the input in lines of so many positions of so many channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lines {
    width: usize,
    channels: usize,
}

impl Lines {
    /// Those of a convolution without groups, where a window has a few positions side by side.
    pub(super) fn of(g: &Geometry, family: Family) -> Option<Lines> {
        let channels = match family {
            Family::Direct => return None,
            Family::Tiled => FOUR,
            Family::Uniform => g.input[4],
        };
        // Of one channel filled up to four, three quarters of the products would be with zeros.
        let few = g.input[4] < FOUR && channels <= 2 * g.input[4];
        let possible = few && g.kernel[2] > 1 && g.dilation[2] == 1;
        possible.then(|| Lines { width: (g.output[3] - 1) * g.stride[2] + g.kernel[2], channels })
    }

    /// The lengths of the convolution of the copy: a line's part of a window is one tap.
    pub(super) fn geometry(&self, g: &Geometry) -> Geometry {
        let [n, t, h, _, _] = g.input;
        let [kt, kh, kw] = g.kernel;
        Geometry {
            input: [n, t, h, self.width, self.channels],
            kernel: [kt, kh, 1],
            pad: [g.pad[0], g.pad[1], 0],
            together: kw,
            ..*g
        }
    }

    /// Words of the copy.
    pub(super) fn words(&self, g: &Geometry) -> u64 {
        let lines: usize = g.input[..3].iter().product();
        (lines * self.width * self.channels) as u64
    }

    /// The weights `[kT, kH, kW, Cin, Cout]` with zeros for channels that are none: `[kT · kH · kW · channels, Cout]`.
    pub(super) fn weights(&self, weight: &Tensor) -> Result<Tensor> {
        let [kt, kh, kw, channels, columns] = weight.shape().dims("the weight", "[kT, kH, kW, Cin, Cout]")?;
        let mut filled = vec![0.0; kt * kh * kw * self.channels * columns];
        let taps = filled.chunks_exact_mut(self.channels * columns);
        for (to, from) in taps.zip(weight.f32s()?.chunks_exact(channels * columns)) {
            to[..from.len()].copy_from_slice(from);
        }
        Tensor::new(&[kt * kh * kw * self.channels, columns], filled)
    }

    /// The dispatch that makes the copy.
    pub(super) fn record(&self, r: &mut Recorder<'_>, g: &Geometry) -> Result<()> {
        let n = |v: usize| r.u32("length", v);
        let params = Conv3dParams { out_w: n(self.width)?, out_c: n(self.channels)?, ..g.params(r, 1)? };
        let copy = Dispatch::new(&KERNEL, "conv3d_lines", &params)
            .constant("PADDING_MODE", g.padding_mode.code())
            .bind([Operand::Input(0), Operand::Scratch(0)])
            .groups(self.words(g).div_ceil(64));
        r.dispatch(copy);
        Ok(())
    }
}
