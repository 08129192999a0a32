//! Where the frames of a clip come together: at once (early), after a network on single frames (late), or step by step
//! (slow).
//!
//! Paper: Karpathy, Toderici, Shetty, Leung, Sukthankar, Fei-Fei, "Large-scale Video Classification with Convolutional
//! Neural Networks", CVPR 2014. It has no published weights. Slow fusion is the paper's network; early and late
//! fusion stand on a ResNet here, as in today's lectures.
//! Input: `clip` `[N, 10, H, W, 3]`.
//! Canonical names: `backbone.` and torchvision's names of a ResNet without `fc`, then `early.weight`; `late.weight`, or
//! `late.fc1.weight` and `late.fc2.weight`; for slow fusion `slow.conv1.weight … slow.conv5.bias, slow.fc6.weight …
//! slow.fc8.bias`.

use super::resnet::{Block, ResNet};
use super::{Design, Input, Network, Reading, Variant};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::nn::{self, Conv, scope};
use crate::ops::{LocalResponseNorm, Pool, Pool3d};
use crate::weights::{Convention, Weights};

/// Early fusion: the frames' channels side by side into a ResNet. Channel `3t + c` of its input is channel `c` of frame
/// `t`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlyFusion {
    /// The network; its `channels` are three times the frames of a clip.
    pub backbone: ResNet,
    /// Outputs of the classifier.
    pub classes: usize,
}

/// Late fusion: a ResNet on every frame, then the maps of all frames together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateFusion {
    /// The network; its `frames` are those of a clip.
    pub backbone: ResNet,
    /// Outputs of the hidden linear layer that takes the maps of all frames; `None` for their mean instead.
    pub hidden: Option<usize>,
    /// Outputs of the classifier.
    pub classes: usize,
}

/// Slow fusion: the paper's network of five convolutions, the first three of which join frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowFusion {
    /// Output channels of the five convolutions.
    pub widths: [usize; 5],
    /// Outputs of the two hidden linear layers.
    pub features: usize,
    /// Outputs of the classifier.
    pub classes: usize,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
}

impl EarlyFusion {
    /// ResNet-18 on 10 frames of 112×112, for Sports-1M's 487 classes.
    pub fn resnet18() -> Self {
        EarlyFusion { backbone: backbone(30, 1, 112), classes: 487 }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`, outputs `features` `[clips, C]`
    /// and `logits` `[clips, classes]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the backbone's channels are not those of whole frames.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let (g, w) = (&mut graph, weights);
        let ResNet { channels, size, .. } = self.backbone;
        if channels == 0 || !channels.is_multiple_of(3) {
            return Err(Error::bad_input(format!(
                "the first convolution takes {channels} channels, which are not three for each frame"
            )));
        }
        let x = g.input("clip", &[clips, channels / 3, size, size, 3])?;
        let x = g.scope("side_by_side", |g| g.permute(x, &[0, 2, 3, 1, 4]))?;
        let x = g.view(x, &[clips, 1, size, size, channels])?;
        let x = scope(g, w, "backbone", |g, w| self.backbone.last_maps(g, x, w))?;
        let x = g.scope("pool", |g| g.global_pool(x, Pool::Average))?;
        g.output("features", x)?;
        let logits = scope(g, w, "early", |g, w| nn::linear(g, x, w, self.classes))?;
        g.output("logits", logits)?;
        Ok(graph)
    }
}

impl LateFusion {
    /// ResNet-18 on 10 frames of 112×112 and their mean, for Sports-1M's 487 classes.
    pub fn pooling() -> Self {
        LateFusion { backbone: backbone(3, 10, 112), hidden: None, classes: 487 }
    }

    /// The same with a hidden linear layer.
    pub fn linear() -> Self {
        LateFusion { hidden: Some(256), ..LateFusion::pooling() }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`, outputs `features` `[clips, C]`
    /// and `logits` `[clips, classes]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for clips without frames or pixels.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let (g, w) = (&mut graph, weights);
        let ResNet { frames, size, .. } = self.backbone;
        let x = g.input("clip", &[clips, frames, size, size, 3])?;
        let x = scope(g, w, "backbone", |g, w| self.backbone.last_maps(g, x, w))?;
        let (x, classifier) = match self.hidden {
            None => (g.scope("pool", |g| g.global_pool(x, Pool::Average))?, "late"),
            Some(hidden) => {
                let x = scope(g, w, "late.fc1", |g, w| {
                    let y = nn::linear_flattened(g, x, w, hidden)?;
                    g.relu(y)
                })?;
                (x, "late.fc2")
            }
        };
        g.output("features", x)?;
        let logits = scope(g, w, classifier, |g, w| nn::linear(g, x, w, self.classes))?;
        g.output("logits", logits)?;
        Ok(graph)
    }
}

