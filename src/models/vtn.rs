//! VTN: a vision transformer on every frame, then a Longformer over the frames of a whole video.
//!
//! Paper: Neimark, Bar, Zohar, Asselmann, "Video Transformer Network", ICCV Workshops 2021, arXiv:2102.00719; its
//! temporal encoder: Beltagy, Peters, Cohan, "Longformer", arXiv:2004.05150.
//! Input: `clip` `[N, T, H, W, 3]`, levels 0 to 1 less 0.45, over 0.225.
//! Canonical names: those of bomri/SlowFast, `cls_token, backbone.*` as timm has them, `temporal_encoder.*` as
//! transformers has them, `mlp_head.0.*, mlp_head.1.*, mlp_head.4.*`.

use super::{Design, Input, Network, Reading, Variant};
use crate::error::{Error, Result};
use crate::graph::{Activation, Graph, Value};
use crate::nn::{self, Conv, Mlp, SelfAttention, TransformerBlock, constant, scope};
use crate::ops::Attention;
use crate::tensor::Tensor;
use crate::weights::{Convention, Weights};

/// What the Longformer's normalisations add to the variance.
const TEMPORAL_EPS: f32 = 1e-12;

/// What the head's normalisation adds to the variance.
const HEAD_EPS: f32 = 1e-5;

/// The measures of a VTN.
#[derive(Debug, Clone, PartialEq)]
pub struct Vtn {
    /// Channels of a token.
    pub width: usize,
    /// Blocks of the backbone.
    pub depth: usize,
    /// The heads, perceptron and normalisations of the backbone's blocks.
    pub block: TransformerBlock,
    /// Height and width of a patch.
    pub patch: usize,
    /// Layers of the Longformer.
    pub temporal_depth: usize,
    /// Heads of the Longformer.
    pub temporal_heads: usize,
    /// Width of the hidden layer of the Longformer's perceptrons.
    pub temporal_hidden: usize,
    /// How many frames a frame sees to each side: half of what the configuration calls the window.
    pub reach: usize,
    /// Rows of the learned positions. Frames take all but the last two, round and round; the class token has the last
    /// but one; the last is of padding, which is not needed here.
    pub positions: usize,
    /// Width of the head's hidden layer.
    pub head: usize,
    /// Outputs of the head.
    pub classes: usize,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
}

impl Vtn {
    /// ViT-B-VTN for Kinetics-400, with three layers over 250 frames.
    pub fn base() -> Self {
        Vtn {
            width: 768,
            depth: 12,
            block: TransformerBlock {
                attention: SelfAttention::fused(12),
                mlp: Mlp { hidden: 3072, activation: Activation::Gelu },
                eps: 1e-6,
            },
            patch: 16,
            temporal_depth: 3,
            temporal_heads: 12,
            temporal_hidden: 3072,
            reach: 9,
            positions: 288,
            head: 768,
            classes: 400,
            frames: 250,
            size: 224,
        }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`, outputs `features`
    /// `[clips, width]`, the class token after the Longformer, and `logits` `[clips, classes]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when a frame is smaller than a patch or there are too few positions.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        if self.positions < 3 {
            let text = format!("{} learned positions are too few: two are not of frames", self.positions);
            return Err(Error::bad_input(text));
        }
        let mut graph = Graph::new();
        let (g, w) = (&mut graph, weights);
        let clip = g.input("clip", &[clips, self.frames, self.size, self.size, 3])?;
        let x = self.backbone(g, clip, &w.scope("backbone"))?;
        let x = g.view(x, &[clips, self.frames, self.width])?;
        let token = constant(g, w.take("cls_token", &[1, 1, self.width])?.reshape(&[1, self.width])?);
        let x = g.scope("class", |g| g.prepend_tokens(x, token))?;
        let mut x = scope(g, w, "temporal_encoder.embeddings", |g, w| self.embeddings(g, x, w))?;
        for i in 0..self.temporal_depth {
            let name = format!("temporal_encoder.encoder.layer.{i}");
            x = scope(g, w, name, |g, w| self.longformer(g, x, w))?;
        }
        let x = g.scope("features", |g| {
            let class = g.slice_axis(x, 1, 0, Some(1))?;
            g.view(class, &[clips, self.width])
        })?;
        g.output("features", x)?;
        let x = scope(g, w, "mlp_head.0", |g, w| nn::layer_norm(g, x, w, HEAD_EPS))?;
        let x = scope(g, w, "mlp_head.1", |g, w| {
            let y = nn::linear(g, x, w, self.head)?;
            g.activation(y, Activation::Gelu)
        })?;
        let logits = scope(g, w, "mlp_head.4", |g, w| nn::linear(g, x, w, self.classes))?;
        g.output("logits", logits)?;
        Ok(graph)
    }

