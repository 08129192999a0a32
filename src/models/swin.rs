//! Video Swin Transformer: attention within shifted windows of time and space.
//!
//! Papers: Liu, Ning, Cao, Wei, Zhang, Lin, Hu, "Video Swin Transformer", CVPR 2022, arXiv:2106.13230; Liu et al., "Swin
//! Transformer", ICCV 2021, arXiv:2103.14030.
//! Input: `clip` `[N, T, H, W, 3]`.
//! Canonical names: torchvision's, `patch_embed.proj.weight, features.0.0.attn.qkv.weight … head.bias`; the even
//! `features` are stages, the odd ones merge patches.

use super::{Design, Input, Network, Reading, Variant};
use crate::error::Result;
use crate::graph::{Activation, Graph, Value};
use crate::nn::{self, Conv, constant, scope};
use crate::ops::{Pad, Pool, WindowAttention};
use crate::weights::{Convention, Weights};

const EPS: f32 = 1e-5;

/// The measures of a Video Swin Transformer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swin {
    /// Pixels of a patch along T, H, W.
    pub patch: [usize; 3],
    /// Channels of a patch in the first stage; they double at every stage.
    pub width: usize,
    /// Heads in the first stage; they double at every stage.
    pub heads: usize,
    /// Blocks in each stage.
    pub depths: Vec<usize>,
    /// Patches of a window along T, H, W. Every second block shifts its windows by half of that.
    pub window: [usize; 3],
    /// Outputs of the classifier; `None` for a network that ends with its features.
    pub classes: Option<usize>,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
}

impl Swin {
    /// Swin-T for Kinetics-400.
    pub fn tiny() -> Self {
        Swin {
            patch: [2, 4, 4],
            width: 96,
            heads: 3,
            depths: vec![2, 2, 6, 2],
            window: [8, 7, 7],
            classes: Some(400),
            frames: 32,
            size: 224,
        }
    }

    /// Swin-S for Kinetics-400.
    pub fn small() -> Self {
        Swin { depths: vec![2, 2, 18, 2], ..Swin::tiny() }
    }

