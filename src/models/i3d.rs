//! I3D: GoogLeNet with its convolutions inflated to three dimensions, on frames and on optical flow.
//!
//! Paper: Carreira, Zisserman, "Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset", CVPR 2017,
//! arXiv:1705.07750. "Two-stream I3D" is the sum of the logits of a network on frames and one on flow.
//! Input: `clip` `[N, 64, 224, 224, 3]`, levels from -1 to 1, or `flow` `[N, 64, 224, 224, 2]`, flow of up to 20 pixels
//! from -1 to 1.
//! Padding is TensorFlow's, as in the original and in piergiaj/pytorch-i3d; hassony2's code pads otherwise where the strides
//! do not divide height and width.
//! Canonical names: those of piergiaj/pytorch-i3d, `Conv3d_1a_7x7.conv3d.weight … logits.conv3d.bias`.

use super::inception::{self, Inception, Padding, Widths};
use super::{Average, Design, Input, Network, Reading, Variant};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::nn::{self, scope};
use crate::weights::{Convention, Weights};

/// The measures of an I3D.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct I3d {
    /// Output channels of all convolutions.
    pub widths: Widths,
    /// Channels of a frame: 3, or the 2 of a flow.
    pub channels: usize,
    /// Outputs of the classifier; `None` for a network that ends with its features.
    pub classes: Option<usize>,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
}

impl I3d {
    /// The published network on frames, for Kinetics-400.
    pub fn rgb() -> Self {
        I3d { widths: Widths::googlenet(), channels: 3, classes: Some(400), frames: 64, size: 224 }
    }

