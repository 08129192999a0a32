//! VGG on single frames and on stacks of optical flow.
//!
//! Papers: Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015,
//! arXiv:1409.1556; two streams: Simonyan, Zisserman, NIPS 2014, arXiv:1406.2199.
//! Input: `clip` `[N, T, H, W, 3]`, frames whose logits are averaged, or `flow` `[N, T, H, W, 2L]`.
//! Canonical names: torchvision's, `features.0.weight … classifier.6.bias`.

use super::{Design, Input, Network, Reading, Variant};
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::nn::{self, Conv, scope};
use crate::ops::{AdaptivePool3d, Pool3d, Reduce, Reduction};
use crate::weights::{Convention, Weights};

/// Output channels as multiples of the first's, and how many convolutions each of the five stages has.
const STAGES: [usize; 5] = [1, 2, 4, 8, 8];

/// The measures of a VGG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vgg {
    /// Convolutions in each of the five stages.
    pub convolutions: [usize; 5],
    /// Whether each is followed by a batch normalisation.
    pub batch_norm: bool,
    /// Output channels of the first convolution.
    pub width: usize,
    /// Outputs of the two hidden linear layers.
    pub features: usize,
    /// Channels of a frame: 3, or two for each flow of a stack.
    pub channels: usize,
    /// Outputs of the classifier.
    pub classes: usize,
    /// Frames whose logits are averaged.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
}

impl Vgg {
    /// VGG-16 for ImageNet.
    pub fn vgg16() -> Self {
        Vgg {
            convolutions: [2, 2, 3, 3, 3],
            batch_norm: false,
            width: 64,
            features: 4096,
            channels: 3,
            classes: 1000,
            frames: 1,
            size: 224,
        }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]` or, for other channels, `flow`
    /// `[clips, T, H, W, channels]`; outputs `features` `[clips, C]`, those of the last hidden layer, and `logits`
    /// `[clips, classes]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when frames are too small for five poolings.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let g = &mut graph;
        let name = if self.channels == 3 { "clip" } else { "flow" };
        let x = g.input(name, &[clips, self.frames, self.size, self.size, self.channels])?;
        let x = self.maps(g, x, weights)?;
        let x = g.scope("pool5", |g| g.pool3d(x, &Pool3d::max([1, 2, 2])))?;
        let x = self.hidden(g, x, weights)?;
        // The last layer is linear: the mean of its inputs gives the mean of the logits.
        let x = g.scope("consensus", |g| g.reduce(x, &Reduce::over(Reduction::Mean, &[1])))?;
        g.output("features", x)?;
        let logits = scope(g, weights, "classifier.6", |g, w| nn::linear(g, x, w, self.classes))?;
        g.output("logits", logits)?;
        Ok(graph)
    }

    /// The maps before the last pooling, `[N, T, H/16, W/16, C]`, of frames `[N, T, H, W, channels]`.
    ///
    /// # Errors
    /// As [`Vgg::build`].
    pub fn maps(&self, g: &mut Graph, x: Value, w: &Weights) -> Result<Value> {
        scope(g, w, "features", |g, w| Ok(self.layers(g, x, w)?.1))
    }

    /// What the last hidden layer gives for every frame, `[N, T, features]`, of the maps `[N, T, H, W, C]` after the last
    /// pooling.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the maps have other axes.
    pub fn hidden(&self, g: &mut Graph, maps: Value, w: &Weights) -> Result<Value> {
        let [n, t, _, _, c] = g.shape(maps).dims("the maps", "[N, T, H, W, C]")?;
        let x = g.scope("pool", |g| g.adaptive_pool3d(maps, &AdaptivePool3d::average([t, 7, 7])))?;
        let x = g.view(x, &[n * t, 1, 7, 7, c])?;
        let x = scope(g, w, "classifier.0", |g, w| {
            let y = nn::linear_flattened(g, x, w, self.features)?;
            g.relu(y)
        })?;
        let x = scope(g, w, "classifier.3", |g, w| {
            let y = nn::linear(g, x, w, self.features)?;
            g.relu(y)
        })?;
        g.view(x, &[n, t, self.features])
    }

    /// The maps after each of the five poolings.
    ///
    /// # Errors
    /// As [`Vgg::build`].
    pub fn stages(&self, g: &mut Graph, x: Value, w: &Weights) -> Result<[Value; 5]> {
        let ([a, b, c, d], last) = scope(g, w, "features", |g, w| self.layers(g, x, w))?;
        Ok([a, b, c, d, g.scope("pool5", |g| g.pool3d(last, &Pool3d::max([1, 2, 2])))?])
    }

    /// The maps after the poolings between stages and those of the last stage; the weights' names begin with the layers'
    /// numbers.
    pub(super) fn layers(&self, g: &mut Graph, mut x: Value, w: &Weights) -> Result<([Value; 4], Value)> {
        let mut maps = [x; 4];
        // Published names count every layer, activations and poolings too.
        let mut layer = 0;
        for (stage, multiple) in STAGES.into_iter().enumerate() {
            if stage > 0 {
                x = g.scope(&format!("pool{stage}"), |g| g.pool3d(x, &Pool3d::max([1, 2, 2])))?;
                maps[stage - 1] = x;
                layer += 1;
            }
            let conv = Conv::centred(self.width * multiple, [1, 3, 3]);
            for _ in 0..self.convolutions[stage] {
                x = scope(g, w, layer.to_string(), |g, w| nn::conv3d(g, x, w, &conv))?;
                layer += 1;
                if self.batch_norm {
                    x = scope(g, w, layer.to_string(), |g, w| nn::batch_norm(g, x, w, 1e-5))?;
                    layer += 1;
                }
                x = g.scope(&layer.to_string(), |g| g.relu(x))?;
                layer += 1;
            }
        }
        Ok((maps, x))
    }
}

