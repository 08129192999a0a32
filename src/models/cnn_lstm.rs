//! An LSTM over the features that a ResNet has of frames: one answer a frame, one a clip, or two levels of LSTMs.
//!
//! Papers: Donahue et al., "Long-term Recurrent Convolutional Networks for Visual Recognition and Description", CVPR
//! 2015, arXiv:1411.4389 (an answer a frame, averaged); Carreira, Zisserman, "Quo Vadis, Action Recognition?", CVPR
//! 2017, arXiv:1705.07750 (ConvNet+LSTM, the last answer); Du, Wang, Wang, "Hierarchical Recurrent Neural Network for
//! Skeleton Based Action Recognition", CVPR 2015 (levels).
//! Input: `clip` `[N, T, H, W, 3]`.
//! Canonical names: torchvision's under `cnn.`, then PyTorch's `lstm.weight_ih_l0 … lstm.bias_hh_l0`, the same under
//! `upper.` for a second level, `fc.weight`, `fc.bias`.

use super::resnet::{Block, ResNet};
use super::{Design, Input, Network, Reading, Variant};
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::nn::{self, scope};
use crate::ops::{AdaptivePool3d, Reduce, Reduction, Softmax};
use crate::weights::{Convention, Weights};

/// What is classified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Every state; the mean of the probabilities is the clip's.
    EachFrame,
    /// The state after the last frame.
    Last,
    /// The last state of an upper LSTM, over the last states of the lower one in parts of so many frames.
    Parts(usize),
}

/// The measures of a CNN with an LSTM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CnnLstm {
    /// The network on frames; its classifier is not used.
    pub cnn: ResNet,
    /// Channels of a state.
    pub hidden: usize,
    /// Layers of an LSTM.
    pub layers: usize,
    /// What is classified.
    pub answer: Answer,
    /// Outputs of `fc`.
    pub classes: usize,
}

