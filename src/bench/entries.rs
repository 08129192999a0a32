//! What is measured, by name: `conv3d/c3d-conv2` is an operator at the shape of a layer, `network/r3d-18` a network.

use super::numbers;
use crate::error::Result;
use crate::graph::{Activation, Graph, Value};
use crate::models;
use crate::ops::{
    Attention, Conv3d, ConvTranspose3d, Distance, GroupNorm, Matmul, Norm, NormMode, Over, Pool3d, Resize,
    Softmax, WindowAttention,
};
use crate::shape::Shape;
use crate::weights::Weights;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One operator, with the activation that moves into it.
    Kernel,
    /// A network at its published size, one clip, random weights.
    Network,
}

/// Something to be measured.
pub struct Entry {
    /// Its name: the operator or `network`, a slash, and the layer or the variant.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    build: Build,
}

type Build = Box<dyn Fn(Constants) -> Result<Graph> + Send + Sync>;

/// Whether constants have values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Constants {
    Random,
    Unknown,
}

impl Entry {
    /// The graph, with random weights; all inputs are to be given.
    ///
    /// # Errors
    /// Never in practice; shapes are fixed.
    pub fn graph(&self) -> Result<Graph> {
        (self.build)(Constants::Random)
    }

    /// The graph without the values of weights: it can be counted, not run.
    ///
    /// # Errors
    /// As [`Entry::graph`].
    pub fn outline(&self) -> Result<Graph> {
        (self.build)(Constants::Unknown)
    }

