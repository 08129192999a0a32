//! The weights of a 3D network from those of a network on single frames.

use super::pathway::parts;
use super::{Choices, Network, Reading, Variant, i3d, r3d, recognise, resnet3d};
use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::weights::{Checkpoint, Convention, Inflation, Naming, Weights};

/// A network on single frames with the layers of a 3D network.
struct Counterpart {
    /// The 3D network.
    network: &'static Network,
    /// Those of its variants that have them, as text.
    variants: &'static str,
    /// Whose weights they are, as text.
    from: &'static str,
    /// How those are named.
    conventions: &'static [Convention],
    /// The convention of the 3D network by which the result is named.
    written: &'static str,
    /// Why a clip that stands still does not give the answer of the network on single frames, if it does not.
    differs: Option<&'static str>,
}

const COUNTERPARTS: [Counterpart; 3] = [
    Counterpart {
        network: &i3d::NETWORK,
        variants: "rgb",
        from: "torchvision's GoogLeNet",
        conventions: i3d::FLAT,
        written: "piergiaj",
        differs: Some("I3D pads its first convolution as TensorFlow does, a pixel off torchvision's"),
    },
    Counterpart {
        network: &r3d::NETWORK,
        variants: "r3d-18, mc3-18",
        from: "torchvision's ResNet-18 or -34",
        conventions: r3d::FLAT,
        written: "torchvision",
        differs: Some("R3D has no pooling after its first convolution"),
    },
    // mmaction2's networks are made from torchvision's weights: their frames are normalised as those of ImageNet, and the
    // classifier sees the mean of all positions, as ResNet's.
    Counterpart {
        network: &resnet3d::NETWORK,
        variants: "all variants",
        from: "torchvision's ResNet-50, -101 or -152",
        conventions: resnet3d::FLAT,
        written: "mmaction",
        differs: None,
    },
];

/// What [`Network::inflate`] makes.
#[derive(Debug)]
pub struct Inflated {
    /// The weights by the names of one of the network's conventions, in its published layout.
    pub tensors: Vec<(String, Tensor)>,
    /// How the checkpoint names them.
    pub naming: Naming,
    /// How many of them got windows of several frames; the others are as they were.
    pub inflated: usize,
    /// How many are of blocks that the checkpoint has not. They are as before training, when such blocks change nothing.
    pub added: usize,
    /// What the checkpoint holds beside them, by its own names.
    pub left_out: Vec<String>,
    /// What the network gives for a clip that stands still, in a sentence.
    pub still: String,
}

impl Network {
    /// The 3D networks that can be inflated: name, variants, from whose weights, and why a clip that stands still does not
    /// give the answer of the network on single frames, if it does not.
    pub fn inflatable()
    -> impl Iterator<Item = (&'static str, &'static str, &'static str, Option<&'static str>)> {
        COUNTERPARTS.iter().map(|c| (c.network.name, c.variants, c.from, c.differs))
    }

