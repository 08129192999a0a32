//! The residual block of 3D networks that grew out of ResNet-50.

use super::{Conv, conv3d_norm, scope};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::weights::Weights;

const EPS: f32 = 1e-5;

/// The measures of a [`bottleneck`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bottleneck {
    /// Channels between the 1×1 convolutions; four times as many come out.
    pub inner: usize,
    /// Taps along time of the first convolution.
    pub taps: usize,
    /// Steps along H and W.
    pub stride: usize,
    /// Steps between the taps along H and W.
    pub dilation: usize,
}

/// Adds convolutions T×1×1, 1×3×3 (which strides and dilates) and 1×1×1, each with its batch normalisation, to a skip
/// connection, which has a 1×1×1 convolution where shapes differ. `x` `[N, T, H, W, Cin]` gives
/// `[N, T, H/stride, W/stride, 4·inner]`.
///
/// Weights: `branch2.a`, `branch2.a_bn`, the same with `b` and `c`, and `branch1`, `branch1_bn` of the skip connection.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when `x` has other axes.
pub fn bottleneck(g: &mut Graph, x: Value, w: &Weights, block: &Bottleneck) -> Result<Value> {
    let Bottleneck { inner, taps, stride, dilation } = *block;
    let steps = [1, stride, stride];
    let convolutions = [
        ("a", Conv::centred(inner, [taps, 1, 1])),
        ("b", Conv::centred(inner, [1, 3, 3]).stride(steps).dilation([1, dilation, dilation])),
        ("c", Conv::new(4 * inner, [1; 3])),
    ];
    let y = scope(g, w, "branch2", |g, w| {
        let mut y = x;
        for (name, conv) in &convolutions {
            y = conv3d_norm(g, y, w, [name, &format!("{name}_bn")], conv, EPS)?;
            if *name != "c" {
                y = g.scope(&format!("{name}_relu"), |g| g.relu(y))?;
            }
        }
        Ok(y)
    })?;
    let mut skip = x;
    if g.shape(x).last() != Some(&(4 * inner)) || stride != 1 {
        let conv = Conv::new(4 * inner, [1; 3]).stride(steps);
        skip = conv3d_norm(g, x, w, ["branch1", "branch1_bn"], &conv, EPS)?;
    }
    let sum = g.add(y, skip)?;
    g.relu(sum)
}
