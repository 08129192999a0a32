//! SlowFast: a path of few frames and many channels, and one of many frames and few channels beside it.
//!
//! Paper: Feichtenhofer, Fan, Malik, He, "SlowFast Networks for Video Recognition", ICCV 2019, arXiv:1812.03982.
//! Input: `clip` `[N, T, H, W, 3]`, all frames of the fast path; those of the slow path are taken from it here.
//! Canonical names: those of facebookresearch/SlowFast, `s1.pathway0_stem.conv.weight, s1_fuse.conv_f2s.weight …
//! head.projection.bias`.

use super::pathway::{Head, Pathway, mmaction_block, parts, pytorchvideo_block};
use super::{Design, Input, Network, Reading, Variant};
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::nn::{self, Conv, scope};
use crate::ops::Gather;
use crate::tensor::Tensor;
use crate::weights::{Convention, Weights};

const EPS: f32 = 1e-5;

/// Which frames the slow path sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SlowFrames {
    /// facebookresearch/SlowFast and pytorchvideo: from the first to the last in even steps, rounded down. Of 32 frames
    /// every fourth are 0, 4, 8, 13, 17, 22, 26 and 31.
    #[default]
    Spread,
    /// open-mmlab/mmaction2: every so many, from the first on.
    Strided,
}

impl SlowFrames {
    /// Their indices among `frames`.
    fn indices(self, frames: usize, ratio: usize) -> Vec<usize> {
        let count = frames / ratio;
        match self {
            SlowFrames::Spread => (0..count).map(|i| i * (frames - 1) / (count - 1).max(1)).collect(),
            SlowFrames::Strided => (0..count).map(|i| i * ratio).collect(),
        }
    }
}

/// What brings the fast path's maps to the slow one: a convolution that strides along time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lateral {
    /// Its taps along time.
    pub taps: usize,
    /// Its output channels for each of the fast path's.
    pub ratio: usize,
    /// Whether batch normalisation and ReLU follow, as everywhere but in mmaction2.
    pub norm: bool,
}

/// The measures of a SlowFast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowFast {
    /// The slow and the fast path.
    pub paths: [Pathway; 2],
    /// The connections after the stem and the first three stages.
    pub lateral: Lateral,
    /// α: frames of the fast path for each of the slow one's.
    pub ratio: usize,
    /// Which frames those are.
    pub slow_frames: SlowFrames,
    /// How positions come together.
    pub head: Head,
    /// Outputs of the classifier; `None` for a network that ends with its features.
    pub classes: Option<usize>,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
}

impl SlowFast {
    /// SlowFast R50 8×8 for Kinetics-400: 32 frames, 8 of them for the slow path.
    pub fn r50() -> Self {
        SlowFast::of([3, 4, 6, 3], 7)
    }

    /// SlowFast R101 8×8 for Kinetics-400.
    pub fn r101() -> Self {
        SlowFast::of([3, 4, 23, 3], 5)
    }

    fn of(blocks: [usize; 4], taps: usize) -> Self {
        SlowFast {
            paths: [
                Pathway::new(0, 64, 1, blocks, [&[1], &[1], &[3], &[3]]),
                Pathway::new(1, 8, 5, blocks, [&[3]; 4]),
            ],
            lateral: Lateral { taps, ratio: 2, norm: true },
            ratio: 4,
            slow_frames: SlowFrames::default(),
            head: Head::default(),
            classes: Some(400),
            frames: 32,
            size: 256,
        }
    }

    /// Builds the network for `clips` clips at once: input `clip` `[clips, T, H, W, 3]`, outputs `features`
    /// `[clips, C]`, the slow path's before the fast one's, and, with a classifier, `logits` `[clips, classes]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are too few frames or pixels, or the frames are no multiple of α.
    pub fn build(&self, clips: usize, w: &Weights) -> Result<Graph> {
        let mut graph = Graph::new();
        let g = &mut graph;
        let clip = g.input("clip", &[clips, self.frames, self.size, self.size, 3])?;
        let maps = self.maps(g, clip, w)?;
        self.head.build(g, &maps, w, self.classes)?;
        Ok(graph)
    }

    /// The maps of the last stage of both paths, `[N, T/α, H/32, W/32, C]` and `[N, T, H/32, W/32, C/8]`, of clips
    /// `[N, T, H, W, 3]`.
    ///
    /// # Errors
    /// As [`SlowFast::build`].
    pub fn maps(&self, g: &mut Graph, clip: Value, w: &Weights) -> Result<[Value; 2]> {
        let (frames, ratio) = (g.shape(clip)[1], self.ratio);
        if ratio == 0 || frames < ratio || frames % ratio != 0 {
            return Err(Error::bad_input(format!(
                "a clip of {frames} frames has no whole number of frames for the slow path, one for {ratio}"
            )));
        }
        let slow = g.scope("slow_frames", |g| {
            let indices: Vec<i32> =
                self.slow_frames.indices(frames, ratio).into_iter().map(|i| i as i32).collect();
            let indices = g.constant("indices", Tensor::new(&[indices.len()], indices)?);
            g.gather(clip, indices, &Gather { dim: 1, rows: true })
        })?;
        let [slow_path, fast_path] = &self.paths;
        let mut slow = slow_path.stem(g, slow, w)?;
        let mut fast = fast_path.stem(g, clip, w)?;
        for stage in 0..4 {
            slow = scope(g, w, format!("s{}_fuse", stage + 1), |g, w| self.fuse(g, [slow, fast], w))?;
            slow = slow_path.stage(g, slow, w, stage)?;
            fast = fast_path.stage(g, fast, w, stage)?;
        }
        Ok([slow, fast])
    }

