//! TimeCycle: features of frames that are learnt by tracking a patch back in time and forth again.
//!
//! Paper: Wang, Jabri, Efros, "Learning Correspondence from the Cycle-Consistency of Time", CVPR 2019, arXiv:1903.07593.
//! Input: `clip` `[N, T, H, W, 3]`, frames that share the network.
//! Canonical names: those of xiaolonw/TimeCycle, `encoderVideo.conv1.weight … afterconv1.weight, afterconv3_trans.weight,
//! linear2.bias`. Its files hold the fourth stage of ResNet-50 besides, which its networks do not run.

use super::resnet::ResNet;
use super::{Design, Input, Network, Reading, Variant};
use crate::error::{Error, Result};
use crate::graph::{Activation, Graph, Value};
use crate::nn::{self, Conv, scope};
use crate::ops::{AffineGrid, GridSample, Matmul, Norm, NormMode, Reduce, Reduction, Softmax, Unary};
use crate::weights::{Convention, Weights};

/// Pixels of a frame for each place of its maps, along an axis.
const STRIDE: usize = 8;

/// The side of both convolutions of the tracker.
const TAPS: usize = 4;

/// A patch is this part of a frame.
const SCALE: f32 = 1.0 / 3.0;

/// The slope below zero of the tracker's activations.
const LEAKY: Activation = Activation::LeakyRelu { slope: 0.1 };

/// The measures of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeCycle {
    /// The layers of the encoder, of which the fourth stage is not run.
    pub encoder: ResNet,
    /// Channels of a place's embedding.
    pub embedding: usize,
    /// Places along the side of the frames and of the patches that the tracker takes.
    pub places: [usize; 2],
    /// Channels of the tracker's convolutions.
    pub tracker: [usize; 2],
}

impl TimeCycle {
    /// The published network: ResNet-50, frames of 240×240, patches of 80×80.
    pub fn resnet50() -> Self {
        TimeCycle {
            encoder: ResNet { size: 240, classes: None, ..ResNet::resnet50() },
            embedding: 512,
            places: [30, 10],
            tracker: [128, 64],
        }
    }

