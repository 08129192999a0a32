//! GoogLeNet in three dimensions: the layers that I3D and S3D have in common.
//!
//! Paper: Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, arXiv:1409.4842; inflated in arXiv:1705.07750.
//! Canonical names: those of piergiaj/pytorch-i3d, `Conv3d_2b_1x1.conv3d.weight, Conv3d_2b_1x1.bn.*, Mixed_3b.b0.…`;
//! a factored convolution has its two halves under `spatial` and `temporal`, a gate is `gate` of the unit before it.

use super::Reading;
use crate::error::Result;
use crate::graph::{Activation, Graph, Value};
use crate::nn::{self, Conv, scope};
use crate::ops::{Binary, Conv3d, Pool, Pool3d};
use crate::shape::Shape;
use crate::weights::Weights;

/// The names of the modules.
const MODULES: [&str; 9] = [
    "Mixed_3b", "Mixed_3c", "Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f", "Mixed_5b",
    "Mixed_5c",
];

/// The convolutions before the modules.
const STEM: [&str; 3] = ["Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3"];

/// The convolutions of a module: branch 0, both of branches 1 and 2, that after branch 3's pooling.
const UNITS: [&str; 6] = ["b0", "b1a", "b1b", "b2a", "b2b", "b3b"];

/// Output channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Widths {
    /// Of the three convolutions before the modules.
    pub stem: [usize; 3],
    /// Of the six convolutions of each of the nine modules: branch 0; 1×1×1 and 3×3×3 of branch 1; those of branch 2; the
    /// one after branch 3's pooling.
    pub modules: [[usize; 6]; 9],
}

impl Widths {
    /// GoogLeNet's.
    pub fn googlenet() -> Self {
        Widths {
            stem: [64, 64, 192],
            modules: [
                [64, 96, 128, 16, 32, 32],
                [128, 128, 192, 32, 96, 64],
                [192, 96, 208, 16, 48, 64],
                [160, 112, 224, 24, 64, 64],
                [128, 128, 256, 24, 64, 64],
                [112, 144, 288, 32, 64, 64],
                [256, 160, 320, 32, 128, 128],
                [256, 160, 320, 32, 128, 128],
                [384, 192, 384, 48, 128, 128],
            ],
        }
    }

    /// Reads them off a file of a network, whose names begin so and in which the units whose names end so are factored.
    pub(super) fn read(r: &Reading, prefix: &str, factored: &[&str]) -> Self {
        let published = Widths::googlenet();
        let length = |unit: &str, published| {
            let last = if factored.iter().any(|f| unit.ends_with(f)) { "temporal." } else { "" };
            r.length(&format!("{prefix}{unit}.{last}bn.weight"), 0, published)
        };
        Widths {
            stem: std::array::from_fn(|i| length(STEM[i], published.stem[i])),
            modules: std::array::from_fn(|m| {
                std::array::from_fn(|u| {
                    length(&format!("{}.{}", MODULES[m], UNITS[u]), published.modules[m][u])
                })
            }),
        }
    }
}

/// What lies around the input of a convolution or pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// TensorFlow's `SAME`: it depends on the lengths, an odd position is behind.
    Same,
    /// `(kernel - 1) / 2` before and after each axis.
    Half,
    /// What `SAME` is for lengths that the stride divides, whatever the lengths are; a last window may hang over.
    Divisible,
}

/// The layers and how they are made.
#[derive(Debug, Clone, PartialEq)]
pub struct Inception {
    /// Output channels.
    pub widths: Widths,
    /// Whether convolutions longer than 1 are factored into a spatial and a temporal one.
    pub separable: bool,
    /// Whether features are gated: after the third convolution and at the end of every branch.
    pub gated: bool,
    /// Whether the first convolution and the poolings make time shorter; else their steps in time are of one frame.
    pub shortens: bool,
    /// The padding.
    pub padding: Padding,
    /// The epsilon of the batch normalisations.
    pub eps: f32,
}

impl Inception {
    /// The first convolution, of 7×7×7 windows that halve each axis.
    pub(super) fn first(&self, g: &mut Graph, x: Value, w: &Weights) -> Result<Value> {
        self.unit(g, x, w, STEM[0], [self.widths.stem[0], 7, 2])
    }

    /// All but the first convolution: of its `[N, T/2, H/2, W/2, C]`, the maps `[N, T/8, H/32, W/32, C]`; T is
    /// kept where time is not made shorter.
    pub(super) fn maps(&self, g: &mut Graph, mut x: Value, w: &Weights) -> Result<Value> {
        let [_, second, third] = self.widths.stem;
        x = self.pool(g, x, "MaxPool3d_2a_3x3", [1, 3, 3], [1, 2, 2])?;
        x = self.unit(g, x, w, STEM[1], [second, 1, 1])?;
        x = self.unit(g, x, w, STEM[2], [third, 3, 1])?;
        x = self.gate(g, x, w, STEM[2])?;
        x = self.pool(g, x, "MaxPool3d_3a_3x3", [1, 3, 3], [1, 2, 2])?;
        for (name, widths) in MODULES.into_iter().zip(self.widths.modules) {
            match name {
                "Mixed_4b" => x = self.pool(g, x, "MaxPool3d_4a_3x3", [3; 3], [2; 3])?,
                "Mixed_5b" => x = self.pool(g, x, "MaxPool3d_5a_2x2", [2; 3], [2; 3])?,
                _ => {}
            }
            x = scope(g, w, name, |g, w| self.module(g, x, w, widths))?;
        }
        Ok(x)
    }

