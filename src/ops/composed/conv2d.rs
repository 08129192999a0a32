//! 2D convolution: a 3D convolution of single frames.

use serde::Deserialize;

use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::attributes::{PaddingRule, each, padding};
use crate::ops::{Conv3d, Door, Layout, PaddingMode, Port};
use crate::shape::Shape;

/// Attributes of a 2D convolution (cross-correlation), those of `torch.nn.functional.conv2d`. Two numbers are for the
/// axes H, W.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conv2d {
    /// Steps between windows.
    #[serde(deserialize_with = "each")]
    pub stride: [usize; 2],
    /// Positions outside the input before and after each axis; see also [`Conv2d::same`].
    #[serde(deserialize_with = "padding")]
    pub padding: [[usize; 2]; 2],
    /// What lies there.
    pub padding_mode: PaddingMode,
    /// Steps between the taps of a window.
    #[serde(deserialize_with = "each")]
    pub dilation: [usize; 2],
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl Default for Conv2d {
    fn default() -> Self {
        Conv2d {
            stride: [1; 2],
            padding: [[0; 2]; 2],
            padding_mode: PaddingMode::Constant,
            dilation: [1; 2],
            groups: 1,
        }
    }
}

impl Conv2d {
    /// With the padding of [`Conv3d::same`]; `x` and `weight` are the shapes of the inputs, stride and dilation must be
    /// set before.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when one of them has not four axes.
    pub fn same(self, x: &Shape, weight: &Shape) -> Result<Self> {
        let [_, h, w, _] = x.dims("the input", "[N, H, W, C]")?;
        let [kh, kw, _, _] = weight.dims("the weight", "[kH, kW, Cin/groups, Cout]")?;
        let padding = PaddingRule::Same.padding([h, w], [kh, kw], self.stride, self.dilation);
        Ok(Conv2d { padding, ..self })
    }
}

impl Graph {
    /// Adds a 2D convolution: `x` `[N, H, W, Cin]`, `weight` `[kH, kW, Cin/groups, Cout]`, `bias` `[Cout]` give
    /// `[N, H', W', Cout]`. The reshaping around [`Graph::conv3d`] copies nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other.
    pub fn conv2d(&mut self, x: Value, weight: Value, bias: Option<Value>, a: &Conv2d) -> Result<Value> {
        let [n, h, w, c] = self.shape(x).dims("the input", "[N, H, W, C]").at("conv2d")?;
        let [kh, kw, cin, cout] =
            self.shape(weight).dims("the weight", "[kH, kW, Cin/groups, Cout]").at("conv2d")?;
        let x = self.view(x, &[n, 1, h, w, c])?;
        let weight = self.view(weight, &[1, kh, kw, cin, cout])?;
        let attributes = Conv3d {
            stride: [1, a.stride[0], a.stride[1]],
            padding: [[0; 2], a.padding[0], a.padding[1]],
            padding_mode: a.padding_mode,
            dilation: [1, a.dilation[0], a.dilation[1]],
            groups: a.groups,
            ..Conv3d::default()
        };
        let y = self.conv3d(x, weight, bias, &attributes)?;
        let [n, _, h, w, c] = self.shape(y).dims("the output", "[N, T, H, W, C]")?;
        self.view(y, &[n, h, w, c])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "conv2d",
    summary: "2D convolution with bias",
    inputs: &[
        Port::new("input", Layout::Activation),
        Port::new("weight", Layout::ConvWeight),
        Port::optional("bias", Layout::Plain),
    ],
    output: Layout::Activation,
    attributes: "stride=1, padding=0 (same, valid), padding_mode=constant (reflect, replicate, circular), dilation=1, \
                 groups=1",
    build: |g, v, a| {
        let (rule, a) = a.padding_rule()?;
        let mut attributes: Conv2d = a.read()?;
        match rule {
            Some(PaddingRule::Causal) => {
                return Err(Error::bad_input("attribute `padding`: causal is for convolutions over time"));
            }
            Some(PaddingRule::Same) => {
                attributes = attributes.same(g.shape(v[0]), g.shape(v[1])).at("conv2d")?;
            }
            None => {}
        }
        Ok(vec![g.conv2d(v[0], v[1], v.get(2).copied(), &attributes)?])
    },
};