    /// The published network on flow, for Kinetics-400.
    pub fn flow() -> Self {
        I3d { channels: 2, ..I3d::rgb() }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]` or `flow` `[clips, T, H, W, 2]`;
    /// outputs `features` `[clips, 1024]`, the means over places and time, and, with a classifier, `logits`
    /// `[clips, classes]`, which are the mean of the published network's logits over time.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for a clip without frames or pixels.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let (g, w) = (&mut graph, weights);
        let name = if self.channels == 2 { "flow" } else { "clip" };
        let x = g.input(name, &[clips, self.frames, self.size, self.size, self.channels])?;
        let layers = Inception {
            widths: self.widths.clone(),
            separable: false,
            gated: false,
            shortens: true,
            padding: Padding::Same,
            eps: 1e-3,
        };
        let x = layers.first(g, x, w)?;
        let x = layers.maps(g, x, w)?;
        // The classifier is linear: the mean of its inputs gives the mean of the logits.
        let x = inception::window_means(g, x)?;
        g.output("features", x)?;
        if let Some(classes) = self.classes {
            let logits = scope(g, w, "logits.conv3d", |g, w| nn::linear(g, x, w, classes))?;
            g.output("logits", logits)?;
        }
        Ok(graph)
    }
}

/// The published files.
pub const CONVENTIONS: &[Convention] = &[
    Convention { name: "piergiaj", source: "piergiaj/pytorch-i3d", map: |name| Some(name.into()) },
    Convention { name: "hassony2", source: "hassony2/kinetics_i3d_pytorch", map: hassony2 },
];

fn hassony2(name: &str) -> Option<String> {
    let (block, unit, rest) = inception::parts(name)?;
    let rest = rest.replace("bn.", "batch3d.");
    let unit = match unit {
        "" if block == "logits" => return Some(format!("conv3d_0c_1x1.{}", name.strip_prefix("logits.")?)),
        "" => return Some(format!("{}.{rest}", block.to_lowercase())),
        "b0" => "0",
        "b1a" => "1.0",
        "b1b" => "1.1",
        "b2a" => "2.0",
        "b2b" => "2.1",
        _ => "3.1",
    };
    Some(format!("{}.branch_{unit}.{rest}", block.to_lowercase()))
}

/// Networks on single frames whose weights can be inflated to these.
pub(super) const FLAT: &[Convention] =
    &[Convention { name: "torchvision-2d", source: "pytorch/vision, GoogLeNet on frames", map: googlenet }];

fn googlenet(name: &str) -> Option<String> {
    let (block, unit, rest) = inception::parts(name)?;
    let rest = rest.replace("conv3d.", "conv.");
    if let Some(module) = block.strip_prefix("Mixed_") {
        // Here the modules of a stage count from b, there from a.
        let letter = module.chars().nth(1).and_then(|c| char::from_u32(u32::from(c) - 1))?;
        let branch = match unit {
            "b0" => "branch1",
            "b1a" => "branch2.0",
            "b1b" => "branch2.1",
            "b2a" => "branch3.0",
            "b2b" => "branch3.1",
            _ => "branch4.1",
        };
        return Some(format!("inception{}{letter}.{branch}.{rest}", &module[..1]));
    }
    Some(match block {
        "Conv3d_1a_7x7" => format!("conv1.{rest}"),
        "Conv3d_2b_1x1" => format!("conv2.{rest}"),
        "Conv3d_2c_3x3" => format!("conv3.{rest}"),
        _ => format!("fc.{}", name.rsplit('.').next()?),
    })
}

/// I3D by name.
pub const NETWORK: Network = Network {
    name: "i3d",
    title: "I3D: GoogLeNet inflated to three dimensions, on frames and optical flow",
    paper: "Carreira and Zisserman 2017, arXiv:1705.07750",
    variants: &[
        Variant {
            name: "rgb",
            published: "Kinetics-400 71.1 % top-1; with flow, logits added, 74.2 % (google-deepmind/kinetics-i3d)",
        },
        Variant { name: "flow", published: "Kinetics-400 63.4 % top-1 (google-deepmind/kinetics-i3d)" },
    ],
    conventions: CONVENTIONS,
    design,
};

/// Reads widths, channels and classes off a file.
fn design(r: &Reading) -> Result<Design> {
    let published = if r.variant() == "flow" { I3d::flow() } else { I3d::rgb() };
    let channels = r.length("Conv3d_1a_7x7.conv3d.weight", 1, published.channels);
    if !matches!(channels, 2 | 3) || r.is_chosen() && channels != published.channels {
        return Err(Error::bad_input(format!(
            "Conv3d_1a_7x7 takes {channels} channels: of frames it takes 3, of flow 2"
        )));
    }
    let config = I3d {
        widths: Widths::read(r, "", &[]),
        channels,
        classes: r.classes("logits.conv3d.weight", 400),
        frames: r.frames(published.frames),
        size: r.size(published.size),
    };
    let (input, what) = match channels {
        2 if r.convention() == "piergiaj" => {
            (Input::flow("i3d-flow-jpg", config.frames, config.size), "flow")
        }
        2 => (Input::flow("i3d-flow", config.frames, config.size), "flow"),
        _ => (Input::clip("i3d-rgb", config.frames, config.size), "frames"),
    };
    let notes = format!("on {what}, {} frames of {}×{}", config.frames, config.size, config.size);
    let design = Design::new(input, notes, move |clips, w| config.build(clips, w));
    Ok(design.average(Average::Logits))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters of piergiaj/pytorch-i3d, GMAC of 64 frames as counted on it.
    #[test]
    fn published_figures() {
        for (config, parameters, gmac) in [(I3d::rgb(), 12_697_264, 111.2), (I3d::flow(), 12_675_312, 102.3)]
        {
            let weights = Weights::shapes();
            let g = config.build(1, &weights).unwrap();
            assert_eq!(weights.parameters(), parameters);
            // Norms, activations and poolings count here and not there.
            approx::assert_relative_eq!(g.flops() as f64 / 2e9, gmac, max_relative = 0.015);
            assert_eq!(
                g.outputs().map(|(_, v)| g.shape(v).to_vec()).collect::<Vec<_>>(),
                [[1, 1024], [1, 400]]
            );
        }
    }

    #[test]
    fn names_of_others() {
        for (canonical, hassony, flat) in [
            ("Conv3d_1a_7x7.conv3d.weight", "conv3d_1a_7x7.conv3d.weight", "conv1.conv.weight"),
            ("Conv3d_2c_3x3.bn.bias", "conv3d_2c_3x3.batch3d.bias", "conv3.bn.bias"),
            (
                "Mixed_3b.b0.conv3d.weight",
                "mixed_3b.branch_0.conv3d.weight",
                "inception3a.branch1.conv.weight",
            ),
            (
                "Mixed_4f.b2b.bn.weight",
                "mixed_4f.branch_2.1.batch3d.weight",
                "inception4e.branch3.1.bn.weight",
            ),
            (
                "Mixed_5c.b3b.conv3d.weight",
                "mixed_5c.branch_3.1.conv3d.weight",
                "inception5b.branch4.1.conv.weight",
            ),
            ("logits.conv3d.bias", "conv3d_0c_1x1.conv3d.bias", "fc.bias"),
        ] {
            assert_eq!(hassony2(canonical).as_deref(), Some(hassony));
            assert_eq!(googlenet(canonical).as_deref(), Some(flat));
        }
    }
}
