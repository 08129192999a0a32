//! The networks, one file each.

pub mod c3d;

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::weights::Checkpoint;

/// Every network.
pub const NETWORKS: &[&Network] = &[&c3d::NETWORK];

/// A network that can be run by name.
#[derive(Debug)]
pub struct Network {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, in one line.
    pub title: &'static str,
    /// Where it is described.
    pub paper: &'static str,
    /// The published figures and what they were measured on, as the paper or a model zoo states them.
    pub published: &'static str,
    /// The names that [`Choices::variant`] may have.
    pub variants: &'static [&'static str],
    /// The graph at its published size, without values.
    pub outline: fn() -> Result<Graph>,
    /// Builds the network that a checkpoint holds, the variant having been checked.
    pub(crate) build: fn(Checkpoint, &Choices) -> Result<Model>,
}

impl Network {
    /// The network that a checkpoint holds.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for an unknown variant, [`crate::ErrorKind::BadInput`] when the checkpoint is
    /// none of this network.
    pub fn load(&self, checkpoint: Checkpoint, choices: &Choices) -> Result<Model> {
        match &choices.variant {
            Some(name) if !self.variants.contains(&name.as_str()) => Err(Error::usage(format!(
                "{} has no variant `{name}`; there are: {}",
                self.name,
                self.variants.join(", ")
            ))),
            _ => (self.build)(checkpoint, choices),
        }
    }
}

/// What a user may choose about a network, where the checkpoint does not settle it.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// One of [`Network::variants`].
    pub variant: Option<String>,
    /// Frames in a clip.
    pub frames: Option<usize>,
    /// Height and width of a frame.
    pub size: Option<usize>,
}

/// A network with its weights, ready to be planned.
#[derive(Debug)]
pub struct Model {
    /// Takes `clip` `[1, T, H, W, 3]`; gives `logits` `[1, classes]`, or `features` `[1, C]` when the checkpoint
    /// has no classifier.
    pub graph: Graph,
    /// The name of the preprocessing that the checkpoint was trained with, see `video::Recipe`.
    pub recipe: &'static str,
    /// Frames in a clip.
    pub frames: usize,
    /// Height and width of a frame.
    pub size: usize,
    /// Whose conventions the checkpoint follows and what was chosen for it, for people.
    pub notes: String,
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
