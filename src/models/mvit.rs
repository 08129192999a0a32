//! MViT and MViTv2, multiscale vision transformers: attention whose queries, keys and values are pooled.
//!
//! Papers: Fan, Xiong, Mangalam, Li, Yan, Malik, Feichtenhofer, "Multiscale Vision Transformers", ICCV 2021,
//! arXiv:2104.11227; Li, Wu, Fan, Mangalam, Xiong, Malik, Feichtenhofer, "MViTv2", CVPR 2022, arXiv:2112.01526.
//! Input: `clip` `[N, T, H, W, 3]`.
//! Canonical names: torchvision's, `conv_proj.weight, pos_encoding.*, blocks.0.attn.qkv.weight … head.1.bias`; where query,
//! key and value are layers of their own, `blocks.0.attn.q.weight` and so on.

use super::{Average, Design, Input, Network, Reading, Variant};
use crate::error::{Error, Result};
use crate::graph::{Activation, Graph, Value};
use crate::nn::{self, Conv, constant, scope};
use crate::ops::{Attention, Binary, Conv3d, Pool3d, RelativeScores};
use crate::tensor::Tensor;
use crate::weights::{Convention, Weights};

const EPS: f32 = 1e-6;

/// Pixels between patches along T, H, W.
const PATCH: [usize; 3] = [2, 4, 4];

/// The two papers' networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Absolute positions; channels grow after the attention of the block before a pooled query, and what grows is the
    /// normalised sum; queries are pooled where a stage begins.
    V1,
    /// Decomposed relative positions; channels grow in the attention; the pooled query is added to what it attends to;
    /// every query is pooled.
    V2,
}

/// How query, key and value come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    /// By one linear layer, `qkv`.
    Fused,
    /// By three, `q`, `k` and `v`.
    Separate,
}

/// The measures of an MViT.
#[derive(Debug, Clone, PartialEq)]
pub struct Mvit {
    /// The paper.
    pub version: Version,
    /// Channels of a patch in the first block; they double at every stage.
    pub width: usize,
    /// Heads in the first block; they double at every stage.
    pub heads: usize,
    /// Blocks.
    pub depth: usize,
    /// The blocks in which height and width are halved and a new stage begins. Keys and values are pooled to the same
    /// size throughout: the stride of 1 in the last stage is twice as large in each one before.
    pub stages: Vec<usize>,
    /// How query, key and value come about.
    pub projection: Projection,
    /// The epsilon of the norms after pooling.
    pub pool_eps: f32,
    /// Outputs of the classifier; `None` for a network that ends with its features.
    pub classes: Option<usize>,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
}

/// The tokens of a clip: a class token, then places in the order of frames, rows and columns.
#[derive(Debug, Clone, Copy)]
struct Tokens {
    /// `[N, 1 + T·H·W, C]`.
    value: Value,
    /// T, H, W.
    grid: [usize; 3],
}

impl Mvit {
    /// MViTv1-B of 16 frames, for Kinetics-400.
    pub fn v1_b() -> Self {
        Mvit {
            version: Version::V1,
            width: 96,
            heads: 1,
            depth: 16,
            stages: vec![1, 3, 14],
            projection: Projection::Fused,
            pool_eps: EPS,
            classes: Some(400),
            frames: 16,
            size: 224,
        }
    }

    /// MViTv2-S of 16 frames, for Kinetics-400.
    pub fn v2_s() -> Self {
        Mvit { version: Version::V2, ..Mvit::v1_b() }
    }

