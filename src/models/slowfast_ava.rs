//! SlowFast that tells what the person in each of given boxes does: spatio-temporal detection.
//!
//! Papers: Feichtenhofer, Fan, Malik, He, "SlowFast Networks for Video Recognition", ICCV 2019, arXiv:1812.03982, section
//! 5; Gu et al., "AVA: A Video Dataset of Spatio-temporally Localized Atomic Visual Actions", CVPR 2018,
//! arXiv:1705.08421.
//! Input: `clip` `[N, T, H, W, 3]`, and `boxes` `[N·B, 4]`, for each clip B boxes x1, y1, x2, y2 in its pixels, which come
//! from a detector of persons. An action may be one of several: probabilities are sigmoids of the logits.
//! Canonical names: as [`super::slowfast`]'s.

use super::box_head::BoxHead;
use super::pathway::LastStage;
use super::slowfast::{self, SlowFast};
use super::{Design, Input, Network, Reading, Source, Variant};
use crate::error::Result;
use crate::graph::Graph;
use crate::nn::{self, scope};
use crate::weights::{Convention, Weights};

/// The measures of a SlowFast for boxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowFastAva {
    /// The network without its head; its `classes` are the actions.
    pub network: SlowFast,
    /// How features are taken under boxes.
    pub head: BoxHead,
    /// Pixels in a row of a frame, whose rows are the network's `size`: the published test takes whole frames.
    pub width: usize,
}

impl SlowFastAva {
    /// SlowFast R50 8×8 for AVA's 80 actions.
    pub fn r50(boxes: usize) -> Self {
        let network = SlowFast { classes: Some(80), ..SlowFast::r50() };
        SlowFastAva { width: network.size, network, head: BoxHead::slowfast(boxes) }
            .ending(LastStage::Dilates)
    }

    fn ending(mut self, last: LastStage) -> Self {
        for path in &mut self.network.paths {
            path.last = last;
        }
        self
    }

    /// Builds the network for `clips` clips at once: inputs `clip` `[clips, T, H, W, 3]` and `boxes` `[clips·B, 4]`;
    /// outputs `features` `[clips·B, C]` and `logits` `[clips·B, actions]`.
    ///
    /// # Errors
    /// As [`SlowFast::build`], and when there are no boxes.
    pub fn build(&self, clips: usize, w: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let g = &mut graph;
        let SlowFast { frames, size, classes, .. } = self.network;
        let clip = g.input("clip", &[clips, frames, size, self.width, 3])?;
        let boxes = g.input("boxes", &[clips * self.head.boxes, 4])?;
        let maps = self.network.maps(g, clip, w)?;
        let features = g.scope("head", |g| self.head.features(g, &maps, boxes))?;
        g.output("features", features)?;
        if let Some(actions) = classes {
            let logits = scope(g, w, "head.projection", |g, w| nn::linear(g, features, w, actions))?;
            g.output("logits", logits)?;
        }
        Ok(graph)
    }
}

/// The published files.
pub const CONVENTIONS: &[Convention] = &[
    Convention {
        name: "pytorchvideo",
        source: "facebookresearch/pytorchvideo, slowfast_r50_detection",
        map: |name| match name.strip_prefix("head.projection.") {
            Some(parameter) => Some(format!("detection_head.proj.{parameter}")),
            None => Some(format!("model.{}", slowfast::pytorchvideo(name)?)),
        },
    },
    Convention {
        name: "mmaction",
        source: "open-mmlab/mmaction2, SlowFast on AVA (configs/detection/slowfast)",
        map: |name| match name.strip_prefix("head.projection.") {
            Some(parameter) => Some(format!("roi_head.bbox_head.fc_cls.{parameter}")),
            None => slowfast::mmaction(name),
        },
    },
    // Called as a network for whole clips: recognised where boxes are given.
    Convention { name: "slowfast", source: "facebookresearch/SlowFast", map: |name| Some(name.into()) },
];

/// SlowFast for boxes by name.
pub const NETWORK: Network = Network {
    name: "slowfast-ava",
    title: "SlowFast on given boxes: which of AVA's actions the persons in them do",
    paper: "Feichtenhofer et al. 2019, arXiv:1812.03982; AVA: Gu et al. 2018, arXiv:1705.08421",
    variants: &[Variant {
        name: "r50-8x8",
        published: "AVA v2.2: 24.7 % mAP (pytorchvideo), 25.90 % (mmaction2's model zoo)",
    }],
    conventions: CONVENTIONS,
    design,
};

/// Reads the measures off a file; the boxes are the user's.
fn design(r: &Reading) -> Result<Design> {
    let network = slowfast::measures(r);
    let mmaction = r.convention() == "mmaction";
    let classes = r.classes("head.projection.weight", 80);
    let width = r.width(network.size);
    let ratio = if mmaction { network.ratio } else { 4 };
    let (head, last, recipe) = if mmaction {
        (BoxHead::mmaction(r.boxes(1)), LastStage::Keeps, "mmaction-256")
    } else {
        (BoxHead::slowfast(r.boxes(1)), LastStage::Dilates, "slowfast-256")
    };
    let config = SlowFastAva { network: SlowFast { classes, ratio, ..network }, head, width }.ending(last);
    let SlowFast { frames, size, .. } = config.network;
    let notes = format!(
        "blocks {:?}, {frames} frames of {width}×{size}, {} of them slow, {} actions",
        config.network.paths[0].blocks(),
        frames / ratio,
        classes.unwrap_or(0)
    );
    let boxes = Input { name: "boxes", source: Source::Boxes(head.boxes), frames, size, channels: 4 };
    let input = Input::clip(recipe, frames, size);
    Ok(Design::new(input, notes, move |clips, w| config.build(clips, w)).with_input(boxes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parameters of pytorchvideo's slowfast_r50_detection: those of SlowFast R50 with a classifier of 80.
    #[test]
    fn figures() {
        let weights = Weights::shapes();
        let g = SlowFastAva::r50(3).build(2, &weights).unwrap();
        let recognition = Weights::shapes();
        SlowFast::r50().build(1, &recognition).unwrap();
        assert_eq!(weights.parameters(), recognition.parameters() - 320 * 2305);
        assert_eq!(g.outputs().map(|(_, v)| g.shape(v).to_vec()).collect::<Vec<_>>(), [[6, 2304], [6, 80]]);
    }
}
