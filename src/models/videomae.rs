//! VideoMAE: a plain vision transformer on tubelets, which masking most of them has trained.
//!
//! Paper: Tong, Song, Wang, Wang, "VideoMAE: Masked Autoencoders are Data-Efficient Learners for Self-Supervised Video
//! Pre-Training", NeurIPS 2022, arXiv:2203.12602.
//! Input: `clip` `[N, T, H, W, 3]`, levels 0 to 1 less ImageNet's mean, over its deviation.
//! Canonical names: timm's, `patch_embed.proj.*, blocks.0.attn.q.weight, blocks.0.attn.q.bias … fc_norm.*, head.*`; keys
//! have no bias. The positions are sines and cosines and in no file.

use super::{Design, Input, Network, Reading, Variant, huggingface};
use crate::error::Result;
use crate::graph::{Activation, Graph, Value};
use crate::nn::{self, Conv, Mlp, QkvBias, SelfAttention, TransformerBlock, scope};
use crate::ops::Pool;
use crate::tensor::Tensor;
use crate::weights::{Convention, Weights};

/// What the features are of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pooling {
    /// The mean of all tokens, normalised with this epsilon by `fc_norm`.
    NormOfMean(f32),
    /// The mean of all tokens, as they are: of a file without a classifier.
    Mean,
    /// The first token, normalised as the blocks do by `norm`.
    First,
}

/// The measures of a VideoMAE.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoMae {
    /// Channels of a token.
    pub width: usize,
    /// Blocks.
    pub depth: usize,
    /// The blocks' heads, perceptron and normalisations.
    pub block: TransformerBlock,
    /// Frames, height and width of a tubelet.
    pub tubelet: [usize; 3],
    /// What the features are of.
    pub pooling: Pooling,
    /// Outputs of `head`; `None` for a network that ends with its features.
    pub classes: Option<usize>,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
}

impl VideoMae {
    /// The one called small, base or large, for Kinetics-400: 16 frames of 224×224.
    pub fn of(width: usize, depth: usize) -> Self {
        VideoMae {
            width,
            depth,
            block: TransformerBlock {
                attention: SelfAttention::separate(width / 64).bias(QkvBias::QueryValue),
                mlp: Mlp { hidden: 4 * width, activation: Activation::Gelu },
                eps: 1e-12,
            },
            tubelet: [2, 16, 16],
            pooling: Pooling::NormOfMean(1e-5),
            classes: Some(400),
            frames: 16,
            size: 224,
        }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`, outputs `features`
    /// `[clips, width]` and, with a classifier, `logits` `[clips, classes]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when a clip is smaller than a tubelet or the heads do not divide the width.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let (g, w) = (&mut graph, weights);
        let clip = g.input("clip", &[clips, self.frames, self.size, self.size, 3])?;
        let conv = Conv::new(self.width, self.tubelet).stride(self.tubelet);
        let x = scope(g, w, "patch_embed.proj", |g, w| nn::conv3d(g, clip, w, &conv))?;
        let mut x = g.scope("embeddings", |g| {
            let x = g.to_tokens(x)?;
            let positions = g.constant("positions", sinusoids(g.shape(x)[1], self.width)?);
            g.add(x, positions)
        })?;
        for i in 0..self.depth {
            x = scope(g, w, format!("blocks.{i}"), |g, w| nn::transformer_block(g, x, w, &self.block))?;
        }
        let x = self.pool(g, x, w)?;
        g.output("features", x)?;
        if let Some(classes) = self.classes {
            let logits = scope(g, w, "head", |g, w| nn::linear(g, x, w, classes))?;
            g.output("logits", logits)?;
        }
        Ok(graph)
    }