    /// MViTv2-B of 32 frames, for Kinetics-400.
    pub fn v2_b() -> Self {
        Mvit { depth: 24, stages: vec![2, 5, 21], frames: 32, ..Mvit::v2_s() }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`, outputs `features` `[clips, C]`,
    /// the class token, and, with a classifier, `logits` `[clips, classes]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the heads do not divide the channels.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        if self.heads == 0 || !self.width.is_multiple_of(self.heads) {
            return Err(Error::bad_input(format!(
                "{} heads must divide {} channels",
                self.heads, self.width
            )));
        }
        let mut graph = Graph::new();
        let g = &mut graph;
        let x = g.input("clip", &[clips, self.frames, self.size, self.size, 3])?;
        let conv = Conv::centred(self.width, [3, 7, 7]).stride(PATCH);
        let x = scope(g, weights, "conv_proj", |g, w| nn::conv3d(g, x, w, &conv))?;
        let mut x = scope(g, weights, "pos_encoding", |g, w| self.positions(g, x, w))?;
        for i in 0..self.depth {
            x = scope(g, weights, format!("blocks.{i}"), |g, w| self.block(g, x, w, i))?;
        }
        let [_, _, channels] = g.shape(x.value).dims("the tokens", "[N, tokens, C]")?;
        let x = g.slice_axis(x.value, 1, 0, Some(1))?;
        let x = g.view(x, &[clips, channels])?;
        let x = scope(g, weights, "norm", |g, w| nn::layer_norm(g, x, w, EPS))?;
        g.output("features", x)?;
        if let Some(classes) = self.classes {
            let logits = scope(g, weights, "head.1", |g, w| nn::linear(g, x, w, classes))?;
            g.output("logits", logits)?;
        }
        Ok(graph)
    }

    /// The stage of a block.
    fn stage(&self, block: usize) -> usize {
        self.stages.iter().filter(|&&first| first <= block).count()
    }

    /// Patches `[N, T, H, W, C]` as tokens with a class token and, in the first version, positions.
    fn positions(&self, g: &mut Graph, x: Value, w: &Weights) -> Result<Tokens> {
        let [n, t, height, width, c] = g.shape(x).dims("the patches", "[N, T, H, W, C]")?;
        let mut token = constant(g, w.take("class_token", &[c])?);
        let mut x = g.view(x, &[n, t, height * width, c])?;
        if self.version == Version::V1 {
            let spatial = constant(g, w.take("spatial_pos", &[height * width, c])?);
            let temporal = constant(g, w.take("temporal_pos", &[t, c])?.reshape(&[t, 1, c])?);
            let class = constant(g, w.take("class_pos", &[c])?);
            let positions = g.add(temporal, spatial)?;
            x = g.add(x, positions)?;
            token = g.add(token, class)?;
        }
        let token = g.view(token, &[1, c])?;
        let x = g.view(x, &[n, t * height * width, c])?;
        Ok(Tokens { value: g.prepend_tokens(x, token)?, grid: [t, height, width] })
    }

    fn block(&self, g: &mut Graph, x: Tokens, w: &Weights, i: usize) -> Result<Tokens> {
        let channels = self.width << self.stage(i);
        let normed = scope(g, w, "norm1", |g, w| nn::layer_norm(g, x.value, w, EPS))?;
        let attended = scope(g, w, "attn", |g, w| self.attention(g, Tokens { value: normed, ..x }, w, i))?;
        let mut skip = x;
        if self.version == Version::V2 && g.shape(x.value).last() != Some(&channels) {
            skip.value = scope(g, w, "project", |g, w| nn::linear(g, normed, w, channels))?;
        }
        if self.stages.contains(&i) {
            let pool = Pool3d::max([1, 3, 3]).stride([1, 2, 2]).padded([0, 1, 1]);
            skip = g.scope("pool_skip", |g| pooled(g, skip, |g, x| g.pool3d(x, &pool)))?;
        }
        let x = g.add(attended.value, skip.value)?;
        let normed = scope(g, w, "norm2", |g, w| nn::layer_norm(g, x, w, EPS))?;
        let out = match self.version {
            Version::V1 => self.width << self.stage(i + 1),
            Version::V2 => channels,
        };
        let y = scope(g, w, "mlp.0", |g, w| {
            let y = nn::linear(g, normed, w, 4 * channels)?;
            g.activation(y, Activation::Gelu)
        })?;
        let y = scope(g, w, "mlp.3", |g, w| nn::linear(g, y, w, out))?;
        let skip = match out == channels {
            true => x,
            false => scope(g, w, "project", |g, w| nn::linear(g, normed, w, out))?,
        };
        Ok(Tokens { value: g.add(y, skip)?, grid: attended.grid })
    }

