//! Slow R50 that tells what the person in each of given boxes does, alone or with a long-term feature bank: a memory of the
//! persons of the whole video.
//!
//! Papers: Wu, Feichtenhofer, Fan, He, Krähenbühl, Girshick, "Long-Term Feature Banks for Detailed Video Understanding", CVPR
//! 2019, arXiv:1812.05038; Slow: Feichtenhofer et al., arXiv:1812.03982; Gu et al., "AVA", arXiv:1705.08421.
//! Input: `clip` `[N, T, H, W, 3]`; `boxes` `[N·B, 4]` as [`super::slowfast_ava`] takes them; with a bank, `bank`
//! `[N, seconds · persons, C]`: the features of up to so many persons of each second around the clip, rows of zeros where
//! there are fewer. They are the output `roi` of this network, or of the one that the weights were trained with.
//! Canonical names: those of facebookresearch/SlowFast for the path, of open-mmlab/mmaction2 for the bank's operator, in
//! `fbo`.

use super::box_head::BoxHead;
use super::pathway::{LastStage, Pathway};
use super::{Design, Input, Network, Reading, Source, Variant, resnet3d};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::nn::{self, scope};
use crate::ops::{NonLocal, Reduce, Reduction, Weighting};
use crate::weights::{Convention, Weights};

const EPS: f32 = 1e-5;

/// How a network asks its bank: the paper's feature bank operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BankOperator {
    /// Layers in which a person attends to those of the bank, with so many channels.
    NonLocal {
        /// How many layers.
        layers: usize,
        /// Channels within them.
        channels: usize,
    },
    /// The mean of the bank.
    Average,
    /// Its maximum.
    Max,
}

/// The part of a feature bank that a clip sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bank {
    /// How it is asked.
    pub operator: BankOperator,
    /// Seconds, the clip's in the middle.
    pub seconds: usize,
    /// Persons of a second.
    pub persons: usize,
}

impl Bank {
    /// As published: a minute, five persons a second.
    pub fn minute(operator: BankOperator) -> Self {
        Bank { operator, seconds: 60, persons: 5 }
    }
}

/// The measures of a Slow network for boxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowAva {
    /// Stem and stages.
    pub path: Pathway,
    /// How features are taken under boxes.
    pub head: BoxHead,
    /// The feature bank, if it has one.
    pub bank: Option<Bank>,
    /// Outputs of the classifier; `None` for a network that ends with its features.
    pub actions: Option<usize>,
    /// Frames in a clip.
    pub frames: usize,
    /// Pixels in a column and in a row of a frame: the published test takes whole frames.
    pub size: [usize; 2],
}

impl SlowAva {
    /// Slow R50 4×16 for AVA's 80 actions and the background.
    pub fn r50(boxes: usize) -> Self {
        let path = Pathway { last: LastStage::Keeps, ..resnet3d::ResNet3d::slow().path };
        let head = BoxHead::mmaction(boxes);
        SlowAva { path, head, bank: None, actions: Some(81), frames: 4, size: [256; 2] }
    }

    /// Channels of a feature in the bank.
    fn channels(&self) -> usize {
        self.path.width * 32
    }

    /// Builds the network for `clips` clips at once: inputs `clip` `[clips, T, H, W, 3]`, `boxes` `[clips·B, 4]` and, with
    /// a bank, `bank` `[clips, seconds · persons, C]`; outputs `roi` `[clips·B, C]`, what a bank is made of, `features`
    /// `[clips·B, C']`, which is the same without a bank, and `logits` `[clips·B, actions]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are too few frames or pixels, or no boxes.
    pub fn build(&self, clips: usize, w: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let g = &mut graph;
        let clip = g.input("clip", &[clips, self.frames, self.size[0], self.size[1], 3])?;
        let boxes = g.input("boxes", &[clips * self.head.boxes, 4])?;
        let mut x = self.path.stem(g, clip, w)?;
        for stage in 0..4 {
            x = self.path.stage(g, x, w, stage)?;
        }
        let roi = g.scope("head", |g| self.head.features(g, &[x], boxes))?;
        g.output("roi", roi)?;
        let features = match self.bank {
            None => roi,
            Some(bank) => {
                let held = g.input("bank", &[clips, bank.seconds * bank.persons, self.channels()])?;
                let told = scope(g, w, "fbo", |g, w| self.ask(g, roi, held, w, bank.operator))?;
                g.scope("head", |g| g.concat(&[roi, told], -1))?
            }
        };
        g.output("features", features)?;
        if let Some(actions) = self.actions {
            let logits = scope(g, w, "head.projection", |g, w| nn::linear(g, features, w, actions))?;
            g.output("logits", logits)?;
        }
        Ok(graph)
    }

