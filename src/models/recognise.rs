//! What network a checkpoint is of, by the names and axes of its tensors.

use super::{Choices, Model, NETWORKS, Network, Reading, Variant};
use crate::error::{Error, Result};
use crate::weights::{Checkpoint, Fit, Naming, Weights};

/// A network whose weights a checkpoint may hold.
pub struct Match {
    /// The network.
    pub network: &'static Network,
    /// The first of its variants whose weights have the names.
    pub variant: &'static Variant,
    /// The naming.
    pub naming: Naming,
    /// How many weights are there.
    pub fit: Fit,
}

impl Match {
    /// The network with the weights of the checkpoint.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when weights are missing, left over or of another shape.
    pub fn load(self, checkpoint: Checkpoint, choices: &Choices) -> Result<Model> {
        let file = Some((&checkpoint, &self.naming));
        let reading = Reading { variant: self.variant.name, choices, file };
        let design = (self.network.design)(&reading)?;
        let notes = format!("{}, names as {}; {}", self.network.name, self.naming, design.notes);
        let weights = Weights::new(checkpoint, self.naming);
        // Both may fail for a file that does not fit: what is missing says more than where building stopped.
        let graph = design.build(1, &weights);
        weights.finish()?;
        Ok(Model {
            network: self.network.name,
            graph: graph?,
            inputs: design.inputs,
            average: design.average,
            notes,
        })
    }
}

/// The best match of a network, whether likely or not; only this variant's, if one is given.
pub(super) fn best(
    checkpoint: &Checkpoint,
    network: &'static Network,
    variant: Option<&'static Variant>,
) -> Result<Option<Match>> {
    let mut best: Option<Match> = None;
    for candidate in network.variants.iter().filter(|v| variant.is_none_or(|only| *v == only)) {
        let weights = Weights::shapes();
        network.published(Some(candidate.name))?.build(1, &weights)?;
        let signature = weights.signature();
        for &convention in network.conventions {
            let Some((naming, fit)) = Naming::fit(checkpoint, convention, &signature) else { continue };
            // A network of another depth than published has other names.
            let own = as_read(checkpoint, network, candidate, &naming).ok().flatten();
            let (naming, fit) = own.filter(|(_, own)| own.share() > fit.share()).unwrap_or((naming, fit));
            if best.as_ref().is_none_or(|b| fit.share() > b.fit.share()) {
                best = Some(Match { network, variant: candidate, naming, fit });
            }
        }
    }
    Ok(best)
}

/// How well a checkpoint fits the network whose measures are read off it.
fn as_read(
    checkpoint: &Checkpoint,
    network: &Network,
    variant: &Variant,
    naming: &Naming,
) -> Result<Option<(Naming, Fit)>> {
    let file = Some((checkpoint, naming));
    let design = (network.design)(&Reading { variant: variant.name, choices: &Choices::default(), file })?;
    let weights = Weights::shapes();
    design.build(1, &weights)?;
    Ok(Naming::fit(checkpoint, naming.convention, &weights.signature()))
}

/// The network that a checkpoint holds.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when it is of no network known; the text says what it is most like.
pub fn recognise(checkpoint: &Checkpoint) -> Result<Match> {
    let mut nearest: Option<Match> = None;
    for network in NETWORKS {
        let Some(found) = best(checkpoint, network, None)? else { continue };
        let better =
            |b: &Match| (found.fit.is_likely(), found.fit.share()) > (b.fit.is_likely(), b.fit.share());
        if nearest.as_ref().is_none_or(better) {
            nearest = Some(found);
        }
    }
    let path = checkpoint.path().display();
    match nearest {
        Some(found) if found.fit.is_likely() => Ok(found),
        Some(found) => {
            let Fit { found: n, wanted, held } = found.fit;
            Err(Error::bad_input(format!(
                "{path}: of no network known here. It is most like {} of {}, but of that one's {wanted} weights it holds \
                 {n}, and {} tensors beside; `kinetograph models` lists the networks",
                found.network.name,
                found.naming,
                held - n
            )))
        }
        None => Err(Error::bad_input(format!(
            "{path}: of no network known here: none of its {} tensors has a name that one of them has; `kinetograph \
             models` lists the networks",
            checkpoint.entries().len()
        ))),
    }
}