    /// The class tokens of frames `[N, T, H, W, 3]` by themselves: `[N·T, C]`.
    fn backbone(&self, g: &mut Graph, clip: Value, w: &Weights) -> Result<Value> {
        let steps = [1, self.patch, self.patch];
        let conv = Conv::new(self.width, steps).stride(steps);
        let named = |name: &str| format!("backbone.{name}");
        let x = g.scope(&named("patch_embed.proj"), |g| {
            nn::conv3d(g, clip, &w.scope("patch_embed.proj"), &conv)
        })?;
        let [n, t, rows, columns, c] = g.shape(x).dims("the patches", "[N, T, H, W, C]")?;
        let places = rows * columns;
        let mut x = g.scope(&named("embeddings"), |g| {
            let x = g.view(x, &[n * t, places, c])?;
            let token = constant(g, w.take("cls_token", &[1, 1, c])?.reshape(&[1, c])?);
            let x = g.prepend_tokens(x, token)?;
            let positions = constant(g, w.take("pos_embed", &[1, 1 + places, c])?);
            g.add(x, positions)
        })?;
        for i in 0..self.depth {
            let name = format!("blocks.{i}");
            x = g.scope(&named(&name), |g| nn::transformer_block(g, x, &w.scope(&name), &self.block))?;
        }
        g.scope(&named("norm"), |g| {
            let class = g.slice_axis(x, 1, 0, Some(1))?;
            let class = g.view(class, &[n * t, c])?;
            nn::layer_norm(g, class, &w.scope("norm"), self.block.eps)
        })
    }

    /// Tokens `[N, 1 + T, C]` with what the Longformer adds to them: positions, and one type for the class token, another
    /// for frames.
    fn embeddings(&self, g: &mut Graph, x: Value, w: &Weights) -> Result<Value> {
        let [_, tokens, c] = g.shape(x).dims("the tokens", "[N, tokens, C]")?;
        let around = self.positions - 2;
        let position = |i: usize| if i == 0 { around } else { (i - 1) % around };
        let rows = |g: &mut Graph, name: &str, count: usize, row: &dyn Fn(usize) -> usize| {
            let table = constant(g, w.take(&format!("{name}.weight"), &[count, c])?);
            let indices = (0..tokens).map(|i| i32::try_from(row(i)).unwrap_or(i32::MAX)).collect::<Vec<_>>();
            let indices = g.constant("rows", Tensor::new(&[tokens], indices)?);
            g.embedding(indices, table)
        };
        let positions = rows(g, "position_embeddings", self.positions, &position)?;
        let types = rows(g, "token_type_embeddings", 2, &|i| usize::from(i == 0))?;
        let sum = g.add(positions, types)?;
        let x = g.add(x, sum)?;
        scope(g, w, "LayerNorm", |g, w| nn::layer_norm(g, x, w, TEMPORAL_EPS))
    }

    /// A layer of the Longformer on the class token and the frames `[N, 1 + T, C]`, which normalises after each sum.
    /// Frames see those near them and the class token; the class token sees all, with projections of its own.
    fn longformer(&self, g: &mut Graph, x: Value, w: &Weights) -> Result<Value> {
        let c = self.width;
        let y = scope(g, w, "attention.self", |g, w| {
            let [q, k, v] = self.projections(g, [x; 3], w, "")?;
            let near =
                Attention { window: Some(self.reach), global: 1, ..Attention::heads(self.temporal_heads) };
            let frames = g.attention([q, k, v], None, &near)?;
            let class = g.slice_axis(x, 1, 0, Some(1))?;
            let [q, k, v] = self.projections(g, [class, x, x], w, "_global")?;
            let class = g.attention([q, k, v], None, &Attention::heads(self.temporal_heads))?;
            let frames = g.slice_axis(frames, 1, 1, None)?;
            g.concat(&[class, frames], 1)
        })?;
        let y = scope(g, w, "attention.output.dense", |g, w| nn::linear(g, y, w, c))?;
        let x = g.scope("attention.output.dense", |g| g.add(y, x))?;
        let x = scope(g, w, "attention.output.LayerNorm", |g, w| nn::layer_norm(g, x, w, TEMPORAL_EPS))?;
        let y = scope(g, w, "intermediate.dense", |g, w| {
            let y = nn::linear(g, x, w, self.temporal_hidden)?;
            g.activation(y, Activation::Gelu)
        })?;
        let y = scope(g, w, "output.dense", |g, w| nn::linear(g, y, w, c))?;
        let x = g.scope("output.dense", |g| g.add(y, x))?;
        scope(g, w, "output.LayerNorm", |g, w| nn::layer_norm(g, x, w, TEMPORAL_EPS))
    }