    /// The features `[N, C]` of tokens `[N, tokens, C]`.
    fn pool(&self, g: &mut Graph, x: Value, w: &Weights) -> Result<Value> {
        let [n, _, c] = g.shape(x).dims("the tokens", "[N, tokens, C]")?;
        match self.pooling {
            Pooling::First => {
                let first = g.scope("first", |g| g.slice_axis(x, 1, 0, Some(1)))?;
                let first = g.view(first, &[n, c])?;
                scope(g, w, "norm", |g, w| nn::layer_norm(g, first, w, self.block.eps))
            }
            Pooling::Mean => g.scope("mean", |g| g.global_pool(x, Pool::Average)),
            Pooling::NormOfMean(eps) => {
                let mean = g.scope("mean", |g| g.global_pool(x, Pool::Average))?;
                scope(g, w, "fc_norm", |g, w| nn::layer_norm(g, mean, w, eps))
            }
        }
    }
}

/// The positions of Vaswani et al. (arXiv:1706.03762), `[1, tokens, channels]`: at even channels `c` the sine of the
/// token's number over `10000^(c/channels)`, then its cosine.
fn sinusoids(tokens: usize, channels: usize) -> Result<Tensor> {
    Tensor::from_fn(&[1, tokens, channels], |i| {
        let (token, channel) = (i / channels, i % channels);
        let power = (channel / 2 * 2) as f64 / channels as f64;
        let angle = token as f64 / 10_000f64.powf(power);
        (if channel.is_multiple_of(2) { angle.sin() } else { angle.cos() }) as f32
    })
}

/// The published files.
pub const CONVENTIONS: &[Convention] = &[
    Convention {
        name: "huggingface",
        source: "huggingface/transformers",
        map: |name| with_biases(name, huggingface::published("videomae", name)),
    },
    Convention {
        name: "huggingface-backbone",
        source: "huggingface/transformers, no classifier",
        map: |name| with_biases(name, huggingface::backbone(name)),
    },
    Convention { name: "mcg-nju", source: "MCG-NJU/VideoMAE", map: mcg_nju },
];

/// Biases of queries and values stand beside the projections, not in them.
fn with_biases(canonical: &str, published: Option<String>) -> Option<String> {
    for (parameter, theirs, beside) in
        [("attn.q.bias", "query.bias", "q_bias"), ("attn.v.bias", "value.bias", "v_bias")]
    {
        if canonical.ends_with(parameter) {
            return Some(format!("{}{beside}", published?.strip_suffix(theirs)?));
        }
    }
    published
}

/// One matrix for query, key and value.
fn mcg_nju(name: &str) -> Option<String> {
    let Some((layer, parameter)) = name.split_once(".attn.") else { return Some(name.into()) };
    Some(match parameter {
        "q.weight" => format!("{layer}.attn.qkv.weight"),
        "k.weight" | "v.weight" => return None,
        "q.bias" => format!("{layer}.attn.q_bias"),
        "v.bias" => format!("{layer}.attn.v_bias"),
        _ => name.into(),
    })
}

/// VideoMAE by name.
pub const NETWORK: Network = Network {
    name: "videomae",
    title: "VideoMAE: a plain vision transformer on tubelets",
    paper: "Tong et al. 2022, arXiv:2203.12602",
    variants: &[
        Variant {
            name: "base",
            published: "Kinetics-400 81.5 % top-1, 1600 epochs, 5×3 views (MCG-NJU/VideoMAE's model zoo)",
        },
        Variant {
            name: "small",
            published: "Kinetics-400 79.0 % top-1, 1600 epochs, 5×3 views (MCG-NJU/VideoMAE's model zoo)",
        },
        Variant {
            name: "large",
            published: "Kinetics-400 85.2 % top-1, 1600 epochs, 5×3 views (MCG-NJU/VideoMAE's model zoo)",
        },
    ],
    conventions: CONVENTIONS,
    design,
};

