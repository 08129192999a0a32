//! ResNet-50 for video: C2D, Slow and I3D, and I3D with non-local blocks.
//!
//! Papers: Wang, Girshick, Gupta, He, "Non-local Neural Networks", CVPR 2018, arXiv:1711.07971 (C2D, I3D and the
//! blocks); Feichtenhofer, Fan, Malik, He, "SlowFast Networks for Video Recognition", ICCV 2019, arXiv:1812.03982
//! (Slow); Carreira, Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017, arXiv:1705.07750 (inflation).
//! Input: `clip` `[N, T, H, W, 3]`.
//! Canonical names: those of facebookresearch/SlowFast, `s1.pathway0_stem.conv.weight … head.projection.bias`.

use super::pathway::{Head, NonLocals, Pathway, mmaction_block, parts, pytorchvideo_block};
use super::{Design, Input, Network, Reading, Variant};
use crate::error::Result;
use crate::graph::Graph;
use crate::nn::{Affinity, NonLocalStyle};
use crate::ops::Pool3d;
use crate::weights::{Convention, Weights};

/// The measures of a 3D ResNet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResNet3d {
    /// Stem and stages.
    pub path: Pathway,
    /// Whether the maximum of every two frames is taken after the first stage.
    pub halves_time: bool,
    /// How positions come together.
    pub head: Head,
    /// Outputs of the classifier; `None` for a network that ends with its features.
    pub classes: Option<usize>,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
}

/// Blocks in each stage of ResNet-50.
const BLOCKS: [usize; 4] = [3, 4, 6, 3];

impl ResNet3d {
    /// I3D R50 8×8 for Kinetics-400: every second convolution of a stage sees three frames.
    pub fn i3d() -> Self {
        let path = Pathway::new(0, 64, 5, BLOCKS, [&[3], &[3, 1], &[3, 1], &[1, 3]]);
        ResNet3d { path, halves_time: true, head: Head::default(), classes: Some(400), frames: 8, size: 256 }
    }

    /// I3D with five non-local blocks.
    pub fn i3d_non_local(affinity: Affinity) -> Self {
        let i3d = ResNet3d::i3d();
        ResNet3d { path: Pathway { non_locals: Some(NonLocals::five(affinity)), ..i3d.path }, ..i3d }
    }

    /// Slow R50 8×8 for Kinetics-400: SlowFast's slow path alone, whose last two stages see three frames.
    pub fn slow() -> Self {
        let path = Pathway::new(0, 64, 1, BLOCKS, [&[1], &[1], &[3], &[3]]);
        ResNet3d { path, halves_time: false, ..ResNet3d::i3d() }
    }

