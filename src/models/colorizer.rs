//! Colours copied from reference frames by pointing at them: features of grey frames that are learnt by colouring videos.
//!
//! Paper: Vondrick, Shrivastava, Fathi, Guadarrama, Murphy, "Tracking Emerges by Colorizing Videos", ECCV 2018,
//! arXiv:1806.09594, which published no weights.
//! Input: `clip` `[N, T, H, W, 3]`, of which the network sees the brightness alone.
//! Canonical names and layers: those of LapTQ/tracking-emerges-by-colorizing-videos, `backbone.conv1.weight …
//! head.layer1.conv1.weight … head.conv.bias`.

use super::{Design, Input, Network, Reading, Variant};
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::nn::{self, Conv, scope};
use crate::ops::{Matmul, Pool3d, Reduce, Reduction, Softmax};
use crate::tensor::Tensor;
use crate::weights::{Convention, Weights};

const EPS: f32 = 1e-5;

/// The shares of red, green and blue in brightness (ITU-R BT.601).
const BRIGHTNESS: [f32; 3] = [0.299, 0.587, 0.114];

/// The steps of the stages: the last two keep the size of the second.
const STRIDES: [usize; 4] = [1, 2, 1, 1];

/// The measures of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Colorizer {
    /// Channels of the first convolution.
    pub stem: usize,
    /// Channels of the four stages of the ResNet, of two blocks each.
    pub stages: [usize; 4],
    /// Taps along H and W of the convolution beside a block that strides.
    pub shortcut: usize,
    /// Channels between the 3D convolutions, of which there are two for each dilation 1, 2, 4, 8, 16.
    pub head: usize,
    /// Channels of a place's embedding.
    pub embedding: usize,
    /// Frames that see each other, the reference frames and the one to be coloured.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
    /// Height and width of frames whose maps alone are wanted.
    pub maps: Option<[usize; 2]>,
}