    fn attention(&self, g: &mut Graph, x: Tokens, w: &Weights, i: usize) -> Result<Tokens> {
        let stage = self.stage(i);
        let heads = self.heads << stage;
        let [q, k, v] = self.project(g, x, w, self.width << stage)?;
        let half = if self.stages.contains(&i) { 2 } else { 1 };
        let q = match self.version {
            Version::V1 if half == 1 => q,
            _ => scope(g, w, "pool_q", |g, w| self.pool(g, q, w, heads, half))?,
        };
        let stride = 1 << (self.stages.len() - stage);
        let k = scope(g, w, "pool_k", |g, w| self.pool(g, k, w, heads, stride))?;
        let v = scope(g, w, "pool_v", |g, w| self.pool(g, v, w, heads, stride))?;
        let qkv = [q, k, v].map(|t| t.value);
        let y = match self.version {
            Version::V1 => g.attention(qkv, None, &Attention::heads(heads))?,
            Version::V2 => {
                let scores = self.relative_scores(g, q, k, w, heads)?;
                let attention = Attention { key_grid: Some(k.grid), ..Attention::heads(heads) };
                let y = g.attention(qkv, Some(scores), &attention)?;
                // The class token has no residual.
                let [_, tokens, _] = g.shape(q.value).dims("the query", "[N, tokens, C]")?;
                let others = Tensor::from_fn(&[tokens, 1], |i| if i == 0 { 0.0 } else { 1.0 })?;
                let others = g.constant("others", others);
                let residual = g.binary(q.value, others, Binary::Mul)?;
                g.add(y, residual)?
            }
        };
        let channels = self.width << stage;
        let y = scope(g, w, "project.0", |g, w| nn::linear(g, y, w, channels))?;
        Ok(Tokens { value: y, grid: q.grid })
    }

    /// Query, key and value.
    fn project(&self, g: &mut Graph, x: Tokens, w: &Weights, channels: usize) -> Result<[Tokens; 3]> {
        let mut parts = Vec::new();
        match self.projection {
            Projection::Separate => {
                for name in ["q", "k", "v"] {
                    parts.push(scope(g, w, name, |g, w| nn::linear(g, x.value, w, channels))?);
                }
            }
            // Each is pooled by itself: three layers save to cut them out of one.
            Projection::Fused => {
                let [_, _, inputs] = g.shape(x.value).dims("the tokens", "[N, tokens, C]")?;
                let w = w.scope("qkv");
                let weights = w.take("weight", &[3 * channels, inputs])?.chunk(3)?;
                let biases = w.take("bias", &[3 * channels])?.chunk(3)?;
                for ((name, weight), bias) in ["q", "k", "v"].into_iter().zip(weights).zip(biases) {
                    let weight = constant(g, weight.permute(&[1, 0])?);
                    let bias = constant(g, bias);
                    parts.push(g.scope(name, |g| g.linear(x.value, weight, Some(bias)))?);
                }
            }
        }
        Ok([parts[0], parts[1], parts[2]].map(|value| Tokens { value, ..x }))
    }

    /// A depthwise convolution of all but the class token, and a norm over the channels of a head of all; heads share
    /// kernel and norm.
    fn pool(&self, g: &mut Graph, x: Tokens, w: &Weights, heads: usize, stride: usize) -> Result<Tokens> {
        let [n, _, channels] = g.shape(x.value).dims("the tokens", "[N, tokens, C]")?;
        let width = channels / heads;
        let kernel = w.take("pool.weight", &[width, 1, 3, 3, 3])?.permute(&[2, 3, 4, 1, 0])?.tile(heads)?;
        let kernel = constant(g, kernel);
        let conv = Conv3d { stride: [1, stride, stride], groups: channels, ..Conv3d::padded([1; 3]) };
        let x = pooled(g, x, |g, x| g.conv3d(x, kernel, None, &conv))?;
        let value = g.split_heads(x.value, heads)?;
        let value = scope(g, w, "norm_act.0", |g, w| nn::layer_norm(g, value, w, self.pool_eps))?;
        let [t, height, width] = x.grid;
        let value = g.view(value, &[n, 1 + t * height * width, channels])?;
        Ok(Tokens { value, ..x })
    }