impl SlowFusion {
    /// The paper's network, for Sports-1M's 487 classes.
    pub fn sports1m() -> Self {
        SlowFusion { widths: [96, 256, 384, 384, 256], features: 4096, classes: 487, frames: 10, size: 170 }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`, outputs `features`
    /// `[clips, features]` and `logits` `[clips, classes]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are too few frames for three convolutions that join them, or too few
    /// pixels.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let (g, w) = (&mut graph, weights);
        let mut x = g.input("clip", &[clips, self.frames, self.size, self.size, 3])?;
        // Frames in a window, valid in time and two apart: 10 frames become 4, 2 and 1.
        let joined = [4, 2, 2, 1, 1];
        for (i, (frames, cout)) in joined.into_iter().zip(self.widths).enumerate() {
            let (length, stride) = if i == 0 { (11, 3) } else { ([5, 3, 3, 3][i - 1], 1) };
            let mut conv = Conv::centred(cout, [frames, length, length]);
            conv = conv.stride([frames.min(2), stride, stride]);
            conv.attributes.padding[0] = [0; 2];
            if i == 0 {
                conv.attributes.padding = [[0; 2]; 3];
            }
            x = scope(g, w, format!("slow.conv{}", i + 1), |g, w| nn::conv3d_relu(g, x, w, &conv))?;
            if i < 2 {
                x = g.scope(&format!("norm{}", i + 1), |g| g.local_response_norm(x, &ALEXNET))?;
            }
            if matches!(i, 0 | 1 | 4) {
                x = g.scope(&format!("pool{}", i + 1), |g| g.pool3d(x, &Pool3d::max([1, 2, 2])))?;
            }
        }
        x = scope(g, w, "slow.fc6", |g, w| {
            let y = nn::linear_flattened(g, x, w, self.features)?;
            g.relu(y)
        })?;
        x = scope(g, w, "slow.fc7", |g, w| {
            let y = nn::linear(g, x, w, self.features)?;
            g.relu(y)
        })?;
        g.output("features", x)?;
        let logits = scope(g, w, "slow.fc8", |g, w| nn::linear(g, x, w, self.classes))?;
        g.output("logits", logits)?;
        Ok(graph)
    }
}

/// The paper's normalisation: a sum of five squares times 1e-4, which is their mean times 5e-4.
const ALEXNET: LocalResponseNorm = LocalResponseNorm { size: 5, alpha: 5e-4, beta: 0.5, k: 2.0 };

/// ResNet-18 without a classifier.
fn backbone(channels: usize, frames: usize, size: usize) -> ResNet {
    ResNet { channels, frames, size, classes: None, ..ResNet::resnet18() }
}

/// The names are this crate's own.
pub const CONVENTIONS: &[Convention] =
    &[Convention { name: "kinetograph", source: "this crate", map: |name| Some(name.into()) }];

/// Early fusion by name.
pub const EARLY: Network = Network {
    name: "early-fusion",
    title: "Early fusion: the frames' channels side by side into a ResNet",
    paper: "Karpathy et al. 2014, Large-scale Video Classification with Convolutional Neural Networks",
    variants: &[Variant {
        name: "resnet18",
        published: "no weights; the paper's, an AlexNet, has 57.7 % video top-1 on Sports-1M",
    }],
    conventions: CONVENTIONS,
    design: |r| {
        let published = EarlyFusion::resnet18();
        let classes = r.length("early.weight", 0, published.classes);
        let size = r.size(published.backbone.size);
        let channels = r.length("backbone.conv1.weight", 1, 3 * r.frames(published.backbone.channels / 3));
        let config = EarlyFusion { backbone: ResNet { channels, size, ..measured(r)? }, classes };
        let notes = format!("{} frames, {classes} classes", channels / 3);
        let input = Input::clip(RECIPE, channels / 3, size);
        Ok(Design::new(input, notes, move |clips, w| config.build(clips, w)))
    },
};

/// Late fusion by name.
pub const LATE: Network = Network {
    name: "late-fusion",
    title: "Late fusion: a ResNet on every frame, then the mean or linear layers",
    paper: "Karpathy et al. 2014, Large-scale Video Classification with Convolutional Neural Networks",
    variants: &[
        Variant { name: "pooling", published: "no weights; the mean of the frames' features" },
        Variant {
            name: "linear",
            published: "no weights; the paper's, an AlexNet on two frames, has 59.3 % video top-1 on Sports-1M",
        },
    ],
    conventions: CONVENTIONS,
    design: |r| {
        let linear = r.variant() == "linear";
        let published = if linear { LateFusion::linear() } else { LateFusion::pooling() };
        let classifier = if linear { "late.fc2.weight" } else { "late.weight" };
        let ResNet { frames, size, .. } = published.backbone;
        let (frames, size) = (r.frames(frames), r.size(size));
        let config = LateFusion {
            backbone: ResNet { channels: 3, frames, size, ..measured(r)? },
            hidden: published.hidden.map(|hidden| r.length("late.fc1.weight", 0, hidden)),
            classes: r.length(classifier, 0, published.classes),
        };
        let notes = format!("{frames} frames of {size}×{size}, {} classes", config.classes);
        Ok(Design::new(Input::clip(RECIPE, frames, size), notes, move |clips, w| config.build(clips, w)))
    },
};

