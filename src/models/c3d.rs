//! C3D: eight 3×3×3 convolutions, five poolings, three linear layers.
//!
//! Paper: Tran, Bourdev, Fergus, Torresani, Paluri, "Learning Spatiotemporal Features with 3D Convolutional
//! Networks", ICCV 2015, arXiv:1412.0767.
//! Input: `clip` `[N, 16, 112, 112, 3]`, levels 0 to 255 less a mean that differs between the published files.
//! Canonical names: those of DavideA/c3d-pytorch, `conv1.weight … conv5b.bias, fc6.weight … fc8.bias`.

use super::{Design, Input, Network, Reading, Variant};
use crate::error::Result;
use crate::graph::Graph;
use crate::nn::{self, Conv, scope};
use crate::ops::Pool3d;
use crate::weights::{Convention, Weights};

/// Convolutions by name and multiple, and the window of the pooling after them.
type Stage = (&'static [(&'static str, usize)], [usize; 3]);

/// The table of the paper: convolutions with their output channels as multiples of the first's, and the window
/// (and stride) of the pooling after each stage. `pool5` differs, see [`Pool5`].
const STAGES: [Stage; 5] = [
    (&[("conv1", 1)], [1, 2, 2]),
    (&[("conv2", 2)], [2, 2, 2]),
    (&[("conv3a", 4), ("conv3b", 4)], [2, 2, 2]),
    (&[("conv4a", 8), ("conv4b", 8)], [2, 2, 2]),
    (&[("conv5a", 8), ("conv5b", 8)], [2, 2, 2]),
];

/// How the last pooling treats the odd row and column of a 7×7 map. The three are incompatible: weights trained
/// with one give other results with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pool5 {
    /// Windows {0,1}, {2,3}, {4,5}, {6}: ceil mode with the last window clipped, 4×4. The original in Caffe,
    /// which trained the Sports-1M weights.
    Ceil,
    /// Windows {0}, {1,2}, {3,4}, {5,6}: one row and column of padding, 4×4. Every PyTorch port, and so all
    /// results that were published with those.
    #[default]
    Padded,
    /// Windows {0,1}, {2,3}, {4,5}, the last row and column dropped: 3×3, as most tables of the network say.
    /// `fc6` has 4,608 inputs then, so no published file fits.
    Floor,
}

impl Pool5 {
    /// All three.
    pub const ALL: [Pool5; 3] = [Pool5::Ceil, Pool5::Padded, Pool5::Floor];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Pool5::Ceil => "pool5-ceil",
            Pool5::Padded => "pool5-padded",
            Pool5::Floor => "pool5-floor",
        }
    }

    fn attributes(self, kernel: [usize; 3]) -> Pool3d {
        let pool = Pool3d::max(kernel);
        match self {
            Pool5::Ceil => Pool3d { ceil_mode: true, ..pool },
            Pool5::Padded => Pool3d { padding: [[0; 2], [1; 2], [1; 2]], ..pool },
            Pool5::Floor => pool,
        }
    }
}

/// The measures of a C3D.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct C3d {
    /// Output channels of `conv1`; the others are multiples.
    pub width: usize,
    /// Outputs of `fc6` and `fc7`.
    pub features: usize,
    /// Outputs of `fc8`; `None` for a network that ends after `fc7`.
    pub classes: Option<usize>,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
    /// The last pooling.
    pub pool5: Pool5,
}

impl C3d {
    /// The published network, for Sports-1M's 487 classes.
    pub fn sports1m() -> Self {
        C3d { width: 64, features: 4096, classes: Some(487), frames: 16, size: 112, pool5: Pool5::default() }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`, outputs `features`
    /// `[clips, fc7]` and, with a classifier, `logits` `[clips, classes]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the clip is too small for five poolings. Missing weights are
    /// reported by [`Weights::finish`].
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let (g, w) = (&mut graph, weights);
        let mut x = g.input("clip", &[clips, self.frames, self.size, self.size, 3])?;
        for (i, (convolutions, window)) in STAGES.into_iter().enumerate() {
            for (name, multiple) in convolutions {
                let conv = Conv::centred(self.width * multiple, [3; 3]);
                x = scope(g, w, name, |g, w| nn::conv3d_relu(g, x, w, &conv))?;
            }
            let pool = if i == 4 { self.pool5.attributes(window) } else { Pool3d::max(window) };
            x = g.scope(&format!("pool{}", i + 1), |g| g.pool3d(x, &pool))?;
        }
        x = scope(g, w, "fc6", |g, w| {
            let y = nn::linear_flattened(g, x, w, self.features)?;
            g.relu(y)
        })?;
        x = scope(g, w, "fc7", |g, w| {
            let y = nn::linear(g, x, w, self.features)?;
            g.relu(y)
        })?;
        g.output("features", x)?;
        if let Some(classes) = self.classes {
            let logits = scope(g, w, "fc8", |g, w| nn::linear(g, x, w, classes))?;
            g.output("logits", logits)?;
        }
        Ok(graph)
    }
}

/// The published files.
pub const CONVENTIONS: &[Convention] = &[
    Convention { name: "davidea", source: "DavideA/c3d-pytorch", map: |name| Some(name.into()) },
    Convention { name: "mmaction", source: "open-mmlab/mmaction2", map: mmaction },
    Convention {
        name: "mmaction-backbone",
        source: "open-mmlab/mmaction2, no classifier",
        map: mmaction_backbone,
    },
    Convention {
        name: "jfzhang",
        source: "jfzhang95/pytorch-video-recognition, no classifier",
        map: jfzhang,
    },
    Convention { name: "caffe", source: "facebook/C3D, converted", map: caffe },
];

