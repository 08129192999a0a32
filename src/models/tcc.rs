//! Temporal cycle consistency: embeddings of moments, by which clips of the same action are aligned.
//!
//! Paper: Dwibedi, Aytar, Tompson, Sermanet, Zisserman, "Temporal Cycle-Consistency Learning", CVPR 2019, arXiv:1904.07846.
//! Input: `clip` `[N, T, H, W, 3]`, a frame and those before it that it is seen with, 15 frames apart, the frame last.
//! Canonical names: those of the modules of google-research/tcc, `cnn.conv1_conv.weight` with the layers of Keras'
//! ResNet-50 V2 or of the VGG-M there, and `emb.conv_layers.0.weight, emb.bn_layers.0.*, emb.fc_layers.0.*,
//! emb.embedding_layer.*`; a batch normalisation's are weight, bias, running_mean and running_var.

use super::{Design, Input, Network, Reading, Variant};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::nn::{self, Conv, scope};
use crate::ops::{Pool, Pool3d};
use crate::weights::{Convention, Weights};

/// What Keras' batch normalisations add to a variance, and those of its ResNets.
const EPS: f32 = 1e-3;
const RESNET_EPS: f32 = 1.001e-5;

/// The network that sees each frame by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// ResNet V2 with so many blocks in its stages `conv2` to `conv4`; published is the third block of `conv4`.
    ResNetV2([usize; 3]),
    /// VGG-M, 7 convolutions, with or without batch normalisations.
    VggM {
        /// Whether it has them.
        norm: bool,
    },
}

/// The measures of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcc {
    /// What sees each frame.
    pub base: Base,
    /// Output channels of its first convolution.
    pub width: usize,
    /// Output channels of the 3D convolutions after it.
    pub convolutions: Vec<usize>,
    /// Outputs of the linear layers after these.
    pub linear: Vec<usize>,
    /// Length of the embedding.
    pub embedding: usize,
    /// Frames that are embedded together.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
}

impl Tcc {
    /// The published network.
    pub fn resnet50() -> Self {
        Tcc {
            base: Base::ResNetV2([3, 4, 3]),
            width: 64,
            convolutions: vec![512; 2],
            linear: vec![512; 2],
            embedding: 128,
            frames: 2,
            size: 224,
        }
    }

