//! SpeedNet: whether a clip is played at its natural speed or faster.
//!
//! Paper: Benaim, Ephrat, Lang, Mosseri, Freeman, Rubinstein, Irani, Dekel, "SpeedNet: Learning the Speediness in Videos",
//! CVPR 2020, arXiv:2004.06130: an S3D-G whose strides in time are 1, the largest of all places at each moment, the mean of
//! the moments, and one logit. Neither code nor weights are published; epsilons and padding are those of S3D-G's authors.
//! Input: `clip` `[N, T, H, W, 3]`, frames in succession.
//! Canonical names: `base.` before those of `inception.rs`, and `speed.weight`, `speed.bias`.

use super::inception::{Inception, Padding, Widths};
use super::{Design, Input, Network, Reading, Variant};
use crate::error::Result;
use crate::graph::Graph;
use crate::nn::{self, scope};
use crate::ops::{Pool, Pool3d};
use crate::weights::{Convention, Weights};

/// The measures of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeedNet {
    /// Output channels of all convolutions.
    pub widths: Widths,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
}

impl SpeedNet {
    /// The paper's.
    pub fn kinetics() -> Self {
        SpeedNet { widths: Widths::googlenet(), frames: 64, size: 224 }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`; outputs `features` `[clips, 1024]`
    /// and `speed` `[clips, 1]`, whose sigmoid is the probability that the clip is sped up.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for a clip without frames or pixels.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let g = &mut graph;
        let x = g.input("clip", &[clips, self.frames, self.size, self.size, 3])?;
        let layers = Inception {
            widths: self.widths.clone(),
            separable: true,
            gated: true,
            shortens: false,
            padding: Padding::Same,
            eps: 1e-3,
        };
        let x = scope(g, weights, "base", |g, w| {
            let x = layers.first(g, x, w)?;
            layers.maps(g, x, w)
        })?;
        let [_, _, height, width, _] = g.shape(x).dims("the maps", "[N, T, H, W, C]")?;
        let x = g.scope("max_pool", |g| g.pool3d(x, &Pool3d::max([1, height, width])))?;
        let x = g.scope("avg_pool", |g| g.global_pool(x, Pool::Average))?;
        g.output("features", x)?;
        let y = scope(g, weights, "speed", |g, w| nn::linear(g, x, w, 1))?;
        g.output("speed", y)?;
        Ok(graph)
    }
}

/// No weights are published; these names are this crate's.
pub const CONVENTIONS: &[Convention] =
    &[Convention { name: "torch", source: "this crate", map: |name| Some(name.into()) }];

/// SpeedNet by name.
pub const NETWORK: Network = Network {
    name: "speednet",
    title: "SpeedNet: whether a clip is sped up, by which clips are made shorter where it does not show",
    paper: "Benaim et al. 2020, arXiv:2004.06130",
    variants: &[Variant {
        name: "s3d-g",
        published: "no weights; the paper tells clips of Kinetics from those sped up twice",
    }],
    conventions: CONVENTIONS,
    design,
};

/// Reads the widths off a file.
fn design(r: &Reading) -> Result<Design> {
    let published = SpeedNet::kinetics();
    let factored = ["Conv3d_1a_7x7", "Conv3d_2c_3x3", "b1b", "b2b"];
    let config = SpeedNet {
        widths: Widths::read(r, "base.", &factored),
        frames: r.frames(published.frames),
        size: r.size(published.size),
    };
    let (frames, size) = (config.frames, config.size);
    let notes = format!("{frames} frames of {size}×{size}");
    Ok(Design::new(Input::clip("speednet", frames, size), notes, move |clips, w| config.build(clips, w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time keeps its length, and all but the head has the weights of an S3D-G whose first convolution is factored.
    #[test]
    fn time_is_kept() {
        let weights = Weights::shapes();
        let g = SpeedNet { frames: 9, ..SpeedNet::kinetics() }.build(2, &weights).unwrap();
        let maps = g.value("base/Mixed_5c/concat").unwrap();
        assert_eq!(g.shape(maps).to_vec(), [2, 9, 7, 7, 1024]);
        assert_eq!(g.outputs().map(|(_, v)| g.shape(v).to_vec()).collect::<Vec<_>>(), [[2, 1024], [2, 1]]);
        let gates = |c: usize| (c * (c + 1)) as u64;
        let all: u64 = Widths::googlenet()
            .modules
            .iter()
            .map(|m| [0, 2, 4, 5].map(|b| gates(m[b])).iter().sum::<u64>())
            .sum();
        // torchvision's S3D has 8,320,048 parameters, 400 classes among them.
        assert_eq!(weights.parameters(), 8_320_048 - 400 * 1025 + all + gates(192) + 1025);
    }
}
