//! R3D, MC3 and R(2+1)D: ResNets whose 3×3×3 convolutions are whole, purely spatial in the later stages, or factored into
//! a spatial and a temporal one.
//!
//! Paper: Tran, Wang, Torresani, Ray, LeCun, Paluri, "A Closer Look at Spatiotemporal Convolutions for Action
//! Recognition", CVPR 2018, arXiv:1711.11248.
//! Input: `clip` `[N, 16, 112, 112, 3]`.
//! Canonical names: torchvision's, `stem.0.weight, stem.1.*, layer1.0.conv1.0.weight … fc.*`.

use super::{Design, Input, Network, Reading, Variant};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::nn::{self, Conv, scope};
use crate::ops::Pool;
use crate::weights::{Convention, Weights};

const EPS: f32 = 1e-5;

/// What stands where a 3×3×3 convolution could.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// That convolution.
    Whole,
    /// A 1×3×3 convolution, which sees single frames and keeps their number.
    Spatial,
    /// A 1×3×3 convolution, a norm, a ReLU and a 3×1×1 convolution.
    Factored,
}

/// The measures of such a ResNet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct R3d {
    /// The stem's kind; its windows are 7 wide and high.
    pub stem: Kind,
    /// The kinds of the four stages.
    pub stages: [Kind; 4],
    /// Blocks of two convolutions in each stage.
    pub blocks: [usize; 4],
    /// Output channels of the stem and the first stage; the other stages double them.
    pub width: usize,
    /// Channels between the two convolutions of a factored stem.
    pub between: usize,
    /// Outputs of `fc`; `None` for a network that ends with its features.
    pub classes: Option<usize>,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
}

impl R3d {
    /// R3D-18 for Kinetics-400: 3×3×3 convolutions throughout.
    pub fn r3d18() -> Self {
        R3d {
            stem: Kind::Whole,
            stages: [Kind::Whole; 4],
            blocks: [2; 4],
            width: 64,
            between: 45,
            classes: Some(400),
            frames: 16,
            size: 112,
        }
    }

    /// MC3-18 for Kinetics-400: from the second stage on, spatial convolutions.
    pub fn mc3_18() -> Self {
        R3d { stages: [Kind::Whole, Kind::Spatial, Kind::Spatial, Kind::Spatial], ..R3d::r3d18() }
    }

    /// R(2+1)D-18 for Kinetics-400: factored convolutions throughout.
    pub fn r2plus1d18() -> Self {
        R3d { stem: Kind::Factored, stages: [Kind::Factored; 4], ..R3d::r3d18() }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`, outputs `features`
    /// `[clips, 8 · width]` and, with a classifier, `logits` `[clips, classes]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for a clip without frames or pixels.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let (g, w) = (&mut graph, weights);
        let mut x = g.input("clip", &[clips, self.frames, self.size, self.size, 3])?;
        x = self.stem(g, x, w)?;
        for (stage, blocks) in self.blocks.into_iter().enumerate() {
            for i in 0..blocks {
                let stride = if stage > 0 && i == 0 { 2 } else { 1 };
                let name = format!("layer{}.{i}", stage + 1);
                x = scope(g, w, name, |g, w| {
                    residual(g, x, w, self.stages[stage], self.width << stage, stride)
                })?;
            }
        }
        let x = g.scope("avgpool", |g| g.global_pool(x, Pool::Average))?;
        g.output("features", x)?;
        if let Some(classes) = self.classes {
            let logits = scope(g, w, "fc", |g, w| nn::linear(g, x, w, classes))?;
            g.output("logits", logits)?;
        }
        Ok(graph)
    }

    /// Windows of 3×7×7 that halve height and width.
    fn stem(&self, g: &mut Graph, mut x: Value, w: &Weights) -> Result<Value> {
        let spatial = |cout| Conv::centred(cout, [1, 7, 7]).stride([1, 2, 2]);
        let (first, second) = match self.stem {
            Kind::Whole => (Conv::centred(self.width, [3, 7, 7]).stride([1, 2, 2]), None),
            Kind::Spatial => (spatial(self.width), None),
            Kind::Factored => (spatial(self.between), Some(Conv::centred(self.width, [3, 1, 1]))),
        };
        for (i, conv) in [Some(first), second].into_iter().flatten().enumerate() {
            let layer = |j| format!("stem.{}", 3 * i + j);
            x = nn::conv3d_norm(g, x, w, [&layer(0), &layer(1)], &conv, EPS)?;
            x = g.scope(&layer(2), |g| g.relu(x))?;
        }
        Ok(x)
    }
}

/// Two convolutions beside a shortcut.
fn residual(g: &mut Graph, x: Value, w: &Weights, kind: Kind, cout: usize, stride: usize) -> Result<Value> {
    let cin = g.shape(x).last().copied().unwrap_or(cout);
    // As many parameters in the two factors as in one 3×3×3 convolution; the block's second convolution takes the
    // first one's number.
    let between = cin * cout * 27 / (cin * 9 + cout * 3);
    let y = scope(g, w, "conv1", |g, w| convolution(g, x, w, kind, between, cout, stride))?;
    let y = g.scope("conv1.2", |g| g.relu(y))?;
    let y = scope(g, w, "conv2", |g, w| convolution(g, y, w, kind, between, cout, 1))?;
    let mut skip = x;
    if stride != 1 || cin != cout {
        let conv = Conv::new(cout, [1; 3]).stride(steps(kind, stride));
        skip = nn::conv3d_norm(g, x, w, ["downsample.0", "downsample.1"], &conv, EPS)?;
    }
    let sum = g.add(y, skip)?;
    g.relu(sum)
}