    /// Query, key and value of the three.
    fn projections(&self, g: &mut Graph, of: [Value; 3], w: &Weights, suffix: &str) -> Result<[Value; 3]> {
        let mut one = |i: usize, name: &str| {
            scope(g, w, format!("{name}{suffix}"), |g, w| nn::linear(g, of[i], w, self.width))
        };
        Ok([one(0, "query")?, one(1, "key")?, one(2, "value")?])
    }
}

/// The published files.
pub const CONVENTIONS: &[Convention] = &[Convention {
    name: "bomri",
    source: "bomri/SlowFast, in facebookresearch/SlowFast's model zoo",
    map: |name| Some(name.into()),
}];

/// VTN by name.
pub const NETWORK: Network = Network {
    name: "vtn",
    title: "VTN: a vision transformer on frames, a Longformer over them",
    paper: "Neimark et al. 2021, arXiv:2102.00719",
    variants: &[Variant {
        name: "vit-b",
        published: "Kinetics-400 77.7 % top-1, whole videos (facebookresearch/SlowFast's model zoo, VTN_VIT_B_KINETICS)",
    }],
    conventions: CONVENTIONS,
    design,
};

/// Reads everything off a file but the heads, which the width tells, and the window, which is the published one.
fn design(r: &Reading) -> Result<Design> {
    let published = Vtn::base();
    let width = r.length("cls_token", 2, published.width);
    let patch = r.length("backbone.patch_embed.proj.weight", 3, published.patch);
    let places = r.length("backbone.pos_embed", 1, 197).saturating_sub(1).isqrt();
    let layer = |i: usize| format!("temporal_encoder.encoder.layer.{i}.output.dense.weight");
    let config = Vtn {
        width,
        depth: r.count(|i| format!("backbone.blocks.{i}.norm1.weight"), published.depth),
        block: TransformerBlock {
            attention: SelfAttention::fused(r.heads(width)),
            mlp: Mlp {
                hidden: r.length("backbone.blocks.0.mlp.fc1.weight", 0, published.block.mlp.hidden),
                activation: Activation::Gelu,
            },
            eps: published.block.eps,
        },
        patch,
        temporal_depth: r.count(layer, published.temporal_depth),
        temporal_heads: r.heads(width),
        temporal_hidden: r.length(&layer(0), 1, published.temporal_hidden),
        reach: published.reach,
        positions: r.length("temporal_encoder.embeddings.position_embeddings.weight", 0, published.positions),
        head: r.length("mlp_head.1.weight", 0, published.head),
        classes: r.length("mlp_head.4.weight", 0, published.classes),
        frames: r.frames(published.frames),
        size: r.size(places * patch),
    };
    let notes = format!(
        "{} blocks of width {width} on {} frames of {}×{}, {} layers over them",
        config.depth, config.frames, config.size, config.size, config.temporal_depth
    );
    let input = Input::clip("vtn", config.frames, config.size);
    Ok(Design::new(input, notes, move |clips, w| {
        // Numbers that older versions of the library save.
        w.ignore("temporal_encoder.embeddings.position_ids");
        config.build(clips, w)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published: 114.0 M parameters and 4.218 tera multiply-adds for 250 frames (the paper; there called
    /// FLOPs). That number leaves out the 0.72 giga of a ViT-B's products of queries, keys and values in each frame. The
    /// Longformer's of frames with those near them are but 3 × 2 × 768 × (251 + 250 × 20) mega.
    #[test]
    fn published_figures() {
        let weights = Weights::shapes();
        let g = Vtn::base().build(1, &weights).unwrap();
        approx::assert_relative_eq!(weights.parameters() as f64 / 1e6, 114.0, max_relative = 0.005);
        approx::assert_relative_eq!(g.flops() as f64 / 2e12, 4.218 + 250.0 * 0.72e-3, max_relative = 0.005);
    }

    #[test]
    fn too_few_positions_are_an_error() {
        let e = Vtn { positions: 2, ..Vtn::base() }.build(1, &Weights::shapes()).unwrap_err().to_string();
        assert!(e.contains("too few"), "{e}");
    }
}