    /// Four branches side by side.
    fn module(&self, g: &mut Graph, x: Value, w: &Weights, widths: [usize; 6]) -> Result<Value> {
        let [b0, b1a, b1b, b2a, b2b, b3b] = widths;
        let first = self.unit(g, x, w, "b0", [b0, 1, 1])?;
        let second = self.unit(g, x, w, "b1a", [b1a, 1, 1])?;
        let second = self.unit(g, second, w, "b1b", [b1b, 3, 1])?;
        let third = self.unit(g, x, w, "b2a", [b2a, 1, 1])?;
        let third = self.unit(g, third, w, "b2b", [b2b, 3, 1])?;
        let fourth = self.pool(g, x, "b3a", [3; 3], [1; 3])?;
        let fourth = self.unit(g, fourth, w, "b3b", [b3b, 1, 1])?;
        let mut branches = [first, second, third, fourth];
        for (branch, unit) in branches.iter_mut().zip(["b0", "b1b", "b2b", "b3b"]) {
            *branch = self.gate(g, *branch, w, unit)?;
        }
        g.concat(&branches, -1)
    }

    /// A convolution, batch normalisation and ReLU.
    fn unit(
        &self,
        g: &mut Graph,
        x: Value,
        w: &Weights,
        name: &str,
        [cout, kernel, stride]: [usize; 3],
    ) -> Result<Value> {
        scope(g, w, name, |g, w| {
            if !self.separable || kernel == 1 {
                return self.convolution(g, x, w, cout, [kernel; 3], self.steps([stride; 3]));
            }
            let x = scope(g, w, "spatial", |g, w| {
                self.convolution(g, x, w, cout, [1, kernel, kernel], [1, stride, stride])
            })?;
            scope(g, w, "temporal", |g, w| {
                self.convolution(g, x, w, cout, [kernel, 1, 1], self.steps([stride, 1, 1]))
            })
        })
    }

    fn convolution(
        &self,
        g: &mut Graph,
        x: Value,
        w: &Weights,
        cout: usize,
        kernel: [usize; 3],
        stride: [usize; 3],
    ) -> Result<Value> {
        let [_, _, _, _, cin] = g.shape(x).dims("the input", "[N, T, H, W, C]")?;
        let mut conv = Conv::centred(cout, kernel).stride(stride);
        if self.padding == Padding::Same {
            let [kt, kh, kw] = kernel;
            let weight = Shape::new(&[kt, kh, kw, cin, cout])?;
            conv.attributes = Conv3d { stride, ..Conv3d::default() }.same(g.shape(x), &weight)?;
        }
        let y = nn::conv3d_norm(g, x, w, ["conv3d", "bn"], &conv, self.eps)?;
        g.relu(y)
    }

    fn pool(
        &self,
        g: &mut Graph,
        x: Value,
        name: &str,
        kernel: [usize; 3],
        stride: [usize; 3],
    ) -> Result<Value> {
        let stride = self.steps(stride);
        let pool = Pool3d::max(kernel).stride(stride);
        let pool = match self.padding {
            Padding::Same => pool.same(),
            Padding::Half => pool.padded(kernel.map(|k| (k - 1) / 2)),
            Padding::Divisible => Pool3d {
                padding: std::array::from_fn(|axis| {
                    let all = kernel[axis] - stride[axis];
                    [all / 2, all - all / 2]
                }),
                ceil_mode: true,
                ..pool
            },
        };
        g.scope(name, |g| g.pool3d(x, &pool))
    }

    fn steps(&self, [time, height, width]: [usize; 3]) -> [usize; 3] {
        [if self.shortens { time } else { 1 }, height, width]
    }

    /// Features times a sigmoid of a linear layer of their means.
    fn gate(&self, g: &mut Graph, x: Value, w: &Weights, unit: &str) -> Result<Value> {
        if !self.gated {
            return Ok(x);
        }
        scope(g, w, format!("{unit}.gate"), |g, w| {
            let [n, _, _, _, c] = g.shape(x).dims("the input", "[N, T, H, W, C]")?;
            let mean = g.global_pool(x, Pool::Average)?;
            let gate = nn::linear(g, mean, w, c)?;
            let gate = g.activation(gate, Activation::Sigmoid)?;
            let gate = g.view(gate, &[n, 1, 1, 1, c])?;
            g.binary(x, gate, Binary::Mul)
        })
    }
}

/// The mean of the means of all windows of 2×7×7, or of the whole map where it is smaller: of `[N, T, H, W, C]`,
/// `[N, C]`. Clips of 224×224 have one window for each two frames; the first and last frame count half.
pub(super) fn window_means(g: &mut Graph, x: Value) -> Result<Value> {
    let [_, t, h, w, _] = g.shape(x).dims("the maps", "[N, T, H, W, C]")?;
    let windows = Pool3d::average([t.min(2), h.min(7), w.min(7)]).stride([1; 3]);
    g.scope("avg_pool", |g| {
        let x = g.pool3d(x, &windows)?;
        g.global_pool(x, Pool::Average)
    })
}

/// Splits a canonical name: the module or convolution of the stem, the unit of a module, and the rest.
pub(super) fn parts(name: &str) -> Option<(&str, &str, &str)> {
    let (block, rest) = name.split_once('.')?;
    match rest.split_once('.')? {
        (unit, rest) if block.starts_with("Mixed") => Some((block, unit, rest)),
        _ => Some((block, "", rest)),
    }
}
