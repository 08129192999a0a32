//! What 3D ResNets and SlowFast have in common: a path of residual stages, and the head over one path or two.
//!
//! Names are those of facebookresearch/SlowFast: `s1.pathway0_stem.conv.weight`, `s2.pathway0_res0.branch2.a.weight`,
//! `s3.pathway0_nonlocal1.conv_g.weight`, `head.projection.weight`.

use super::Reading;
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::nn::{self, Affinity, Bottleneck, Conv, NonLocalStyle, scope};
use crate::ops::{Pool3d, Reduce, Reduction, Softmax};
use crate::weights::Weights;

const EPS: f32 = 1e-5;

/// Rows and columns of the windows over which published networks average: 1/32 of the 224 they were trained on.
const WINDOW: usize = 7;

/// Non-local blocks of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonLocals {
    /// For each stage, after which blocks they stand.
    pub after: [Vec<usize>; 4],
    /// How they compare positions.
    pub affinity: Affinity,
    /// Whose they are.
    pub style: NonLocalStyle,
}

impl NonLocals {
    /// Where the paper has five of them: after every second block of the second and third stage.
    pub fn five(affinity: Affinity) -> Self {
        let after = [vec![], vec![1, 3], vec![1, 3, 5], vec![]];
        NonLocals { after, affinity, style: NonLocalStyle::default() }
    }
}

/// What the last stage of a path does to height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LastStage {
    /// Halves them, as the stages before.
    #[default]
    Halves,
    /// Keeps them and dilates, as facebookresearch/SlowFast does for detection.
    Dilates,
    /// Keeps them, as open-mmlab/mmaction2 does for detection.
    Keeps,
}

/// A stem and four stages of residual blocks: a whole 3D ResNet, or one of SlowFast's two paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pathway {
    /// Its number in the weights' names.
    pub index: usize,
    /// Output channels of the stem.
    pub width: usize,
    /// Taps along time of the stem's convolution.
    pub stem_taps: usize,
    /// Steps along time of the stem's convolution and of its pooling.
    pub stem_steps: [usize; 2],
    /// For each stage, the taps along time of each block's first convolution.
    pub taps: [Vec<usize>; 4],
    /// What the last stage does to height and width.
    pub last: LastStage,
    /// Non-local blocks, if there are any.
    pub non_locals: Option<NonLocals>,
}

impl Pathway {
    /// A path whose blocks have these taps along time, those of a stage from its beginning over and over.
    pub fn new(
        index: usize,
        width: usize,
        stem_taps: usize,
        blocks: [usize; 4],
        taps: [&[usize]; 4],
    ) -> Self {
        let taps = std::array::from_fn(|i| taps[i].iter().copied().cycle().take(blocks[i]).collect());
        Pathway {
            index,
            width,
            stem_taps,
            stem_steps: [1; 2],
            taps,
            last: LastStage::default(),
            non_locals: None,
        }
    }

    /// The same path with the measures of a checkpoint.
    pub(super) fn read(self, r: &Reading) -> Self {
        let p = self.index;
        let stem = format!("s1.pathway{p}_stem.conv.weight");
        let taps: [Vec<usize>; 4] = std::array::from_fn(|i| {
            let name = |block| format!("s{}.pathway{p}_res{block}.branch2.a.weight", i + 2);
            let blocks = r.count(name, self.taps[i].len());
            let published = |block: usize| self.taps[i].get(block).copied().unwrap_or(1);
            (0..blocks).map(|block| r.length(&name(block), 2, published(block))).collect()
        });
        let non_locals = self.non_locals.map(|published| {
            let after = std::array::from_fn(|i| {
                let held = |block: &usize| {
                    r.shape(&format!("s{}.pathway{p}_nonlocal{block}.conv_g.weight", i + 2)).is_some()
                };
                match r.convention() {
                    "" => published.after[i].clone(),
                    _ => (0..taps[i].len()).filter(held).collect(),
                }
            });
            let mmaction = r.convention().starts_with("mmaction");
            let style = if mmaction { NonLocalStyle::MmAction } else { NonLocalStyle::SlowFast };
            NonLocals { after, style, ..published }
        });
        Pathway {
            width: r.length(&stem, 0, self.width),
            stem_taps: r.length(&stem, 2, self.stem_taps),
            taps,
            non_locals,
            ..self
        }
    }

    /// How many blocks each stage has.
    pub fn blocks(&self) -> [usize; 4] {
        std::array::from_fn(|i| self.taps[i].len())
    }

    /// The first convolution and pooling: `[N, T, H, W, 3]` gives `[N, T', H/4, W/4, width]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are too few frames or pixels.
    pub fn stem(&self, g: &mut Graph, x: Value, w: &Weights) -> Result<Value> {
        scope(g, w, format!("s1.pathway{}_stem", self.index), |g, w| {
            let [conv_steps, pool_steps] = self.stem_steps;
            let conv = Conv::centred(self.width, [self.stem_taps, 7, 7]).stride([conv_steps, 2, 2]);
            let x = nn::conv3d_norm(g, x, w, ["conv", "bn"], &conv, EPS)?;
            let x = g.relu(x)?;
            g.pool3d(x, &Pool3d::max([1, 3, 3]).stride([pool_steps, 2, 2]).padded([0, 1, 1]))
        })
    }