    /// Builds the encoder for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`; outputs `maps`
    /// `[clips, T, H/8, W/8, C]`, each place of length 1, by which labels are propagated (see
    /// `correspondence::LabelPropagation`), and, unless [`ResNet::maps`] asks for the maps alone, `features` `[clips, C]`,
    /// the places' embeddings before that averaged over places and frames.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are no frames.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let g = &mut graph;
        let [height, width] = self.encoder.maps.unwrap_or([self.encoder.size; 2]);
        let x = g.input("clip", &[clips, self.encoder.frames, height, width, 3])?;
        let x = self.encode(g, x, weights)?;
        let maps = normalised(g, "maps", x)?;
        g.output("maps", maps)?;
        if self.encoder.maps.is_none() {
            let x = g.scope("places", |g| g.reduce(x, &Reduce::over(Reduction::Mean, &[1, 2, 3])))?;
            g.output("features", x)?;
        }
        let [_, patch] = self.places;
        nn::left_out(&[1, 1, patch, patch, self.places[0].pow(2)], |g, x| self.parameters(g, x, weights))?;
        Ok(graph)
    }

    /// Builds the tracker, which training runs: inputs `clip` `[clips, T, H, W, 3]` and `patch` `[clips, 1, h, w, 3]`,
    /// squares of 8 pixels for each of [`places`](TimeCycle::places); outputs
    ///
    /// - `affinity` `[clips, T, h/8, w/8, P]`: how much each place of the patch is like each of the P of a frame, a softmax
    ///   over these, which are counted column by column;
    /// - `transform` `[clips, T, 2, 3]`: the affine map from a patch's coordinates to a frame's, both from −1 to 1, that says
    ///   where the patch lies: a third in size, turned and shifted;
    /// - `crop` `[clips, T, h/8, w/8, C]`: the embeddings of the frame there, not normalised.
    ///
    /// As the publisher runs it, with Python 2 and PyTorch 0.4: −1 and 1 are the centres of the outermost places, and the
    /// factor 227/210 in its code is a division of integers, 1.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when a patch has too few places for the convolutions.
    pub fn tracker(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let [frame, patch] = self.places;
        let frames = self.encoder.frames;
        if patch < 2 * TAPS - 1 {
            let text =
                format!("{patch} places along the side of a patch: {} or more are needed", 2 * TAPS - 1);
            return Err(Error::bad_input(text));
        }
        let mut graph = Graph::new();
        let g = &mut graph;
        let clip = g.input("clip", &[clips, frames, STRIDE * frame, STRIDE * frame, 3])?;
        let query = g.input("patch", &[clips, 1, STRIDE * patch, STRIDE * patch, 3])?;
        let base = self.encode(g, clip, weights)?;
        let query = g.scope("patch", |g| self.encode(g, query, weights))?;
        let affinity = g.scope("affinity", |g| self.affinity(g, query, base))?;
        g.output("affinity", affinity)?;
        let x = g.view(affinity, &[clips * frames, 1, patch, patch, frame * frame])?;
        let parameters = self.parameters(g, x, weights)?;
        let transform = g.scope("transform", |g| transform(g, parameters))?;
        let named = g.view(transform, &[clips, frames, 2, 3])?;
        g.output("transform", named)?;
        let crop = g.scope("crop", |g| {
            let grid = AffineGrid { size: vec![patch; 2], align_corners: true };
            let grid = g.affine_grid(transform, &grid)?;
            let base = g.view(base, &[clips * frames, frame, frame, self.embedding])?;
            let crop =
                g.grid_sample(base, grid, &GridSample { align_corners: true, ..GridSample::default() })?;
            g.view(crop, &[clips, frames, patch, patch, self.embedding])
        })?;
        g.output("crop", crop)?;
        Ok(graph)
    }

    /// The embeddings `[N, T, H/8, W/8, C]`, not normalised.
    fn encode(&self, g: &mut Graph, x: Value, w: &Weights) -> Result<Value> {
        let x = scope(g, w, "encoderVideo", |g, w| {
            let x = self.encoder.stages(g, x, w, &[1, 2, 1])?;
            nn::left_out(g.shape(x), |g, x| self.encoder.stage(g, x, w, 3, 2))?;
            Ok(x)
        })?;
        let conv = Conv::new(self.embedding, [1; 3]);
        let x = scope(g, w, "afterconv1", |g, w| nn::conv3d_unbiased(g, x, w, &conv))?;
        g.scope("relu", |g| g.relu(x))
    }

    /// The likeness of a patch's places `[N, 1, h, w, C]` to the places of frames `[N, T, H, W, C]`.
    fn affinity(&self, g: &mut Graph, query: Value, base: Value) -> Result<Value> {
        let [n, t, h, w, c] = g.shape(base).dims("the maps", "[N, T, H, W, C]")?;
        let patch = self.places[1];
        let query = normalised(g, "query", query)?;
        let query = g.view(query, &[n, 1, patch * patch, c])?;
        let base = normalised(g, "base", base)?;
        let columns = g.permute(base, &[0, 1, 3, 2, 4])?;
        let columns = g.view(columns, &[n, t, w * h, c])?;
        let product = Matmul { transpose_b: true, ..Matmul::default() };
        let scores = g.matmul(query, columns, &product)?;
        let temperature = (self.embedding as f32).sqrt().recip();
        let affinity = g.softmax(scores, &Softmax { temperature, ..Softmax::default() })?;
        g.view(affinity, &[n, t, patch, patch, h * w])
    }

    /// Shifts along x and y and the angle `[N, 3]`, of affinities `[N, 1, h, w, P]`.
    fn parameters(&self, g: &mut Graph, mut x: Value, w: &Weights) -> Result<Value> {
        for (name, cout) in ["afterconv3_trans", "afterconv4_trans"].into_iter().zip(self.tracker) {
            let conv = Conv::new(cout, [1, TAPS, TAPS]);
            x = scope(g, w, name, |g, w| {
                let x = nn::conv3d_unbiased(g, x, w, &conv)?;
                g.activation(x, LEAKY)
            })?;
        }
        scope(g, w, "linear2", |g, w| nn::linear_flattened(g, x, w, 3))
    }
}

fn normalised(g: &mut Graph, name: &str, x: Value) -> Result<Value> {
    g.scope(name, |g| g.norm(x, None, None, &Norm::over(NormMode::L2, &[-1])))
}

