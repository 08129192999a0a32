//! Whether frames are in their order: several frames share a network, whose features together say it.
//!
//! Paper: Misra, Zitnick, Hebert, "Shuffle and Learn: Unsupervised Learning using Temporal Order Verification", ECCV 2016,
//! arXiv:1603.08561, with CaffeNet (Krizhevsky, Sutskever, Hinton, NIPS 2012); ResNet in its place: [`super::resnet`].
//! Input: `clip` `[N, T, H, W, 3]`, T frames, three in the paper.
//! Canonical names: the layers of imisra/shuffle-tuple, `conv1.weight, batch_norm_3.running_mean … fc8_tri.bias`; with a
//! ResNet `backbone.conv1.weight … head.bias`, torchvision's behind `backbone.`.

use super::resnet::{Block, ResNet};
use super::{Design, Input, Network, Reading, Variant};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::nn::{self, Conv, constant, scope};
use crate::ops::{BatchNorm, LocalResponseNorm, Pool3d, Reduce, Reduction};
use crate::weights::{Convention, Weights};

/// The network that frames share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backbone {
    /// CaffeNet with batch normalisation from its third convolution on.
    CaffeNet {
        /// Output channels of the five convolutions.
        channels: [usize; 5],
        /// Outputs of `fc6` and `fc7`.
        features: usize,
    },
    /// A ResNet, whose own frames, size and classes do not count.
    ResNet(ResNet),
}

/// The measures of a frame-order network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameOrder {
    /// The network that frames share.
    pub backbone: Backbone,
    /// Outputs of the classifier: in order or not.
    pub classes: usize,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
}

impl FrameOrder {
    /// Shuffle and Learn.
    pub fn shuffle_and_learn() -> Self {
        let backbone = Backbone::CaffeNet { channels: [96, 256, 384, 384, 256], features: 4096 };
        FrameOrder { backbone, classes: 2, frames: 3, size: 227 }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`; outputs `features`
    /// `[clips, T·C]`, those of the frames one after the other, and `logits` `[clips, classes]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when frames are too small.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let (g, w) = (&mut graph, weights);
        let x = g.input("clip", &[clips, self.frames, self.size, self.size, 3])?;
        let (x, head) = match &self.backbone {
            Backbone::CaffeNet { channels, features } => {
                (self.caffenet(g, x, w, channels, *features)?, "fc8_tri")
            }
            Backbone::ResNet(resnet) => {
                let x = scope(g, w, "backbone", |g, w| resnet.last_maps(g, x, w))?;
                (g.scope("pool", |g| g.reduce(x, &Reduce::over(Reduction::Mean, &[2, 3])))?, "head")
            }
        };
        let width = g.shape(x).elements() / clips;
        let x = g.scope("concat", |g| g.reshape(x, &[clips as isize, width as isize]))?;
        g.output("features", x)?;
        let logits = scope(g, w, head, |g, w| nn::linear(g, x, w, self.classes))?;
        g.output("logits", logits)?;
        Ok(graph)
    }

    /// The features `[N·T, C]` of the frames.
    fn caffenet(
        &self,
        g: &mut Graph,
        x: Value,
        w: &Weights,
        channels: &[usize; 5],
        features: usize,
    ) -> Result<Value> {
        // Caffe's pooling: a last window may hang over.
        let pool = Pool3d { ceil_mode: true, ..Pool3d::max([1, 3, 3]).stride([1, 2, 2]) };
        let norm = LocalResponseNorm { size: 5, ..LocalResponseNorm::default() };
        let convolutions = [
            Conv::new(channels[0], [1, 11, 11]).stride([1, 4, 4]),
            Conv::centred(channels[1], [1, 5, 5]).groups(2),
            Conv::centred(channels[2], [1, 3, 3]),
            Conv::centred(channels[3], [1, 3, 3]).groups(2),
            Conv::centred(channels[4], [1, 3, 3]).groups(2),
        ];
        let mut x = x;
        for (i, conv) in (1..).zip(&convolutions) {
            x = scope(g, w, format!("conv{i}"), |g, w| nn::conv3d(g, x, w, conv))?;
            x = if i < 3 { g.scope(&format!("relu{i}"), |g| g.relu(x))? } else { normed(g, x, w, i)? };
            if i != 3 && i != 4 {
                x = g.scope(&format!("pool{i}"), |g| g.pool3d(x, &pool))?;
            }
            if i < 3 {
                x = g.scope(&format!("norm{i}"), |g| g.local_response_norm(x, &norm))?;
            }
        }
        let [n, t, height, width, c] = g.shape(x).dims("the maps", "[N, T, H, W, C]")?;
        let x = g.view(x, &[n * t, 1, height, width, c])?;
        let x = scope(g, w, "fc6", |g, w| nn::linear_flattened(g, x, w, features))?;
        let x = normed(g, x, w, 6)?;
        let x = scope(g, w, "fc7", |g, w| nn::linear(g, x, w, features))?;
        normed(g, x, w, 7)
    }
}