    /// One of the four stages, counted from 0: all but the first halve H and W.
    ///
    /// # Errors
    /// As [`Pathway::stem`].
    pub fn stage(&self, g: &mut Graph, mut x: Value, w: &Weights, stage: usize) -> Result<Value> {
        let last = if stage == 3 { self.last } else { LastStage::Halves };
        scope(g, w, format!("s{}", stage + 2), |g, w| {
            for (i, &taps) in self.taps[stage].iter().enumerate() {
                let block = Bottleneck {
                    inner: self.width << stage,
                    taps,
                    stride: if i == 0 && stage > 0 && last == LastStage::Halves { 2 } else { 1 },
                    dilation: if last == LastStage::Dilates { 2 } else { 1 },
                };
                let name = format!("pathway{}_res{i}", self.index);
                x = scope(g, w, name, |g, w| nn::bottleneck(g, x, w, &block))?;
                if let Some(n) = self.non_locals.as_ref().filter(|n| n.after[stage].contains(&i)) {
                    let name = format!("pathway{}_nonlocal{i}", self.index);
                    x = scope(g, w, name, |g, w| nn::non_local(g, x, w, n.affinity, n.style))?;
                }
            }
            Ok(x)
        })
    }
}

/// How the classifier sees the positions of the last maps. All are the same where the maps are 7×7, as of clips of 224
/// pixels; the networks are tested with more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Head {
    /// pytorchvideo: means of 7×7 windows over all frames, the classifier on each, the mean of the logits.
    #[default]
    WindowLogits,
    /// facebookresearch/SlowFast: the same with the mean of the probabilities; `logits` are the logarithms of that.
    WindowProbabilities,
    /// open-mmlab/mmaction2: the mean of all positions.
    Global,
}

impl Head {
    /// That of a naming convention's publisher.
    pub(super) fn of(convention: &str) -> Self {
        match convention {
            "slowfast" => Head::WindowProbabilities,
            name if name.starts_with("mmaction") => Head::Global,
            _ => Head::WindowLogits,
        }
    }

    /// Adds the outputs `features` `[N, C]` and, with a classifier, `logits` `[N, classes]` of the maps
    /// `[N, T, H, W, C]` of each path, whose channels stand side by side.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the maps differ in height or width.
    pub fn build(self, g: &mut Graph, maps: &[Value], w: &Weights, classes: Option<usize>) -> Result<()> {
        let places = g.scope("head.pool", |g| {
            let mut pooled = Vec::new();
            for &x in maps {
                let [n, t, h, w, c] = g.shape(x).dims("the maps", "[N, T, H, W, C]")?;
                let window = match self {
                    Head::Global => [t, h, w],
                    _ => [t, h.min(WINDOW), w.min(WINDOW)],
                };
                let y = g.pool3d(x, &Pool3d::average(window).stride([1; 3]))?;
                let [_, _, h, w, _] = g.shape(y).dims("the maps", "[N, T, H, W, C]")?;
                pooled.push(g.view(y, &[n, h * w, c])?);
            }
            if let [one] = pooled[..] { Ok(one) } else { g.concat(&pooled, -1) }
        })?;
        let features = g.scope("head.mean", |g| g.reduce(places, &Reduce::over(Reduction::Mean, &[1])))?;
        g.output("features", features)?;
        let Some(classes) = classes else { return Ok(()) };
        let count = g.shape(places)[1];
        let logits = scope(g, w, "head.projection", |g, w| {
            if self != Head::WindowProbabilities || count == 1 {
                // The mean of a linear layer's outputs is that of the mean of its inputs.
                return nn::linear(g, features, w, classes);
            }
            let logits = nn::linear(g, places, w, classes)?;
            let logarithms = g.softmax(logits, &Softmax { log: true, ..Softmax::default() })?;
            let sum = g.reduce(logarithms, &Reduce::over(Reduction::Logsumexp, &[1]))?;
            g.affine(sum, 1.0, -(count as f64).ln() as f32)
        })?;
        g.output("logits", logits)
    }
}

/// The name of mmaction2 for a weight of a block or non-local block, such as `branch2.a_bn.bias`; its blocks are ConvModules.
pub(super) fn mmaction_block(rest: &str) -> Option<String> {
    let (layer, parameter) = rest.rsplit_once('.')?;
    let place = match layer {
        "branch1" => "downsample.conv",
        "branch1_bn" => "downsample.bn",
        "branch2.a" => "conv1.conv",
        "branch2.a_bn" => "conv1.bn",
        "branch2.b" => "conv2.conv",
        "branch2.b_bn" => "conv2.bn",
        "branch2.c" => "conv3.conv",
        "branch2.c_bn" => "conv3.bn",
        _ => return None,
    };
    Some(format!("{place}.{parameter}"))
}