    /// The weights of a variant of this network from a checkpoint of its counterpart on single frames
    /// ([`Network::inflatable`]), or of one that is named as this network's own. Measures are read off the checkpoint.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for an unknown variant and for a network that has no counterpart,
    /// [`crate::ErrorKind::BadInput`] when the checkpoint is of no such network, lacks a weight, or is of three dimensions
    /// already.
    pub fn inflate(
        &self,
        variant: Option<&str>,
        checkpoint: &Checkpoint,
        inflation: Inflation,
    ) -> Result<Inflated> {
        let choices = Choices { variant: variant.map(str::to_owned), ..Choices::default() };
        let variant = self.variant(variant)?;
        let naming = self.flat_naming(variant, &choices, checkpoint)?;
        let weights = self.as_read(variant, &choices, checkpoint, &naming)?;
        let written = self.counterpart().map(|c| c.written);
        let written = self.conventions.iter().find(|c| written.is_none_or(|name| c.name == name));

        let (mut tensors, mut used) = (Vec::new(), Vec::new());
        let (mut flat, mut inflated, mut added) = (0, 0, 0);
        for (name, shape) in weights.taken() {
            let published = naming.published(&name);
            let tensor = if let Some(entry) = published.as_deref().and_then(|p| checkpoint.entry(p)) {
                let frames = if entry.shape.len() == 4 && shape.rank() == 5 { shape[2] } else { 0 };
                flat += usize::from(frames > 0);
                inflated += usize::from(frames > 1);
                used.push(&entry.name);
                inflation.fit(&checkpoint.tensor(&entry.name)?, &shape)?.ok_or_else(|| {
                    let found = format!("{:?} is {:?}", entry.name, entry.shape);
                    self.unfit(checkpoint, &name, &format!("{found}, {shape} or one frame of it is wanted"))
                })?
            } else {
                added += 1;
                untrained(&name, &shape)?.ok_or_else(|| match published {
                    Some(published) => self.unfit(checkpoint, &name, &format!("{published:?} is missing")),
                    None => self.unfit(checkpoint, &name, "a network on single frames has no such weight"),
                })?
            };
            tensors.push((written.and_then(|c| (c.map)(&name)).unwrap_or(name), tensor));
        }
        if flat == 0 {
            return Err(Error::bad_input(format!(
                "{}: none of its weights needs an axis for time: {} can take it as it is",
                checkpoint.path().display(),
                self.name
            )));
        }
        let names = checkpoint.entries().iter().map(|e| &e.name);
        let left_out = names.filter(|name| !name.ends_with("num_batches_tracked") && !used.contains(name));
        let left_out = left_out.cloned().collect();
        let still = self.still(&naming, if inflated == 0 { Inflation::Centre } else { inflation });
        Ok(Inflated { tensors, naming, inflated, added, left_out, still })
    }

    fn counterpart(&self) -> Option<&'static Counterpart> {
        COUNTERPARTS.iter().find(|c| c.network.name == self.name)
    }

    /// How a checkpoint names the weights: the convention that explains most of it, of the counterpart's and this network's
    /// own.
    fn flat_naming(&self, variant: &Variant, choices: &Choices, checkpoint: &Checkpoint) -> Result<Naming> {
        let outline = Weights::shapes();
        self.published(Some(variant.name))?.build(1, &outline)?;
        let counterpart = self.counterpart();
        let over_time = |shape: &Shape| matches!(shape[..], [_, _, frames, _, _] if frames > 1);
        if counterpart.is_none() && !outline.taken().iter().any(|(_, shape)| over_time(shape)) {
            return Err(self.no_counterpart("none of its weights spans several frames"));
        }
        let mut best: Option<(f64, Naming)> = None;
        for convention in counterpart.map_or(&[][..], |c| c.conventions).iter().chain(self.conventions) {
            let Some((naming, fit)) = Naming::fit(checkpoint, *convention, &of_one_frame(&outline)) else {
                continue;
            };
            // A network of another depth than published has other names.
            let own = self.as_read(variant, choices, checkpoint, &naming).ok();
            let own = own.and_then(|w| Naming::fit(checkpoint, *convention, &of_one_frame(&w)));
            let (naming, fit) = own.filter(|(_, own)| own.share() > fit.share()).unwrap_or((naming, fit));
            if fit.is_likely() && best.as_ref().is_none_or(|(share, _)| fit.share() > *share) {
                best = Some((fit.share(), naming));
            }
        }
        best.map(|(_, naming)| naming).ok_or_else(|| match counterpart {
            Some(_) => self.refusal_of_frames(checkpoint, ""),
            None => self.no_counterpart("no network on single frames that has its layers is known here"),
        })
    }

    /// The weights of this network with the measures of a checkpoint on single frames, without values.
    fn as_read(
        &self,
        variant: &Variant,
        choices: &Choices,
        checkpoint: &Checkpoint,
        naming: &Naming,
    ) -> Result<Weights> {
        let reading = Reading { variant: variant.name, choices, file: Some((checkpoint, naming)) };
        let weights = Weights::shapes();
        (self.design)(&reading)?.build(1, &weights)?;
        Ok(weights)
    }

    /// What a clip that stands still gives.
    fn still(&self, naming: &Naming, inflation: Inflation) -> String {
        let named_so = |c: &&Counterpart| c.conventions.iter().any(|own| own.name == naming.convention.name);
        let gives = match self.counterpart().filter(named_so) {
            Some(Counterpart { from, differs: None, .. }) => format!("gives what {from} gives for its frame"),
            Some(Counterpart { from, differs: Some(reason), .. }) => format!(
                "does not give the answer of {from}: {reason}. It gives what the same layers give for its frame"
            ),
            None => "gives what the network on single frames gives for its frame".into(),
        };
        let when = match inflation {
            Inflation::Centre => "at all times, and so in the answer",
            Inflation::Repeat => {
                "away from the first and last frames, where windows lose what lies beyond the clip; the answer, which all \
                 frames make, differs by that, unless the mode is centre"
            }
        };
        format!("a clip that stands still {gives}, {when}")
    }

    /// What keeps this network from having a counterpart, where that is known.
    fn obstacle(&self) -> Option<&'static str> {
        Some(match self.name {
            "slowfast" | "slowfast-ava" => {
                "its fast path is an eighth as wide as a ResNet, and its slow path takes channels of the fast one: no network \
                 on single frames has such weights. resnet3d's variant `slow` is the slow path alone"
            }
            "slow-ava" => {
                "its last stage keeps height and width, which ResNet-50's halves, so that no answer could be the same"
            }
            "c3d" => {
                "its convolutions are those of VGG-11, but its first linear layer sees 4×4 positions, and VGG's 7×7"
            }
            "s3d" | "speednet" => {
                "its convolutions are factored, and no network on single frames has the temporal halves"
            }
            _ => return None,
        })
    }

    /// Why this network cannot be inflated at all; `otherwise`, if nothing better is known.
    fn no_counterpart(&self, otherwise: &str) -> Error {
        let reason = self.obstacle().unwrap_or(otherwise);
        let all = COUNTERPARTS.iter().map(|c| format!("{} ({}) from {}", c.network.name, c.variants, c.from));
        let all = all.collect::<Vec<_>>().join("; ");
        Error::usage(format!("{} cannot be inflated: {reason}. What can be: {all}", self.name))
    }

    /// Why a checkpoint is not what this network can be inflated from.
    fn refusal_of_frames(&self, checkpoint: &Checkpoint, reason: &str) -> Error {
        let takes = match self.counterpart() {
            Some(c) => format!(", which takes {}", c.from),
            None => self.obstacle().map_or(String::new(), |o| format!(", for {o}")),
        };
        let held = match recognise(checkpoint) {
            Ok(found) => match found.design(checkpoint, &Choices::default()) {
                Ok(design) => format!("it is a checkpoint of {}: {}", found.network.name, design.notes),
                Err(_) => format!("it is a checkpoint of {}", found.network.name),
            },
            Err(_) => "it is of no network that `kinetograph models` lists".into(),
        };
        Error::bad_input(format!(
            "{}: cannot be inflated to {}{takes}: {reason}{held}",
            checkpoint.path().display(),
            self.name
        ))
    }

    fn unfit(&self, checkpoint: &Checkpoint, name: &str, reason: &str) -> Error {
        self.refusal_of_frames(checkpoint, &format!("for {name}, {reason}; "))
    }
}