/// Caffe's batch normalisation, which has no weight and bias, and ReLU.
fn normed(g: &mut Graph, x: Value, w: &Weights, layer: usize) -> Result<Value> {
    let x = scope(g, w, format!("batch_norm_{layer}"), |g, w| {
        let c = g.shape(x).last().copied().unwrap_or(1);
        let mut take = |name| Ok(constant(g, w.take(name, &[c])?));
        let statistics = [take("running_mean")?, take("running_var")?];
        g.batch_norm(x, statistics, None, None, &BatchNorm::default())
    })?;
    g.scope(&format!("relu{layer}"), |g| g.relu(x))
}

/// The published files.
pub const CONVENTIONS: &[Convention] = &[Convention {
    name: "layers",
    source: "imisra/shuffle-tuple, converted; or torchvision's ResNet",
    map: |name| Some(name.into()),
}];

/// Frame-order networks by name.
pub const NETWORK: Network = Network {
    name: "frame-order",
    title: "frame-order verification: Shuffle and Learn",
    paper: "Misra et al. 2016, arXiv:1603.08561",
    variants: &[
        Variant {
            name: "shuffle-and-learn",
            published: "fine-tuned: UCF101 50.2 %, HMDB51 18.1 % (the paper)",
        },
        Variant { name: "resnet18", published: "none: ResNet-18 in the place of CaffeNet" },
        Variant { name: "resnet50", published: "none: ResNet-50 in the place of CaffeNet" },
    ],
    conventions: CONVENTIONS,
    design,
};

/// Reads everything but the size off a file.
fn design(r: &Reading) -> Result<Design> {
    let published = FrameOrder::shuffle_and_learn();
    let resnet = match r.variant() {
        "resnet18" => Some(ResNet::resnet18()),
        "resnet50" => Some(ResNet::resnet50()),
        _ => None,
    };
    let (backbone, head, each, size, recipe) = match resnet {
        Some(resnet) => {
            let count = |stage: usize| {
                let name = |i| format!("backbone.layer{}.{i}.conv1.weight", stage + 1);
                r.count(name, resnet.blocks[stage])
            };
            let width = r.length("backbone.conv1.weight", 0, resnet.width);
            let each = if resnet.block == Block::Bottleneck { 32 * width } else { 8 * width };
            let blocks = std::array::from_fn(count);
            (Backbone::ResNet(ResNet { blocks, width, ..resnet }), "head.weight", each, 224, "frame-order")
        }
        None => {
            let published = [96, 256, 384, 384, 256];
            let channel = |i: usize| r.length(&format!("conv{}.weight", i + 1), 0, published[i]);
            let features = r.length("fc7.weight", 0, 4096);
            let channels = std::array::from_fn(channel);
            (Backbone::CaffeNet { channels, features }, "fc8_tri.weight", features, 227, "shuffle-and-learn")
        }
    };
    let frames = r.length(head, 1, published.frames * each) / each.max(1);
    let config = FrameOrder {
        backbone,
        classes: r.length(head, 0, published.classes),
        frames: r.frames(frames),
        size: r.size(size),
    };
    let (frames, size) = (config.frames, config.size);
    let told = match &config.backbone {
        Backbone::CaffeNet { channels, features } => {
            format!("CaffeNet of {channels:?} channels, {features} features")
        }
        Backbone::ResNet(ResNet { block, blocks, width, .. }) => {
            format!("ResNet, {} blocks {blocks:?}, width {width}", block.name())
        }
    };
    let notes = format!("{told}, {frames} frames of {size}×{size}");
    Ok(Design::new(Input::clip(recipe, frames, size), notes, move |clips, w| config.build(clips, w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CaffeNet's 60.97 M parameters less its classifier's 4.1 M, and two outputs for three frames.
    #[test]
    fn published_figures() {
        let weights = Weights::shapes();
        let g = FrameOrder::shuffle_and_learn().build(1, &weights).unwrap();
        assert_eq!(weights.parameters(), 60_965_224 - 4_097_000 + 2 * 3 * 4096 + 2);
        assert_eq!(g.outputs().map(|(_, v)| g.shape(v).to_vec()).collect::<Vec<_>>(), [[1, 12288], [1, 2]]);
    }
}