/// The steps along T, H, W.
fn steps(kind: Kind, stride: usize) -> [usize; 3] {
    [if kind == Kind::Spatial { 1 } else { stride }, stride, stride]
}

fn convolution(
    g: &mut Graph,
    x: Value,
    w: &Weights,
    kind: Kind,
    between: usize,
    cout: usize,
    stride: usize,
) -> Result<Value> {
    if kind != Kind::Factored {
        let kernel = if kind == Kind::Whole { [3; 3] } else { [1, 3, 3] };
        let conv = Conv::centred(cout, kernel).stride(steps(kind, stride));
        return nn::conv3d_norm(g, x, w, ["0", "1"], &conv, EPS);
    }
    let spatial = Conv::centred(between, [1, 3, 3]).stride([1, stride, stride]);
    let x = nn::conv3d_norm(g, x, w, ["0.0", "0.1"], &spatial, EPS)?;
    let x = g.scope("0.2", |g| g.relu(x))?;
    let temporal = Conv::centred(cout, [3, 1, 1]).stride([stride, 1, 1]);
    nn::conv3d_norm(g, x, w, ["0.3", "1"], &temporal, EPS)
}

/// The published files.
pub const CONVENTIONS: &[Convention] =
    &[Convention { name: "torchvision", source: "pytorch/vision", map: |name| Some(name.into()) }];

/// Networks on single frames whose weights can be inflated to R3D's and MC3's.
pub(super) const FLAT: &[Convention] =
    &[Convention { name: "torchvision-2d", source: "pytorch/vision, ResNet on frames", map: resnet }];

fn resnet(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    Some(match parts[..] {
        ["stem", "0", parameter] => format!("conv1.{parameter}"),
        ["stem", "1", parameter] => format!("bn1.{parameter}"),
        [stage, block, conv, "0", parameter] if conv != "downsample" => {
            format!("{stage}.{block}.{conv}.{parameter}")
        }
        [stage, block, conv, "1", parameter] if conv != "downsample" => {
            format!("{stage}.{block}.{}.{parameter}", conv.replace("conv", "bn"))
        }
        [_, _, "downsample", _, _] | ["fc", _] => name.into(),
        _ => return None,
    })
}

/// R3D and its like by name.
pub const NETWORK: Network = Network {
    name: "r3d",
    title: "R3D, MC3 and R(2+1)D: 3D ResNets with whole, spatial or factored convolutions",
    paper: "Tran et al. 2018, arXiv:1711.11248",
    variants: &[
        Variant { name: "r3d-18", published: "Kinetics-400 63.20 % top-1, 5 clips (torchvision)" },
        Variant { name: "mc3-18", published: "Kinetics-400 63.96 % top-1, 5 clips (torchvision)" },
        Variant { name: "r2plus1d-18", published: "Kinetics-400 67.46 % top-1, 5 clips (torchvision)" },
    ],
    conventions: CONVENTIONS,
    design,
};

/// Reads blocks, widths and classes off a file.
fn design(r: &Reading) -> Result<Design> {
    let published = match r.variant() {
        "mc3-18" => R3d::mc3_18(),
        "r2plus1d-18" => R3d::r2plus1d18(),
        _ => R3d::r3d18(),
    };
    let config = R3d {
        blocks: std::array::from_fn(|stage| {
            r.count(|i| format!("layer{}.{i}.conv1.1.weight", stage + 1), published.blocks[stage])
        }),
        width: r.length("layer1.0.conv1.1.weight", 0, published.width),
        between: r.length("stem.0.weight", 0, published.between),
        classes: r.classes("fc.weight", 400),
        frames: r.frames(published.frames),
        size: r.size(published.size),
        ..published
    };
    let notes = format!("{}, blocks {:?}, width {}", r.variant(), config.blocks, config.width);
    let input = Input::clip("kinetics-112", config.frames, config.size);
    Ok(Design::new(input, notes, move |clips, w| config.build(clips, w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// torchvision's parameters and GMAC.
    #[test]
    fn published_figures() {
        for (config, parameters, gmac) in [
            (R3d::r3d18(), 33_371_472, 40.697),
            (R3d::mc3_18(), 11_695_440, 43.343),
            (R3d::r2plus1d18(), 31_505_325, 40.519),
        ] {
            let weights = Weights::shapes();
            let g = config.build(1, &weights).unwrap();
            assert_eq!(weights.parameters(), parameters);
            // Norms, activations and poolings count here and not there.
            approx::assert_relative_eq!(g.flops() as f64 / 2e9, gmac, max_relative = 0.015);
            assert_eq!(
                g.outputs().map(|(_, v)| g.shape(v).to_vec()).collect::<Vec<_>>(),
                [[1, 512], [1, 400]]
            );
        }
    }

    #[test]
    fn names_of_frames_networks() {
        for (canonical, published) in [
            ("stem.0.weight", Some("conv1.weight")),
            ("stem.1.running_var", Some("bn1.running_var")),
            ("layer2.0.conv1.0.weight", Some("layer2.0.conv1.weight")),
            ("layer2.0.conv2.1.bias", Some("layer2.0.bn2.bias")),
            ("layer2.0.downsample.1.weight", Some("layer2.0.downsample.1.weight")),
            ("fc.bias", Some("fc.bias")),
            // No network on frames has a temporal convolution.
            ("stem.3.weight", None),
            ("layer2.0.conv1.0.3.weight", None),
        ] {
            assert_eq!(resnet(canonical).as_deref(), published, "{canonical}");
        }
    }
}
