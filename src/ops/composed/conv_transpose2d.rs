//! The transpose of a 2D convolution: that of a 3D convolution of single frames.

use serde::Deserialize;

use crate::error::{At, Result};
use crate::graph::{Graph, Value};
use crate::ops::attributes::{each, padding};
use crate::ops::{ConvTranspose3d, Door, Layout, Port};

/// Attributes of a transposed 2D convolution, those of `torch.nn.functional.conv_transpose2d`; see
/// [`ConvTranspose3d`]. Two numbers are for the axes H, W.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConvTranspose2d {
    /// Steps between the outputs of neighbouring inputs.
    #[serde(deserialize_with = "each")]
    pub stride: [usize; 2],
    /// Outputs cut off before and after each axis.
    #[serde(deserialize_with = "padding")]
    pub padding: [[usize; 2]; 2],
    /// Outputs added after each axis, fewer than stride or dilation.
    #[serde(deserialize_with = "each")]
    pub output_padding: [usize; 2],
    /// Steps between the taps of a window.
    #[serde(deserialize_with = "each")]
    pub dilation: [usize; 2],
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl Default for ConvTranspose2d {
    fn default() -> Self {
        ConvTranspose2d {
            stride: [1; 2],
            padding: [[0; 2]; 2],
            output_padding: [0; 2],
            dilation: [1; 2],
            groups: 1,
        }
    }
}

impl Graph {
    /// Adds a transposed 2D convolution: `x` `[N, H, W, Cin]`, `weight` `[kH, kW, Cin, Cout/groups]`, `bias` `[Cout]` give
    /// `[N, H', W', Cout]`. The reshaping around [`Graph::conv_transpose3d`] copies nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other.
    pub fn conv_transpose2d(
        &mut self,
        x: Value,
        weight: Value,
        bias: Option<Value>,
        a: &ConvTranspose2d,
    ) -> Result<Value> {
        const NAME: &str = "conv_transpose2d";
        let [n, h, w, c] = self.shape(x).dims("the input", "[N, H, W, C]").at(NAME)?;
        let [kh, kw, cin, cout] =
            self.shape(weight).dims("the weight", "[kH, kW, Cin, Cout/groups]").at(NAME)?;
        let x = self.view(x, &[n, 1, h, w, c])?;
        let weight = self.view(weight, &[1, kh, kw, cin, cout])?;
        let attributes = ConvTranspose3d {
            stride: [1, a.stride[0], a.stride[1]],
            padding: [[0; 2], a.padding[0], a.padding[1]],
            output_padding: [0, a.output_padding[0], a.output_padding[1]],
            dilation: [1, a.dilation[0], a.dilation[1]],
            groups: a.groups,
            ..ConvTranspose3d::default()
        };
        let y = self.conv_transpose3d(x, weight, bias, &attributes)?;
        let [n, _, h, w, c] = self.shape(y).dims("the output", "[N, T, H, W, C]")?;
        self.view(y, &[n, h, w, c])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "conv_transpose2d",
    summary: "the transpose of a 2D convolution, with bias",
    inputs: &[
        Port::new("input", Layout::Activation),
        Port::new("weight", Layout::ConvTransposeWeight),
        Port::optional("bias", Layout::Plain),
    ],
    output: Layout::Activation,
    attributes: "stride=1, padding=0, output_padding=0, dilation=1, groups=1",
    build: |g, v, a| Ok(vec![g.conv_transpose2d(v[0], v[1], v.get(2).copied(), &a.read()?)?]),
};
