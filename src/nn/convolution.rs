//! Convolutions. Two-dimensional ones are those of single frames, `[1, kH, kW]`: a published weight
//! `[Cout, Cin, kH, kW]` fits where `[Cout, Cin, 1, kH, kW]` is asked for.

use super::{batch_norm, constant, scope};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::Conv3d;
use crate::weights::Weights;

/// The measures of a convolutional layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv {
    /// Channels out.
    pub cout: usize,
    /// Taps along T, H, W.
    pub kernel: [usize; 3],
    /// Stride, padding, dilation, groups.
    pub attributes: Conv3d,
}

impl Conv {
    /// Without padding.
    pub fn new(cout: usize, kernel: [usize; 3]) -> Self {
        Conv { cout, kernel, attributes: Conv3d::default() }
    }

    /// With half a kernel of padding: at stride 1 and odd lengths the size stays.
    pub fn centred(cout: usize, kernel: [usize; 3]) -> Self {
        Conv { cout, kernel, attributes: Conv3d::padded(kernel.map(|k| k / 2)) }
    }

    /// With these steps between windows.
    #[must_use]
    pub fn stride(mut self, stride: [usize; 3]) -> Self {
        self.attributes.stride = stride;
        self
    }

    /// With steps between the taps of a window, and a padding so much wider.
    #[must_use]
    pub fn dilation(mut self, dilation: [usize; 3]) -> Self {
        for (axis, d) in dilation.into_iter().enumerate() {
            self.attributes.padding[axis] = self.attributes.padding[axis].map(|p| p * d);
        }
        self.attributes.dilation = dilation;
        self
    }

    /// With groups of channels that do not see each other.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.attributes.groups = groups;
        self
    }
}

/// A 3D convolution with the weights `weight` `[Cout, Cin/groups, kT, kH, kW]` and `bias` `[Cout]`.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when `x` is not `[N, T, H, W, Cin]` or the attributes do not fit.
pub fn conv3d(g: &mut Graph, x: Value, w: &Weights, conv: &Conv) -> Result<Value> {
    let weight = kernels(g, x, w, conv)?;
    let bias = constant(g, w.take("bias", &[conv.cout])?);
    g.conv3d(x, weight, Some(bias), &conv.attributes)
}

/// A 3D convolution with the weights `weight` `[Cout, Cin/groups, kT, kH, kW]` alone.
///
/// # Errors
/// As [`conv3d`].
pub fn conv3d_unbiased(g: &mut Graph, x: Value, w: &Weights, conv: &Conv) -> Result<Value> {
    let weight = kernels(g, x, w, conv)?;
    g.conv3d(x, weight, None, &conv.attributes)
}

/// [`conv3d`] and ReLU.
///
/// # Errors
/// As [`conv3d`].
pub fn conv3d_relu(g: &mut Graph, x: Value, w: &Weights, conv: &Conv) -> Result<Value> {
    let y = conv3d(g, x, w, conv)?;
    g.relu(y)
}

/// [`conv3d_unbiased`] with the weights under the first name, then [`batch_norm`] with those under the second, such as
/// `["conv1", "bn1"]`.
///
/// # Errors
/// As [`conv3d`].
pub fn conv3d_norm(
    g: &mut Graph,
    x: Value,
    w: &Weights,
    [convolution, norm]: [&str; 2],
    conv: &Conv,
    eps: f32,
) -> Result<Value> {
    let x = scope(g, w, convolution, |g, w| conv3d_unbiased(g, x, w, conv))?;
    scope(g, w, norm, |g, w| batch_norm(g, x, w, eps))
}

fn kernels(g: &mut Graph, x: Value, w: &Weights, conv: &Conv) -> Result<Value> {
    let [_, _, _, _, cin] = g.shape(x).dims("the input", "[N, T, H, W, C]")?;
    let [kt, kh, kw] = conv.kernel;
    let shape = [conv.cout, cin / conv.attributes.groups.max(1), kt, kh, kw];
    let weight = w.take("weight", &shape)?.permute(&[2, 3, 4, 1, 0])?;
    Ok(constant(g, weight))
}
