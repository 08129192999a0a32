//! GRU-RCN: convolutional GRUs over the maps that a VGG-16 has of frames, at several depths.
//!
//! Paper: Ballas, Yao, Pal, Courville, "Delving Deeper into Convolutional Networks for Learning Video Representations",
//! ICLR 2016, arXiv:1511.06432. This is its GRU-RCN; the stacked one, whose GRUs also see the one below, is not here.
//! Input: `clip` `[N, T, H, W, 3]`.
//! Canonical names: torchvision's `cnn.features.0.weight … cnn.classifier.3.bias`; for each depth, from `level0` after the
//! second pooling to `level4` after the last hidden layer, `level0.gru.input.weight`, `.input.bias`, `.hidden.weight`,
//! `.candidate.weight` (see [`nn::conv_gru`]) and `level0.fc.weight`, `.bias`.

use super::vgg::Vgg;
use super::{Design, Input, Network, Reading, Variant};
use crate::error::Result;
use crate::graph::Graph;
use crate::nn::{self, scope};
use crate::ops::{Pool, Reduce, Reduction, Softmax};
use crate::weights::{Convention, Weights};

/// The measures of a GRU-RCN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GruRcn {
    /// The network on frames; the last layer of its classifier is not used.
    pub cnn: Vgg,
    /// Channels of the states: after the poolings from the second to the fifth, and after the last hidden layer.
    pub hidden: [usize; 5],
    /// Outputs of each level's classifier.
    pub classes: usize,
}

impl GruRcn {
    /// The paper's, for UCF101.
    pub fn ucf101() -> Self {
        let cnn = Vgg { frames: 10, ..Vgg::vgg16() };
        GruRcn { cnn, hidden: [64, 128, 256, 256, 512], classes: 101 }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`; outputs `features`
    /// `[clips, C]`, the last states of all levels, each averaged over its positions, and `logits` `[clips, classes]`,
    /// the logarithms of the mean of the levels' probabilities.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when frames are too small for five poolings.
    pub fn build(&self, clips: usize, w: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let g = &mut graph;
        let Vgg { frames, size, channels, features, .. } = self.cnn;
        let x = g.input("clip", &[clips, frames, size, size, channels])?;
        let levels = scope(g, w, "cnn", |g, w| {
            let [_, second, third, fourth, fifth] = self.cnn.stages(g, x, w)?;
            let hidden = self.cnn.hidden(g, fifth, w)?;
            let hidden = g.view(hidden, &[clips, frames, 1, 1, features])?;
            Ok([second, third, fourth, fifth, hidden])
        })?;
        let mut states = Vec::new();
        let mut logarithms = Vec::new();
        for (level, x) in levels.into_iter().enumerate() {
            // What has no extent any more is recurrent with 1×1 kernels.
            let kernel = if level == 4 { 1 } else { 3 };
            let state = scope(g, w, format!("level{level}"), |g, w| {
                let width = self.hidden[level];
                let gru = scope(g, w, "gru", |g, w| nn::conv_gru(g, x, w, width, kernel))?;
                let state = g.global_pool(gru.hidden[0], Pool::Average)?;
                let logits = scope(g, w, "fc", |g, w| nn::linear(g, state, w, self.classes))?;
                let logarithm = g.softmax(logits, &Softmax { log: true, ..Softmax::default() })?;
                logarithms.push(g.view(logarithm, &[clips, 1, self.classes])?);
                Ok(state)
            })?;
            states.push(state);
        }
        let features = g.concat(&states, -1)?;
        g.output("features", features)?;
        let logits = g.scope("mean", |g| {
            let all = g.concat(&logarithms, 1)?;
            let sum = g.reduce(all, &Reduce::over(Reduction::Logsumexp, &[1]))?;
            g.affine(sum, 1.0, -(logarithms.len() as f64).ln() as f32)
        })?;
        g.output("logits", logits)?;
        Ok(graph)
    }
}

/// No weights are published; these names are this crate's.
pub const CONVENTIONS: &[Convention] =
    &[Convention { name: "torch", source: "this crate", map: |name| Some(name.into()) }];

/// GRU-RCN by name.
pub const NETWORK: Network = Network {
    name: "gru-rcn",
    title: "GRU-RCN: convolutional GRUs over VGG-16's maps of frames",
    paper: "Ballas et al. 2016, arXiv:1511.06432",
    variants: &[Variant {
        name: "vgg16",
        published: "no weights; the paper: UCF101 split 1, RGB, 80.7 % with GRUs both ways, VGG-16 alone 78.0 %",
    }],
    conventions: CONVENTIONS,
    design,
};

/// Reads widths and classes off a file.
fn design(r: &Reading) -> Result<Design> {
    let published = GruRcn::ucf101();
    let cnn = Vgg {
        width: r.length("cnn.features.0.weight", 0, published.cnn.width),
        features: r.length("cnn.classifier.0.weight", 0, published.cnn.features),
        frames: r.frames(published.cnn.frames),
        size: r.size(published.cnn.size),
        ..published.cnn
    };
    let hidden = std::array::from_fn(|level| {
        r.length(&format!("level{level}.gru.hidden.weight"), 1, published.hidden[level])
    });
    let config = GruRcn { cnn, hidden, classes: r.length("level0.fc.weight", 0, published.classes) };
    let (frames, size) = (config.cnn.frames, config.cnn.size);
    let notes = format!("width {}, states {hidden:?}, {frames} frames of {size}×{size}", config.cnn.width);
    let input = Input::clip("imagenet-224", frames, size);
    Ok(Design::new(input, notes, move |clips, w| config.build(clips, w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// VGG-16 without its last layer, and for each level gates of 3·hidden, of which two thirds see the state before the
    /// reset, with one bias each, and a classifier.
    #[test]
    fn figures() {
        let weights = Weights::shapes();
        GruRcn::ucf101().build(1, &weights).unwrap();
        let level = |inputs: u64, hidden: u64, taps: u64| {
            3 * hidden * (inputs + hidden) * taps + 3 * hidden + 101 * (hidden + 1)
        };
        let levels = level(128, 64, 9) + level(256, 128, 9) + level(512, 256, 9) * 2 + level(4096, 512, 1);
        assert_eq!(weights.parameters(), 138_357_544 - 4_097_000 + levels);
    }
}
