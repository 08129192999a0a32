//! Two streams that become one before the classifier: VGG on frames and on optical flow, their last maps fused by a
//! convolution and a pooling over space and time.
//!
//! Paper: Feichtenhofer, Pinz, Zisserman, "Convolutional Two-Stream Network Fusion for Video Action Recognition", CVPR
//! 2016, arXiv:1604.06573. Late fusion, of the streams' probabilities or logits, needs no network of its own: two
//! checkpoints are run and averaged.
//! Input: `clip` `[N, T, H, W, 3]` and `flow` `[N, T, H, W, 2L]`, the stacks of flow around each frame.
//! Canonical names: our own, for the published weights are MatConvNet's: `spatial.*` and `temporal.*` as torchvision's
//! `vgg16().features`, `fusion.weight`, `fusion.bias`, `classifier.{0,3,6}.*`.

use super::vgg::Vgg;
use super::{Design, Input, Network, Reading, Variant};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::nn::{self, Conv, scope};
use crate::ops::Pool3d;
use crate::weights::{Convention, Weights};

/// How the maps of the streams come together before the convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fusion {
    /// Side by side: twice the channels.
    Concat,
    /// Added.
    Sum,
}

/// The measures of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoStreamFusion {
    /// The spatial stream, whose classes, frames and size are the network's.
    pub vgg: Vgg,
    /// Flows in a stack.
    pub flows: usize,
    /// How the streams are fused.
    pub fusion: Fusion,
}

impl TwoStreamFusion {
    /// VGG-16 streams, five frames, ten flows around each, for UCF101.
    pub fn vgg16() -> Self {
        TwoStreamFusion {
            vgg: Vgg { classes: 101, frames: 5, ..Vgg::vgg16() },
            flows: 10,
            fusion: Fusion::Concat,
        }
    }

    /// Builds the network for `clips` clips at once: inputs `clip` `[clips, T, H, W, 3]` and `flow`
    /// `[clips, T, H, W, 2L]`, outputs `features` `[clips, C]` and `logits` `[clips, classes]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when frames are too small for five poolings.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let (g, w, vgg) = (&mut graph, weights, &self.vgg);
        let shape = |channels| [clips, vgg.frames, vgg.size, vgg.size, channels];
        let clip = g.input("clip", &shape(3))?;
        let flow = g.input("flow", &shape(2 * self.flows))?;
        let spatial = scope(g, w, "spatial", |g, w| Ok(vgg.layers(g, clip, w)?.1))?;
        let temporal = scope(g, w, "temporal", |g, w| Ok(vgg.layers(g, flow, w)?.1))?;
        let x = scope(g, w, "fusion", |g, w| self.fuse(g, [spatial, temporal], w))?;
        let x = scope(g, w, "classifier.0", |g, w| {
            let y = nn::linear_flattened(g, x, w, vgg.features)?;
            g.relu(y)
        })?;
        let x = scope(g, w, "classifier.3", |g, w| {
            let y = nn::linear(g, x, w, vgg.features)?;
            g.relu(y)
        })?;
        g.output("features", x)?;
        let logits = scope(g, w, "classifier.6", |g, w| nn::linear(g, x, w, vgg.classes))?;
        g.output("logits", logits)?;
        Ok(graph)
    }

    /// `[N, T, H, W, C]` of both streams to `[N, 1, H/2, W/2, C]`.
    fn fuse(&self, g: &mut Graph, [spatial, temporal]: [Value; 2], w: &Weights) -> Result<Value> {
        let x = match self.fusion {
            Fusion::Concat => g.concat(&[spatial, temporal], -1)?,
            Fusion::Sum => g.add(spatial, temporal)?,
        };
        let x = nn::conv3d_relu(g, x, w, &Conv::centred(8 * self.vgg.width, [3; 3]))?;
        g.pool3d(x, &Pool3d::max([self.vgg.frames, 2, 2]))
    }
}

/// The network by name.
pub const NETWORK: Network = Network {
    name: "two-stream-fusion",
    title: "Two streams fused before the classifier, VGG-16 on frames and flow",
    paper: "Feichtenhofer et al. 2016, arXiv:1604.06573",
    variants: &[Variant {
        name: "vgg16",
        published: "UCF101 92.5 % top-1, mean of three splits (the paper, VGG-16 streams)",
    }],
    conventions: &[Convention {
        name: "kinetograph",
        source: "this crate: spatial.*, temporal.*, fusion.*, classifier.*",
        map: |name| Some(name.into()),
    }],
    design,
};

/// Reads everything but frames and size off a file.
fn design(r: &Reading) -> Result<Design> {
    let published = TwoStreamFusion::vgg16();
    let width = r.length("spatial.0.weight", 0, published.vgg.width);
    let fusion = match r.length("fusion.weight", 1, 16 * width) {
        n if n == 8 * width => Fusion::Sum,
        _ => Fusion::Concat,
    };
    let convolutions = if r.convention().is_empty() {
        published.vgg.convolutions
    } else {
        stages(|layer| r.shape(&format!("spatial.{layer}.weight")).is_some())
    };
    // The classifier takes maps of a 32nd of the size.
    let side = (r.length("classifier.0.weight", 1, 49 * 8 * width) / (8 * width).max(1)).isqrt();
    let vgg = Vgg {
        convolutions,
        width,
        features: r.length("classifier.0.weight", 0, published.vgg.features),
        classes: r.length("classifier.6.weight", 0, published.vgg.classes),
        frames: r.frames(published.vgg.frames),
        size: r.size(32 * side),
        ..published.vgg
    };
    let config =
        TwoStreamFusion { vgg, flows: r.length("temporal.0.weight", 1, 2 * published.flows) / 2, fusion };
    let (frames, size) = (config.vgg.frames, config.vgg.size);
    let (clip, flow) = (
        Input::clip("two-stream-bryanyzhu", frames, size),
        Input::stacks("two-stream-bryanyzhu-flow", frames, size, config.flows),
    );
    let told = match fusion {
        Fusion::Concat => "streams side by side",
        Fusion::Sum => "streams added",
    };
    let notes = format!("{told}, width {width}, {} flows, {} classes", config.flows, config.vgg.classes);
    Ok(Design::new(clip, notes, move |clips, w| config.build(clips, w)).with_input(flow))
}

/// How many convolutions each stage has, given which layers are ones: two layers for each, one for the pooling between
/// stages.
fn stages(is_convolution: impl Fn(usize) -> bool) -> [usize; 5] {
    let mut layer = 0;
    [0; 5].map(|mut count| {
        while is_convolution(layer) {
            (layer, count) = (layer + 2, count + 1);
        }
        layer += 1;
        count
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_of_published_layers() {
        let vgg16 = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28];
        assert_eq!(stages(|i| vgg16.contains(&i)), [2, 2, 3, 3, 3]);
        let small = [0, 3, 6, 9, 12];
        assert_eq!(stages(|i| small.contains(&i)), [1; 5]);
    }

    #[test]
    fn parameters() {
        let weights = Weights::shapes();
        TwoStreamFusion::vgg16().build(1, &weights).unwrap();
        // Two VGG-16 without classifiers, one of them for 20 channels, the fusion, and the classifier for 101.
        let convolutions = 2 * 14_714_688 + 17 * 9 * 64;
        let fusion = 1024 * 512 * 27 + 512;
        let classifier = 25_088 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 101 + 101;
        assert_eq!(weights.parameters(), convolutions + fusion + classifier);
    }
}