    /// The slow path's maps with what the fast path tells behind them.
    fn fuse(&self, g: &mut Graph, [slow, fast]: [Value; 2], w: &Weights) -> Result<Value> {
        let Lateral { taps, ratio, norm } = self.lateral;
        let [_, _, _, _, channels] = g.shape(fast).dims("the fast path", "[N, T, H, W, C]")?;
        let conv = Conv::centred(channels * ratio, [taps, 1, 1]).stride([self.ratio, 1, 1]);
        let told = if norm {
            let y = nn::conv3d_norm(g, fast, w, ["conv_f2s", "bn"], &conv, EPS)?;
            g.relu(y)?
        } else {
            scope(g, w, "conv_f2s", |g, w| nn::conv3d_unbiased(g, fast, w, &conv))?
        };
        g.concat(&[slow, told], -1)
    }
}

/// The published files.
pub const CONVENTIONS: &[Convention] = &[
    Convention { name: "slowfast", source: "facebookresearch/SlowFast", map: |name| Some(name.into()) },
    Convention { name: "pytorchvideo", source: "facebookresearch/pytorchvideo", map: pytorchvideo },
    Convention { name: "mmaction", source: "open-mmlab/mmaction2", map: mmaction },
];

/// The stage of a lateral connection, from 1 on, and what follows in the name.
fn lateral(name: &str) -> Option<(usize, &str)> {
    let (stage, rest) = name.strip_prefix('s')?.split_once("_fuse.")?;
    Some((stage.parse().ok()?, rest))
}

pub(super) fn pytorchvideo(name: &str) -> Option<String> {
    if let Some(parameter) = name.strip_prefix("head.projection.") {
        return Some(format!("blocks.6.proj.{parameter}"));
    }
    if let Some((stage, rest)) = lateral(name) {
        let rest = rest.replace("bn.", "norm.").replace("conv_f2s.", "conv_fast_to_slow.");
        return Some(format!("blocks.{}.multipathway_fusion.{rest}", stage - 1));
    }
    let (stage, path, kind, i, rest) = parts(name)?;
    let block = format!("blocks.{}.multipathway_blocks.{path}", stage - 1);
    Some(match kind {
        "stem" => format!("{block}.{}", rest.replace("bn.", "norm.")),
        _ => format!("{block}.res_blocks.{i}.{}", pytorchvideo_block(rest)?),
    })
}

pub(super) fn mmaction(name: &str) -> Option<String> {
    if let Some(parameter) = name.strip_prefix("head.projection.") {
        return Some(format!("cls_head.fc_cls.{parameter}"));
    }
    if let Some((stage, rest)) = lateral(name) {
        let parameter = rest.strip_prefix("conv_f2s.")?;
        let layer = if stage == 1 { "conv1".into() } else { format!("layer{}", stage - 1) };
        return Some(format!("backbone.slow_path.{layer}_lateral.conv.{parameter}"));
    }
    let (stage, path, kind, i, rest) = parts(name)?;
    let path = if path == 0 { "slow_path" } else { "fast_path" };
    Some(match kind {
        "stem" => format!("backbone.{path}.conv1.{rest}"),
        _ => format!("backbone.{path}.layer{}.{i}.{}", stage - 1, mmaction_block(rest)?),
    })
}

/// SlowFast by name.
pub const NETWORK: Network = Network {
    name: "slowfast",
    title: "SlowFast: a slow path for what is there, a fast one for how it moves",
    paper: "Feichtenhofer et al. 2019, arXiv:1812.03982",
    variants: &[
        Variant {
            name: "r50-8x8",
            published: "Kinetics-400, 30 views: 76.94 % top-1 (pytorchvideo), 77.0 % (SlowFast's model zoo), 76.80 % \
                        (mmaction2's model zoo)",
        },
        Variant {
            name: "r50-4x16",
            published: "Kinetics-400, 30 views: 75.34 % top-1 (pytorchvideo), 75.6 % (SlowFast's model zoo), 75.55 % \
                        (mmaction2's model zoo)",
        },
        Variant {
            name: "r101-8x8",
            published: "Kinetics-400, 30 views: 77.9 % top-1 (pytorchvideo), 78.65 % (mmaction2's model zoo)",
        },
    ],
    conventions: CONVENTIONS,
    design,
};

