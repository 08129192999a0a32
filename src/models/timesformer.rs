//! TimeSformer: a vision transformer whose blocks attend over time, then over space.
//!
//! Paper: Bertasius, Wang, Torresani, "Is Space-Time Attention All You Need for Video Understanding?", ICML 2021,
//! arXiv:2102.05095.
//! Input: `clip` `[N, T, H, W, 3]`, levels 0 to 1 less 0.45, over 0.225.
//! Canonical names: those of facebookresearch/TimeSformer, `cls_token, pos_embed, time_embed, patch_embed.proj.*,
//! blocks.0.temporal_norm1.* … norm.*, head.*`.
//!
//! Patches stay in the order of frames, then places; both attentions are strided views of it.

use super::{Design, Input, Network, Reading, Variant, huggingface};
use crate::error::{Error, Result};
use crate::graph::{Activation, Graph, Value};
use crate::nn::{self, Conv, Mlp, SelfAttention, TransformerBlock, scope};
use crate::ops::{Interpolation, Over, Pool, Resize};
use crate::weights::{Convention, Weights};

/// Which patches a block lets attend to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpaceTime {
    /// Those at the same place of all frames, then those of the same frame.
    Divided,
    /// All.
    Joint,
    /// Those of the same frame.
    SpaceOnly,
}

/// The measures of a TimeSformer.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeSformer {
    /// Which patches attend to each other.
    pub attention: SpaceTime,
    /// Channels of a token.
    pub width: usize,
    /// Blocks.
    pub depth: usize,
    /// The blocks' heads, perceptron and normalisations.
    pub block: TransformerBlock,
    /// Height and width of a patch.
    pub patch: usize,
    /// Outputs of `head`; `None` for a network that ends with its features.
    pub classes: Option<usize>,
    /// Height and width, in patches, of the learned positions. For frames of another size they are resized, as the
    /// original does it: to the nearest.
    pub places: usize,
    /// Frames that have learned positions, which are resized likewise.
    pub times: usize,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
}

impl TimeSformer {
    /// TimeSformer-B for Kinetics-400: 8 frames of 224×224.
    pub fn base() -> Self {
        TimeSformer {
            attention: SpaceTime::Divided,
            width: 768,
            depth: 12,
            block: TransformerBlock {
                attention: SelfAttention::fused(12),
                mlp: Mlp { hidden: 3072, activation: Activation::Gelu },
                eps: 1e-6,
            },
            patch: 16,
            classes: Some(400),
            places: 14,
            times: 8,
            frames: 8,
            size: 224,
        }
    }

    /// For so many frames of this size.
    #[must_use]
    pub fn of(self, frames: usize, size: usize) -> Self {
        TimeSformer { times: frames, frames, places: size / self.patch, size, ..self }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`, outputs `features`
    /// `[clips, width]`, the class token after the last normalisation, and, with a classifier, `logits`
    /// `[clips, classes]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the frames are smaller than a patch or the heads do not divide the width.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let (g, w) = (&mut graph, weights);
        let clip = g.input("clip", &[clips, self.frames, self.size, self.size, 3])?;
        let steps = [1, self.patch, self.patch];
        let conv = Conv::new(self.width, steps).stride(steps);
        let patches = scope(g, w, "patch_embed.proj", |g, w| nn::conv3d(g, clip, w, &conv))?;
        let (class, patches) = g.scope("embeddings", |g| self.positions(g, patches, w))?;

        // Space only, every frame is a sequence of its own.
        let mut x = g.to_tokens(patches)?;
        if self.attention == SpaceTime::SpaceOnly {
            let places = g.shape(x)[1] / self.frames;
            x = g.view(x, &[clips * self.frames, places, self.width])?;
        }
        x = g.scope("embeddings", |g| g.prepend_tokens(x, class))?;
        for i in 0..self.depth {
            x = scope(g, w, format!("blocks.{i}"), |g, w| match self.attention {
                SpaceTime::Divided => self.divided(g, x, w),
                SpaceTime::Joint | SpaceTime::SpaceOnly => nn::transformer_block(g, x, w, &self.block),
            })?;
        }
        x = g.scope("class", |g| {
            let class = g.slice_axis(x, 1, 0, Some(1))?;
            if self.attention != SpaceTime::SpaceOnly {
                return g.view(class, &[clips, self.width]);
            }
            let frames = g.view(class, &[clips, self.frames, self.width])?;
            g.global_pool(frames, Pool::Average)
        })?;
        x = scope(g, w, "norm", |g, w| nn::layer_norm(g, x, w, self.block.eps))?;
        g.output("features", x)?;
        if let Some(classes) = self.classes {
            let logits = scope(g, w, "head", |g, w| nn::linear(g, x, w, classes))?;
            g.output("logits", logits)?;
        }
        Ok(graph)
    }