/// The published files.
pub const CONVENTIONS: &[Convention] = &[
    Convention { name: "torchvision", source: "pytorch/vision", map: |name| Some(name.into()) },
    Convention {
        name: "bryanyzhu",
        source: "bryanyzhu/two-stream-pytorch",
        map: |name| {
            let action = name.strip_prefix("classifier.6.");
            Some(action.map_or_else(|| name.into(), |parameter| format!("fc_action.{parameter}")))
        },
    },
];

/// VGG by name.
pub const NETWORK: Network = Network {
    name: "vgg",
    title: "VGG on single frames and optical flow",
    paper: "Simonyan and Zisserman 2015, arXiv:1409.1556; two streams: 2014, arXiv:1406.2199",
    variants: &[
        Variant {
            name: "16",
            published: "UCF101 split 1: RGB 78.5 %, flow 80.4 % (bryanyzhu/two-stream-pytorch); ImageNet 71.6 % top-1 (torchvision)",
        },
        Variant { name: "16-bn", published: "ImageNet 73.4 % top-1 (torchvision, IMAGENET1K_V1)" },
        Variant { name: "11", published: "ImageNet 69.0 % top-1 (torchvision, IMAGENET1K_V1)" },
        Variant { name: "19", published: "ImageNet 72.4 % top-1 (torchvision, IMAGENET1K_V1)" },
    ],
    conventions: CONVENTIONS,
    design,
};

/// Reads width, features, channels and classes off a file; its layers are the variant's.
fn design(r: &Reading) -> Result<Design> {
    let published = Vgg::vgg16();
    let convolutions = match r.variant() {
        "11" => [1, 1, 2, 2, 2],
        "19" => [2, 2, 4, 4, 4],
        _ => published.convolutions,
    };
    let channels = r.length("features.0.weight", 1, 3);
    if channels != 3 && channels % 2 == 1 {
        return Err(Error::bad_input(format!(
            "features.0 takes {channels} channels: neither the 3 of a frame nor two for each flow of a stack"
        )));
    }
    let config = Vgg {
        convolutions,
        batch_norm: r.variant().ends_with("-bn"),
        width: r.length("features.0.weight", 0, published.width),
        features: r.length("classifier.0.weight", 0, published.features),
        channels,
        classes: r.length("classifier.6.weight", 0, published.classes),
        frames: r.frames(1),
        size: r.size(224),
    };
    let (frames, size) = (config.frames, config.size);
    let input = match (channels, r.convention()) {
        (3, "bryanyzhu") => Input::clip("two-stream-bryanyzhu", frames, size),
        (3, _) => Input::clip("imagenet-224", frames, size),
        _ => Input::stacks("two-stream-bryanyzhu-flow", frames, size, channels / 2),
    };
    let notes = format!("width {}, {channels} channels, {} classes", config.width, config.classes);
    Ok(Design::new(input, notes, move |clips, w| config.build(clips, w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// torchvision's parameters, and 15.47 GMAC.
    #[test]
    fn published_figures() {
        let weights = Weights::shapes();
        let g = Vgg::vgg16().build(1, &weights).unwrap();
        assert_eq!(weights.parameters(), 138_357_544);
        approx::assert_abs_diff_eq!(g.flops() as f64 / 2e9, 15.47, epsilon = 0.05);
        let weights = Weights::shapes();
        Vgg { batch_norm: true, ..Vgg::vgg16() }.build(1, &weights).unwrap();
        assert_eq!(weights.parameters(), 138_365_992);
    }
}
