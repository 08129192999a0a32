//! ViViT: vision transformers on tubelets, with space and time attended to jointly or in turn.
//!
//! Paper: Arnab, Dehghani, Heigold, Sun, Lučić, Schmid, "ViViT: A Video Vision Transformer", ICCV 2021,
//! arXiv:2103.15691. Its models 1 to 4 are the variants; the order of time and space is that of google-research/scenic
//! (projects/vivit/model.py).
//! Input: `clip` `[N, T, H, W, 3]`, levels −1 to 1.
//! Canonical names: timm's for what every vision transformer has, `cls_token, pos_embed, patch_embed.proj.*,
//! blocks.0.attn.q.* … norm.*, head.*`. Only model 1 is published in PyTorch's layouts, by Hugging Face. The others have
//! names of our own: model 2 has two encoders, `spatial.*` and `temporal.*`, with those names each; the blocks of model 3
//! have `norm_time, attn_time, norm_space, attn_space, norm2, mlp`; those of model 4 are as model 1's, without a class
//! token.

use super::{Average, Design, Input, Network, Reading, Variant, huggingface};
use crate::error::{Error, Result};
use crate::graph::{Activation, Graph, Value};
use crate::nn::{self, Conv, Mlp, SelfAttention, TransformerBlock, scope};
use crate::ops::{Over, Pool};
use crate::weights::{Convention, Weights};

/// The four models of the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factorisation {
    /// Model 1: all tokens attend to all.
    Joint,
    /// Model 2: an encoder for each step of time, then one over their class tokens.
    Encoder,
    /// Model 3: every block attends over time, then over space.
    SelfAttention,
    /// Model 4: half of the heads attend over time, half over space.
    DotProduct,
}

/// The measures of a ViViT.
#[derive(Debug, Clone, PartialEq)]
pub struct ViViT {
    /// Which of the four models.
    pub model: Factorisation,
    /// Channels of a token.
    pub width: usize,
    /// Blocks; of model 2, those of the spatial encoder.
    pub depth: usize,
    /// Blocks of model 2's temporal encoder.
    pub temporal_depth: usize,
    /// The blocks' heads, perceptron and normalisations.
    pub block: TransformerBlock,
    /// Frames, height and width of a tubelet.
    pub tubelet: [usize; 3],
    /// Outputs of `head`; `None` for a network that ends with its features.
    pub classes: Option<usize>,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
}

impl ViViT {
    /// ViViT-B/16x2 for Kinetics-400: 32 frames of 224×224.
    pub fn base(model: Factorisation) -> Self {
        ViViT {
            model,
            width: 768,
            depth: 12,
            temporal_depth: 4,
            block: TransformerBlock {
                attention: SelfAttention::separate(12),
                mlp: Mlp { hidden: 3072, activation: Activation::GeluTanh },
                eps: 1e-6,
            },
            tubelet: [2, 16, 16],
            classes: Some(400),
            frames: 32,
            size: 224,
        }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`, outputs `features`
    /// `[clips, width]`, the class token or the mean of all after the last normalisation, and, with a classifier,
    /// `logits` `[clips, classes]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when a clip is smaller than a tubelet or the heads do not divide the width.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let (g, w) = (&mut graph, weights);
        let clip = g.input("clip", &[clips, self.frames, self.size, self.size, 3])?;
        let conv = Conv::new(self.width, self.tubelet).stride(self.tubelet);
        let x = scope(g, w, "patch_embed.proj", |g, w| nn::conv3d(g, clip, w, &conv))?;
        let [_, steps, _, _, _] = g.shape(x).dims("the tubelets", "[N, T, H, W, C]")?;
        let x = g.to_tokens(x)?;
        let features = match self.model {
            Factorisation::Joint => self.class_token(g, x, w, self.depth)?,
            Factorisation::Encoder => {
                let places = g.shape(x)[1] / steps;
                let x = g.view(x, &[clips * steps, places, self.width])?;
                let x = scope(g, w, "spatial", |g, w| self.class_token(g, x, w, self.depth))?;
                let x = g.view(x, &[clips, steps, self.width])?;
                scope(g, w, "temporal", |g, w| self.class_token(g, x, w, self.temporal_depth))?
            }
            Factorisation::SelfAttention | Factorisation::DotProduct => self.mean(g, x, w, steps)?,
        };
        g.output("features", features)?;
        if let Some(classes) = self.classes {
            let logits = scope(g, w, "head", |g, w| nn::linear(g, features, w, classes))?;
            g.output("logits", logits)?;
        }
        Ok(graph)
    }