    /// Adds learned positions to patches `[N, T, H, W, C]`; gives the class token with its own, `[1, C]`, and those.
    fn positions(&self, g: &mut Graph, patches: Value, w: &Weights) -> Result<(Value, Value)> {
        let [_, t, h, width, c] = g.shape(patches).dims("the patches", "[N, T, H, W, C]")?;
        let token = w.take("cls_token", &[1, 1, c])?.reshape(&[1, c])?;
        let (of_token, of_places) = nn::positions(w, "pos_embed", [1, self.places * self.places, c])?;
        let (token, of_token) = (nn::constant(g, token), nn::constant(g, of_token));
        let token = g.add(token, of_token)?;

        let nearest = |g: &mut Graph, table: Value, size: [usize; 3]| {
            let [_, at, ah, aw, _] = g.shape(table).dims("the positions", "[1, T, H, W, C]")?;
            if [at, ah, aw] == size {
                return Ok(table);
            }
            g.resize(table, &Resize::to(Interpolation::Nearest, &size))
        };
        let places = nn::constant(g, of_places.reshape(&[1, 1, self.places, self.places, c])?);
        let places = nearest(g, places, [1, h, width])?;
        let mut x = g.add(patches, places)?;
        if self.attention != SpaceTime::SpaceOnly {
            let times = w.take("time_embed", &[1, self.times, c])?.reshape(&[1, self.times, 1, 1, c])?;
            let times = nn::constant(g, times);
            let times = nearest(g, times, [t, 1, 1])?;
            x = g.add(x, times)?;
        }
        Ok((token, x))
    }

    /// A block of divided attention on the class token and the patches, `[N, 1 + T·places, C]`: patches over time, without
    /// the class token; then each frame with a class token of its own over space, and the mean of those tokens; then
    /// the perceptron.
    fn divided(&self, g: &mut Graph, x: Value, w: &Weights) -> Result<Value> {
        let [n, tokens, c] = g.shape(x).dims("the tokens", "[N, tokens, C]")?;
        let (frames, eps) = (self.frames, self.block.eps);
        let places = (tokens - 1) / frames;
        let (class, patches) = g.split_tokens(x, 1)?;

        let over_time = self.block.attention.clone().over(&[Over::Time], frames);
        let y = scope(g, w, "temporal_norm1", |g, w| nn::layer_norm(g, patches, w, eps))?;
        let y = scope(g, w, "temporal_attn", |g, w| nn::self_attention(g, y, w, &over_time))?;
        let y = scope(g, w, "temporal_fc", |g, w| nn::linear(g, y, w, c))?;
        let patches = g.scope("temporal_fc", |g| g.add(y, patches))?;

        let x = g.scope("frames", |g| {
            let patches = g.view(patches, &[n * frames, places, c])?;
            let class = g.repeat_batch(class, frames)?;
            g.concat(&[class, patches], 1)
        })?;
        let x = nn::attention_residual(g, x, w, ["norm1", "attn"], &self.block.attention, eps)?;
        let x = g.scope("clip", |g| {
            let (class, patches) = g.split_tokens(x, 1)?;
            let class = g.view(class, &[n, frames, c])?;
            let class = g.global_pool(class, Pool::Average)?;
            let class = g.view(class, &[n, 1, c])?;
            let patches = g.view(patches, &[n, frames * places, c])?;
            g.concat(&[class, patches], 1)
        })?;
        nn::mlp_residual(g, x, w, "norm2", &self.block)
    }
}

/// The published files.
pub const CONVENTIONS: &[Convention] = &[
    Convention {
        name: "facebookresearch",
        source: "facebookresearch/TimeSformer",
        map: |name| Some(name.into()),
    },
    Convention {
        name: "huggingface",
        source: "huggingface/transformers",
        map: |name| huggingface::published("timesformer", name),
    },
    Convention {
        name: "huggingface-backbone",
        source: "huggingface/transformers, no classifier",
        map: huggingface::backbone,
    },
];

/// TimeSformer by name.
pub const NETWORK: Network = Network {
    name: "timesformer",
    title: "TimeSformer: attention over time, then over space",
    paper: "Bertasius et al. 2021, arXiv:2102.05095",
    variants: &[
        Variant {
            name: "divided",
            published: "Kinetics-400 77.9 % top-1, 8 frames of 224×224, 3 views (facebookresearch/TimeSformer)",
        },
        Variant {
            name: "hr",
            published: "Kinetics-400 79.6 % top-1, 16 frames of 448×448, 3 views (facebookresearch/TimeSformer)",
        },
        Variant {
            name: "long",
            published: "Kinetics-400 80.6 % top-1, 96 frames of 224×224, 3 views (facebookresearch/TimeSformer)",
        },
        Variant {
            name: "joint",
            published: "Kinetics-400 77.4 % top-1 (the paper, table 1: joint space-time)",
        },
        Variant { name: "space-only", published: "Kinetics-400 76.9 % top-1 (the paper, table 1: space)" },
    ],
    conventions: CONVENTIONS,
    design,
};