    /// What relative positions add to the scores. The tables' lengths are those of the published size; the operator
    /// resamples them to others.
    fn relative_scores(
        &self,
        g: &mut Graph,
        q: Tokens,
        k: Tokens,
        w: &Weights,
        heads: usize,
    ) -> Result<Value> {
        let width = self.width / self.heads;
        let mut tables = Vec::new();
        for (axis, name) in ["rel_pos_t", "rel_pos_h", "rel_pos_w"].into_iter().enumerate() {
            let rows = w.length(name, 0).unwrap_or(2 * q.grid[axis].max(k.grid[axis]) - 1);
            tables.push(constant(g, w.take(name, &[rows, width])?));
        }
        let attributes = RelativeScores { heads, query_grid: q.grid, key_grid: k.grid };
        g.relative_scores(q.value, [tables[0], tables[1], tables[2]], &attributes)
    }
}

/// What `pool` makes of the places `[N, T, H, W, C]`, behind the class token as it was.
fn pooled(g: &mut Graph, x: Tokens, pool: impl FnOnce(&mut Graph, Value) -> Result<Value>) -> Result<Tokens> {
    let (token, places) = g.split_tokens(x.value, 1)?;
    let places = g.from_tokens(places, x.grid)?;
    let places = pool(g, places)?;
    let [_, t, height, width, _] = g.shape(places).dims("what is pooled", "[N, T, H, W, C]")?;
    let places = g.to_tokens(places)?;
    Ok(Tokens { value: g.concat(&[token, places], 1)?, grid: [t, height, width] })
}

/// The published files.
pub const CONVENTIONS: &[Convention] = &[
    Convention { name: "torchvision", source: "pytorch/vision", map: |name| Some(name.into()) },
    Convention { name: "slowfast", source: "facebookresearch/SlowFast", map: slowfast },
    Convention { name: "pytorchvideo", source: "facebookresearch/pytorchvideo", map: pytorchvideo },
];

fn slowfast(name: &str) -> Option<String> {
    let renamed = |from: &str, to: &str| name.strip_prefix(from).map(|rest| format!("{to}{rest}"));
    renamed("conv_proj.", "patch_embed.proj.")
        .or_else(|| renamed("pos_encoding.class_token", "cls_token"))
        .or_else(|| position(name).map(Into::into))
        .or_else(|| renamed("head.1.", "head.projection."))
        .or_else(|| Some(block(name)))
}

fn pytorchvideo(name: &str) -> Option<String> {
    let renamed = |from: &str, to: &str| name.strip_prefix(from).map(|rest| format!("{to}{rest}"));
    renamed("conv_proj.", "patch_embed.patch_model.")
        .or_else(|| renamed("pos_encoding.class_token", "cls_positional_encoding.cls_token"))
        .or_else(|| position(name).map(|p| format!("cls_positional_encoding.{p}")))
        .or_else(|| renamed("head.1.", "head.proj."))
        .or_else(|| renamed("norm.", "norm_embed."))
        .or_else(|| Some(block(name)))
}

fn position(name: &str) -> Option<&'static str> {
    match name.strip_prefix("pos_encoding.")? {
        "spatial_pos" => Some("pos_embed_spatial"),
        "temporal_pos" => Some("pos_embed_temporal"),
        "class_pos" => Some("pos_embed_class"),
        _ => None,
    }
}

