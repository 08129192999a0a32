//! Published naming schemes of the weights of a network.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::report::Report;
use super::source::{is_bookkeeping, long};
use super::{Checkpoint, Entry};
use crate::error::Result;

/// How one publisher names the weights of a network.
///
/// A model file takes its weights under names of its own, the canonical ones, and lists in a const table the
/// conventions of the checkpoints that exist:
///
/// ```
/// use kinetograph::weights::Convention;
///
/// const CONVENTIONS: &[Convention] = &[
///     Convention { name: "here", source: "this crate", map: |name| Some(name.into()) },
///     Convention {
///         name: "mmaction",
///         source: "open-mmlab/mmaction2",
///         // `conv1.weight` is `backbone.conv1.conv.weight` there.
///         map: |name| {
///             let (layer, parameter) = name.rsplit_once('.')?;
///             Some(format!("backbone.{layer}.conv.{parameter}"))
///         },
///     },
/// ];
/// # assert_eq!((CONVENTIONS[1].map)("conv1.bias").unwrap(), "backbone.conv1.conv.bias");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Convention {
    /// A short name, for messages.
    pub name: &'static str,
    /// Who publishes such checkpoints: a repository.
    pub source: &'static str,
    /// The published name of a canonical one; `None` where these checkpoints have no such weight.
    pub map: fn(canonical: &str) -> Option<String>,
}

/// A [`Convention`] as one file follows it: perhaps with all names under a common prefix.
#[derive(Debug, Clone)]
pub struct Naming {
    /// The convention.
    pub convention: Convention,
    /// What all names begin with beside it, such as `module.`; often nothing.
    pub prefix: String,
}

impl Naming {
    /// Finds the convention a checkpoint follows by the names of its tensors: the one that explains most of
    /// the `canonical` names, the first in the table among equals. `None` when none explains half of the names
    /// it knows.
    pub fn detect<S: AsRef<str>>(
        checkpoint: &Checkpoint,
        conventions: &[Convention],
        canonical: &[S],
    ) -> Option<Naming> {
        let mut best: Option<(usize, Naming)> = None;
        for &convention in conventions {
            let published: HashSet<String> =
                canonical.iter().filter_map(|name| (convention.map)(name.as_ref())).collect();
            let known = |_: &Entry, name: &str| published.contains(name);
            let Some((prefix, found)) = best_prefix(checkpoint, known) else { continue };
            let better = best.as_ref().is_none_or(|(most, _)| found > *most);
            if found * 2 >= published.len() && better {
                best = Some((found, Naming { convention, prefix: prefix.into() }));
            }
        }
        best.map(|(_, naming)| naming)
    }

    /// How well a checkpoint follows a convention, and with which prefix, by the names of its tensors and the number of
    /// their axes longer than 1; `signature` is that of [`Weights::signature`](super::Weights::signature). `None` when
    /// it has none of the weights.
    pub fn fit(
        checkpoint: &Checkpoint,
        convention: Convention,
        signature: &[(String, usize)],
    ) -> Option<(Naming, Fit)> {
        let published: HashMap<String, usize> =
            signature.iter().filter_map(|(name, axes)| Some(((convention.map)(name)?, *axes))).collect();
        let known = |entry: &Entry, name: &str| published.get(name) == Some(&long(&entry.shape).count());
        let (prefix, found) = best_prefix(checkpoint, known)?;
        let held = checkpoint.entries().iter().filter(|e| !is_bookkeeping(&e.name)).count();
        Some((Naming { convention, prefix: prefix.into() }, Fit { found, wanted: published.len(), held }))
    }

    /// As [`Naming::detect`], with the reason when there is none.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`]: the file is half of what it should be, or another network's.
    pub fn find<S: AsRef<str>>(
        checkpoint: &Checkpoint,
        conventions: &[Convention],
        canonical: &[S],
    ) -> Result<Naming> {
        Naming::detect(checkpoint, conventions, canonical)
            .ok_or_else(|| Report::unknown_naming(checkpoint, conventions, canonical))
    }