    /// What the bank `[N, places, C]` tells each person `[N·B, C]`.
    fn ask(
        &self,
        g: &mut Graph,
        roi: Value,
        bank: Value,
        w: &Weights,
        operator: BankOperator,
    ) -> Result<Value> {
        let BankOperator::NonLocal { layers, channels } = operator else {
            let how = if operator == BankOperator::Max { Reduction::Max } else { Reduction::Mean };
            let told = g.reduce(bank, &Reduce::over(how, &[1]))?;
            return self.head.each(g, told);
        };
        let (clips, boxes) = (g.shape(bank)[0], self.head.boxes);
        let short = scope(g, w, "st_feat_conv", |g, w| nn::linear(g, roi, w, channels))?;
        let mut short = g.view(short, &[clips, boxes, channels])?;
        let long = scope(g, w, "lt_feat_conv", |g, w| nn::linear(g, bank, w, channels))?;
        for layer in 1..=layers {
            let told = scope(g, w, format!("non_local_layer_{layer}"), |g, w| {
                let of = |g: &mut Graph, name: &str, x: Value| {
                    scope(g, w, name, |g, w| nn::linear(g, x, w, channels))
                };
                let theta = of(g, "st_feat_conv.conv", short)?;
                let phi = of(g, "lt_feat_conv.conv", long)?;
                let values = of(g, "global_conv.conv", long)?;
                let scale = Some((1.0 / (channels as f64).sqrt()) as f32);
                let y = g.non_local([theta, phi, values], &NonLocal { mode: Weighting::Softmax, scale })?;
                let y = scope(g, w, "ln", |g, w| nn::layer_norm(g, y, w, EPS))?;
                let y = g.relu(y)?;
                of(g, "out_conv.conv", y)
            })?;
            short = g.add(short, told)?;
        }
        g.view(short, &[clips * boxes, channels])
    }
}

/// The published files.
pub const CONVENTIONS: &[Convention] = &[
    Convention {
        name: "mmaction",
        source: "open-mmlab/mmaction2, SlowOnly on AVA (configs/detection/slowonly, lfb)",
        map: |name| match name.strip_prefix("head.projection.") {
            Some(parameter) => Some(format!("roi_head.bbox_head.fc_cls.{parameter}")),
            None if name.starts_with("fbo.") => Some(format!("roi_head.shared_head.{name}")),
            None => resnet3d::mmaction(name),
        },
    },
    Convention {
        name: "pytorchvideo",
        source: "facebookresearch/pytorchvideo, slow_r50_detection",
        map: |name| match name.strip_prefix("head.projection.") {
            Some(parameter) => Some(format!("detection_head.proj.{parameter}")),
            None => Some(format!("model.{}", resnet3d::pytorchvideo(name, 0)?)),
        },
    },
];

/// Slow networks for boxes by name.
pub const NETWORK: Network = Network {
    name: "slow-ava",
    title: "Slow R50 on given boxes, alone or with a long-term feature bank of the whole video",
    paper: "Feature bank: Wu et al. 2019, arXiv:1812.05038; Slow: Feichtenhofer et al. 2019, arXiv:1812.03982",
    variants: &[
        Variant {
            name: "r50-4x16",
            published: "AVA v2.1: 20.72 % mAP, 22.77 % after Kinetics-700 (mmaction2's model zoo)",
        },
        Variant {
            name: "r50-8x8",
            published: "AVA v2.2, trained on AVA-Kinetics: 26.10 % mAP; AVA v2.1, R101: 24.83 % (mmaction2's model zoo)",
        },
        Variant {
            name: "lfb-nl",
            published: "AVA v2.1, a bank of a Slow R50's features: 24.11 % mAP (mmaction2's model zoo); with I3D R50-NL \
                        25.8 % (paper)",
        },
        Variant {
            name: "lfb-max",
            published: "AVA v2.1, a bank of a Slow R50's features: 22.15 % mAP (mmaction2's model zoo)",
        },
        Variant { name: "lfb-avg", published: "no published weights of this backbone" },
    ],
    conventions: CONVENTIONS,
    design,
};