/// The name of pytorchvideo for a weight of a block.
pub(super) fn pytorchvideo_block(rest: &str) -> Option<String> {
    let (layer, parameter) = rest.rsplit_once('.')?;
    let place = match layer {
        "branch1" => "branch1_conv",
        "branch1_bn" => "branch1_norm",
        "branch2.a" => "branch2.conv_a",
        "branch2.a_bn" => "branch2.norm_a",
        "branch2.b" => "branch2.conv_b",
        "branch2.b_bn" => "branch2.norm_b",
        "branch2.c" => "branch2.conv_c",
        "branch2.c_bn" => "branch2.norm_c",
        _ => return None,
    };
    Some(format!("{place}.{parameter}"))
}

/// A canonical name in its parts: the stage from 1 on, the path, the kind of module (`stem`, `res`, `nonlocal`) with its
/// number, and what follows. `None` for weights that are not a path's.
pub(super) fn parts(name: &str) -> Option<(usize, usize, &str, usize, &str)> {
    let (stage, rest) = name.strip_prefix('s')?.split_once('.')?;
    let (path, rest) = rest.strip_prefix("pathway")?.split_once('_')?;
    let (module, rest) = rest.split_once('.')?;
    let kind = module.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = module[kind.len()..].parse().unwrap_or(0);
    Some((stage.parse().ok()?, path.parse().ok()?, kind, number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Engine;
    use crate::tensor::Tensor;

    #[test]
    fn names_come_apart() {
        assert_eq!(parts("s1.pathway1_stem.bn.weight"), Some((1, 1, "stem", 0, "bn.weight")));
        assert_eq!(
            parts("s4.pathway0_res12.branch2.a_bn.bias"),
            Some((4, 0, "res", 12, "branch2.a_bn.bias"))
        );
        assert_eq!(parts("s3.pathway0_nonlocal1.conv_g.bias"), Some((3, 0, "nonlocal", 1, "conv_g.bias")));
        assert_eq!(parts("s1_fuse.bn.weight"), None);
        assert_eq!(parts("head.projection.weight"), None);
    }

    /// The published definitions in plain loops, on maps with more than one window: two frames of 8×9, two channels.
    #[test]
    fn heads_differ_beyond_seven() {
        let (t, h, w, c, classes) = (2, 8, 9, 2, 3);
        let value = |i: usize| ((i * 37 % 101) as f32 - 50.0) / 10.0;
        let at = |f: usize, y: usize, x: usize, k: usize| f64::from(value(((f * h + y) * w + x) * c + k));
        let mean = |y0: usize, x0: usize, rows: usize, columns: usize, k: usize| {
            let mut sum = 0.0;
            for f in 0..t {
                for y in y0..y0 + rows {
                    for x in x0..x0 + columns {
                        sum += at(f, y, x, k);
                    }
                }
            }
            sum / (t * rows * columns) as f64
        };
        let windows = |head: Head| match head {
            Head::Global => vec![[mean(0, 0, h, w, 0), mean(0, 0, h, w, 1)]],
            _ => (0..2)
                .flat_map(|y| (0..3).map(move |x| (y, x)))
                .map(|(y, x)| [mean(y, x, 7, 7, 0), mean(y, x, 7, 7, 1)])
                .collect(),
        };
        let mut seen: Vec<Vec<f32>> = Vec::new();
        for head in [Head::WindowLogits, Head::WindowProbabilities, Head::Global] {
            let mut g = Graph::new();
            let maps = g.input("maps", &[1, t, h, w, c]).unwrap();
            let weights = Weights::random(3);
            head.build(&mut g, &[maps], &weights, Some(classes)).unwrap();
            let known = |name: &str| g.known(g.value(name).unwrap()).unwrap().f32s().unwrap().to_vec();
            let names: Vec<String> = weights.names();
            let (weight, bias) = (known(&names[0]), known(&names[1]));
            let logit = |features: &[f64; 2], class: usize| {
                let products = (0..c).map(|k| features[k] * f64::from(weight[k * classes + class]));
                products.sum::<f64>() + f64::from(bias[class])
            };
            let windows = windows(head);
            let want: Vec<f64> = (0..classes)
                .map(|class| {
                    let each = windows.iter().map(|f| match head {
                        Head::WindowProbabilities => {
                            let all: f64 = (0..classes).map(|k| logit(f, k).exp()).sum();
                            logit(f, class).exp() / all
                        }
                        _ => logit(f, class),
                    });
                    let mean = each.sum::<f64>() / windows.len() as f64;
                    if head == Head::WindowProbabilities { mean.ln() } else { mean }
                })
                .collect();
            let clip = Tensor::from_fn(&[1, t, h, w, c], value).unwrap();
            let plan = Engine::cpu().plan(&g).unwrap();
            let outputs = plan.run(&[("maps", clip)]).unwrap();
            let got = outputs["logits"].f32s().unwrap().to_vec();
            for (got, want) in got.iter().zip(&want) {
                approx::assert_abs_diff_eq!(f64::from(*got), *want, epsilon = 1e-5);
            }
            assert!(seen.iter().all(|other| *other != got), "{head:?}");
            seen.push(got);
        }
    }
}
