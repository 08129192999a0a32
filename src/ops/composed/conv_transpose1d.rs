//! The transpose of a 1D convolution: that of a 3D convolution along W.

use serde::Deserialize;

use crate::error::{At, Result};
use crate::graph::{Graph, Value};
use crate::ops::attributes::{each, padding};
use crate::ops::{ConvTranspose3d, Door, Layout, Port};

/// Attributes of a transposed 1D convolution, those of `torch.nn.functional.conv_transpose1d`; see
/// [`ConvTranspose3d`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConvTranspose1d {
    /// Steps between the outputs of neighbouring inputs.
    #[serde(deserialize_with = "each")]
    pub stride: [usize; 1],
    /// Outputs cut off before and after the axis.
    #[serde(deserialize_with = "padding")]
    pub padding: [[usize; 2]; 1],
    /// Outputs added after the axis, fewer than stride or dilation.
    #[serde(deserialize_with = "each")]
    pub output_padding: [usize; 1],
    /// Steps between the taps of a window.
    #[serde(deserialize_with = "each")]
    pub dilation: [usize; 1],
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl Default for ConvTranspose1d {
    fn default() -> Self {
        ConvTranspose1d {
            stride: [1; 1],
            padding: [[0; 2]; 1],
            output_padding: [0; 1],
            dilation: [1; 1],
            groups: 1,
        }
    }
}

impl Graph {
    /// Adds a transposed 1D convolution: `x` `[N, W, Cin]`, `weight` `[kW, Cin, Cout/groups]`, `bias` `[Cout]` give
    /// `[N, W', Cout]`. The reshaping around [`Graph::conv_transpose3d`] copies nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other.
    pub fn conv_transpose1d(
        &mut self,
        x: Value,
        weight: Value,
        bias: Option<Value>,
        a: &ConvTranspose1d,
    ) -> Result<Value> {
        const NAME: &str = "conv_transpose1d";
        let [n, w, c] = self.shape(x).dims("the input", "[N, W, C]").at(NAME)?;
        let [kw, cin, cout] = self.shape(weight).dims("the weight", "[kW, Cin, Cout/groups]").at(NAME)?;
        let x = self.view(x, &[n, 1, 1, w, c])?;
        let weight = self.view(weight, &[1, 1, kw, cin, cout])?;
        let attributes = ConvTranspose3d {
            stride: [1, 1, a.stride[0]],
            padding: [[0; 2], [0; 2], a.padding[0]],
            output_padding: [0, 0, a.output_padding[0]],
            dilation: [1, 1, a.dilation[0]],
            groups: a.groups,
            ..ConvTranspose3d::default()
        };
        let y = self.conv_transpose3d(x, weight, bias, &attributes)?;
        let [n, _, _, w, c] = self.shape(y).dims("the output", "[N, T, H, W, C]")?;
        self.view(y, &[n, w, c])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "conv_transpose1d",
    summary: "the transpose of a 1D convolution, with bias",
    inputs: &[
        Port::new("input", Layout::Activation),
        Port::new("weight", Layout::ConvTransposeWeight),
        Port::optional("bias", Layout::Plain),
    ],
    output: Layout::Activation,
    attributes: "stride=1, padding=0, output_padding=0, dilation=1, groups=1",
    build: |g, v, a| Ok(vec![g.conv_transpose1d(v[0], v[1], v.get(2).copied(), &a.read()?)?]),
};