/// Reads blocks, width, actions and the bank off a file. Frames do not show in the weights: they are 4, but 8 for a
/// ResNet-101; nor does whether the bank's mean or its maximum is taken: it is the maximum, if the variant is not chosen.
fn design(r: &Reading) -> Result<Design> {
    let mut published = SlowAva::r50(r.boxes(1));
    let pytorchvideo = r.convention() == "pytorchvideo";
    if pytorchvideo {
        published.path.last = LastStage::Dilates;
        published.head = BoxHead::slowfast(r.boxes(1));
    }
    let path = published.path.read(r);
    let of = |operator| Some(Bank::minute(operator));
    let variant = r.variant();
    let bank = if r.convention().is_empty() {
        match variant {
            "lfb-nl" => of(BankOperator::NonLocal { layers: 2, channels: 512 }),
            "lfb-max" => of(BankOperator::Max),
            "lfb-avg" => of(BankOperator::Average),
            _ => None,
        }
    } else if let Some(shape) = r.shape("fbo.st_feat_conv.weight") {
        let layers = r.count(|i| format!("fbo.non_local_layer_{}.ln.weight", i + 1), 2);
        of(BankOperator::NonLocal { layers, channels: shape.first().copied().unwrap_or(512) })
    } else if r.length("head.projection.weight", 1, 0) == 64 * path.width {
        of(if variant == "lfb-avg" { BankOperator::Average } else { BankOperator::Max })
    } else {
        None
    };
    let dense = if r.is_chosen() { variant == "r50-8x8" } else { path.blocks()[2] == 23 };
    let dense = dense || (r.convention().is_empty() && variant == "r50-8x8");
    let size = r.size(256);
    let config = SlowAva {
        path,
        bank,
        actions: r.classes("head.projection.weight", 81),
        frames: r.frames(if dense { 8 } else { 4 }),
        size: [size, r.width(size)],
        ..published
    };
    let (frames, boxes) = (config.frames, config.head.boxes);
    let told = match bank {
        None => "no feature bank".to_owned(),
        Some(Bank { operator, seconds, persons }) => {
            let how = match operator {
                BankOperator::NonLocal { layers, channels } => {
                    format!("{layers} non-local layers of {channels} channels")
                }
                BankOperator::Average => "its mean".to_owned(),
                BankOperator::Max => format!("its maximum{}", r.untold("lfb-avg")),
            };
            format!("feature bank of {seconds} s, {persons} persons a second: {how}")
        }
    };
    let notes = format!(
        "blocks {:?}, {frames} frames of {}×{size}, {} actions, {told}",
        config.path.blocks(),
        config.size[1],
        config.actions.unwrap_or(0)
    );
    let recipe = match (pytorchvideo, dense) {
        (false, false) => "mmaction-slow-4x16",
        (false, true) => "mmaction-slow-256",
        (true, false) => "slow-4x16",
        (true, true) => "slow-256",
    };
    let boxes = Input { name: "boxes", source: Source::Boxes(boxes), frames, size, channels: 4 };
    let held = bank.map(|b| Input {
        name: "bank",
        source: Source::Bank { seconds: b.seconds, persons: b.persons },
        frames: b.seconds,
        size: b.persons,
        channels: config.channels(),
    });
    let input = Input::clip(recipe, frames, size);
    let design = Design::new(input, notes, move |clips, w| config.build(clips, w)).with_input(boxes);
    Ok(match held {
        Some(held) => design.with_input(held),
        None => design,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slow R50 with a classifier of 81, and the paper's operator: three 1×1×1 convolutions in and one out in each of two
    /// layers, two before them, and layer norms.
    #[test]
    fn figures() {
        let parameters = |variant| NETWORK.parameters(Some(variant)).unwrap();
        let slow = resnet3d::NETWORK.parameters(Some("slow")).unwrap() - 400 * 2049;
        assert_eq!(parameters("r50-4x16"), slow + 81 * 2049);
        assert_eq!(parameters("lfb-max"), slow + 81 * 4097);
        let operator = 2 * (2049 * 512) + 2 * (4 * 513 * 512 + 2 * 512);
        assert_eq!(parameters("lfb-nl"), slow + operator + 81 * 2561);
        let g = NETWORK.outline(Some("lfb-nl")).unwrap();
        let outputs: Vec<_> = g.outputs().map(|(name, v)| (name, g.shape(v).to_vec())).collect();
        assert_eq!(outputs, [("roi", vec![1, 2048]), ("features", vec![1, 2560]), ("logits", vec![1, 81])]);
        let inputs: Vec<_> = g.inputs().map(|(name, t)| (name, t.shape.to_vec())).collect();
        let clip = ("clip", vec![1, 4, 256, 256, 3]);
        assert_eq!(inputs, [clip, ("boxes", vec![1, 4]), ("bank", vec![1, 300, 2048])]);
    }

    #[test]
    fn names() {
        let map = CONVENTIONS[0].map;
        for (canonical, published) in [
            ("s1.pathway0_stem.conv.weight", "backbone.conv1.conv.weight"),
            ("head.projection.bias", "roi_head.bbox_head.fc_cls.bias"),
            (
                "fbo.non_local_layer_2.global_conv.conv.weight",
                "roi_head.shared_head.fbo.non_local_layer_2.global_conv.conv.weight",
            ),
        ] {
            assert_eq!(map(canonical).as_deref(), Some(published));
        }
        let map = CONVENTIONS[1].map;
        for (canonical, published) in [
            ("s1.pathway0_stem.bn.weight", Some("model.blocks.0.norm.weight")),
            ("s5.pathway0_res2.branch2.c.weight", Some("model.blocks.4.res_blocks.2.branch2.conv_c.weight")),
            ("head.projection.weight", Some("detection_head.proj.weight")),
            ("fbo.st_feat_conv.weight", None),
        ] {
            assert_eq!(map(canonical).as_deref(), published);
        }
    }
}