    /// Swin-B for Kinetics-400.
    pub fn base() -> Self {
        Swin { width: 128, heads: 4, ..Swin::small() }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`, outputs `features` `[clips, C]` and,
    /// with a classifier, `logits` `[clips, classes]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the heads do not divide the channels.
    pub fn build(&self, clips: usize, weights: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let g = &mut graph;
        let x = g.input("clip", &[clips, self.frames, self.size, self.size, 3])?;
        let mut x = scope(g, weights, "patch_embed", |g, w| self.patches(g, x, w))?;
        for (stage, &depth) in self.depths.iter().enumerate() {
            if stage > 0 {
                x = scope(g, weights, format!("features.{}", 2 * stage - 1), |g, w| merge(g, x, w))?;
            }
            for i in 0..depth {
                let name = format!("features.{}.{i}", 2 * stage);
                x = scope(g, weights, name, |g, w| self.block(g, x, w, self.heads << stage, i % 2 == 1))?;
            }
        }
        let x = scope(g, weights, "norm", |g, w| nn::layer_norm(g, x, w, EPS))?;
        let x = g.scope("avgpool", |g| g.global_pool(x, Pool::Average))?;
        g.output("features", x)?;
        if let Some(classes) = self.classes {
            let logits = scope(g, weights, "head", |g, w| nn::linear(g, x, w, classes))?;
            g.output("logits", logits)?;
        }
        Ok(graph)
    }

    /// Patches of a clip that is padded behind to whole ones.
    fn patches(&self, g: &mut Graph, x: Value, w: &Weights) -> Result<Value> {
        let [_, t, height, width, _] = g.shape(x).dims("the clip", "[N, T, H, W, 3]")?;
        let mut conv = Conv::new(self.width, self.patch).stride(self.patch);
        conv.attributes.padding = behind([t, height, width], self.patch);
        let x = scope(g, w, "proj", |g, w| nn::conv3d(g, x, w, &conv))?;
        scope(g, w, "norm", |g, w| nn::layer_norm(g, x, w, EPS))
    }

    fn block(&self, g: &mut Graph, x: Value, w: &Weights, heads: usize, shifted: bool) -> Result<Value> {
        let y = scope(g, w, "norm1", |g, w| nn::layer_norm(g, x, w, EPS))?;
        let y = scope(g, w, "attn", |g, w| self.attention(g, y, w, heads, shifted))?;
        let x = g.add(y, x)?;
        let [.., channels] = g.shape(x).dims::<5>("the patches", "[N, T, H, W, C]")?;
        let y = scope(g, w, "norm2", |g, w| nn::layer_norm(g, x, w, EPS))?;
        let y = scope(g, w, "mlp.0", |g, w| {
            let y = nn::linear(g, y, w, 4 * channels)?;
            g.activation(y, Activation::Gelu)
        })?;
        let y = scope(g, w, "mlp.3", |g, w| nn::linear(g, y, w, channels))?;
        g.add(y, x)
    }

    /// Attention within windows of patches `[N, T, H, W, C]`. Patches of zeros fill the last windows and take part;
    /// an axis that one window spans is not shifted.
    fn attention(&self, g: &mut Graph, x: Value, w: &Weights, heads: usize, shifted: bool) -> Result<Value> {
        let [_, t, height, width, channels] = g.shape(x).dims("the patches", "[N, T, H, W, C]")?;
        let grid = [t, height, width];
        let window: [usize; 3] = std::array::from_fn(|axis| self.window[axis].min(grid[axis]));
        let shift = |axis| if shifted && grid[axis] > self.window[axis] { self.window[axis] / 2 } else { 0 };
        let attributes = WindowAttention {
            shift_size: std::array::from_fn(shift),
            table_window: Some(self.window),
            ..WindowAttention::of(heads, window)
        };
        let padding = behind(grid, window);
        let is_padded = padding != [[0; 2]; 3];
        let mut x = x;
        if is_padded {
            let [t, height, width] = padding;
            x = g.pad(x, &Pad::zeros(&[[0; 2], t, height, width, [0; 2]]))?;
        }
        let qkv = scope(g, w, "qkv", |g, w| nn::linear(g, x, w, 3 * channels))?;
        let rows = self.window.iter().map(|length| 2 * length - 1).product();
        let table = constant(g, w.take("relative_position_bias_table", &[rows, heads])?);
        let mut y = g.window_attention(qkv, Some(table), &attributes)?;
        if is_padded {
            for (axis, &length) in grid.iter().enumerate() {
                if padding[axis][1] > 0 {
                    y = g.slice_axis(y, 1 + axis as isize, 0, Some(length as isize))?;
                }
            }
        }
        scope(g, w, "proj", |g, w| nn::linear(g, y, w, channels))
    }
}

/// What is missing behind to multiples of `whole`.
fn behind(lengths: [usize; 3], whole: [usize; 3]) -> [[usize; 2]; 3] {
    std::array::from_fn(|axis| [0, lengths[axis].next_multiple_of(whole[axis]) - lengths[axis]])
}

/// Two by two patches of a frame become one of twice as many channels.
fn merge(g: &mut Graph, x: Value, w: &Weights) -> Result<Value> {
    let [n, t, height, width, c] = g.shape(x).dims("the patches", "[N, T, H, W, C]")?;
    let [_, h, v] = behind([t, height, width], [1, 2, 2]);
    let x = match [h, v] {
        [[0, 0], [0, 0]] => x,
        _ => g.pad(x, &Pad::zeros(&[[0; 2], [0; 2], h, v, [0; 2]]))?,
    };
    let (height, width) = (height.div_ceil(2), width.div_ceil(2));
    let x = g.view(x, &[n * t * height, 2, width, 2, c])?;
    // The four lie one after the other by columns: above left, below left, above right, below right.
    let x = g.permute(x, &[0, 2, 3, 1, 4])?;
    let x = g.view(x, &[n, t, height, width, 4 * c])?;
    let x = scope(g, w, "norm", |g, w| nn::layer_norm(g, x, w, EPS))?;
    scope(g, w, "reduction", |g, w| nn::linear_unbiased(g, x, w, 2 * c))
}

/// The published files.
pub const CONVENTIONS: &[Convention] = &[
    Convention { name: "torchvision", source: "pytorch/vision", map: |name| Some(name.into()) },
    Convention {
        name: "mmaction",
        source: "SwinTransformer/Video-Swin-Transformer, mmaction2",
        map: mmaction,
    },
];

fn mmaction(name: &str) -> Option<String> {
    let (first, rest) = name.split_once('.')?;
    if first == "head" {
        return Some(format!("cls_head.fc_cls.{rest}"));
    }
    if first != "features" {
        return Some(format!("backbone.{name}"));
    }
    let (feature, rest) = rest.split_once('.')?;
    let feature: usize = feature.parse().ok()?;
    let place = if feature % 2 == 1 { "downsample" } else { "blocks" };
    let rest = rest.replace(".mlp.0.", ".mlp.fc1.").replace(".mlp.3.", ".mlp.fc2.");
    Some(format!("backbone.layers.{}.{place}.{rest}", feature / 2))
}

/// Video Swin Transformers by name.
pub const NETWORK: Network = Network {
    name: "swin",
    title: "Video Swin Transformer: attention within shifted windows",
    paper: "Liu et al. 2022, arXiv:2106.13230",
    variants: &[
        Variant {
            name: "t",
            published: "Kinetics-400 77.7 % top-1, 12 clips (torchvision, KINETICS400_V1); 78.8 %, 12 views (SwinTransformer/Video-Swin-Transformer)",
        },
        Variant {
            name: "s",
            published: "Kinetics-400 79.5 % top-1, 12 clips (torchvision, KINETICS400_V1); 80.6 %, 12 views (SwinTransformer/Video-Swin-Transformer)",
        },
        Variant {
            name: "b",
            published: "Kinetics-400 79.4 % top-1, from ImageNet-22K 81.6 %, 12 clips (torchvision); 80.6 % and 82.7 %, 12 views (SwinTransformer/Video-Swin-Transformer)",
        },
    ],
    conventions: CONVENTIONS,
    design,
};

/// Reads everything off a file.
fn design(r: &Reading) -> Result<Design> {
    let published = match r.variant() {
        "s" => Swin::small(),
        "b" => Swin::base(),
        _ => Swin::tiny(),
    };
    let depths = match r.convention() {
        "" => published.depths.clone(),
        _ => (0..)
            .map(|stage| r.count(|i| format!("features.{}.{i}.norm1.weight", 2 * stage), 0))
            .take_while(|&depth| depth > 0)
            .collect(),
    };
    let rows = r.length("features.0.0.attn.relative_position_bias_table", 0, 0);
    let tokens = r.length("features.0.0.attn.relative_position_index", 0, 0);
    let config = Swin {
        patch: std::array::from_fn(|axis| {
            r.length("patch_embed.proj.weight", 2 + axis, published.patch[axis])
        }),
        width: r.length("patch_embed.proj.weight", 0, published.width),
        heads: r.length("features.0.0.attn.relative_position_bias_table", 1, published.heads),
        depths,
        window: window(rows, tokens).unwrap_or(published.window),
        classes: r.classes("head.weight", 400),
        frames: r.frames(published.frames),
        size: r.size(published.size),
    };
    let (frames, size) = (config.frames, config.size);
    let recipe = if r.convention() == "mmaction" { "swin-mmaction" } else { "swin-torchvision" };
    let notes = format!(
        "width {}, blocks {:?}, windows {:?}, {frames} frames of {size}×{size}",
        config.width, config.depths, config.window
    );
    Ok(Design::new(Input::clip(recipe, frames, size), notes, move |clips, w| config.build(clips, w)))
}

/// The window, as wide as it is high, whose table has so many rows; of several that of so many tokens, if that is known.
fn window(rows: usize, tokens: usize) -> Option<[usize; 3]> {
    let fits = |width: usize| {
        let plane = (2 * width - 1) * (2 * width - 1);
        let time = (rows / plane).div_ceil(2);
        (rows > 0 && plane * (2 * time - 1) == rows).then_some([time, width, width])
    };
    let all: Vec<[usize; 3]> = (1..=rows.isqrt().div_ceil(2)).filter_map(fits).collect();
    let told = all.iter().find(|w| w.iter().product::<usize>() == tokens);
    // Without the index of a window's tokens, the published width.
    told.or_else(|| all.iter().find(|w| w[1] == 7)).or(all.last()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters and GMAC: torchvision's `num_params` and `_ops`.
    #[test]
    fn published_figures() {
        for (config, parameters, gmac) in [
            (Swin::tiny(), 28_158_070, 43.882),
            (Swin::small(), 49_816_678, 82.841),
            (Swin::base(), 88_048_984, 140.667),
        ] {
            let weights = Weights::shapes();
            let g = Swin { frames: 16, ..config.clone() }.build(1, &weights).unwrap();
            assert_eq!(weights.parameters(), parameters);
            // Norms, activations and poolings count here and not there.
            approx::assert_relative_eq!(g.flops() as f64 / 2e9, gmac, max_relative = 0.015);
        }
    }

    #[test]
    fn windows_are_read_off_a_table() {
        for (wanted, with_index) in
            [([8, 7, 7], true), ([16, 7, 7], false), ([8, 7, 7], false), ([2, 3, 3], true)]
        {
            let rows = wanted.iter().map(|w| 2 * w - 1).product();
            let tokens = if with_index { wanted.iter().product() } else { 0 };
            assert_eq!(window(rows, tokens), Some(wanted));
        }
        assert_eq!(window(0, 0), None);
    }

    #[test]
    fn names_of_mmaction() {
        for (canonical, published) in [
            ("patch_embed.norm.bias", "backbone.patch_embed.norm.bias"),
            ("features.2.1.mlp.3.weight", "backbone.layers.1.blocks.1.mlp.fc2.weight"),
            ("features.3.reduction.weight", "backbone.layers.1.downsample.reduction.weight"),
            ("features.6.0.attn.qkv.bias", "backbone.layers.3.blocks.0.attn.qkv.bias"),
            ("norm.weight", "backbone.norm.weight"),
            ("head.bias", "cls_head.fc_cls.bias"),
        ] {
            assert_eq!(mmaction(canonical).as_deref(), Some(published));
        }
    }
}