    /// An encoder of tokens `[N, tokens, C]` with a class token, of which it gives `[N, C]`.
    fn class_token(&self, g: &mut Graph, x: Value, w: &Weights, depth: usize) -> Result<Value> {
        let [n, tokens, c] = g.shape(x).dims("the tokens", "[N, tokens, C]")?;
        let mut x = g.scope("embeddings", |g| {
            let class = nn::constant(g, w.take("cls_token", &[1, 1, c])?.reshape(&[1, c])?);
            let x = g.prepend_tokens(x, class)?;
            let positions = nn::constant(g, w.take("pos_embed", &[1, tokens + 1, c])?);
            g.add(x, positions)
        })?;
        for i in 0..depth {
            x = scope(g, w, format!("blocks.{i}"), |g, w| nn::transformer_block(g, x, w, &self.block))?;
        }
        // A normalisation of every token by itself: the class token's will do.
        let class = g.scope("class", |g| {
            let class = g.slice_axis(x, 1, 0, Some(1))?;
            g.view(class, &[n, c])
        })?;
        scope(g, w, "norm", |g, w| nn::layer_norm(g, class, w, self.block.eps))
    }

    /// An encoder of tokens `[N, T·places, C]` in time and space without a class token; gives their mean `[N, C]`.
    fn mean(&self, g: &mut Graph, x: Value, w: &Weights, steps: usize) -> Result<Value> {
        let [_, tokens, c] = g.shape(x).dims("the tokens", "[N, tokens, C]")?;
        let mut x = g.scope("embeddings", |g| {
            let positions = nn::constant(g, w.take("pos_embed", &[1, tokens, c])?);
            g.add(x, positions)
        })?;
        let eps = self.block.eps;
        let over = |over: &[Over]| self.block.attention.clone().over(over, steps);
        let both = TransformerBlock { attention: over(&[Over::Time, Over::Space]), ..self.block.clone() };
        for i in 0..self.depth {
            x = scope(g, w, format!("blocks.{i}"), |g, w| {
                if self.model == Factorisation::DotProduct {
                    return nn::transformer_block(g, x, w, &both);
                }
                let time = ["norm_time", "attn_time"];
                let x = nn::attention_residual(g, x, w, time, &over(&[Over::Time]), eps)?;
                let space = ["norm_space", "attn_space"];
                let x = nn::attention_residual(g, x, w, space, &over(&[Over::Space]), eps)?;
                nn::mlp_residual(g, x, w, "norm2", &self.block)
            })?;
        }
        let x = scope(g, w, "norm", |g, w| nn::layer_norm(g, x, w, eps))?;
        g.scope("mean", |g| g.global_pool(x, Pool::Average))
    }
}

/// The published files, and ours.
pub const CONVENTIONS: &[Convention] = &[
    Convention {
        name: "huggingface",
        source: "huggingface/transformers",
        map: |name| huggingface::published("vivit", name),
    },
    Convention {
        name: "huggingface-backbone",
        source: "huggingface/transformers, no classifier",
        map: huggingface::backbone,
    },
    Convention { name: "kinetograph", source: "this crate", map: |name| Some(name.into()) },
];

/// ViViT by name.
pub const NETWORK: Network = Network {
    name: "vivit",
    title: "ViViT: vision transformers on tubelets",
    paper: "Arnab et al. 2021, arXiv:2103.15691",
    variants: &[
        Variant {
            name: "joint",
            published: "model 1, B/16x2: Kinetics-400 79.9 % top-1, 4×3 views (google-research/scenic)",
        },
        Variant {
            name: "factorised-encoder",
            published: "model 2, B/16x2: Kinetics-400 78.4 % top-1, 4×3 views (google-research/scenic)",
        },
        Variant {
            name: "factorised-self-attention",
            published: "model 3, B/16x2: Kinetics-400 77.4 % top-1 (the paper, table 2)",
        },
        Variant {
            name: "factorised-dot-product",
            published: "model 4, B/16x2: Kinetics-400 76.3 % top-1 (the paper, table 2)",
        },
    ],
    conventions: CONVENTIONS,
    design,
};