    /// The shape in the file of a canonical weight, from which a model may read its own measures.
    pub fn shape<'a>(&self, checkpoint: &'a Checkpoint, canonical: &str) -> Option<&'a [usize]> {
        checkpoint.entry(&self.published(canonical)?).map(|e| &e.shape[..])
    }

    /// Whether the weight in the file has this shape but for axes of length 1; `None` where it is not there.
    pub fn agrees(&self, checkpoint: &Checkpoint, canonical: &str, wanted: &[usize]) -> Option<bool> {
        self.shape(checkpoint, canonical).map(|held| long(held).eq(long(wanted)))
    }

    /// The name in the file of a canonical one.
    pub fn published(&self, canonical: &str) -> Option<String> {
        (self.convention.map)(canonical).map(|name| format!("{}{name}", self.prefix))
    }
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.convention.name, self.convention.source)?;
        if !self.prefix.is_empty() {
            write!(f, ", under {:?}", self.prefix)?;
        }
        Ok(())
    }
}

/// How many of a network's weights a checkpoint holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// Weights of the network that are in the file.
    pub found: usize,
    /// Weights of the network.
    pub wanted: usize,
    /// Tensors in the file.
    pub held: usize,
}

impl Fit {
    /// What both have as a share of what either has, from 0 to 1.
    pub fn share(&self) -> f64 {
        self.found as f64 / (self.wanted + self.held - self.found).max(1) as f64
    }

    /// Whether the file can be of this network: it has half of the weights and not much else, or is made of them for the most
    /// part, as that of a smaller one is.
    pub fn is_likely(&self) -> bool {
        (self.found * 2 >= self.wanted && self.found * 4 >= self.held) || self.found * 4 >= self.held * 3
    }
}

/// The prefix, whole parts of a name, under which most tensors are known, and how many are.
fn best_prefix(checkpoint: &Checkpoint, known: impl Fn(&Entry, &str) -> bool) -> Option<(&str, usize)> {
    let mut found: HashMap<&str, usize> = HashMap::new();
    for entry in checkpoint.entries() {
        let starts = std::iter::once(0).chain(entry.name.match_indices('.').map(|(i, _)| i + 1));
        for (prefix, rest) in starts.take(MAX_PARTS).map(|i| entry.name.split_at(i)) {
            if known(entry, rest) {
                *found.entry(prefix).or_default() += 1;
            }
        }
    }
    // Ties go to the shorter prefix, and are broken at all so that the result is always the same.
    found.into_iter().max_by_key(|&(prefix, n)| (n, std::cmp::Reverse((prefix.len(), prefix))))
}

/// How deep a prefix may be.
const MAX_PARTS: usize = 8;

#[cfg(test)]
mod tests {
    use super::super::testing::{c3d_names, checkpoint_of};
    use super::*;
    use crate::models::c3d::CONVENTIONS as C3D;

    fn same(name: &str) -> Option<String> {
        Some(name.to_string())
    }

    #[test]
    fn every_published_c3d_is_recognised() {
        let canonical = c3d_names();
        for convention in C3D {
            for prefix in ["", "module.", "net.model."] {
                let names =
                    canonical.iter().filter_map(|n| (convention.map)(n)).map(|n| format!("{prefix}{n}"));
                // Beside them, what a training program leaves.
                let names = names.chain(["loss.weight".to_string(), "conv1.num_batches_tracked".to_string()]);
                let (_dir, checkpoint) = checkpoint_of(names.map(|n| (n, vec![1])));
                let naming = Naming::detect(&checkpoint, C3D, &canonical).unwrap();
                assert_eq!((naming.convention.name, &*naming.prefix), (convention.name, prefix));
                let name = naming.published("conv3a.bias").unwrap();
                assert!(checkpoint.entry(&name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn other_networks_are_not() {
        let names = ["stem.0.weight", "layer1.0.conv1.0.weight", "fc.weight", "fc.bias"];
        let (_dir, checkpoint) = checkpoint_of(names.map(|n| (n.to_string(), vec![1])));
        assert!(Naming::detect(&checkpoint, C3D, &c3d_names()).is_none());
        assert!(Naming::detect(&checkpoint, &[], &c3d_names()).is_none());
        assert!(Naming::detect::<&str>(&checkpoint, C3D, &[]).is_none());
    }

    #[test]
    fn a_prefix_within_names_does_not_mislead() {
        let names = ["conv1.weight", "conv1.bias", "layer1.0.conv1.weight", "layer1.1.conv1.weight"];
        let (_dir, checkpoint) = checkpoint_of(names.map(|n| (n.to_string(), vec![1])));
        let identity = [Convention { name: "same", source: "", map: same }];
        assert_eq!(Naming::detect(&checkpoint, &identity, &names).unwrap().prefix, "");
    }
}
