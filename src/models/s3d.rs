//! S3D: I3D with its convolutions factored into spatial and temporal ones; and S3D-G, whose features are gated.
//!
//! Papers: Xie, Sun, Huang, Tu, Murphy, "Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in Video
//! Classification", ECCV 2018, arXiv:1712.04851; the S3D-G of HowTo100M: Miech et al., "End-to-End Learning of Visual
//! Representations from Uncurated Instructional Videos", CVPR 2020, arXiv:1912.06430.
//! Input: `clip` `[N, T, 224, 224, 3]`, normalised as its publisher does.
//! Canonical names: those of `inception.rs`, `Conv3d_1a_7x7.spatial.conv3d.weight … logits.conv3d.bias`.

use super::inception::{self, Inception, Padding, Widths};
use super::{Design, Input, Network, Reading, Variant};
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::nn::{self, Conv, scope};
use crate::ops::{Conv3d, Pool};
use crate::weights::{Convention, Weights};

/// The first convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// 1×7×7 and 7×1×1.
    Factored,
    /// 3×7×7.
    Whole,
    /// 2×4×4, on frames whose blocks of 2×2×2 pixels became 24 channels.
    SpaceToDepth,
}

/// The measures of an S3D.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3d {
    /// Whether it is an S3D-G, in all that the public one differs in: gates, paddings and epsilons.
    pub gated: bool,
    /// The first convolution: factored in S3D.
    pub first: First,
    /// Output channels of all convolutions.
    pub widths: Widths,
    /// Outputs of the classifier, or length of the embedding; `None` for a network that ends with its features.
    pub classes: Option<usize>,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
}

impl S3d {
    /// torchvision's S3D for Kinetics-400.
    pub fn kinetics() -> Self {
        S3d {
            gated: false,
            first: First::Factored,
            widths: Widths::googlenet(),
            classes: Some(400),
            frames: 128,
            size: 224,
        }
    }