/// Reads everything off a file but the heads, which the folder says or the width.
fn design(r: &Reading) -> Result<Design> {
    let published = match r.variant() {
        "hr" => TimeSformer::base().of(16, 448),
        "long" => TimeSformer::base().of(96, 224),
        "joint" => TimeSformer { attention: SpaceTime::Joint, ..TimeSformer::base() },
        "space-only" => TimeSformer { attention: SpaceTime::SpaceOnly, ..TimeSformer::base() },
        _ => TimeSformer::base(),
    };
    let attention = match r.convention() {
        "" => published.attention,
        _ if r.has("blocks.0.temporal_fc.weight") => SpaceTime::Divided,
        _ if r.has("time_embed") => SpaceTime::Joint,
        _ => SpaceTime::SpaceOnly,
    };
    let width = r.length("cls_token", 2, published.width);
    let patch = r.length("patch_embed.proj.weight", 3, published.patch);
    let positions = r.length("pos_embed", 1, published.places * published.places + 1).saturating_sub(1);
    let places = positions.isqrt();
    if places * places != positions || positions == 0 {
        return Err(Error::bad_input(format!("`pos_embed` is of {positions} patches, which are no square")));
    }
    let times = r.length("time_embed", 1, r.config("num_frames", published.times));
    let config = TimeSformer {
        attention,
        width,
        depth: r.count(|i| format!("blocks.{i}.norm1.weight"), published.depth),
        block: TransformerBlock {
            attention: SelfAttention::fused(r.heads(width)),
            mlp: Mlp {
                hidden: r.length("blocks.0.mlp.fc1.weight", 0, published.block.mlp.hidden),
                activation: r.activation(Activation::Gelu)?,
            },
            eps: r.eps(published.block.eps),
        },
        patch,
        classes: r.classes("head.weight", 400),
        places,
        times,
        frames: r.frames(r.config("num_frames", times)),
        size: r.size(r.config("image_size", places * patch)),
    };
    let told = match attention {
        SpaceTime::Divided => "divided",
        SpaceTime::Joint => "joint",
        SpaceTime::SpaceOnly => "space-only",
    };
    let notes = format!(
        "{told} attention, {} blocks of width {width}, {} heads, {} frames of {}×{}, positions of {times} of {places}×{places} patches",
        config.depth, config.block.attention.heads, config.frames, config.size, config.size
    );
    // The strides that the three published models were trained with.
    let recipe = match times {
        96 => "timesformer-long",
        16 => "timesformer-hr",
        _ => "timesformer",
    };
    let input = Input::clip(recipe, config.frames, config.size);
    Ok(Design::new(input, notes, move |clips, w| config.build(clips, w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published: 121.4 M parameters and 0.196, 1.703 and 2.380 tera multiply-adds a view for the three (the paper,
    /// tables 2 and 3; there called FLOPs).
    #[test]
    fn published_figures() {
        for (config, parameters, gmac) in [
            (TimeSformer::base(), 121_566_352, 195.8),
            (TimeSformer::base().of(16, 448), 122_024_080, 1702.7),
            (TimeSformer::base().of(96, 224), 121_633_936, 2379.9),
            (TimeSformer { attention: SpaceTime::Joint, ..TimeSformer::base() }, 86_112_400, 179.6),
            (TimeSformer { attention: SpaceTime::SpaceOnly, ..TimeSformer::base() }, 86_106_256, 140.5),
        ] {
            let weights = Weights::shapes();
            let g = config.build(1, &weights).unwrap();
            assert_eq!(weights.parameters(), parameters, "{:?}", config.attention);
            // Norms, activations and the softmax count here and not there.
            approx::assert_relative_eq!(g.flops() as f64 / 2e9, gmac, max_relative = 0.01);
            assert_eq!(g.outputs().map(|(_, v)| g.shape(v).to_vec()).last().unwrap(), [1, 400]);
        }
    }

    #[test]
    fn frames_smaller_than_a_patch_are_an_error() {
        let small = TimeSformer { size: 12, ..TimeSformer::base() };
        let e = small.build(1, &Weights::shapes()).unwrap_err().to_string();
        assert!(e.starts_with("patch_embed.proj"), "{e}");
    }
}