/// The names, each with the number of axes longer than 1 that the weight has on single frames.
fn of_one_frame(weights: &Weights) -> Vec<(String, usize)> {
    let long = |shape: &Shape| {
        let time = if shape.rank() == 5 { 2 } else { usize::MAX };
        shape.iter().enumerate().filter(|&(axis, &d)| axis != time && d != 1).count()
    };
    weights.taken().into_iter().map(|(name, shape)| (name, long(&shape))).collect()
}

/// A weight of a block that no network on single frames has, as before training: a non-local block ends with a norm that is
/// zero (arXiv:1711.07971, section 4.1) and gives what it gets; its convolutions are small, as in mmaction2.
fn untrained(name: &str, shape: &Shape) -> Result<Option<Tensor>> {
    let Some((_, _, "nonlocal", _, rest)) = parts(name) else { return Ok(None) };
    if shape.rank() > 1 && rest.ends_with("weight") {
        let (_, _, random) = Weights::random(0).take(name, shape)?.into_parts();
        let Some(random) = random else { return Ok(None) };
        let fan_in: usize = shape.iter().skip(1).product();
        let scale = 0.01 / (2.0 / fan_in.max(1) as f32).sqrt();
        return Tensor::new(shape, random.f32s()?.iter().map(|x| x * scale).collect::<Vec<f32>>()).map(Some);
    }
    let value = if rest == "bn.running_var" { 1.0 } else { 0.0 };
    Tensor::from_fn(shape, |_| value).map(Some)
}