    /// The S3D-G of HowTo100M.
    pub fn howto100m() -> Self {
        S3d { gated: true, first: First::SpaceToDepth, classes: Some(512), frames: 32, ..S3d::kinetics() }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`; outputs `features`
    /// `[clips, 1024]`, the means over places and time, and what the last layer makes of them: `logits`
    /// `[clips, classes]` of an S3D, which are the mean of the published network's logits over time; of an S3D-G
    /// `embedding` `[clips, 512]`, which compares with that of a text.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for a clip without frames or pixels, or where blocks of 2×2×2 pixels do not fill
    /// it.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let (g, w) = (&mut graph, weights);
        let x = g.input("clip", &[clips, self.frames, self.size, self.size, 3])?;
        let layers = Inception {
            widths: self.widths.clone(),
            separable: true,
            gated: self.gated,
            shortens: true,
            padding: if self.gated { Padding::Divisible } else { Padding::Half },
            eps: if self.gated { 1e-5 } else { 1e-3 },
        };
        let x = match self.first {
            First::Factored => layers.first(g, x, w)?,
            _ => scope(g, w, "Conv3d_1a_7x7", |g, w| self.first(g, x, w, layers.eps))?,
        };
        let x = layers.maps(g, x, w)?;
        // The last layer is linear: the mean of its inputs gives the mean of its outputs.
        let x = if self.gated {
            g.scope("avg_pool", |g| g.global_pool(x, Pool::Average))?
        } else {
            inception::window_means(g, x)?
        };
        g.output("features", x)?;
        if let Some(classes) = self.classes {
            let y = scope(g, w, "logits.conv3d", |g, w| nn::linear(g, x, w, classes))?;
            g.output(if self.gated { "embedding" } else { "logits" }, y)?;
        }
        // HowTo100M's files hold what embeds texts, too.
        ["text_module", "module.text_module"].into_iter().for_each(|name| weights.ignore(name));
        Ok(graph)
    }

    /// The first convolution where it is not factored, batch normalisation and ReLU.
    fn first(&self, g: &mut Graph, x: Value, w: &Weights, eps: f32) -> Result<Value> {
        let cout = self.widths.stem[0];
        let y = if self.first == First::Whole {
            let conv = Conv::centred(cout, [3, 7, 7]).stride([2; 3]);
            nn::conv3d_norm(g, x, w, ["conv3d", "bn"], &conv, eps)?
        } else {
            if !self.frames.is_multiple_of(2) || !self.size.is_multiple_of(2) {
                return Err(Error::bad_input(format!(
                    "clips cannot be cut into blocks of 2×2×2 pixels: frames and size must be even, not {} and {}",
                    self.frames, self.size
                )));
            }
            let y = scope(g, w, "conv3d", |g, w| space_to_depth(g, x, w, cout))?;
            scope(g, w, "bn", |g, w| nn::batch_norm(g, y, w, eps))?
        };
        g.relu(y)
    }
}

/// A convolution of 2×4×4 blocks, each of 2×2×2 pixels with 3 channels: the convolution of 4×8×8 pixels, two at a step,
/// with the same weights. Published are `[Cout, 24, 2, 4, 4]`, the 24 in the order T, H, W, C.
fn space_to_depth(g: &mut Graph, x: Value, w: &Weights, cout: usize) -> Result<Value> {
    let weight = w.take("weight", &[cout, 24, 2, 4, 4])?;
    let weight = weight.reshape(&[cout, 2, 2, 2, 3, 2, 4, 4])?.permute(&[5, 1, 6, 2, 7, 3, 4, 0])?;
    let weight = nn::constant(g, weight.reshape(&[4, 8, 8, 3, cout])?);
    // One block before the frame and two after it; in time none before and one after.
    let padding = [[0, 2], [2, 4], [2, 4]];
    g.conv3d(x, weight, None, &Conv3d { stride: [2; 3], padding, ..Conv3d::default() })
}

/// The published files.
pub const CONVENTIONS: &[Convention] = &[
    Convention { name: "torchvision", source: "pytorch/vision", map: torchvision },
    Convention { name: "kylemin", source: "kylemin/S3D", map: kylemin },
    Convention { name: "howto100m", source: "antoine77340/S3D_HowTo100M", map: howto100m },
];

/// The place of a module in the sequence of torchvision and kylemin; `None` for the classifier.
fn place(block: &str) -> Option<usize> {
    Some(match block {
        "Conv3d_1a_7x7" => 0,
        "Conv3d_2b_1x1" => 2,
        "Conv3d_2c_3x3" => 3,
        "Mixed_3b" => 5,
        "Mixed_3c" => 6,
        "Mixed_4b" => 8,
        "Mixed_4c" => 9,
        "Mixed_4d" => 10,
        "Mixed_4e" => 11,
        "Mixed_4f" => 12,
        "Mixed_5b" => 14,
        "Mixed_5c" => 15,
        _ => return None,
    })
}

/// The branch of a unit and, where the branch has several layers, the place in it.
fn branch(unit: &str) -> (usize, Option<usize>) {
    match unit {
        "b0" => (0, None),
        "b1a" => (1, Some(0)),
        "b1b" => (1, Some(1)),
        "b2a" => (2, Some(0)),
        "b2b" => (2, Some(1)),
        _ => (3, Some(1)),
    }
}

fn torchvision(name: &str) -> Option<String> {
    let (block, unit, rest) = inception::parts(name)?;
    if rest.starts_with("gate.") {
        return None;
    }
    let rest = [("spatial", "0"), ("temporal", "1"), ("conv3d", "0"), ("bn", "1")]
        .into_iter()
        .fold(rest.to_owned(), |rest, (ours, theirs)| rest.replace(ours, theirs));
    let Some(place) = place(block) else {
        return Some(format!("classifier.1.{}", name.rsplit('.').next()?));
    };
    Some(match branch(unit) {
        _ if unit.is_empty() => format!("features.{place}.{rest}"),
        (b, None) => format!("features.{place}.branch{b}.{rest}"),
        (b, Some(i)) => format!("features.{place}.branch{b}.{i}.{rest}"),
    })
}

fn kylemin(name: &str) -> Option<String> {
    let (block, unit, rest) = inception::parts(name)?;
    if rest.starts_with("gate.") {
        return None;
    }
    let rest = match rest.split_once('.')? {
        (half @ ("spatial" | "temporal"), rest) => {
            let (layer, parameter) = rest.split_once('.')?;
            format!("{}_{}.{parameter}", layer.replace("conv3d", "conv"), &half[..1])
        }
        _ => rest.replace("conv3d", "conv"),
    };
    let Some(place) = place(block) else {
        return Some(format!("fc.0.{}", name.rsplit('.').next()?));
    };
    Some(match branch(unit) {
        _ if unit.is_empty() => format!("base.{place}.{rest}"),
        (b, i) => format!("base.{place}.branch{b}.{}.{rest}", i.unwrap_or(0)),
    })
}

fn howto100m(name: &str) -> Option<String> {
    let (block, unit, rest) = inception::parts(name)?;
    let layer = match (block, unit) {
        ("Conv3d_1a_7x7", _) => "conv1".into(),
        ("Conv3d_2b_1x1", _) => "conv_2b".into(),
        ("Conv3d_2c_3x3", _) if rest.starts_with("gate.") => "gating".into(),
        ("Conv3d_2c_3x3", _) => "conv_2c".into(),
        (_, "") => return Some(format!("fc.{}", name.rsplit('.').next()?)),
        _ => {
            let module = block.to_lowercase();
            let (b, i) = branch(unit);
            match i {
                _ if rest.starts_with("gate.") => format!("{module}.gating_b{b}"),
                None => format!("{module}.conv_b{b}"),
                Some(i) => format!("{module}.conv_b{b}_{}", if i == 0 { 'a' } else { 'b' }),
            }
        }
    };
    let (half, rest) = match rest.split_once('.')? {
        ("gate", parameter) => return Some(format!("{layer}.fc.{parameter}")),
        ("spatial", rest) => (1, rest),
        ("temporal", rest) => (2, rest),
        _ => (1, rest),
    };
    let (kind, parameter) = rest.split_once('.')?;
    Some(format!("{layer}.{}{half}.{parameter}", kind.replace("conv3d", "conv")))
}

/// S3D by name.
pub const NETWORK: Network = Network {
    name: "s3d",
    title: "S3D and S3D-G: I3D with convolutions factored into space and time, and with gates",
    paper: "Xie et al. 2018, arXiv:1712.04851; HowTo100M: Miech et al. 2020, arXiv:1912.06430",
    variants: &[
        Variant {
            name: "s3d",
            published: "Kinetics-400 68.37 % top-1, 128 frames (torchvision); 72.08 % (kylemin/S3D)",
        },
        Variant {
            name: "s3d-g",
            published: "HMDB-51 53.1 % top-1 with a linear SVM on the features (antoine77340/MIL-NCE_HowTo100M)",
        },
    ],
    conventions: CONVENTIONS,
    design,
};

/// Reads widths, first convolution and classes off a file.
fn design(r: &Reading) -> Result<Design> {
    let gated = r.variant() == "s3d-g";
    let published = if gated { S3d::howto100m() } else { S3d::kinetics() };
    let first = match r.length("Conv3d_1a_7x7.conv3d.weight", 1, 24) {
        _ if !gated => First::Factored,
        24 => First::SpaceToDepth,
        _ => First::Whole,
    };
    let classes = published.classes.unwrap_or(400);
    let stem: &[&str] = if gated { &[] } else { &["Conv3d_1a_7x7"] };
    let frames = r.frames(if r.convention() == "kylemin" { 64 } else { published.frames });
    let config = S3d {
        first,
        widths: Widths::read(r, "", &[stem, &["Conv3d_2c_3x3", "b1b", "b2b"]].concat()),
        classes: r.classes("logits.conv3d.weight", classes),
        frames,
        size: r.size(published.size),
        ..published
    };
    let recipe = match r.convention() {
        _ if gated => "howto100m",
        "kylemin" => "i3d-rgb",
        _ => "kinetics-224",
    };
    let notes = format!("{}, {frames} frames of {}×{}", r.variant(), config.size, config.size);
    Ok(Design::new(Input::clip(recipe, frames, config.size), notes, move |clips, w| config.build(clips, w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// torchvision's parameters and, for 16 frames, GMAC.
    #[test]
    fn published_figures() {
        let weights = Weights::shapes();
        let g = S3d { frames: 16, ..S3d::kinetics() }.build(1, &weights).unwrap();
        assert_eq!(weights.parameters(), 8_320_048);
        // Norms, activations and poolings count here and not there.
        approx::assert_relative_eq!(g.flops() as f64 / 2e9, 17.979, max_relative = 0.03);
        assert_eq!(g.outputs().map(|(_, v)| g.shape(v).to_vec()).collect::<Vec<_>>(), [[1, 1024], [1, 400]]);
        let g = S3d::howto100m().build(1, &Weights::shapes()).unwrap();
        assert_eq!(g.outputs().map(|(_, v)| g.shape(v).to_vec()).collect::<Vec<_>>(), [[1, 1024], [1, 512]]);
    }

    #[test]
    fn names_of_others() {
        for (canonical, vision, kyle, howto) in [
            (
                "Conv3d_1a_7x7.spatial.conv3d.weight",
                "features.0.0.0.weight",
                "base.0.conv_s.weight",
                "conv1.conv1.weight",
            ),
            ("Conv3d_2b_1x1.bn.bias", "features.2.1.bias", "base.2.bn.bias", "conv_2b.bn1.bias"),
            ("Conv3d_2c_3x3.temporal.bn.bias", "features.3.1.1.bias", "base.3.bn_t.bias", "conv_2c.bn2.bias"),
            (
                "Mixed_3b.b0.conv3d.weight",
                "features.5.branch0.0.weight",
                "base.5.branch0.0.conv.weight",
                "mixed_3b.conv_b0.conv1.weight",
            ),
            (
                "Mixed_4b.b1b.temporal.conv3d.weight",
                "features.8.branch1.1.1.0.weight",
                "base.8.branch1.1.conv_t.weight",
                "mixed_4b.conv_b1_b.conv2.weight",
            ),
            (
                "Mixed_5c.b3b.bn.running_var",
                "features.15.branch3.1.1.running_var",
                "base.15.branch3.1.bn.running_var",
                "mixed_5c.conv_b3_b.bn1.running_var",
            ),
            ("logits.conv3d.bias", "classifier.1.bias", "fc.0.bias", "fc.bias"),
        ] {
            assert_eq!(torchvision(canonical).as_deref(), Some(vision));
            assert_eq!(kylemin(canonical).as_deref(), Some(kyle));
            assert_eq!(howto100m(canonical).as_deref(), Some(howto));
        }
        assert_eq!(howto100m("Conv3d_2c_3x3.gate.weight").as_deref(), Some("gating.fc.weight"));
        assert_eq!(howto100m("Mixed_3b.b2b.gate.bias").as_deref(), Some("mixed_3b.gating_b2.fc.bias"));
        assert_eq!(torchvision("Mixed_3b.b2b.gate.bias"), None);
    }

    #[test]
    fn odd_clips_have_no_blocks() {
        let e = S3d { frames: 15, ..S3d::howto100m() }.build(1, &Weights::shapes()).unwrap_err();
        assert!(e.to_string().contains("must be even, not 15 and 224"), "{e}");
    }
}