/// Reads everything off a file but the heads and how the tokens are shared out between time and space, which the folder
/// says, or the width and the size of a frame.
fn design(r: &Reading) -> Result<Design> {
    let model = match r.variant() {
        "factorised-encoder" => Factorisation::Encoder,
        "factorised-self-attention" => Factorisation::SelfAttention,
        "factorised-dot-product" => Factorisation::DotProduct,
        _ => Factorisation::Joint,
    };
    let published = ViViT::base(model);
    let encoder = if model == Factorisation::Encoder { "spatial." } else { "" };
    let kernel = |axis: usize| r.length("patch_embed.proj.weight", axis, published.tubelet[axis - 2]);
    let tubelet = [kernel(2), kernel(3), kernel(4)];
    let width = r.length("patch_embed.proj.weight", 0, published.width);
    let size = r.size(r.config("image_size", published.size));
    let places = (size / tubelet[1].max(1)).pow(2).max(1);
    let class = usize::from(matches!(model, Factorisation::Joint));
    let steps = match model {
        Factorisation::Encoder => r.length("temporal.pos_embed", 1, 17).saturating_sub(1),
        _ => r.length("pos_embed", 1, class + 16 * places).saturating_sub(class) / places,
    };
    let frames = r.frames(r.config("num_frames", steps * tubelet[0]));
    let held = steps * places;
    if model != Factorisation::Encoder
        && r.shape("pos_embed").is_some_and(|s| s.get(1) != Some(&(class + held)))
    {
        return Err(Error::bad_input(format!(
            "`pos_embed` is not of a whole number of steps of {places} places: frames of {size}×{size} do not fit it"
        )));
    }
    let config = ViViT {
        model,
        width,
        depth: r.count(|i| format!("{encoder}blocks.{i}.norm2.weight"), published.depth),
        temporal_depth: r.count(|i| format!("temporal.blocks.{i}.norm2.weight"), published.temporal_depth),
        block: TransformerBlock {
            attention: SelfAttention::separate(r.heads(width)),
            mlp: Mlp {
                hidden: r.length(&format!("{encoder}blocks.0.mlp.fc1.weight"), 0, published.block.mlp.hidden),
                activation: r.activation(Activation::GeluTanh)?,
            },
            eps: r.eps(published.block.eps),
        },
        tubelet,
        classes: r.classes("head.weight", 400),
        frames,
        size,
    };
    let notes = format!(
        "{}, {} blocks of width {width}, {} heads, {frames} frames of {size}×{size} in tubelets of {tubelet:?}",
        r.variant(),
        config.depth,
        config.block.attention.heads
    );
    let input = Input::clip("vivit", frames, size);
    let design = Design::new(input, notes, move |clips, w| {
        // What a folder of the library has beside the network for other tasks.
        w.ignore("pooler");
        config.build(clips, w)
    });
    Ok(design.average(Average::Logits))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published: 88.9, 115.1, 117.3 and 88.9 M parameters and 455.2, 284.4, 372.3 and 277.1 giga multiply-adds (the
    /// paper, table 2; there called FLOPs).
    #[test]
    fn published_figures() {
        for (model, parameters, gmac) in [
            (Factorisation::Joint, 88_954_000, 451.5),
            (Factorisation::Encoder, 115_062_928, 283.3),
            (Factorisation::SelfAttention, 117_319_312, 371.1),
            (Factorisation::DotProduct, 88_952_464, 277.1),
        ] {
            let weights = Weights::shapes();
            let g = ViViT::base(model).build(1, &weights).unwrap();
            assert_eq!(weights.parameters(), parameters, "{model:?}");
            // Norms, activations and the softmax count here and not there.
            approx::assert_relative_eq!(g.flops() as f64 / 2e9, gmac, max_relative = 0.015);
        }
    }

    #[test]
    fn heads_that_cannot_be_shared_out_are_an_error() {
        let mut odd = ViViT::base(Factorisation::DotProduct);
        odd.block.attention.heads = 3;
        let e = odd.build(1, &Weights::shapes()).unwrap_err().to_string();
        assert!(e.contains("shared out among 2 ways"), "{e}");
    }
}