/// Reads everything off a file but the heads and frames, which the folder says.
fn design(r: &Reading) -> Result<Design> {
    let published = match r.variant() {
        "small" => VideoMae::of(384, 12),
        "large" => VideoMae::of(1024, 24),
        _ => VideoMae::of(768, 12),
    };
    let kernel = |axis: usize| r.length("patch_embed.proj.weight", axis, published.tubelet[axis - 2]);
    let width = r.length("patch_embed.proj.weight", 0, published.width);
    let original = r.convention() == "mcg-nju";
    let pooling = match r.convention() {
        "" => published.pooling,
        _ if r.has("fc_norm.weight") => Pooling::NormOfMean(if original { 1e-6 } else { 1e-5 }),
        _ if r.has("norm.weight") => Pooling::First,
        _ => Pooling::Mean,
    };
    let bias = if r.has("blocks.0.attn.q.bias") { QkvBias::QueryValue } else { QkvBias::None };
    let attention = SelfAttention::separate(r.heads(width)).bias(bias);
    let config = VideoMae {
        width,
        depth: r.count(|i| format!("blocks.{i}.norm1.weight"), published.depth),
        block: TransformerBlock {
            attention: SelfAttention { fused: original, ..attention },
            mlp: Mlp {
                hidden: r.length("blocks.0.mlp.fc1.weight", 0, published.block.mlp.hidden),
                activation: r.activation(Activation::Gelu)?,
            },
            eps: if original { 1e-6 } else { r.eps(1e-12) },
        },
        tubelet: [kernel(2), kernel(3), kernel(4)],
        pooling,
        classes: r.classes("head.weight", 400),
        frames: r.frames(r.config("num_frames", published.frames)),
        size: r.size(r.config("image_size", published.size)),
    };
    let told = match pooling {
        Pooling::NormOfMean(_) => "the normalised mean of tokens",
        Pooling::Mean => "the mean of tokens",
        Pooling::First => "the first token, normalised",
    };
    let notes = format!(
        "{} blocks of width {width}, {} heads, features are {told}, {} frames of {}×{}",
        config.depth, config.block.attention.heads, config.frames, config.size, config.size
    );
    let input = Input::clip("videomae", config.frames, config.size);
    Ok(Design::new(input, notes, move |clips, w| {
        // What a file of the pre-training has beside the encoder.
        for beside in ["decoder", "encoder_to_decoder", "mask_token"] {
            w.ignore(beside);
        }
        config.build(clips, w)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published: 22, 87 and 305 M parameters, and 57, 180 and 597 giga multiply-adds (the paper; there called
    /// FLOPs).
    #[test]
    fn published_figures() {
        for (config, parameters, gmac) in [
            (VideoMae::of(384, 12), 22.0, 57.0),
            (VideoMae::of(768, 12), 87.0, 180.0),
            (VideoMae::of(1024, 24), 305.0, 597.0),
        ] {
            let weights = Weights::shapes();
            let g = config.build(1, &weights).unwrap();
            approx::assert_relative_eq!(weights.parameters() as f64 / 1e6, parameters, max_relative = 0.015);
            approx::assert_relative_eq!(g.flops() as f64 / 2e9, gmac, max_relative = 0.015);
        }
        let weights = Weights::shapes();
        VideoMae::of(768, 12).build(1, &weights).unwrap();
        assert_eq!(weights.parameters(), 86_534_800);
    }

    #[test]
    fn names_of_the_biases() {
        for (canonical, huggingface, mcg) in [
            (
                "blocks.3.attn.q.bias",
                Some("videomae.encoder.layer.3.attention.attention.q_bias"),
                Some("blocks.3.attn.q_bias"),
            ),
            (
                "blocks.3.attn.v.bias",
                Some("videomae.encoder.layer.3.attention.attention.v_bias"),
                Some("blocks.3.attn.v_bias"),
            ),
            (
                "blocks.3.attn.v.weight",
                Some("videomae.encoder.layer.3.attention.attention.value.weight"),
                None,
            ),
            ("fc_norm.bias", Some("fc_norm.bias"), Some("fc_norm.bias")),
        ] {
            assert_eq!((CONVENTIONS[0].map)(canonical).as_deref(), huggingface);
            assert_eq!(mcg_nju(canonical).as_deref(), mcg);
        }
    }

    #[test]
    fn positions_are_sines_and_cosines() {
        let t = sinusoids(3, 4).unwrap();
        let v = t.f32s().unwrap();
        let want = [2f32.sin(), 2f32.cos(), 0.02f32.sin(), 0.02f32.cos()];
        v[8..].iter().zip(want).for_each(|(a, b)| approx::assert_abs_diff_eq!(*a, b, epsilon = 1e-7));
    }
}
