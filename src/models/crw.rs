//! The encoder of the contrastive random walk: a ResNet whose last two stages keep the size of the second.
//!
//! Paper: Jabri, Owens, Efros, "Space-Time Correspondence as a Contrastive Random Walk", NeurIPS 2020, arXiv:2006.14613.
//! Input: `clip` `[N, T, H, W, 3]`, frames that share the network.
//! Canonical names: those of ajabri/videowalk, `encoder.model.conv1.weight … selfsim_fc.0.bias`.

use super::{Design, Input, Network, Reading, Variant};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::nn::{self, Conv, scope};
use crate::ops::{Norm, NormMode, PaddingMode, Pool3d, Reduce, Reduction};
use crate::weights::{Convention, Weights};

const EPS: f32 = 1e-5;

/// The measures of the encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crw {
    /// Blocks in each of the four stages.
    pub blocks: [usize; 4],
    /// Output channels of the first convolution.
    pub width: usize,
    /// Channels of a node's embedding.
    pub embedding: usize,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
    /// Height and width of frames whose maps alone are wanted.
    pub maps: Option<[usize; 2]>,
}

impl Crw {
    /// The published encoder, with the layers of ResNet-18.
    pub fn resnet18() -> Self {
        Crw { blocks: [2; 4], width: 64, embedding: 128, frames: 1, size: 320, maps: None }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`; outputs `maps`
    /// `[clips, T, H/8, W/8, C]`, each place of length 1, those of the third stage by which labels are propagated
    /// (see `correspondence::LabelPropagation`), and `features` `[clips, embedding]`, that of a whole frame as a node of the
    /// walk in training, averaged over the frames. With [`Crw::maps`] only the maps, and the fourth stage is left out.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when frames are too small to be reflected at their edges.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let g = &mut graph;
        let [height, width] = self.maps.unwrap_or([self.size; 2]);
        let x = g.input("clip", &[clips, self.frames, height, width, 3])?;
        let third = scope(g, weights, "encoder.model", |g, w| self.first_stages(g, x, w))?;
        let maps = g.scope("maps", |g| g.norm(third, None, None, &Norm::over(NormMode::L2, &[-1])))?;
        g.output("maps", maps)?;
        if self.maps.is_some() {
            nn::left_out(g.shape(third), |g, x| self.node(g, x, weights))?;
            return Ok(graph);
        }
        let x = self.node(g, third, weights)?;
        let x = g.scope("node", |g| g.norm(x, None, None, &Norm::over(NormMode::L2, &[-1])))?;
        let x = g.scope("frames", |g| g.reduce(x, &Reduce::over(Reduction::Mean, &[1])))?;
        g.output("features", x)?;
        Ok(graph)
    }

    /// What the third stage gives.
    fn first_stages(&self, g: &mut Graph, x: Value, w: &Weights) -> Result<Value> {
        let stem = reflected(Conv::centred(self.width, [1, 7, 7]).stride([1, 2, 2]));
        let x = nn::conv3d_norm(g, x, w, ["conv1", "bn1"], &stem, EPS)?;
        let x = g.scope("relu", |g| g.relu(x))?;
        let pool = Pool3d::max([1, 3, 3]).stride([1, 2, 2]).padded([0, 1, 1]);
        let mut x = g.scope("maxpool", |g| g.pool3d(x, &pool))?;
        for stage in 0..3 {
            x = self.stage(g, x, w, stage)?;
        }
        Ok(x)
    }

    fn stage(&self, g: &mut Graph, mut x: Value, w: &Weights, stage: usize) -> Result<Value> {
        for i in 0..self.blocks[stage] {
            let stride = if stage == 1 && i == 0 { 2 } else { 1 };
            let name = format!("layer{}.{i}", stage + 1);
            x = scope(g, w, name, |g, w| residual(g, x, w, self.width << stage, stride))?;
        }
        Ok(x)
    }

    /// The fourth stage, averaged over the places, and the layer after it.
    fn node(&self, g: &mut Graph, x: Value, w: &Weights) -> Result<Value> {
        let x = scope(g, w, "encoder.model", |g, w| self.stage(g, x, w, 3))?;
        let x = g.scope("avgpool", |g| g.reduce(x, &Reduce::over(Reduction::Mean, &[2, 3])))?;
        scope(g, w, "selfsim_fc.0", |g, w| nn::linear(g, x, w, self.embedding))
    }
}

fn reflected(mut conv: Conv) -> Conv {
    conv.attributes.padding_mode = PaddingMode::Reflect;
    conv
}

fn residual(g: &mut Graph, x: Value, w: &Weights, width: usize, stride: usize) -> Result<Value> {
    let steps = [1, stride, stride];
    let conv = reflected(Conv::centred(width, [1, 3, 3]));
    let y = nn::conv3d_norm(g, x, w, ["conv1", "bn1"], &conv.clone().stride(steps), EPS)?;
    let y = g.scope("relu1", |g| g.relu(y))?;
    let y = nn::conv3d_norm(g, y, w, ["conv2", "bn2"], &conv, EPS)?;
    let mut skip = x;
    if g.shape(x) != g.shape(y) {
        let conv = Conv::new(width, [1; 3]).stride(steps);
        skip = nn::conv3d_norm(g, x, w, ["downsample.0", "downsample.1"], &conv, EPS)?;
    }
    let sum = g.add(y, skip)?;
    g.relu(sum)
}

/// The published files.
pub const CONVENTIONS: &[Convention] = &[
    Convention { name: "videowalk", source: "ajabri/videowalk", map: |name| Some(name.into()) },
    Convention {
        name: "videowalk-padded",
        source: "ajabri/videowalk, padding as layers",
        // A padding and a convolution in a row: the convolution is the second.
        map: |name| {
            let padded = ["conv1.weight", "conv2.weight"].iter().any(|end| name.ends_with(end));
            Some(if padded { name.replace(".weight", ".1.weight") } else { name.into() })
        },
    },
];

/// The contrastive random walk's encoder by name.
pub const NETWORK: Network = Network {
    name: "crw",
    title: "the encoder of the contrastive random walk, for labels to be propagated by",
    paper: "Jabri et al. 2020, arXiv:2006.14613",
    variants: &[Variant {
        name: "resnet18",
        published: "DAVIS 2017 J&F mean 67.6 % by label propagation (the paper and ajabri/videowalk)",
    }],
    conventions: CONVENTIONS,
    design,
};

fn design(r: &Reading) -> Result<Design> {
    let published = Crw::resnet18();
    let config = Crw {
        blocks: std::array::from_fn(|stage| {
            r.count(|i| format!("encoder.model.layer{}.{i}.conv1.weight", stage + 1), published.blocks[stage])
        }),
        width: r.length("encoder.model.conv1.weight", 0, published.width),
        embedding: r.length("selfsim_fc.0.weight", 0, published.embedding),
        frames: r.frames(published.frames),
        size: r.size(published.size),
        maps: r.maps(),
    };
    let (frames, size) = (config.frames, config.size);
    let notes =
        format!("width {}, blocks {:?}, {frames} frames of {size}×{size}", config.width, config.blocks);
    Ok(Design::new(Input::clip("crw", frames, size), notes, move |clips, w| config.build(clips, w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ResNet-18 without its classifier, 11.18 M, and the layer to 128 channels; an eighth of the frame in size.
    #[test]
    fn published_figures() {
        let weights = Weights::shapes();
        let g = Crw::resnet18().build(1, &weights).unwrap();
        assert_eq!(weights.parameters(), 11_689_512 - 513_000 + 513 * 128);
        let shapes: Vec<_> = g.outputs().map(|(_, v)| g.shape(v).to_vec()).collect();
        assert_eq!(shapes, [vec![1, 1, 40, 40, 256], vec![1, 128]]);
    }

    #[test]
    fn names_with_padding_as_layers() {
        let map = CONVENTIONS[1].map;
        for (canonical, published) in [
            ("encoder.model.conv1.weight", "encoder.model.conv1.1.weight"),
            ("encoder.model.layer1.0.conv2.weight", "encoder.model.layer1.0.conv2.1.weight"),
            ("encoder.model.layer2.0.downsample.0.weight", "encoder.model.layer2.0.downsample.0.weight"),
            ("encoder.model.layer1.0.bn1.weight", "encoder.model.layer1.0.bn1.weight"),
        ] {
            assert_eq!(map(canonical).as_deref(), Some(published));
        }
    }
}