/// A name within the blocks, where SlowFast and PyTorchVideo agree.
fn block(name: &str) -> String {
    let mut name = name
        .replace(".mlp.0.", ".mlp.fc1.")
        .replace(".mlp.3.", ".mlp.fc2.")
        .replace(".project.0.", ".proj.")
        .replace(".project.", ".proj.");
    for part in ["q", "k", "v"] {
        name = name
            .replace(&format!("pool_{part}.pool."), &format!("pool_{part}."))
            .replace(&format!("pool_{part}.norm_act.0."), &format!("norm_{part}."));
    }
    name
}

/// MViT by name.
pub const NETWORK: Network = Network {
    name: "mvit",
    title: "MViT and MViTv2: multiscale vision transformers",
    paper: "Fan et al. 2021, arXiv:2104.11227; v2: Li et al. 2022, arXiv:2112.01526",
    variants: &[
        Variant {
            name: "v2-s",
            published: "Kinetics-400 80.8 % top-1, 5 clips of 16 frames (torchvision, KINETICS400_V1); 81.0 % (SlowFast)",
        },
        Variant {
            name: "v1-b",
            published: "Kinetics-400 78.5 % top-1, 5 clips of 16 frames (torchvision, KINETICS400_V1)",
        },
        Variant {
            name: "v1-b-16x4",
            published: "Kinetics-400 78.9 % top-1, 5 clips of 16 frames (PyTorchVideo); query, key and value apart",
        },
        Variant {
            name: "v1-b-32x3",
            published: "Kinetics-400 80.3 % top-1, 5 clips of 32 frames (PyTorchVideo); query, key and value apart",
        },
        Variant {
            name: "v2-b",
            published: "Kinetics-400 82.9 % top-1, 5 clips of 32 frames (SlowFast's model zoo)",
        },
    ],
    conventions: CONVENTIONS,
    design,
};

/// Reads everything off a file: what channels the blocks have says where stages begin.
fn design(r: &Reading) -> Result<Design> {
    let published = match r.variant() {
        "v1-b" => Mvit::v1_b(),
        "v1-b-16x4" => Mvit { projection: Projection::Separate, ..Mvit::v1_b() },
        "v1-b-32x3" => Mvit { projection: Projection::Separate, frames: 32, ..Mvit::v1_b() },
        "v2-b" => Mvit::v2_b(),
        _ => Mvit::v2_s(),
    };
    let config = if r.convention().is_empty() { published } else { read(r, published)? };
    let config = Mvit { frames: r.frames(config.frames), size: r.size(config.size), ..config };
    let (frames, size) = (config.frames, config.size);
    let recipe = match (r.convention(), frames) {
        ("" | "torchvision", ..=16) => "mvit-torchvision",
        (_, ..=16) => "mvit-16x4",
        _ => "mvit-32x3",
    };
    let notes = format!(
        "{}, width {}, {} blocks, stages from {:?}, {frames} frames of {size}×{size}",
        if config.version == Version::V1 { "version 1" } else { "version 2" },
        config.width,
        config.depth,
        config.stages
    );
    let design =
        Design::new(Input::clip(recipe, frames, size), notes, move |clips, w| config.build(clips, w));
    // PyTorchVideo's head has no softmax, and its evaluation averages what the head gives.
    Ok(if r.convention() == "pytorchvideo" { design.average(Average::Logits) } else { design })
}