fn mmaction(name: &str) -> Option<String> {
    match name.split_once('.')? {
        ("fc8", parameter) => Some(format!("cls_head.fc_cls.{parameter}")),
        _ => Some(format!("backbone.{}", mmaction_backbone(name)?)),
    }
}

fn mmaction_backbone(name: &str) -> Option<String> {
    match name.split_once('.')? {
        ("fc8", _) => None,
        ("fc6" | "fc7", _) => Some(name.into()),
        (layer @ ("conv1" | "conv2"), parameter) => Some(format!("{layer}a.conv.{parameter}")),
        (layer, parameter) => Some(format!("{layer}.conv.{parameter}")),
    }
}

fn jfzhang(name: &str) -> Option<String> {
    let (layer, parameter) = name.split_once('.')?;
    let place = match layer {
        "conv1" => "features.0",
        "conv2" => "features.3",
        "conv3a" => "features.6",
        "conv3b" => "features.8",
        "conv4a" => "features.11",
        "conv4b" => "features.13",
        "conv5a" => "features.16",
        "conv5b" => "features.18",
        "fc6" => "classifier.0",
        "fc7" => "classifier.3",
        _ => return None,
    };
    Some(format!("{place}.{parameter}"))
}

fn caffe(name: &str) -> Option<String> {
    Some(match name.split_once('.')? {
        (layer @ ("conv1" | "conv2"), parameter) => format!("{layer}a.{parameter}"),
        (layer @ ("fc6" | "fc7" | "fc8"), parameter) => format!("{layer}-1.{parameter}"),
        _ => name.into(),
    })
}

/// C3D by name.
pub const NETWORK: Network = Network {
    name: "c3d",
    title: "C3D: 3D convolutions throughout",
    paper: "Tran et al. 2015, arXiv:1412.0767",
    variants: &[
        Variant {
            name: "pool5-padded",
            published: "UCF101 83.1 % top-1, 10 clips (mmaction2's model zoo, pretrained on Sports-1M)",
        },
        Variant {
            name: "pool5-ceil",
            published: "UCF101 82.3 % with an SVM on fc6 (the paper, trained on Sports-1M)",
        },
        Variant { name: "pool5-floor", published: "none: the network of most tables, which no weights fit" },
    ],
    conventions: CONVENTIONS,
    design,
};

/// Reads width, features and classes off a file.
fn design(r: &Reading) -> Result<Design> {
    let published = C3d::sports1m();
    let width = r.length("conv1.weight", 0, published.width);
    let features = r.length("fc6.weight", 0, published.features);
    let classes = r.classes("fc8.weight", 487);
    // The Sports-1M weights are of 112×112 clips; a file with another fc6 must say what it is of.
    let inputs = r.length("fc6.weight", 1, 8192);
    let (size, fitting): (usize, &[Pool5]) = match inputs / (8 * width).max(1) {
        16 => (112, &[Pool5::Padded, Pool5::Ceil]),
        9 => (112, &[Pool5::Floor]),
        4 => (64, &[Pool5::Floor, Pool5::Ceil]),
        _ => (112, &Pool5::ALL),
    };
    let named = Pool5::ALL.into_iter().find(|p| p.name() == r.variant());
    let pool5 = match named {
        Some(pool5) if r.is_chosen() || r.convention().is_empty() => pool5,
        _ if r.convention() == "caffe" && fitting.contains(&Pool5::Ceil) => Pool5::Ceil,
        _ => fitting[0],
    };
    let (frames, size) = (r.frames(published.frames), r.size(size));
    let config = C3d { width, features, classes, frames, size, pool5 };
    let recipe = match r.convention() {
        "mmaction" | "mmaction-backbone" => "c3d-mmaction",
        "jfzhang" => "c3d-jfzhang",
        "caffe" => "c3d-caffe",
        _ if size == 64 => "plain-64",
        _ => "c3d-davidea",
    };
    let notes = format!("width {width}, {features} features, {}", pool5.name());
    Ok(Design::new(Input::clip(recipe, frames, size), notes, move |clips, w| config.build(clips, w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published: 38.5 GMAC (mmaction2), 78.4 M parameters for 101 classes, 4×4 after pool5.
    #[test]
    fn published_figures() {
        let weights = Weights::shapes();
        let g = C3d::sports1m().build(1, &weights).unwrap();
        assert_eq!(g.outputs().map(|(_, v)| g.shape(v).to_vec()).collect::<Vec<_>>(), [[1, 4096], [1, 487]]);
        assert_eq!(weights.parameters(), 79_991_015);
        assert_eq!(g.params(), 79_991_015);
        let gmac = g.flops() as f64 / 2e9;
        approx::assert_abs_diff_eq!(gmac, 38.55, epsilon = 0.05);
        let ucf = C3d { classes: Some(101), ..C3d::sports1m() };
        assert_eq!(ucf.build(1, &Weights::shapes()).unwrap().params(), 78_409_573);
    }

    #[test]
    fn variants_differ_where_they_should() {
        for (pool5, inputs) in [(Pool5::Ceil, 8192), (Pool5::Padded, 8192), (Pool5::Floor, 4608)] {
            let weights = Weights::shapes();
            let g = C3d { pool5, ..C3d::sports1m() }.build(1, &weights).unwrap();
            let fc6 = g.to_string();
            assert!(fc6.contains(&format!("{}", inputs * 4096 + 4096)), "{pool5:?}\n{fc6}");
        }
    }

    #[test]
    fn a_clip_too_small_is_an_error() {
        let small = C3d { size: 12, ..C3d::sports1m() };
        let e = small.build(1, &Weights::shapes()).unwrap_err().to_string();
        assert!(e.starts_with("pool"), "{e}");
    }
}