    /// The publisher's smaller one, trained from the start.
    pub fn vgg_m() -> Self {
        Tcc { base: Base::VggM { norm: true }, ..Tcc::resnet50() }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`; output `features`
    /// `[clips, embedding]`, that of the last frame.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are no frames or pixels.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let g = &mut graph;
        let x = g.input("clip", &[clips, self.frames, self.size, self.size, 3])?;
        let x = scope(g, weights, "cnn", |g, w| match self.base {
            Base::ResNetV2(blocks) => self.resnet(g, x, w, blocks),
            Base::VggM { norm } => self.vggm(g, x, w, norm),
        })?;
        let x = scope(g, weights, "emb", |g, w| self.embed(g, x, w))?;
        g.output("features", x)?;
        Ok(graph)
    }

    fn resnet(&self, g: &mut Graph, x: Value, w: &Weights, blocks: [usize; 3]) -> Result<Value> {
        let stem = Conv::centred(self.width, [1, 7, 7]).stride([1, 2, 2]);
        let x = scope(g, w, "conv1_conv", |g, w| nn::conv3d(g, x, w, &stem))?;
        let mut x = stem_pool(g, x)?;
        for (stage, count) in blocks.into_iter().enumerate() {
            for block in 1..=count {
                // A stage's last block makes the maps smaller; of the third stage it is left out.
                let stride = if stage < 2 && block == count { 2 } else { 1 };
                let name = format!("conv{}_block{block}", stage + 2);
                x = preactivated(g, x, w, &name, self.width << stage, [stride, block])?;
            }
        }
        Ok(x)
    }

    fn vggm(&self, g: &mut Graph, x: Value, w: &Weights, norm: bool) -> Result<Value> {
        let layer = |g: &mut Graph, x: Value, name: &str, conv: &Conv| {
            let mut x = scope(g, w, name, |g, w| nn::conv3d(g, x, w, conv))?;
            if norm {
                x = scope(g, w, format!("{name}_bn"), |g, w| nn::batch_norm(g, x, w, EPS))?;
            }
            g.scope(&format!("{name}_relu"), |g| g.relu(x))
        };
        let stem = Conv::centred(self.width, [1, 7, 7]).stride([1, 2, 2]);
        let x = layer(g, x, "conv1", &stem)?;
        let mut x = stem_pool(g, x)?;
        for stage in 2..=4 {
            let conv = Conv::centred(self.width << (stage - 1), [1, 3, 3]);
            for i in 1..=2 {
                x = layer(g, x, &format!("conv{stage}_{i}"), &conv)?;
            }
            if stage < 4 {
                let pool = Pool3d::max([1, 2, 2]).same();
                x = g.scope(&format!("conv{stage}"), |g| g.pool3d(x, &pool))?;
            }
        }
        Ok(x)
    }

    /// The embedding `[N, C]` of what is seen in a moment's frames.
    fn embed(&self, g: &mut Graph, mut x: Value, w: &Weights) -> Result<Value> {
        for (i, &cout) in self.convolutions.iter().enumerate() {
            let conv = Conv::centred(cout, [3; 3]);
            x = scope(g, w, format!("conv_layers.{i}"), |g, w| nn::conv3d(g, x, w, &conv))?;
            x = scope(g, w, format!("bn_layers.{i}"), |g, w| nn::batch_norm(g, x, w, EPS))?;
            x = g.scope(&format!("activations.{i}"), |g| g.relu(x))?;
        }
        x = g.scope("max_pool", |g| g.global_pool(x, Pool::Max))?;
        for (i, &outputs) in self.linear.iter().enumerate() {
            x = scope(g, w, format!("fc_layers.{i}"), |g, w| {
                let x = nn::linear(g, x, w, outputs)?;
                g.relu(x)
            })?;
        }
        scope(g, w, "embedding_layer", |g, w| nn::linear(g, x, w, self.embedding))
    }
}

/// Half the size; what is beyond the maps' edges are zeros, which may be larger than all that is in them.
fn stem_pool(g: &mut Graph, x: Value) -> Result<Value> {
    let pool = Pool3d { zero_pad: true, ..Pool3d::max([1, 3, 3]).stride([1, 2, 2]).padded([0, 1, 1]) };
    g.scope("pool1_pool", |g| g.pool3d(x, &pool))
}

/// A residual block that normalises before it convolves.
fn preactivated(
    g: &mut Graph,
    x: Value,
    w: &Weights,
    name: &str,
    width: usize,
    [stride, block]: [usize; 2],
) -> Result<Value> {
    let part = |suffix: &str| format!("{name}_{suffix}");
    let y = scope(g, w, part("preact_bn"), |g, w| nn::batch_norm(g, x, w, RESNET_EPS))?;
    let active = g.scope(&part("preact_relu"), |g| g.relu(y))?;
    let steps = [1, stride, stride];
    let widen = Conv::new(4 * width, [1; 3]);
    let skip = match (block, stride) {
        (1, _) => {
            let conv = widen.clone().stride(steps);
            scope(g, w, part("0_conv"), |g, w| nn::conv3d(g, active, w, &conv))?
        }
        (_, 1) => x,
        _ => g.scope(&part("skip"), |g| g.pool3d(x, &Pool3d::max([1; 3]).stride(steps)))?,
    };
    let narrow = Conv::new(width, [1; 3]);
    let names = |i: usize| [part(&format!("{i}_conv")), part(&format!("{i}_bn"))];
    let mut y = active;
    for (i, conv) in [(1, narrow), (2, Conv::centred(width, [1, 3, 3]).stride(steps))] {
        let [convolution, norm] = names(i);
        y = nn::conv3d_norm(g, y, w, [&convolution, &norm], &conv, RESNET_EPS)?;
        y = g.scope(&part(&format!("{i}_relu")), |g| g.relu(y))?;
    }
    let y = scope(g, w, part("3_conv"), |g, w| nn::conv3d(g, y, w, &widen))?;
    g.scope(&part("out"), |g| g.add(skip, y))
}

/// The names of this crate's weights for it: the publisher's are a TensorFlow checkpoint.
pub const CONVENTIONS: &[Convention] = &[Convention {
    name: "modules",
    source: "the modules of google-research/tcc",
    map: |name| Some(name.into()),
}];

/// Temporal cycle consistency by name.
pub const NETWORK: Network = Network {
    name: "tcc",
    title: "the embedding of temporal cycle consistency, by which clips are aligned",
    paper: "Dwibedi et al. 2019, arXiv:1904.07846",
    variants: &[
        Variant {
            name: "resnet50",
            published: "Pouring, ImageNet pre-trained: Kendall's tau 0.8516, phase progression 0.9115 (the paper)",
        },
        Variant {
            name: "vgg-m",
            published: "Pouring, from the start: Kendall's tau 0.5998, phase progression 0.5756 (the paper)",
        },
    ],
    conventions: CONVENTIONS,
    design,
};

fn design(r: &Reading) -> Result<Design> {
    let vgg = r.variant() == "vgg-m";
    let published = if vgg { Tcc::vgg_m() } else { Tcc::resnet50() };
    let base = match published.base {
        Base::VggM { .. } => Base::VggM { norm: r.has("cnn.conv1_bn.weight") },
        Base::ResNetV2(blocks) => Base::ResNetV2(std::array::from_fn(|stage| {
            let name = |i| format!("cnn.conv{}_block{}_1_conv.weight", stage + 2, i + 1);
            r.count(name, blocks[stage])
        })),
    };
    let layers = |kind: &str, published: &[usize]| {
        let name = |i: usize| format!("emb.{kind}.{i}.weight");
        let count = r.count(name, published.len());
        (0..count).map(|i| r.length(&name(i), 0, published.get(i).copied().unwrap_or(1))).collect::<Vec<_>>()
    };
    let first = if vgg { "cnn.conv1.weight" } else { "cnn.conv1_conv.weight" };
    let config = Tcc {
        base,
        width: r.length(first, 0, published.width),
        convolutions: layers("conv_layers", &published.convolutions),
        linear: layers("fc_layers", &published.linear),
        embedding: r.length("emb.embedding_layer.weight", 0, published.embedding),
        frames: r.frames(published.frames),
        size: r.size(published.size),
    };
    let (frames, size) = (config.frames, config.size);
    let told = match config.base {
        Base::ResNetV2(blocks) => format!("ResNet V2, blocks {blocks:?}"),
        Base::VggM { norm: true } => "VGG-M with batch normalisations".to_owned(),
        Base::VggM { norm: false } => "VGG-M".to_owned(),
    };
    let notes = format!(
        "{told}, width {}, embedding of {}, {frames} frames of {size}×{size}",
        config.width, config.embedding
    );
    Ok(Design::new(Input::clip("tcc", frames, size), notes, move |clips, w| config.build(clips, w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keras' ResNet-50 V2 to the third block of conv4, counted layer by layer, and the embedder.
    #[test]
    fn published_figures() {
        let weights = Weights::shapes();
        let g = Tcc::resnet50().build(2, &weights).unwrap();
        let block = |cin: usize, c: usize, first: bool| {
            let skip = if first { cin * 4 * c + 4 * c } else { 0 };
            2 * cin + skip + cin * c + 2 * c + 9 * c * c + 2 * c + c * 4 * c + 4 * c
        };
        let stage = |cin: usize, c: usize, blocks: usize| {
            block(cin, c, true) + (1..blocks).map(|_| block(4 * c, c, false)).sum::<usize>()
        };
        let base = 147 * 64 + 64 + stage(64, 64, 3) + stage(256, 128, 4) + stage(512, 256, 3);
        let embedder = 27 * 512 * (1024 + 512) + 2 * 3 * 512 + 2 * (512 * 512 + 512) + 513 * 128;
        assert_eq!(weights.parameters(), (base + embedder) as u64);
        assert_eq!(g.outputs().map(|(_, v)| g.shape(v).to_vec()).collect::<Vec<_>>(), [[2, 128]]);
        let last = g.value("cnn/conv4_block3_out/binary").unwrap();
        assert_eq!(g.shape(last).to_vec(), [2, 2, 14, 14, 1024]);
        let g = Tcc::vgg_m().build(1, &Weights::shapes()).unwrap();
        let last = g.value("cnn/conv4_2_relu/activation").unwrap();
        assert_eq!(g.shape(last).to_vec(), [1, 2, 14, 14, 512]);
    }
}