fn read(r: &Reading, published: Mvit) -> Result<Mvit> {
    let width = r.length("conv_proj.weight", 0, published.width);
    let version = match r.shape("blocks.0.attn.rel_pos_t") {
        Some(_) => Version::V2,
        None => Version::V1,
    };
    let depth = r.count(|i| format!("blocks.{i}.norm1.weight"), published.depth);
    let channels: Vec<usize> =
        (0..depth).map(|i| r.length(&format!("blocks.{i}.norm2.weight"), 0, 0)).collect();
    let stages: Vec<usize> = (1..depth).filter(|&i| channels[i] != channels[i - 1]).collect();
    let head = r.length("blocks.0.attn.pool_k.pool.weight", 0, width);
    if head == 0 || !width.is_multiple_of(head) {
        return Err(Error::bad_input(format!("heads of {head} channels do not divide {width} channels")));
    }
    let rows = |name: &str| r.shape(name).map(|shape| shape.iter().product::<usize>() / width.max(1));
    let (frames, size) = match version {
        Version::V1 => (
            rows("pos_encoding.temporal_pos").map(|t| t * PATCH[0]),
            rows("pos_encoding.spatial_pos").map(|places| places.isqrt() * PATCH[1]),
        ),
        Version::V2 => (
            r.shape("blocks.0.attn.rel_pos_t").map(|s| s[0].div_ceil(2) * PATCH[0]),
            r.shape("blocks.0.attn.rel_pos_h").map(|s| s[0].div_ceil(2) * PATCH[1]),
        ),
    };
    Ok(Mvit {
        version,
        width,
        heads: width / head,
        depth,
        stages,
        projection: match r.shape("blocks.0.attn.q.weight") {
            Some(_) => Projection::Separate,
            None => Projection::Fused,
        },
        pool_eps: if r.convention() == "pytorchvideo" { 1e-5 } else { EPS },
        classes: r.classes("head.1.weight", 400),
        frames: frames.unwrap_or(published.frames),
        size: size.unwrap_or(published.size),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters and GMAC: torchvision's `num_params` and `_ops` for v1-B and v2-S, the papers' for the others.
    #[test]
    fn published_figures() {
        let long = Mvit { frames: 32, ..Mvit::v1_b() };
        for (config, parameters, gmac) in [
            (Mvit::v1_b(), 36.610_672, 70.60),
            (long, 36.61, 170.0),
            (Mvit::v2_s(), 34.537_744, 64.22),
            (Mvit::v2_b(), 51.2, 225.0),
        ] {
            let weights = Weights::shapes();
            let g = config.build(1, &weights).unwrap();
            approx::assert_relative_eq!(weights.parameters() as f64 / 1e6, parameters, max_relative = 2e-3);
            // Norms, activations and poolings count here and not there.
            approx::assert_relative_eq!(g.flops() as f64 / 2e9, gmac, max_relative = 0.015);
        }
        let count = |config: Mvit| {
            let weights = Weights::shapes();
            config.build(1, &weights).unwrap();
            weights.parameters()
        };
        assert_eq!(count(Mvit::v1_b()), 36_610_672);
        assert_eq!(count(Mvit { projection: Projection::Separate, ..Mvit::v1_b() }), 36_610_672);
        assert_eq!(count(Mvit::v2_s()), 34_537_744);
    }

    #[test]
    fn names_of_slowfast_and_pytorchvideo() {
        for (canonical, of_slowfast, of_pytorchvideo) in [
            ("conv_proj.bias", "patch_embed.proj.bias", "patch_embed.patch_model.bias"),
            ("pos_encoding.class_token", "cls_token", "cls_positional_encoding.cls_token"),
            ("pos_encoding.class_pos", "pos_embed_class", "cls_positional_encoding.pos_embed_class"),
            (
                "blocks.0.attn.pool_k.pool.weight",
                "blocks.0.attn.pool_k.weight",
                "blocks.0.attn.pool_k.weight",
            ),
            (
                "blocks.0.attn.pool_q.norm_act.0.bias",
                "blocks.0.attn.norm_q.bias",
                "blocks.0.attn.norm_q.bias",
            ),
            ("blocks.0.attn.project.0.bias", "blocks.0.attn.proj.bias", "blocks.0.attn.proj.bias"),
            ("blocks.0.project.bias", "blocks.0.proj.bias", "blocks.0.proj.bias"),
            ("blocks.12.mlp.3.bias", "blocks.12.mlp.fc2.bias", "blocks.12.mlp.fc2.bias"),
            ("norm.weight", "norm.weight", "norm_embed.weight"),
            ("head.1.weight", "head.projection.weight", "head.proj.weight"),
        ] {
            assert_eq!(slowfast(canonical).as_deref(), Some(of_slowfast));
            assert_eq!(pytorchvideo(canonical).as_deref(), Some(of_pytorchvideo));
        }
    }
}