impl Colorizer {
    /// The paper's network: ResNet-18 and five 3D blocks, three reference frames.
    pub fn resnet18() -> Self {
        Colorizer {
            stem: 64,
            stages: [64, 128, 256, 256],
            shortcut: 3,
            head: 256,
            embedding: 64,
            frames: 4,
            size: 256,
            maps: None,
        }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`; outputs `maps`
    /// `[clips, T, H/8, W/8, C]`, the embeddings of the places, by whose products they point at each other (see
    /// `correspondence::LabelPropagation`), and, unless [`Colorizer::maps`] asks for the maps alone, `features` `[clips, C]`,
    /// their average over places and frames.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are no frames.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let g = &mut graph;
        let maps = self.embed(g, clips, weights)?;
        g.output("maps", maps)?;
        if self.maps.is_none() {
            let x = g.scope("places", |g| g.reduce(maps, &Reduce::over(Reduction::Mean, &[1, 2, 3])))?;
            g.output("features", x)?;
        }
        Ok(graph)
    }

    /// Builds what training runs: inputs `clip` `[clips, T, H, W, 3]`, the last frame the one to be coloured, and `colors`
    /// `[clips, T − 1, H/8, W/8, K]`, such as one channel for each of the paper's 16 quantised colours; output `predicted`
    /// `[clips, H/8, W/8, K]`: each place's mean of the colours of all reference places, weighted by the softmax of the
    /// products of their embeddings with its own.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is no reference frame.
    pub fn pointing(&self, clips: usize, colors: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let g = &mut graph;
        let maps = self.embed(g, clips, weights)?;
        let [_, frames, h, w, channels] = g.shape(maps).dims("the maps", "[N, T, H, W, C]")?;
        let references = frames.saturating_sub(1);
        if references == 0 {
            return Err(Error::bad_input("one frame: a reference frame is needed, too"));
        }
        let colors_in = g.input("colors", &[clips, references, h, w, colors])?;
        let known = g.view(colors_in, &[clips, references * h * w, colors])?;
        let predicted = g.scope("pointing", |g| {
            let from = g.slice_axis(maps, 1, 0, Some(references as isize))?;
            let from = g.view(from, &[clips, references * h * w, channels])?;
            let target = g.slice_axis(maps, 1, references as isize, None)?;
            let target = g.view(target, &[clips, h * w, channels])?;
            let scores = g.matmul(target, from, &Matmul { transpose_b: true, ..Matmul::default() })?;
            let weights = g.softmax(scores, &Softmax::default())?;
            let mean = g.matmul(weights, known, &Matmul::default())?;
            g.view(mean, &[clips, h, w, colors])
        })?;
        g.output("predicted", predicted)?;
        Ok(graph)
    }

    fn embed(&self, g: &mut Graph, clips: usize, weights: &Weights) -> Result<Value> {
        let [height, width] = self.maps.unwrap_or([self.size; 2]);
        let x = g.input("clip", &[clips, self.frames, height, width, 3])?;
        let x = g.scope("brightness", |g| {
            let shares = g.constant("shares", Tensor::new(&[3, 1], BRIGHTNESS.to_vec())?);
            g.matmul(x, shares, &Matmul::default())
        })?;
        let x = scope(g, weights, "backbone", |g, w| self.backbone(g, x, w))?;
        scope(g, weights, "head", |g, w| self.head(g, x, w))
    }

    fn backbone(&self, g: &mut Graph, x: Value, w: &Weights) -> Result<Value> {
        let stem = Conv::centred(self.stem, [1, 7, 7]).stride([1, 2, 2]);
        let x = nn::conv3d_norm(g, x, w, ["conv1", "bn1"], &stem, EPS)?;
        let x = g.scope("relu", |g| g.relu(x))?;
        let pool = Pool3d::max([1, 3, 3]).stride([1, 2, 2]).padded([0, 1, 1]);
        let mut x = g.scope("maxpool", |g| g.pool3d(x, &pool))?;
        for (stage, (channels, stride)) in self.stages.into_iter().zip(STRIDES).enumerate() {
            for i in 0..2 {
                let stride = if i == 0 { stride } else { 1 };
                let name = format!("layer{}.{i}", stage + 1);
                x = scope(g, w, name, |g, w| self.residual(g, x, w, channels, stride))?;
            }
        }
        Ok(x)
    }

    fn residual(
        &self,
        g: &mut Graph,
        x: Value,
        w: &Weights,
        channels: usize,
        stride: usize,
    ) -> Result<Value> {
        let steps = [1, stride, stride];
        let conv = Conv::centred(channels, [1, 3, 3]);
        let y = nn::conv3d_norm(g, x, w, ["conv1", "bn1"], &conv.clone().stride(steps), EPS)?;
        let y = g.scope("relu1", |g| g.relu(y))?;
        let y = nn::conv3d_norm(g, y, w, ["conv2", "bn2"], &conv, EPS)?;
        let mut skip = x;
        if g.shape(x) != g.shape(y) {
            let conv = Conv::centred(channels, [1, self.shortcut, self.shortcut]).stride(steps);
            skip = nn::conv3d_norm(g, x, w, ["downsample.0", "downsample.1"], &conv, EPS)?;
        }
        let sum = g.add(y, skip)?;
        g.relu(sum)
    }

    /// Five blocks that look along H and W, farther each, and then along time.
    fn head(&self, g: &mut Graph, mut x: Value, w: &Weights) -> Result<Value> {
        for i in 0..5 {
            let wide = Conv::centred(self.head, [1, 3, 3]).dilation([1, 1 << i, 1 << i]);
            let long = Conv::centred(self.head, [3, 1, 1]);
            x = scope(g, w, format!("layer{}", i + 1), |g, w| {
                let x = nn::conv3d_norm(g, x, w, ["conv1", "bn1"], &wide, EPS)?;
                let x = g.scope("relu1", |g| g.relu(x))?;
                let x = nn::conv3d_norm(g, x, w, ["conv2", "bn2"], &long, EPS)?;
                g.relu(x)
            })?;
        }
        scope(g, w, "conv", |g, w| nn::conv3d(g, x, w, &Conv::new(self.embedding, [1; 3])))
    }
}

/// The names of a public port.
pub const CONVENTIONS: &[Convention] = &[Convention {
    name: "laptq",
    source: "LapTQ/tracking-emerges-by-colorizing-videos",
    map: |name| Some(name.into()),
}];

/// The colouriser by name.
pub const NETWORK: Network = Network {
    name: "colorizer",
    title: "the network of tracking by colorizing, for colours and labels to be propagated by",
    paper: "Vondrick et al. 2018, arXiv:1806.09594",
    variants: &[Variant {
        name: "resnet18",
        published: "DAVIS 2017 J 34.6 %, F 32.7 % (the paper; no weights)",
    }],
    conventions: CONVENTIONS,
    design,
};

/// The measures of a file; those published where there is none.
fn measures(r: &Reading) -> Colorizer {
    let published = Colorizer::resnet18();
    Colorizer {
        stem: r.length("backbone.conv1.weight", 0, published.stem),
        stages: std::array::from_fn(|i| {
            r.length(&format!("backbone.layer{}.0.conv1.weight", i + 1), 0, published.stages[i])
        }),
        shortcut: r.length("backbone.layer2.0.downsample.0.weight", 2, published.shortcut),
        head: r.length("head.layer1.conv1.weight", 0, published.head),
        embedding: r.length("head.conv.weight", 0, published.embedding),
        frames: r.frames(published.frames),
        size: r.size(published.size),
        maps: r.maps(),
    }
}

fn design(r: &Reading) -> Result<Design> {
    let config = measures(r);
    let Colorizer { stages, frames, size, .. } = config;
    let notes = format!("stages of {stages:?} channels, {frames} frames of {size}×{size}");
    Ok(Design::new(Input::clip("colorizer", frames, size), notes, move |clips, w| config.build(clips, w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paper's maps: 32×32 of 64 channels for frames of 256×256.
    #[test]
    fn published_figures() {
        let g = Colorizer::resnet18().build(1, &Weights::shapes()).unwrap();
        let shapes: Vec<_> = g.outputs().map(|(_, v)| g.shape(v).to_vec()).collect();
        assert_eq!(shapes, [vec![1, 4, 32, 32, 64], vec![1, 64]]);
        let g = Colorizer::resnet18().pointing(2, 16, &Weights::shapes()).unwrap();
        let shapes: Vec<_> = g.outputs().map(|(_, v)| g.shape(v).to_vec()).collect();
        assert_eq!(shapes, [vec![2, 32, 32, 16]]);
        let alone = Colorizer { frames: 1, ..Colorizer::resnet18() };
        assert!(alone.pointing(1, 16, &Weights::shapes()).is_err());
    }
}
