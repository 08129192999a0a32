//! 1D convolution: a 3D convolution along W.

use serde::Deserialize;

use crate::error::{At, Result};
use crate::graph::{Graph, Value};
use crate::ops::attributes::{PaddingRule, each, padding};
use crate::ops::{Conv3d, Door, Layout, PaddingMode, Port};
use crate::shape::Shape;

/// Attributes of a 1D convolution (cross-correlation), those of `torch.nn.functional.conv1d`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conv1d {
    /// Steps between windows.
    #[serde(deserialize_with = "each")]
    pub stride: [usize; 1],
    /// Positions outside the input before and after the axis; see also [`Conv1d::same`] and [`Conv1d::causal`].
    #[serde(deserialize_with = "padding")]
    pub padding: [[usize; 2]; 1],
    /// What lies there.
    pub padding_mode: PaddingMode,
    /// Steps between the taps of a window.
    #[serde(deserialize_with = "each")]
    pub dilation: [usize; 1],
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl Default for Conv1d {
    fn default() -> Self {
        Conv1d {
            stride: [1],
            padding: [[0; 2]],
            padding_mode: PaddingMode::Constant,
            dilation: [1],
            groups: 1,
        }
    }
}

impl Conv1d {
    /// With the padding of [`Conv3d::same`]; `x` and `weight` are the shapes of the inputs, stride and dilation must be
    /// set before.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when one of them has not three axes.
    pub fn same(self, x: &Shape, weight: &Shape) -> Result<Self> {
        self.ruled(PaddingRule::Same, x, weight)
    }

    /// As [`Conv1d::same`], but with all padding before the axis: no output sees what comes later.
    ///
    /// # Errors
    /// As [`Conv1d::same`].
    pub fn causal(self, x: &Shape, weight: &Shape) -> Result<Self> {
        self.ruled(PaddingRule::Causal, x, weight)
    }

    fn ruled(self, rule: PaddingRule, x: &Shape, weight: &Shape) -> Result<Self> {
        let [_, w, _] = x.dims("the input", "[N, W, C]")?;
        let [kw, _, _] = weight.dims("the weight", "[kW, Cin/groups, Cout]")?;
        Ok(Conv1d { padding: rule.padding([w], [kw], self.stride, self.dilation), ..self })
    }
}

impl Graph {
    /// Adds a 1D convolution: `x` `[N, W, Cin]`, `weight` `[kW, Cin/groups, Cout]`, `bias` `[Cout]` give
    /// `[N, W', Cout]`. The reshaping around [`Graph::conv3d`] copies nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other.
    pub fn conv1d(&mut self, x: Value, weight: Value, bias: Option<Value>, a: &Conv1d) -> Result<Value> {
        let [n, w, c] = self.shape(x).dims("the input", "[N, W, C]").at("conv1d")?;
        let [kw, cin, cout] = self.shape(weight).dims("the weight", "[kW, Cin/groups, Cout]").at("conv1d")?;
        let x = self.view(x, &[n, 1, 1, w, c])?;
        let weight = self.view(weight, &[1, 1, kw, cin, cout])?;
        let attributes = Conv3d {
            stride: [1, 1, a.stride[0]],
            padding: [[0; 2], [0; 2], a.padding[0]],
            padding_mode: a.padding_mode,
            dilation: [1, 1, a.dilation[0]],
            groups: a.groups,
            ..Conv3d::default()
        };
        let y = self.conv3d(x, weight, bias, &attributes)?;
        let [n, _, _, w, c] = self.shape(y).dims("the output", "[N, T, H, W, C]")?;
        self.view(y, &[n, w, c])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "conv1d",
    summary: "1D convolution with bias",
    inputs: &[
        Port::new("input", Layout::Activation),
        Port::new("weight", Layout::ConvWeight),
        Port::optional("bias", Layout::Plain),
    ],
    output: Layout::Activation,
    attributes: "stride=1, padding=0 (same, valid, causal), padding_mode=constant (reflect, replicate, circular), \
                 dilation=1, groups=1",
    build: |g, v, a| {
        let (rule, a) = a.padding_rule()?;
        let mut attributes: Conv1d = a.read()?;
        if let Some(rule) = rule {
            attributes = attributes.ruled(rule, g.shape(v[0]), g.shape(v[1])).at("conv1d")?;
        }
        Ok(vec![g.conv1d(v[0], v[1], v.get(2).copied(), &attributes)?])
    },
};