    /// C2D R50 8×8 for Kinetics-400: a ResNet-50 on frames, whose poolings alone go over time.
    pub fn c2d() -> Self {
        let path = Pathway::new(0, 64, 1, BLOCKS, [&[1]; 4]);
        ResNet3d { path, ..ResNet3d::i3d() }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`, outputs `features`
    /// `[clips, C]` and, with a classifier, `logits` `[clips, classes]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are too few frames or pixels.
    pub fn build(&self, clips: usize, w: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let g = &mut graph;
        let x = g.input("clip", &[clips, self.frames, self.size, self.size, 3])?;
        let mut x = self.path.stem(g, x, w)?;
        for stage in 0..4 {
            x = self.path.stage(g, x, w, stage)?;
            if stage == 0 && self.halves_time {
                x = g.scope("pathway0_pool", |g| g.pool3d(x, &Pool3d::max([2, 1, 1])))?;
            }
        }
        self.head.build(g, &[x], w, self.classes)?;
        Ok(graph)
    }
}

/// The published files.
pub const CONVENTIONS: &[Convention] = &[
    Convention { name: "slowfast", source: "facebookresearch/SlowFast", map: |name| Some(name.into()) },
    // A pooling in its list of blocks moves the numbers of those behind it.
    Convention {
        name: "pytorchvideo",
        source: "facebookresearch/pytorchvideo, C2D and I3D",
        map: |name| pytorchvideo(name, 1),
    },
    Convention {
        name: "pytorchvideo-slow",
        source: "facebookresearch/pytorchvideo, Slow",
        map: |name| pytorchvideo(name, 0),
    },
    Convention { name: "mmaction", source: "open-mmlab/mmaction2", map: mmaction },
    Convention {
        name: "mmaction-backbone",
        source: "open-mmlab/mmaction2, no classifier",
        map: |name| mmaction(name)?.strip_prefix("backbone.").map(Into::into),
    },
];

/// `poolings` is how many blocks there are that pool after the first stage.
pub(super) fn pytorchvideo(name: &str, poolings: usize) -> Option<String> {
    if let Some(parameter) = name.strip_prefix("head.projection.") {
        return Some(format!("blocks.{}.proj.{parameter}", 5 + poolings));
    }
    Some(match parts(name)? {
        (1, _, _, _, rest) => format!("blocks.0.{}", rest.replace("bn.", "norm.")),
        (stage, _, "res", i, rest) => {
            let block = stage - 1 + if stage > 2 { poolings } else { 0 };
            format!("blocks.{block}.res_blocks.{i}.{}", pytorchvideo_block(rest)?)
        }
        _ => return None,
    })
}

pub(super) fn mmaction(name: &str) -> Option<String> {
    if let Some(parameter) = name.strip_prefix("head.projection.") {
        return Some(format!("cls_head.fc_cls.{parameter}"));
    }
    Some(match parts(name)? {
        (1, _, _, _, rest) => format!("backbone.conv1.{rest}"),
        (stage, _, "res", i, rest) => format!("backbone.layer{}.{i}.{}", stage - 1, mmaction_block(rest)?),
        (stage, _, _, i, rest) => {
            let (layer, parameter) = rest.split_once('.')?;
            // Those that are pooled lie in a list with their pooling.
            let place = match layer {
                "conv_theta" => "theta.conv",
                "conv_phi" => "phi.0.conv",
                "conv_g" => "g.0.conv",
                "conv_concat" => "concat_project.conv",
                "conv_out" if parameter == "bias" => return None,
                "conv_out" => "conv_out.conv",
                _ => "conv_out.bn",
            };
            format!("backbone.layer{}.{i}.non_local_block.{place}.{parameter}", stage - 1)
        }
    })
}

/// Networks on single frames whose weights can be inflated to these: their bottlenecks stride in the 3×3 convolution, too.
/// Files of detectron's ResNet, which strides in the first 1×1, look alike and give other answers.
pub(super) const FLAT: &[Convention] = &[
    Convention { name: "torchvision-2d", source: "pytorch/vision, ResNet on frames", map: torchvision },
    Convention { name: "mmaction-2d", source: "open-mmlab/mmaction2, TSN", map: mmaction },
];

fn torchvision(name: &str) -> Option<String> {
    if let Some(parameter) = name.strip_prefix("head.projection.") {
        return Some(format!("fc.{parameter}"));
    }
    let (stage, _, kind, i, rest) = parts(name)?;
    let (layer, parameter) = rest.rsplit_once('.')?;
    let place = match (kind, layer) {
        ("stem", "conv") => return Some(format!("conv1.{parameter}")),
        ("stem", _) => return Some(format!("bn1.{parameter}")),
        ("res", "branch1") => "downsample.0",
        ("res", "branch1_bn") => "downsample.1",
        ("res", "branch2.a") => "conv1",
        ("res", "branch2.a_bn") => "bn1",
        ("res", "branch2.b") => "conv2",
        ("res", "branch2.b_bn") => "bn2",
        ("res", "branch2.c") => "conv3",
        ("res", "branch2.c_bn") => "bn3",
        _ => return None,
    };
    Some(format!("layer{}.{i}.{place}.{parameter}", stage - 1))
}

/// The path as published with the blocks and width of a network on single frames, which has neither taps along time nor
/// non-local blocks of its own.
fn of_frames(published: Pathway, r: &Reading) -> Pathway {
    let taps: [Vec<usize>; 4] = std::array::from_fn(|stage| {
        let taps = &published.taps[stage];
        let name = |block| format!("s{}.pathway0_res{block}.branch2.a.weight", stage + 2);
        taps.iter().copied().cycle().take(r.count(name, taps.len())).collect()
    });
    let non_locals = published.non_locals.map(|n| {
        let there =
            |stage: usize| n.after[stage].iter().copied().filter(|&i| i < taps[stage].len()).collect();
        NonLocals { after: std::array::from_fn(there), style: NonLocalStyle::MmAction, ..n }
    });
    let width = r.length("s1.pathway0_stem.conv.weight", 0, published.width);
    Pathway { width, taps, non_locals, ..published }
}

/// 3D ResNets by name.
pub const NETWORK: Network = Network {
    name: "resnet3d",
    title: "C2D, Slow and I3D: ResNet-50 for video, with or without non-local blocks",
    paper: "Wang et al. 2018, arXiv:1711.07971; Slow: Feichtenhofer et al. 2019, arXiv:1812.03982",
    variants: &[
        Variant {
            name: "i3d",
            published: "Kinetics-400, 30 views: 73.27 % top-1 (pytorchvideo, 8×8), 73.5 % (SlowFast's model zoo), 73.47 % \
                        (mmaction2's model zoo, 32×2)",
        },
        Variant {
            name: "slow",
            published: "Kinetics-400, 30 views: 74.58 % top-1 (pytorchvideo, 8×8), 74.8 % (SlowFast's model zoo), 75.15 % \
                        (mmaction2's model zoo)",
        },
        Variant { name: "c2d", published: "Kinetics-400, 30 views: 71.46 % top-1 (pytorchvideo, 8×8)" },
        Variant {
            name: "i3d-nonlocal",
            published: "Kinetics-400, 30 views, embedded Gaussian: 74.0 % top-1 (SlowFast's model zoo, 8×8), 74.73 % \
                        (mmaction2's model zoo, 32×2)",
        },
        Variant {
            name: "i3d-nonlocal-dot",
            published: "Kinetics-400, 30 views, dot product: 74.80 % top-1 (mmaction2's model zoo, 32×2)",
        },
        Variant {
            name: "i3d-nonlocal-gaussian",
            published: "Kinetics-400, 30 views, Gaussian: 73.97 % top-1 (mmaction2's model zoo, 32×2)",
        },
        Variant { name: "i3d-nonlocal-concatenation", published: "no published weights" },
    ],
    conventions: CONVENTIONS,
    design,
};

/// Reads blocks, taps, width and classes off a file. Embedded Gaussian and dot product have the same weights: the former
/// is taken if the variant is not chosen.
fn design(r: &Reading) -> Result<Design> {
    let published = match r.variant() {
        "slow" => ResNet3d::slow(),
        "c2d" => ResNet3d::c2d(),
        "i3d-nonlocal" => ResNet3d::i3d_non_local(Affinity::EmbeddedGaussian),
        "i3d-nonlocal-dot" => ResNet3d::i3d_non_local(Affinity::DotProduct),
        "i3d-nonlocal-gaussian" => ResNet3d::i3d_non_local(Affinity::Gaussian),
        "i3d-nonlocal-concatenation" => ResNet3d::i3d_non_local(Affinity::Concatenation),
        _ => ResNet3d::i3d(),
    };
    let mmaction = r.convention().starts_with("mmaction");
    let of_frames = FLAT.iter().any(|c| c.name == r.convention());
    let mut config = ResNet3d {
        path: if of_frames { self::of_frames(published.path, r) } else { published.path.read(r) },
        head: Head::of(r.convention()),
        classes: r.classes("head.projection.weight", 400),
        size: r.size(published.size),
        ..published
    };
    // mmaction2's I3D takes 32 frames, and lets stem and pooling skip every second.
    let (frames, recipe) = match (mmaction, config.halves_time) {
        (false, _) => (8, "slow-256"),
        (true, true) => (32, "mmaction-256"),
        (true, false) => (8, "mmaction-slow-256"),
    };
    if mmaction && config.halves_time {
        config.path.stem_steps = [2; 2];
    }
    config.frames = r.frames(frames);
    let affinity = config.path.non_locals.as_ref().map_or(String::new(), |n| {
        let scaled = if n.style == NonLocalStyle::SlowFast { "" } else { ", not scaled" };
        let untold = match n.affinity {
            Affinity::EmbeddedGaussian => r.untold("i3d-nonlocal-dot"),
            _ => String::new(),
        };
        format!(", non-local blocks: {}{untold}{scaled}", n.affinity.name())
    });
    let notes = format!(
        "{}, blocks {:?}, width {}, {} frames of {}×{}{affinity}",
        r.variant(),
        config.path.blocks(),
        config.path.width,
        config.frames,
        config.size,
        config.size
    );
    let input = Input::clip(recipe, config.frames, config.size);
    Ok(Design::new(input, notes, move |clips, w| config.build(clips, w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published: millions of parameters and multiply-adds (10⁹) at 256² of pytorchvideo's model zoo, and at 224² of
    /// mmaction2's.
    #[test]
    fn published_figures() {
        for (name, config, millions, gmac) in [
            ("i3d", ResNet3d::i3d(), 28.04, 37.53),
            ("slow", ResNet3d::slow(), 32.45, 54.52),
            ("c2d", ResNet3d::c2d(), 24.33, 25.89),
        ] {
            let weights = Weights::shapes();
            let g = config.build(1, &weights).unwrap();
            approx::assert_abs_diff_eq!(weights.parameters() as f64 / 1e6, millions, epsilon = 0.005);
            // Norms, activations and poolings count here and not there.
            approx::assert_relative_eq!(g.flops() as f64 / 2e9, gmac, max_relative = 0.02);
            assert_eq!(g.outputs().map(|(_, v)| g.shape(v).to_vec()).last().unwrap(), [1, 400], "{name}");
        }
        for (affinity, millions) in
            [(Affinity::EmbeddedGaussian, 35.4), (Affinity::DotProduct, 35.4), (Affinity::Gaussian, 31.7)]
        {
            let weights = Weights::shapes();
            ResNet3d::i3d_non_local(affinity).build(1, &weights).unwrap();
            approx::assert_abs_diff_eq!(weights.parameters() as f64 / 1e6, millions, epsilon = 0.05);
        }
    }

    #[test]
    fn names() {
        for (canonical, pooled, slow, mm) in [
            (
                "s1.pathway0_stem.conv.weight",
                "blocks.0.conv.weight",
                "blocks.0.conv.weight",
                "conv1.conv.weight",
            ),
            ("s1.pathway0_stem.bn.bias", "blocks.0.norm.bias", "blocks.0.norm.bias", "conv1.bn.bias"),
            (
                "s2.pathway0_res0.branch1.weight",
                "blocks.1.res_blocks.0.branch1_conv.weight",
                "blocks.1.res_blocks.0.branch1_conv.weight",
                "layer1.0.downsample.conv.weight",
            ),
            (
                "s3.pathway0_res2.branch2.b_bn.weight",
                "blocks.3.res_blocks.2.branch2.norm_b.weight",
                "blocks.2.res_blocks.2.branch2.norm_b.weight",
                "layer2.2.conv2.bn.weight",
            ),
        ] {
            assert_eq!(pytorchvideo(canonical, 1).as_deref(), Some(pooled));
            assert_eq!(pytorchvideo(canonical, 0).as_deref(), Some(slow));
            assert_eq!(mmaction(canonical), Some(format!("backbone.{mm}")));
        }
        assert_eq!(pytorchvideo("head.projection.bias", 1).as_deref(), Some("blocks.6.proj.bias"));
        let block = "s3.pathway0_nonlocal1.";
        let mm = |name: &str| mmaction(&format!("{block}{name}"));
        assert_eq!(mm("conv_g.bias").as_deref(), Some("backbone.layer2.1.non_local_block.g.0.conv.bias"));
        assert_eq!(
            mm("bn.running_mean").as_deref(),
            Some("backbone.layer2.1.non_local_block.conv_out.bn.running_mean")
        );
        assert_eq!(mm("conv_out.bias"), None);
    }

    #[test]
    fn names_of_frames_networks() {
        for (canonical, published) in [
            ("s1.pathway0_stem.conv.weight", Some("conv1.weight")),
            ("s1.pathway0_stem.bn.running_var", Some("bn1.running_var")),
            ("s2.pathway0_res0.branch1.weight", Some("layer1.0.downsample.0.weight")),
            ("s2.pathway0_res0.branch1_bn.bias", Some("layer1.0.downsample.1.bias")),
            ("s3.pathway0_res2.branch2.a.weight", Some("layer2.2.conv1.weight")),
            ("s4.pathway0_res5.branch2.b_bn.weight", Some("layer3.5.bn2.weight")),
            ("s5.pathway0_res1.branch2.c.weight", Some("layer4.1.conv3.weight")),
            ("head.projection.weight", Some("fc.weight")),
            // No network on frames has such a block.
            ("s3.pathway0_nonlocal1.conv_g.weight", None),
        ] {
            assert_eq!(torchvision(canonical).as_deref(), published, "{canonical}");
        }
    }
}