/// Reads blocks, taps, widths and classes off a file. α does not show in the weights: it is 8 for a ResNet-50 whose
/// lateral connections have five taps, as in the published 4×16, and 4 otherwise, if the variant is not chosen.
fn design(r: &Reading) -> Result<Design> {
    let config = measures(r);
    let mmaction = r.convention() == "mmaction";
    let notes = format!(
        "blocks {:?}, widths {} and {}, {} frames of {}×{}, {} of them slow",
        config.paths[0].blocks(),
        config.paths[0].width,
        config.paths[1].width,
        config.frames,
        config.size,
        config.size,
        config.frames / config.ratio
    );
    let recipe = if mmaction { "mmaction-256" } else { "slowfast-256" };
    let input = Input::clip(recipe, config.frames, config.size);
    Ok(Design::new(input, notes, move |clips, w| config.build(clips, w)))
}

/// The measures of a checkpoint.
pub(super) fn measures(r: &Reading) -> SlowFast {
    let published = if r.variant().starts_with("r101") { SlowFast::r101() } else { SlowFast::r50() };
    let sparse = r.variant() == "r50-4x16";
    let mmaction = r.convention() == "mmaction";
    let paths = published.paths.map(|path| path.read(r));
    let fast = paths[1].width.max(1);
    let name = "s1_fuse.conv_f2s.weight";
    let lateral = Lateral {
        taps: r.length(name, 2, if sparse { 5 } else { published.lateral.taps }),
        ratio: r.length(name, 0, published.lateral.ratio * fast) / fast,
        norm: !mmaction,
    };
    let chosen = r.is_chosen() || r.convention().is_empty();
    let shallow = paths[0].blocks()[2] < 23;
    let ratio = if (chosen && sparse) || (!chosen && shallow && lateral.taps == 5) { 8 } else { 4 };
    SlowFast {
        paths,
        lateral,
        ratio,
        slow_frames: if mmaction { SlowFrames::Strided } else { SlowFrames::Spread },
        head: Head::of(r.convention()),
        classes: r.classes("head.projection.weight", 400),
        frames: r.frames(published.frames),
        size: r.size(published.size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published at 256² (pytorchvideo's model zoo): millions of parameters and 10⁹ multiply-adds.
    #[test]
    fn published_figures() {
        for (variant, millions, gmac) in
            [("r50-8x8", 34.57, 65.71), ("r50-4x16", 34.48, 36.69), ("r101-8x8", 62.83, 127.20)]
        {
            let weights = Weights::shapes();
            let g = NETWORK.published(Some(variant)).unwrap().build(1, &weights).unwrap();
            approx::assert_abs_diff_eq!(weights.parameters() as f64 / 1e6, millions, epsilon = 0.005);
            // Norms, activations and poolings count here and not there.
            approx::assert_relative_eq!(g.flops() as f64 / 2e9, gmac, max_relative = 0.02);
            assert_eq!(
                g.outputs().map(|(_, v)| g.shape(v).to_vec()).collect::<Vec<_>>(),
                [[1, 2304], [1, 400]]
            );
        }
    }

    /// As `torch.linspace(0, T - 1, T // α).long()` gives them.
    #[test]
    fn slow_frames() {
        let spread = |frames, ratio| SlowFrames::Spread.indices(frames, ratio);
        assert_eq!(spread(32, 4), [0, 4, 8, 13, 17, 22, 26, 31]);
        assert_eq!(spread(32, 8), [0, 10, 20, 31]);
        assert_eq!(spread(64, 4), [0, 4, 8, 12, 16, 21, 25, 29, 33, 37, 42, 46, 50, 54, 58, 63]);
        assert_eq!(spread(4, 4), [0]);
        assert_eq!(SlowFrames::Strided.indices(32, 8), [0, 8, 16, 24]);
    }

    #[test]
    fn frames_that_do_not_divide_are_an_error() {
        let odd = SlowFast { frames: 30, ..SlowFast::r50() };
        let e = odd.build(1, &Weights::shapes()).unwrap_err().to_string();
        assert!(e.contains("30 frames"), "{e}");
    }

    #[test]
    fn names() {
        for (canonical, published, mm) in [
            (
                "s1.pathway1_stem.bn.bias",
                "blocks.0.multipathway_blocks.1.norm.bias",
                Some("backbone.fast_path.conv1.bn.bias"),
            ),
            (
                "s1_fuse.conv_f2s.weight",
                "blocks.0.multipathway_fusion.conv_fast_to_slow.weight",
                Some("backbone.slow_path.conv1_lateral.conv.weight"),
            ),
            ("s2_fuse.bn.running_var", "blocks.1.multipathway_fusion.norm.running_var", None),
            (
                "s5.pathway0_res2.branch2.c_bn.weight",
                "blocks.4.multipathway_blocks.0.res_blocks.2.branch2.norm_c.weight",
                Some("backbone.slow_path.layer4.2.conv3.bn.weight"),
            ),
        ] {
            assert_eq!(pytorchvideo(canonical).as_deref(), Some(published));
            assert_eq!(mmaction(canonical).as_deref(), mm);
        }
    }
}