/// Slow fusion by name.
pub const SLOW: Network = Network {
    name: "slow-fusion",
    title: "Slow fusion: convolutions that join the frames of a clip step by step",
    paper: "Karpathy et al. 2014, Large-scale Video Classification with Convolutional Neural Networks",
    variants: &[Variant {
        name: "alexnet",
        published: "no weights; the paper's has 60.9 % video top-1 on Sports-1M",
    }],
    conventions: CONVENTIONS,
    design: |r| {
        let published = SlowFusion::sports1m();
        let width = |i: usize| r.length(&format!("slow.conv{}.weight", i + 1), 0, published.widths[i]);
        let config = SlowFusion {
            widths: std::array::from_fn(width),
            features: r.length("slow.fc6.weight", 0, published.features),
            classes: r.length("slow.fc8.weight", 0, published.classes),
            frames: r.frames(published.frames),
            size: r.size(published.size),
        };
        let notes = format!("{} frames of {2}×{2}, {1} classes", config.frames, config.classes, config.size);
        let input = Input::clip(RECIPE, config.frames, config.size);
        Ok(Design::new(input, notes, move |clips, w| config.build(clips, w)))
    },
};

/// No weights are published, and so no preprocessing.
const RECIPE: &str = "kinetics-112";

/// The backbone of a file; ResNet-18's without one.
fn measured(r: &Reading) -> Result<ResNet> {
    let published = backbone(3, 1, 112);
    let bottleneck = r.shape("backbone.layer1.0.conv3.weight").is_some();
    Ok(ResNet {
        block: if bottleneck { Block::Bottleneck } else { Block::Basic },
        blocks: std::array::from_fn(|stage| {
            let name = |i| format!("backbone.layer{}.{i}.conv1.weight", stage + 1);
            r.count(name, published.blocks[stage])
        }),
        width: r.length("backbone.conv1.weight", 0, published.width),
        ..published
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(g: &Graph) -> Vec<Vec<usize>> {
        g.outputs().map(|(_, v)| g.shape(v).to_vec()).collect()
    }

    /// ResNet-18 has 11,176,512 parameters without its classifier; early fusion's first convolution has ten times as
    /// many, 9,408 · 10.
    #[test]
    fn parameters_add_up() {
        const BODY: u64 = 11_176_512;
        let weights = Weights::shapes();
        let g = EarlyFusion::resnet18().build(1, &weights).unwrap();
        assert_eq!(weights.parameters(), BODY + 9 * 9408 + 513 * 487);
        assert_eq!(shapes(&g), [[1, 512], [1, 487]]);
        let weights = Weights::shapes();
        let g = LateFusion::pooling().build(1, &weights).unwrap();
        assert_eq!(weights.parameters(), BODY + 513 * 487);
        assert_eq!(shapes(&g), [[1, 512], [1, 487]]);
        let weights = Weights::shapes();
        let g = LateFusion::linear().build(1, &weights).unwrap();
        assert_eq!(weights.parameters(), BODY + (512 * 10 * 16 + 1) * 256 + 257 * 487);
        assert_eq!(shapes(&g), [[1, 256], [1, 487]]);
    }

    /// The paper's table: 4, 2 and 1 responses in time, 6×6×256 before the linear layers.
    #[test]
    fn frames_are_joined_step_by_step() {
        let g = SlowFusion::sports1m().build(1, &Weights::shapes()).unwrap();
        let shape = |node: &str| g.shape(g.value(node).unwrap()).to_vec();
        assert_eq!(shape("slow.conv1/activation"), [1, 4, 54, 54, 96]);
        assert_eq!(shape("slow.conv2/activation"), [1, 2, 27, 27, 256]);
        assert_eq!(shape("slow.conv3/activation"), [1, 1, 13, 13, 384]);
        assert_eq!(shape("pool5/pool3d"), [1, 1, 6, 6, 256]);
        assert_eq!(shapes(&g), [[1, 4096], [1, 487]]);
    }

    #[test]
    fn wrong_measures_are_errors() {
        let mut early = EarlyFusion::resnet18();
        early.backbone.channels = 20;
        let e = early.build(1, &Weights::shapes()).unwrap_err().to_string();
        assert!(e.contains("takes 20 channels"), "{e}");
        let e = SlowFusion { frames: 8, ..SlowFusion::sports1m() }.build(1, &Weights::shapes()).unwrap_err();
        assert!(e.to_string().starts_with("slow.conv3"), "{e}");
    }
}