    fn kernel(
        name: impl Into<String>,
        build: impl Fn(&mut Builder) -> Result<()> + Send + Sync + 'static,
    ) -> Entry {
        let build = move |constants| {
            let mut b = Builder { graph: Graph::new(), constants, count: 0 };
            build(&mut b)?;
            Ok(b.graph)
        };
        Entry { name: name.into(), kind: Kind::Kernel, build: Box::new(build) }
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// A graph in the making.
struct Builder {
    graph: Graph,
    constants: Constants,
    count: usize,
}

impl Builder {
    fn input(&mut self, shape: &[usize]) -> Result<Value> {
        self.count += 1;
        self.graph.input(&format!("x{}", self.count), shape)
    }

    /// A constant, small enough that sums over its rows stay near 1.
    fn constant(&mut self, shape: &[usize]) -> Result<Value> {
        self.count += 1;
        let name = format!("w{}", self.count);
        Ok(match self.constants {
            Constants::Random => self.graph.constant(&name, numbers(shape, self.count)?),
            Constants::Unknown => self.graph.unknown_constant(&name, Shape::new(shape)?),
        })
    }

    fn output(&mut self, value: Value) -> Result<()> {
        self.graph.output("y", value)?;
        Ok(())
    }
}

/// A convolution with bias and ReLU: name, T, H, W, channels in and out, kernel, stride, groups.
struct Convolution {
    name: &'static str,
    input: [usize; 3],
    channels: [usize; 2],
    kernel: [usize; 3],
    stride: [usize; 3],
    groups: usize,
}

const fn conv(name: &'static str, input: [usize; 3], channels: [usize; 2]) -> Convolution {
    Convolution { name, input, channels, kernel: [3; 3], stride: [1; 3], groups: 1 }
}

const CONVOLUTIONS: [Convolution; 17] = [
    conv("c3d-conv1", [16, 112, 112], [3, 64]),
    conv("c3d-conv2", [16, 56, 56], [64, 128]),
    conv("c3d-conv3a", [8, 28, 28], [128, 256]),
    conv("c3d-conv3b", [8, 28, 28], [256, 256]),
    conv("c3d-conv4a", [4, 14, 14], [256, 512]),
    conv("c3d-conv4b", [4, 14, 14], [512, 512]),
    conv("c3d-conv5a", [2, 7, 7], [512, 512]),
    conv("c3d-conv5b", [2, 7, 7], [512, 512]),
    Convolution { kernel: [7; 3], stride: [2; 3], ..conv("i3d-stem", [16, 224, 224], [3, 64]) },
    Convolution { kernel: [1, 3, 3], ..conv("r2plus1d-space", [16, 56, 56], [64, 144]) },
    Convolution { kernel: [3, 1, 1], ..conv("r2plus1d-time", [16, 56, 56], [144, 64]) },
    Convolution { kernel: [1; 3], ..conv("resnet3d-pointwise", [8, 56, 56], [64, 256]) },
    Convolution { stride: [1, 2, 2], kernel: [1, 3, 3], ..conv("resnet3d-strided", [8, 56, 56], [128, 128]) },
    Convolution { kernel: [5, 1, 1], stride: [8, 1, 1], ..conv("slowfast-lateral", [32, 56, 56], [8, 16]) },
    Convolution { groups: 96, ..conv("mvit-pool", [8, 56, 56], [96, 96]) },
    Convolution {
        kernel: [1, 16, 16],
        stride: [1, 16, 16],
        ..conv("timesformer-patches", [8, 224, 224], [3, 768])
    },
    Convolution {
        kernel: [2, 16, 16],
        stride: [2, 16, 16],
        ..conv("vivit-tubelets", [32, 224, 224], [3, 768])
    },
];

impl Convolution {
    fn entry(&'static self) -> Entry {
        Entry::kernel(format!("conv3d/{}", self.name), move |b| {
            let ([t, h, w], [cin, cout], [kt, kh, kw]) = (self.input, self.channels, self.kernel);
            let x = b.input(&[1, t, h, w, cin])?;
            let weight = b.constant(&[kt, kh, kw, cin / self.groups, cout])?;
            let bias = b.constant(&[cout])?;
            // Windows that lie side by side need no padding.
            let padding = if self.kernel == self.stride { [0; 3] } else { self.kernel.map(|k| k / 2) };
            let conv = Conv3d { stride: self.stride, groups: self.groups, ..Conv3d::padded(padding) };
            let y = b.graph.conv3d(x, weight, Some(bias), &conv)?;
            let y = b.graph.relu(y)?;
            b.output(y)
        })
    }
}

/// Matrices: rows, inputs, outputs.
const LINEAR: [(&str, [usize; 3]); 6] = [
    ("c3d-fc6", [1, 8192, 4096]),
    ("c3d-fc7", [1, 4096, 4096]),
    ("c3d-fc8", [1, 4096, 487]),
    ("timesformer-qkv", [1569, 768, 2304]),
    ("timesformer-fc1", [1569, 768, 3072]),
    ("timesformer-fc2", [1569, 3072, 768]),
];

/// Frames, places, heads of 64 channels, which tokens attend to each other.
const ATTENTION: [(&str, [usize; 3], Over); 3] = [
    ("timesformer-space", [8, 196, 12], Over::Space),
    ("timesformer-time", [8, 196, 12], Over::Time),
    ("vivit-joint", [16, 196, 12], Over::All),
];

/// Vectors, codes, their length.
const CODES: [(&str, [usize; 3]); 2] = [("vqgan-256", [256, 16384, 256]), ("vqgan-4096", [4096, 16384, 256])];

/// Everything that is measured, networks last.
pub fn entries() -> Vec<Entry> {
    let mut list: Vec<Entry> = CONVOLUTIONS.iter().map(Convolution::entry).collect();
    list.push(Entry::kernel("conv_transpose3d/decoder", |b| {
        let x = b.input(&[1, 4, 28, 28, 128])?;
        let weight = b.constant(&[2, 2, 2, 128, 64])?;
        let up = ConvTranspose3d { stride: [2; 3], ..ConvTranspose3d::default() };
        let y = b.graph.conv_transpose3d(x, weight, None, &up)?;
        b.output(y)
    }));
    for (name, [rows, inputs, outputs]) in LINEAR {
        list.push(Entry::kernel(format!("linear/{name}"), move |b| {
            let x = b.input(&[rows, inputs])?;
            let (weight, bias) = (b.constant(&[inputs, outputs])?, b.constant(&[outputs])?);
            let y = b.graph.linear(x, weight, Some(bias))?;
            b.output(y)
        }));
    }
    for side in [1024, 4096] {
        list.push(Entry::kernel(format!("matmul/{side}"), move |b| {
            let (x, y) = (b.input(&[side, side])?, b.input(&[side, side])?);
            let z = b.graph.matmul(x, y, &Matmul::default())?;
            b.output(z)
        }));
    }
    for (name, [frames, places, heads], over) in ATTENTION {
        list.push(Entry::kernel(format!("attention/{name}"), move |b| {
            let qkv = b.input(&[1, frames * places, 3 * heads * 64])?;
            let grid = if over == Over::All { 0 } else { frames };
            let attention = Attention { over, frames: grid, ..Attention::heads(heads) };
            let y = b.graph.attention_fused(qkv, None, &attention)?;
            b.output(y)
        }));
    }
    list.push(Entry::kernel("window_attention/swin", |b| {
        let qkv = b.input(&[1, 8, 56, 56, 3 * 96])?;
        let y = b.graph.window_attention(qkv, None, &WindowAttention::of(3, [8, 7, 7]))?;
        b.output(y)
    }));
    for (name, [vectors, codes, length]) in CODES {
        list.push(Entry::kernel(format!("vector_quantize/{name}"), move |b| {
            let (x, codebook) = (b.input(&[vectors, length])?, b.constant(&[codes, length])?);
            let (index, code) = b.graph.vector_quantize(x, codebook, Distance::Expanded)?;
            b.graph.output("index", index)?;
            b.output(code)
        }));
    }
    list.extend(moving());
    list.extend(networks());
    list
}

/// Operators that are bound by memory.
fn moving() -> Vec<Entry> {
    let mut list = Vec::new();
    for (name, shape, pool) in [
        ("c3d-pool1", [1, 16, 112, 112, 64], Pool3d::max([1, 2, 2])),
        ("c3d-pool2", [1, 16, 56, 56, 128], Pool3d::max([2; 3])),
        ("i3d-branch", [1, 8, 28, 28, 192], Pool3d::max([3; 3]).stride([1; 3]).padded([1; 3])),
    ] {
        list.push(Entry::kernel(format!("pool3d/{name}"), move |b| {
            let x = b.input(&shape)?;
            let y = b.graph.pool3d(x, &pool)?;
            b.output(y)
        }));
    }
    let mut simple = |name: &'static str, shape: &'static [usize], build: Simple| {
        list.push(Entry::kernel(name, move |b| {
            let x = b.input(shape)?;
            let y = build(b, x)?;
            b.output(y)
        }));
    };
    simple("norm/layer-timesformer", &[1, 1569, 768], |b, x| {
        let (weight, bias) = (b.constant(&[768])?, b.constant(&[768])?);
        b.graph.norm(x, Some(weight), Some(bias), &Norm::over(NormMode::Layer, &[-1]))
    });
    simple("group_norm/unet", &[1, 8, 32, 32, 320], |b, x| {
        b.graph.group_norm(x, None, None, &GroupNorm { num_groups: 32, ..GroupNorm::default() })
    });
    simple("softmax/attention", &[12, 1569, 1569], |b, x| b.graph.softmax(x, &Softmax::default()));
    simple("activation/gelu-timesformer", &[1, 1569, 3072], |b, x| b.graph.activation(x, Activation::Gelu));
    simple("binary/add-resnet", &[1, 8, 56, 56, 256], |b, x| {
        let y = b.input(&[1, 8, 56, 56, 256])?;
        b.graph.add(x, y)
    });
    simple("permute/frames-to-channels", &[1, 16, 112, 112, 64], |b, x| b.graph.permute(x, &[0, 4, 1, 2, 3]));
    simple("concat/inception", &[1, 8, 28, 28, 128], |b, x| {
        let y = b.input(&[1, 8, 28, 28, 192])?;
        b.graph.concat(&[x, y], -1)
    });
    simple("resize/linear", &[1, 28, 28, 256], |b, x| {
        b.graph.resize(x, &Resize { size: Some(vec![56, 56]), ..Resize::default() })
    });
    list
}

type Simple = fn(&mut Builder, Value) -> Result<Value>;

/// Every variant of every network that stands for itself.
fn networks() -> Vec<Entry> {
    let mut list = Vec::new();
    for network in models::NETWORKS {
        for variant in network.variants {
            // The usual variant needs no name.
            let name = match variant.name == network.variants[0].name {
                true => format!("network/{}", network.name),
                false => format!("network/{}-{}", network.name, variant.name),
            };
            let build = move |constants| {
                let weights = match constants {
                    Constants::Random => Weights::random(0),
                    Constants::Unknown => Weights::shapes(),
                };
                network.published(Some(variant.name))?.build(1, &weights)
            };
            list.push(Entry { name, kind: Kind::Network, build: Box::new(build) });
        }
    }
    list
}
