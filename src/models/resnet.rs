//! ResNet on single frames, on the segments of TSN, and on stacks of optical flow.
//!
//! Papers: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, arXiv:1512.03385; Wang et
//! al., "Temporal Segment Networks", ECCV 2016, arXiv:1608.00859; Simonyan, Zisserman, "Two-Stream Convolutional
//! Networks for Action Recognition in Videos", NIPS 2014, arXiv:1406.2199.
//! Input: `clip` `[N, T, H, W, 3]`, frames that share the network and whose features are averaged (TSN's consensus; one
//! frame for the others), or `flow` `[N, T, H, W, 2L]`.
//! Canonical names: torchvision's, `conv1.weight, bn1.*, layer1.0.conv1.weight … fc.*`.

use super::{Average, Design, Input, Network, Reading, Variant};
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::nn::{self, Conv, scope};
use crate::ops::{Norm, NormMode, Pool, Pool3d};
use crate::weights::{Convention, Weights};

const EPS: f32 = 1e-5;

/// What a residual block is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// Two 3×3 convolutions.
    Basic,
    /// 1×1, 3×3 and 1×1 convolutions, the last to four times as many channels.
    Bottleneck,
}

impl Block {
    /// Its name in a text.
    pub fn name(self) -> &'static str {
        match self {
            Block::Basic => "basic",
            Block::Bottleneck => "bottleneck",
        }
    }
}

/// The measures of a ResNet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResNet {
    /// The blocks' kind.
    pub block: Block,
    /// Blocks in each of the four stages.
    pub blocks: [usize; 4],
    /// Output channels of `conv1`.
    pub width: usize,
    /// Channels of a frame: 3, or two for each flow of a stack.
    pub channels: usize,
    /// Outputs of `fc`; `None` for a network that ends with its features.
    pub classes: Option<usize>,
    /// Frames whose features are averaged.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
    /// Height and width of frames whose maps alone are wanted.
    pub maps: Option<[usize; 2]>,
}

impl ResNet {
    /// ResNet-18 for ImageNet.
    pub fn resnet18() -> Self {
        ResNet {
            block: Block::Basic,
            blocks: [2; 4],
            width: 64,
            channels: 3,
            classes: Some(1000),
            frames: 1,
            size: 224,
            maps: None,
        }
    }

