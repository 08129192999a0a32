//! The networks, one file each.

pub mod box_head;
pub mod c3d;
pub mod cnn_lstm;
pub mod colorizer;
pub mod crw;
mod design;
pub mod frame_order;
pub mod fusion;
pub mod gru_rcn;
mod huggingface;
pub mod i3d;
pub mod inception;
mod inflate;
pub mod mvit;
pub mod pathway;
pub mod r3d;
mod recognise;
pub mod resnet;
pub mod resnet3d;
pub mod s3d;
pub mod slow_ava;
pub mod slowfast;
pub mod slowfast_ava;
pub mod speednet;
pub mod swin;
pub mod tcc;
pub mod timecycle;
pub mod timesformer;
pub mod two_stream_fusion;
pub mod vgg;
pub mod videomae;
pub mod vivit;
pub mod vtn;

use std::path::Path;

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::weights::{Checkpoint, Convention, Naming, Weights};

pub use design::{Average, Choices, Design, Input, Model, Reading, Source};
pub use inflate::Inflated;
pub use recognise::{Match, recognise};

/// Every network.
pub const NETWORKS: &[&Network] = &[
    &c3d::NETWORK,
    &cnn_lstm::NETWORK,
    &colorizer::NETWORK,
    &crw::NETWORK,
    &frame_order::NETWORK,
    &fusion::EARLY,
    &fusion::LATE,
    &fusion::SLOW,
    &gru_rcn::NETWORK,
    &i3d::NETWORK,
    &mvit::NETWORK,
    &r3d::NETWORK,
    &resnet3d::NETWORK,
    &resnet::NETWORK,
    &s3d::NETWORK,
    &slow_ava::NETWORK,
    &slowfast::NETWORK,
    &slowfast_ava::NETWORK,
    &speednet::NETWORK,
    &swin::NETWORK,
    &tcc::NETWORK,
    &timecycle::NETWORK,
    &timesformer::NETWORK,
    &two_stream_fusion::NETWORK,
    &vgg::NETWORK,
    &videomae::NETWORK,
    &vivit::NETWORK,
    &vtn::NETWORK,
];

/// A network that can be run by name.
pub struct Network {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, in one line.
    pub title: &'static str,
    /// Where it is described.
    pub paper: &'static str,
    /// Its published configurations, the usual one first.
    pub variants: &'static [Variant],
    /// The names of its weights in published checkpoints.
    pub conventions: &'static [Convention],
    /// Reads its measures off a checkpoint; without one, those of a variant.
    pub(crate) design: fn(&Reading) -> Result<Design>,
}

/// A published configuration of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// Its name on the command line.
    pub name: &'static str,
    /// The published accuracy, what it was measured on and by whom.
    pub published: &'static str,
}