/// The maps `[N, 2, 3]` of shifts and angle `[N, 3]`.
fn transform(g: &mut Graph, parameters: Value) -> Result<Value> {
    let [n, _] = g.shape(parameters).dims("the parameters", "[N, 3]")?;
    let column = |g: &mut Graph, i: isize| g.slice_axis(parameters, 1, i, Some(i + 1));
    let (x, y, angle) = (column(g, 0)?, column(g, 1)?, column(g, 2)?);
    let (cos, sin) = (g.unary(angle, Unary::Cos)?, g.unary(angle, Unary::Sin)?);
    let cos = g.affine(cos, SCALE, 0.0)?;
    let (minus, sin) = (g.affine(sin, -SCALE, 0.0)?, g.affine(sin, SCALE, 0.0)?);
    let map = g.concat(&[cos, minus, x, sin, cos, y], 1)?;
    g.view(map, &[n, 2, 3])
}

/// The published file.
pub const CONVENTIONS: &[Convention] =
    &[Convention { name: "timecycle", source: "xiaolonw/TimeCycle", map: |name| Some(name.into()) }];

/// TimeCycle by name.
pub const NETWORK: Network = Network {
    name: "timecycle",
    title: "TimeCycle's encoder, for labels to be propagated by",
    paper: "Wang et al. 2019, arXiv:1903.07593",
    variants: &[Variant {
        name: "resnet50",
        published: "DAVIS 2017 J 41.9 %, F 39.4 % at 320×320, J 46.4 %, F 50.0 % at 480×480, by label propagation \
                    (xiaolonw/TimeCycle)",
    }],
    conventions: CONVENTIONS,
    design,
};

/// The measures of a file; those published where there is none.
fn measures(r: &Reading) -> TimeCycle {
    let published = TimeCycle::resnet50();
    let encoder = ResNet {
        blocks: std::array::from_fn(|stage| {
            let name = |i| format!("encoderVideo.layer{}.{i}.conv1.weight", stage + 1);
            r.count(name, published.encoder.blocks[stage])
        }),
        width: r.length("encoderVideo.conv1.weight", 0, published.encoder.width),
        frames: r.frames(published.encoder.frames),
        size: r.size(published.encoder.size),
        maps: r.maps(),
        ..published.encoder
    };
    let tracker = [
        r.length("afterconv3_trans.weight", 0, published.tracker[0]),
        r.length("afterconv4_trans.weight", 0, published.tracker[1]),
    ];
    let frame = r.length("afterconv3_trans.weight", 1, published.places[0].pow(2)).isqrt();
    let left = published.places[1] - 2 * (TAPS - 1);
    let left = (r.length("linear2.weight", 1, tracker[1] * left * left) / tracker[1].max(1)).isqrt();
    TimeCycle {
        encoder,
        embedding: r.length("afterconv1.weight", 0, published.embedding),
        places: [frame, left + 2 * (TAPS - 1)],
        tracker,
    }
}

fn design(r: &Reading) -> Result<Design> {
    let config = measures(r);
    let ResNet { blocks, width, frames, size, .. } = config.encoder;
    let notes = format!("width {width}, blocks {blocks:?}, {frames} frames of {size}×{size}");
    Ok(Design::new(Input::clip("timecycle", frames, size), notes, move |clips, w| config.build(clips, w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ResNet-50 without its classifier, 23.5 M, and convolutions of 0.52, 1.84 and 0.13 M.
    #[test]
    fn published_figures() {
        let weights = Weights::shapes();
        let g = TimeCycle::resnet50().build(1, &weights).unwrap();
        let layers = 1024 * 512 + 900 * 128 * 16 + 128 * 64 * 16 + 3 * (64 * 16) + 3;
        assert_eq!(weights.parameters(), 25_557_032 - 2_049_000 + layers);
        let shapes = |g: &Graph| g.outputs().map(|(_, v)| g.shape(v).to_vec()).collect::<Vec<_>>();
        assert_eq!(shapes(&g), [vec![1, 1, 30, 30, 512], vec![1, 512]]);
        let g = TimeCycle::resnet50().tracker(2, &Weights::shapes()).unwrap();
        let wanted = [vec![2, 1, 10, 10, 900], vec![2, 1, 2, 3], vec![2, 1, 10, 10, 512]];
        assert_eq!(shapes(&g), wanted);
    }
}