impl CnnLstm {
    /// ResNet-50 and an LSTM of 512 channels.
    pub fn new(answer: Answer) -> Self {
        let cnn = ResNet { frames: 16, ..ResNet::resnet50() };
        CnnLstm { cnn, hidden: 512, layers: 1, answer, classes: 400 }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`; outputs `features`
    /// `[clips, hidden]`, `logits` `[clips, classes]` and, with an answer for each frame, `frame_logits`
    /// `[clips, T, classes]`. There `logits` are the logarithms of the mean probabilities.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are no frames, or they make no whole number of parts.
    pub fn build(&self, clips: usize, w: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let g = &mut graph;
        let ResNet { frames, size, channels, .. } = self.cnn;
        let x = g.input("clip", &[clips, frames, size, size, channels])?;
        let x = scope(g, w, "cnn", |g, w| {
            let maps = self.cnn.last_maps(g, x, w)?;
            let pooled = g.adaptive_pool3d(maps, &AdaptivePool3d::average([frames, 1, 1]))?;
            let channels = g.shape(pooled).last().copied().unwrap_or(0);
            g.view(pooled, &[clips, frames, channels])
        })?;
        let classify = |g: &mut Graph, x: Value| scope(g, w, "fc", |g, w| nn::linear(g, x, w, self.classes));
        if self.answer == Answer::EachFrame {
            let states = scope(g, w, "lstm", |g, w| nn::lstm(g, x, w, self.hidden, self.layers))?.output;
            let features = g.scope("mean", |g| g.reduce(states, &Reduce::over(Reduction::Mean, &[1])))?;
            g.output("features", features)?;
            let each = classify(g, states)?;
            g.output("frame_logits", each)?;
            let logits = g.scope("mean", |g| {
                let logarithms = g.softmax(each, &Softmax { log: true, ..Softmax::default() })?;
                let sum = g.reduce(logarithms, &Reduce::over(Reduction::Logsumexp, &[1]))?;
                g.affine(sum, 1.0, -(frames as f64).ln() as f32)
            })?;
            g.output("logits", logits)?;
            return Ok(graph);
        }
        let features = match self.answer {
            Answer::Parts(length) => {
                if length == 0 || frames % length != 0 {
                    return Err(Error::bad_input(format!(
                        "{frames} frames make no whole number of parts of {length}"
                    )));
                }
                let parts = frames / length;
                let channels = g.shape(x)[2];
                let x = g.view(x, &[clips * parts, length, channels])?;
                let last = self.last(g, x, w, "lstm")?;
                let parts = g.view(last, &[clips, parts, self.hidden])?;
                self.last(g, parts, w, "upper")?
            }
            _ => self.last(g, x, w, "lstm")?,
        };
        g.output("features", features)?;
        let logits = classify(g, features)?;
        g.output("logits", logits)?;
        Ok(graph)
    }

    /// The last state of the upmost layer.
    fn last(&self, g: &mut Graph, x: Value, w: &Weights, name: &str) -> Result<Value> {
        let states = scope(g, w, name, |g, w| nn::lstm(g, x, w, self.hidden, self.layers))?.hidden;
        states.last().copied().ok_or_else(|| Error::bad_input("an LSTM without layers"))
    }
}

/// No weights are published; these names are this crate's.
pub const CONVENTIONS: &[Convention] =
    &[Convention { name: "torch", source: "this crate", map: |name| Some(name.into()) }];

/// A CNN with an LSTM by name.
pub const NETWORK: Network = Network {
    name: "cnn-lstm",
    title: "an LSTM over a ResNet's features of frames: LRCN, its last answer, or two levels",
    paper: "Donahue et al. 2015, arXiv:1411.4389; Carreira and Zisserman 2017, arXiv:1705.07750",
    variants: &[
        Variant {
            name: "lrcn",
            published: "no weights; the paper, with CaffeNet: UCF101 68.2 % RGB, 77.3 % flow, 82.3 % both",
        },
        Variant {
            name: "last",
            published: "no weights; Carreira and Zisserman 2017, with Inception-v1: Kinetics-400 63.3 % top-1",
        },
        Variant { name: "hierarchical", published: "no weights, no published accuracy on video" },
    ],
    conventions: CONVENTIONS,
    design,
};

/// Reads everything but the answer off a file; LRCN is taken if the variant is not chosen and there is no upper LSTM.
fn design(r: &Reading) -> Result<Design> {
    let answer = match r.variant() {
        "last" => Answer::Last,
        "hierarchical" => Answer::Parts(4),
        _ => Answer::EachFrame,
    };
    let published = CnnLstm::new(answer);
    let blocks = published.cnn.blocks;
    let block = if r.has("cnn.layer1.0.conv3.weight") { Block::Bottleneck } else { Block::Basic };
    let blocks = std::array::from_fn(|stage| {
        r.count(|i| format!("cnn.layer{}.{i}.conv1.weight", stage + 1), blocks[stage])
    });
    let cnn = ResNet {
        block,
        blocks,
        width: r.length("cnn.conv1.weight", 0, 64),
        frames: r.frames(published.cnn.frames),
        size: r.size(224),
        ..published.cnn
    };
    let config = CnnLstm {
        hidden: r.length("lstm.weight_hh_l0", 1, published.hidden),
        layers: r.count(|i| format!("lstm.weight_ih_l{i}"), published.layers),
        classes: r.length("fc.weight", 0, published.classes),
        cnn,
        answer,
    };
    let told = match answer {
        Answer::EachFrame => format!("an answer for each frame{}", r.untold("last")),
        Answer::Last => "an answer after the last frame".to_owned(),
        Answer::Parts(frames) => format!("an answer over parts of {frames} frames"),
    };
    let notes = format!(
        "{told}, {} blocks {blocks:?}, width {}, {} layers of {} channels, {} frames",
        block.name(),
        config.cnn.width,
        config.layers,
        config.hidden,
        config.cnn.frames
    );
    let input = Input::clip("imagenet-224", config.cnn.frames, config.cnn.size);
    Ok(Design::new(input, notes, move |clips, w| config.build(clips, w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ResNet-50 without its classifier, 4·512 gates of 2048 inputs and 512 states with two biases, 400 classes.
    #[test]
    fn figures() {
        let weights = Weights::shapes();
        let g = CnnLstm::new(Answer::EachFrame).build(1, &weights).unwrap();
        let lstm = 4 * 512 * (2048 + 512 + 2);
        assert_eq!(weights.parameters(), 23_508_032 + lstm + 400 * 513);
        let shapes: Vec<_> = g.outputs().map(|(name, v)| (name, g.shape(v).to_vec())).collect();
        assert_eq!(shapes[1], ("frame_logits", vec![1, 16, 400]));
        assert_eq!(shapes[2], ("logits", vec![1, 400]));
    }

    #[test]
    fn parts_that_do_not_fit_are_an_error() {
        let e = CnnLstm::new(Answer::Parts(5)).build(1, &Weights::shapes()).unwrap_err().to_string();
        assert!(e.contains("parts of 5"), "{e}");
    }
}