    /// ResNet-50 for ImageNet.
    pub fn resnet50() -> Self {
        ResNet { block: Block::Bottleneck, blocks: [3, 4, 6, 3], ..ResNet::resnet18() }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]` or, for other channels, `flow`
    /// `[clips, T, H, W, channels]`; outputs `features` `[clips, C]` and, with a classifier, `logits`
    /// `[clips, classes]`. With [`ResNet::maps`] it gives `maps` `[clips, T, H/8, W/8, C]` alone, each place of length 1, by
    /// which labels are propagated: those of the third stage, which keeps the size of the second; the fourth is left out.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are no frames or channels.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let g = &mut graph;
        let name = if self.channels == 3 { "clip" } else { "flow" };
        let [height, width] = self.maps.unwrap_or([self.size; 2]);
        let x = g.input(name, &[clips, self.frames, height, width, self.channels])?;
        if self.maps.is_some() {
            let x = self.stages(g, x, weights, &[1, 2, 1])?;
            let maps = g.scope("maps", |g| g.norm(x, None, None, &Norm::over(NormMode::L2, &[-1])))?;
            g.output("maps", maps)?;
            nn::left_out(g.shape(x), |g, x| {
                let x = self.stage(g, x, weights, 3, 2)?;
                self.head(g, x, weights)
            })?;
            return Ok(graph);
        }
        let x = self.last_maps(g, x, weights)?;
        self.head(g, x, weights)?;
        Ok(graph)
    }

    /// The outputs of the whole network.
    fn head(&self, g: &mut Graph, x: Value, weights: &Weights) -> Result<()> {
        let x = g.scope("pool", |g| g.global_pool(x, Pool::Average))?;
        g.output("features", x)?;
        if let Some(classes) = self.classes {
            let logits = scope(g, weights, "fc", |g, w| nn::linear(g, x, w, classes))?;
            g.output("logits", logits)?;
        }
        Ok(())
    }

    /// The maps of the last stage, `[N, T, H/32, W/32, C]`, of frames `[N, T, H, W, channels]`.
    ///
    /// # Errors
    /// As [`ResNet::build`].
    pub fn last_maps(&self, g: &mut Graph, x: Value, w: &Weights) -> Result<Value> {
        self.stages(g, x, w, &[1, 2, 2, 2])
    }

    /// What the first stages give, as many as there are strides, of which each is that of a stage's first block.
    pub(super) fn stages(&self, g: &mut Graph, x: Value, w: &Weights, strides: &[usize]) -> Result<Value> {
        let stem = Conv::centred(self.width, [1, 7, 7]).stride([1, 2, 2]);
        let x = nn::conv3d_norm(g, x, w, ["conv1", "bn1"], &stem, EPS)?;
        let x = g.scope("relu", |g| g.relu(x))?;
        let pool = Pool3d::max([1, 3, 3]).stride([1, 2, 2]).padded([0, 1, 1]);
        let mut x = g.scope("maxpool", |g| g.pool3d(x, &pool))?;
        for (stage, &stride) in strides.iter().enumerate() {
            x = self.stage(g, x, w, stage, stride)?;
        }
        Ok(x)
    }

    /// One stage, counted from 0.
    pub(super) fn stage(
        &self,
        g: &mut Graph,
        mut x: Value,
        w: &Weights,
        stage: usize,
        stride: usize,
    ) -> Result<Value> {
        for i in 0..self.blocks[stage] {
            let stride = if i == 0 { stride } else { 1 };
            let name = format!("layer{}.{i}", stage + 1);
            x = scope(g, w, name, |g, w| self.residual(g, x, w, self.width << stage, stride))?;
        }
        Ok(x)
    }

    fn residual(&self, g: &mut Graph, x: Value, w: &Weights, width: usize, stride: usize) -> Result<Value> {
        let steps = [1, stride, stride];
        let convolutions = match self.block {
            Block::Basic => {
                vec![Conv::centred(width, [1, 3, 3]).stride(steps), Conv::centred(width, [1, 3, 3])]
            }
            Block::Bottleneck => vec![
                Conv::new(width, [1; 3]),
                Conv::centred(width, [1, 3, 3]).stride(steps),
                Conv::new(4 * width, [1; 3]),
            ],
        };
        let mut y = x;
        for (i, conv) in convolutions.iter().enumerate() {
            if i > 0 {
                y = g.scope(&format!("relu{i}"), |g| g.relu(y))?;
            }
            y = nn::conv3d_norm(g, y, w, [&format!("conv{}", i + 1), &format!("bn{}", i + 1)], conv, EPS)?;
        }
        let mut skip = x;
        if g.shape(x) != g.shape(y) {
            let cout = g.shape(y).last().copied().unwrap_or(width);
            let conv = Conv::new(cout, [1; 3]).stride(steps);
            skip = nn::conv3d_norm(g, x, w, ["downsample.0", "downsample.1"], &conv, EPS)?;
        }
        let sum = g.add(y, skip)?;
        g.relu(sum)
    }
}

/// The published files.
pub const CONVENTIONS: &[Convention] = &[
    Convention { name: "torchvision", source: "pytorch/vision", map: |name| Some(name.into()) },
    Convention { name: "mmaction", source: "open-mmlab/mmaction2, TSN", map: mmaction },
    Convention {
        name: "mmaction-backbone",
        source: "open-mmlab/mmaction2, no classifier",
        map: |name| mmaction(name)?.strip_prefix("backbone.").map(Into::into),
    },
    Convention {
        name: "jeffreyyihuang",
        source: "jeffreyyihuang/two-stream-action-recognition",
        map: |name| {
            let custom =
                |layer| name.strip_prefix(layer).map(|parameter| format!("{layer}_custom{parameter}"));
            // Only those of the whole network: the blocks have a conv1, too.
            Some(custom("conv1").or_else(|| custom("fc")).unwrap_or_else(|| name.into()))
        },
    },
    Convention {
        name: "bryanyzhu",
        source: "bryanyzhu/two-stream-pytorch",
        map: |name| Some(name.strip_prefix("fc.").map_or_else(|| name.into(), |p| format!("fc_action.{p}"))),
    },
];

fn mmaction(name: &str) -> Option<String> {
    let (layer, parameter) = name.rsplit_once('.')?;
    let (block, layer) = layer.rsplit_once('.').map_or((String::new(), layer), |(b, l)| (format!("{b}."), l));
    Some(match (block.strip_suffix("downsample."), layer) {
        (_, "fc") => format!("cls_head.fc_cls.{parameter}"),
        (Some(_), "0") => format!("backbone.{block}conv.{parameter}"),
        (Some(_), _) => format!("backbone.{block}bn.{parameter}"),
        (None, _) => match layer.strip_prefix("bn") {
            Some(i) => format!("backbone.{block}conv{i}.bn.{parameter}"),
            None => format!("backbone.{block}{layer}.conv.{parameter}"),
        },
    })
}

/// ResNet by name.
pub const NETWORK: Network = Network {
    name: "resnet",
    title: "ResNet on single frames, TSN's segments and optical flow",
    paper: "He et al. 2016, arXiv:1512.03385; TSN: Wang et al. 2016, arXiv:1608.00859",
    variants: &[
        Variant { name: "50", published: "ImageNet 76.1 % top-1 (torchvision, IMAGENET1K_V1)" },
        Variant { name: "18", published: "ImageNet 69.8 % top-1 (torchvision, IMAGENET1K_V1)" },
        Variant { name: "34", published: "ImageNet 73.3 % top-1 (torchvision, IMAGENET1K_V1)" },
        Variant {
            name: "101",
            published: "UCF101 split 1: RGB 82.1 %, flow 79.4 %, both 88.5 % (jeffreyyihuang/two-stream-action-recognition)",
        },
        Variant {
            name: "152",
            published: "UCF101 split 1: RGB 85.6 %, flow 85.7 % (bryanyzhu/two-stream-pytorch)",
        },
    ],
    conventions: CONVENTIONS,
    design,
};

/// Reads depth, width, channels and classes off a file.
fn design(r: &Reading) -> Result<Design> {
    let (block, blocks) = match r.variant() {
        "18" => (Block::Basic, [2; 4]),
        "34" => (Block::Basic, [3, 4, 6, 3]),
        "101" => (Block::Bottleneck, [3, 4, 23, 3]),
        "152" => (Block::Bottleneck, [3, 8, 36, 3]),
        _ => (Block::Bottleneck, [3, 4, 6, 3]),
    };
    let block = match r.convention() {
        "" => block,
        _ if r.has("layer1.0.conv3.weight") => Block::Bottleneck,
        _ => Block::Basic,
    };
    let blocks = std::array::from_fn(|stage| {
        r.count(|i| format!("layer{}.{i}.conv1.weight", stage + 1), blocks[stage])
    });
    let channels = r.length("conv1.weight", 1, 3);
    if channels != 3 && channels % 2 == 1 {
        return Err(Error::bad_input(format!(
            "conv1 takes {channels} channels: neither the 3 of a frame nor two for each flow of a stack"
        )));
    }
    let segments = if r.convention() == "mmaction" { 8 } else { 1 };
    let config = ResNet {
        block,
        blocks,
        width: r.length("conv1.weight", 0, 64),
        channels,
        classes: r.classes("fc.weight", 1000),
        frames: r.frames(segments),
        size: r.size(224),
        maps: r.maps(),
    };
    let (frames, size) = (config.frames, config.size);
    let input = match (channels, r.convention()) {
        (3, "mmaction") => Input::clip("tsn", frames, size),
        (3, "jeffreyyihuang") => Input::clip("two-stream-jeffreyyihuang", frames, size),
        (3, "bryanyzhu") => Input::clip("two-stream-bryanyzhu", frames, size),
        (3, _) => Input::clip("imagenet-224", frames, size),
        (_, "mmaction") => Input::stacks("tsn-mmaction-flow", frames, size, channels / 2),
        (_, "jeffreyyihuang") => Input::stacks("two-stream-jeffreyyihuang-flow", frames, size, channels / 2),
        _ => Input::stacks("two-stream-bryanyzhu-flow", frames, size, channels / 2),
    };
    let notes = format!(
        "{} blocks {blocks:?}, width {}, {channels} channels, {frames} frames of {size}×{size}",
        block.name(),
        config.width
    );
    let design = Design::new(input, notes, move |clips, w| config.build(clips, w));
    // jeffreyyihuang sums the logits of a video's frames.
    Ok(if r.convention() == "jeffreyyihuang" { design.average(Average::Logits) } else { design })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published: torchvision's parameters for 1000 classes, 1.81 and 4.09 GMAC.
    #[test]
    fn published_figures() {
        for (config, parameters, gmac) in
            [(ResNet::resnet18(), 11_689_512, 1.81), (ResNet::resnet50(), 25_557_032, 4.09)]
        {
            let weights = Weights::shapes();
            let g = config.build(1, &weights).unwrap();
            assert_eq!(weights.parameters(), parameters);
            // Norms, activations and poolings count here and not there.
            approx::assert_relative_eq!(g.flops() as f64 / 2e9, gmac, max_relative = 0.015);
            assert_eq!(g.outputs().map(|(_, v)| g.shape(v).to_vec()).last().unwrap(), [1, 1000]);
        }
    }

    #[test]
    fn names_of_mmaction() {
        for (canonical, published) in [
            ("conv1.weight", "backbone.conv1.conv.weight"),
            ("bn1.running_var", "backbone.conv1.bn.running_var"),
            ("layer2.0.conv3.weight", "backbone.layer2.0.conv3.conv.weight"),
            ("layer2.0.bn3.bias", "backbone.layer2.0.conv3.bn.bias"),
            ("layer2.0.downsample.0.weight", "backbone.layer2.0.downsample.conv.weight"),
            ("layer2.0.downsample.1.running_mean", "backbone.layer2.0.downsample.bn.running_mean"),
            ("fc.bias", "cls_head.fc_cls.bias"),
        ] {
            assert_eq!(mmaction(canonical).as_deref(), Some(published));
        }
    }
}