impl Network {
    /// The variant of this name, the usual one if none is given.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for an unknown name.
    pub fn variant(&self, name: Option<&str>) -> Result<&'static Variant> {
        let found = match name {
            None => self.variants.first(),
            Some(name) => self.variants.iter().find(|v| v.name == name),
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = self.variants.iter().map(|v| v.name).collect();
            Error::usage(format!(
                "{} has no variant `{}`; there are: {}",
                self.name,
                name.unwrap_or_default(),
                names.join(", ")
            ))
        })
    }

    /// A variant at its published size.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for an unknown variant.
    pub fn published(&self, variant: Option<&str>) -> Result<Design> {
        let variant = self.variant(variant)?.name;
        (self.design)(&Reading { variant, choices: &Choices::default(), file: None })
    }

    /// The graph of a variant at its published size, without values.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for an unknown variant.
    pub fn outline(&self, variant: Option<&str>) -> Result<Graph> {
        self.published(variant)?.build(1, &Weights::shapes())
    }

    /// The number of parameters of a variant at its published size: what training would learn.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for an unknown variant.
    pub fn parameters(&self, variant: Option<&str>) -> Result<u64> {
        let weights = Weights::shapes();
        self.published(variant)?.build(1, &weights)?;
        Ok(weights.parameters())
    }

    /// Whether it gives maps by which labels are propagated, see [`Choices::maps`].
    pub fn has_maps(&self) -> bool {
        let choices = Choices { maps: Some([64; 2]), ..Choices::default() };
        let Some(variant) = self.variants.first() else { return false };
        let design = (self.design)(&Reading { variant: variant.name, choices: &choices, file: None });
        let graph = design.and_then(|d| d.build(1, &Weights::shapes()));
        graph.is_ok_and(|g| g.outputs().any(|(name, _)| name == "maps"))
    }

    /// The network that a checkpoint holds.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for an unknown variant, [`crate::ErrorKind::BadInput`] when the checkpoint is
    /// none of this network.
    pub fn load(&'static self, checkpoint: Checkpoint, choices: &Choices) -> Result<Model> {
        let chosen = choices.variant.as_deref().map(|name| self.variant(Some(name))).transpose()?;
        match recognise::best(&checkpoint, self, chosen)? {
            Some(found) if found.fit.is_likely() => found.load(checkpoint, choices),
            _ => Err(self.refusal(&checkpoint, chosen)),
        }
    }

    /// Why a checkpoint is none of this network.
    fn refusal(&self, checkpoint: &Checkpoint, variant: Option<&Variant>) -> Error {
        let canonical = Weights::shapes();
        let built = self.published(variant.map(|v| v.name)).and_then(|d| d.build(1, &canonical));
        if let Err(e) = built {
            return e;
        }
        let reason = match Naming::find(checkpoint, self.conventions, &canonical.names()) {
            Err(e) => e,
            Ok(_) => Error::bad_input(format!(
                "{}: has names of {}'s weights, but their shapes are another network's",
                checkpoint.path().display(),
                self.name
            )),
        };
        match recognise(checkpoint) {
            Ok(other) => Error::bad_input(format!("{reason}. It is a checkpoint of {}", other.network.name)),
            Err(_) => reason,
        }
    }
}

/// The network that a weight file holds, recognised by the names of its tensors; or the variant chosen of it.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when the file cannot be read, is of no network known or does not fit,
/// [`crate::ErrorKind::Usage`] for an unknown variant.
pub fn load(path: impl AsRef<Path>, choices: &Choices) -> Result<Model> {
    let checkpoint = Checkpoint::open(path)?;
    let found = recognise(&checkpoint)?;
    match choices.variant {
        Some(_) => found.network.load(checkpoint, choices),
        None => found.load(checkpoint, choices),
    }
}

/// The network that a checkpoint holds as [`recognise`] finds it; or, where that takes no boxes, one with the same names that
/// does: PySlowFast calls the weights alike for whole clips and for boxes. With a variant, that one of it.
///
/// # Errors
/// Those of [`recognise`]; [`crate::ErrorKind::Usage`] for an unknown variant or a network that takes no boxes.
pub fn recognise_for_boxes(checkpoint: &Checkpoint, variant: Option<&str>) -> Result<Match> {
    let mut found = recognise(checkpoint)?;
    let takes_boxes = |network: &Network| {
        let inputs = network.published(None).map(|d| d.inputs);
        inputs.is_ok_and(|all| all.iter().any(|i| matches!(i.source, Source::Boxes(_))))
    };
    if !takes_boxes(found.network) {
        let others = NETWORKS.iter().filter(|n| takes_boxes(n));
        let others = others.map(|n| recognise::best(checkpoint, n, None)).collect::<Result<Vec<_>>>()?;
        let fits = |o: &Match| o.fit.is_likely() && o.fit.share() >= found.fit.share();
        found = others.into_iter().flatten().find(fits).ok_or_else(|| {
            Error::usage(format!("{} takes no boxes: use `kinetograph run`", found.network.name))
        })?;
    }
    match variant {
        None => Ok(found),
        Some(name) => {
            let chosen = found.network.variant(Some(name))?;
            let match_ = recognise::best(checkpoint, found.network, Some(chosen))?;
            match_.ok_or_else(|| found.network.refusal(checkpoint, Some(chosen)))
        }
    }
}

/// The network of this name.
///
/// # Errors
/// [`crate::ErrorKind::Usage`] for an unknown name; the text gives the nearest.
pub fn find(name: &str) -> Result<&'static Network> {
    NETWORKS.iter().find(|n| n.name == name).copied().ok_or_else(|| {
        let nearest = NETWORKS
            .iter()
            .map(|n| n.name)
            .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
        Error::usage(format!(
            "no network `{name}`; the nearest is `{}`, and `kinetograph models` lists them all",
            nearest.unwrap_or_default()
        ))
    })
}
