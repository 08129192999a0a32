//! What network a checkpoint is of, by the names and axes of its tensors.

use std::collections::HashSet;

use super::{Choices, Design, Model, NETWORKS, Network, Reading, Variant};
use crate::error::{At, Error, Result};
use crate::weights::{Checkpoint, Fit, Naming, Weights, long};

/// A network whose weights a checkpoint may hold.
pub struct Match {
    /// The network.
    pub network: &'static Network,
    /// The first of its variants whose weights have the names.
    pub variant: &'static Variant,
    /// The naming.
    pub naming: Naming,
    /// How many weights are there, of the network as deep as the file has it.
    pub fit: Fit,
    /// How many are there of the variant as published.
    published: Fit,
    /// Whether both are of single frames, or neither is.
    alike: bool,
}

impl Match {
    /// What makes one match better than another: that it explains more of the file; that less is missing; that both are
    /// of frames or of clips, which may have the same names; and, as several networks may have the same names at the file's
    /// depth, that less of the published variant is missing.
    fn rank(&self) -> (bool, f64, f64, bool, f64) {
        let explained = self.fit.found as f64 / self.fit.held.max(1) as f64;
        (self.fit.is_likely(), explained, self.fit.share(), self.alike, self.published.share())
    }

    /// What the network is like with these choices, without its weights.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when measures of the checkpoint make no network.
    pub fn design(&self, checkpoint: &Checkpoint, choices: &Choices) -> Result<Design> {
        let file = Some((checkpoint, &self.naming));
        (self.network.design)(&Reading { variant: self.variant.name, choices, file })
    }

    /// The network with the weights of the checkpoint.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when weights are missing, left over or of another shape.
    pub fn load(self, mut checkpoint: Checkpoint, choices: &Choices) -> Result<Model> {
        if let Some(classes) = choices.new_head {
            self.renew_head(&mut checkpoint, choices, classes)?;
        }
        let design = self.design(&checkpoint, choices)?;
        let notes = format!("{}, names as {}; {}", self.network.name, self.naming, design.notes);
        let config = checkpoint.config().clone();
        let preprocessing = config.preprocessing().at(checkpoint.path().display())?;
        let weights = Weights::new(checkpoint, self.naming);
        // Both may fail for a file that does not fit: what is missing says more than where building stopped.
        let graph = design.build(1, &weights);
        weights.finish().at(format_args!(
            "taken for {} ({}) by the names of its tensors",
            self.network.name, self.network.title
        ))?;
        let graph = graph?;
        let logits = graph.outputs().find(|(name, _)| *name == "logits");
        let classes = logits.and_then(|(_, v)| graph.shape(v).last().copied());
        Ok(Model {
            network: self.network.name,
            labels: classes.and_then(|n| config.labels(n)),
            preprocessing,
            graph,
            inputs: design.inputs,
            average: design.average,
            notes,
        })
    }
}

impl Match {
    /// Puts random weights of another number of classes in place of those of the classifier: of the last layers with weights
    /// before `logits`.
    fn renew_head(&self, checkpoint: &mut Checkpoint, choices: &Choices, classes: usize) -> Result<()> {
        let design = self.design(checkpoint, choices)?;
        let weights = Weights::shapes();
        let graph = design.build(1, &weights)?;
        let place = checkpoint.path().display().to_string();
        let Some((_, logits)) = graph.outputs().find(|(name, _)| *name == "logits") else {
            let text = "these weights have no classifier in whose place a new one could be put";
            return Err(Error::bad_input(text).at(place));
        };
        let old = graph.shape(logits).last().copied();
        let behind = graph.last_constants(logits);
        let taken = weights.taken();
        let head =
            taken.iter().filter(|(name, s)| behind.contains(&name.as_str()) && s.first().copied() == old);
        let head: Vec<String> = head.filter_map(|(name, _)| self.naming.published(name)).collect();
        if head.is_empty() {
            return Err(Error::internal(format!("a classifier of {} without weights", self.network.name)));
        }
        head.iter().try_for_each(|name| checkpoint.renew(name, classes))
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
        let design = network.published(Some(candidate.name))?;
        design.build(1, &weights)?;
        let single = design.inputs.iter().all(|input| input.frames == 1);
        let signature = weights.signature();
        for &convention in network.conventions {
            let Some((naming, published)) = Naming::fit(checkpoint, convention, &signature) else { continue };
            // A network of another depth than published has other names.
            let own = as_read(checkpoint, network, candidate, &naming).ok().flatten();
            let own = own.filter(|(_, own)| own.share() > published.share());
            let (naming, fit) = own.unwrap_or((naming, published));
            let alike = single == is_flat(checkpoint);
            let found = Match { network, variant: candidate, naming, fit, published, alike };
            if best.as_ref().is_none_or(|b| found.rank() > b.rank()) {
                best = Some(found);
            }
        }
    }
    Ok(best)
}

/// Whether windows of convolutions have no axis of time.
fn is_flat(checkpoint: &Checkpoint) -> bool {
    let ranks = || checkpoint.entries().iter().map(|e| e.shape.len());
    ranks().any(|rank| rank == 4) && !ranks().any(|rank| rank == 5)
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

/// A name without its numbers: that of the same weight in every block.
fn pattern(name: &str) -> String {
    name.replace(|c: char| c.is_ascii_digit(), "#")
}

impl Match {
    /// What is missing of a published variant whose measures the file has in all that it holds: blocks of it. `None` where the
    /// file is whole, or of other measures.
    fn missing_blocks(&self, checkpoint: &Checkpoint) -> Result<Option<(&'static Variant, Vec<String>)>> {
        let mut part = None;
        for variant in self.network.variants {
            let weights = Weights::shapes();
            self.network.published(Some(variant.name))?.build(1, &weights)?;
            let (mut found, mut missing, mut other) = (HashSet::new(), Vec::new(), 0);
            for (name, shape) in weights.taken() {
                let Some(held) = self.naming.shape(checkpoint, &name) else {
                    missing.extend(self.naming.published(&name).map(|published| (name, published)));
                    continue;
                };
                // A classifier may have other classes.
                other += usize::from(!long(held).skip(1).eq(long(&shape).skip(1)));
                found.insert(pattern(&name));
            }
            missing.retain(|(name, _)| found.contains(&pattern(name)));
            if other > 0 {
                continue;
            }
            if missing.is_empty() {
                return Ok(None);
            }
            let missing: Vec<String> = missing.into_iter().map(|(_, published)| published).collect();
            if part.as_ref().is_none_or(|(_, least): &(_, Vec<String>)| missing.len() < least.len()) {
                part = Some((variant, missing));
            }
        }
        Ok(part)
    }

    /// Refuses a file that holds some of the blocks of a published network.
    fn check_whole(&self, checkpoint: &Checkpoint) -> Result<()> {
        let layers = checkpoint.config().get("num_hidden_layers").and_then(serde_json::Value::as_u64);
        let held =
            checkpoint.entries().iter().filter_map(|e| block(&e.name)).max().map_or(0, |last| last + 1);
        if let Some(layers) = layers.filter(|layers| *layers != held && held > 0) {
            return Err(Error::bad_input(format!(
                "the file is not whole: config.json says num_hidden_layers {layers}, there are weights of {held}"
            )));
        }
        // A folder that says how deep it is, is as deep as was wanted.
        let Some((variant, missing)) = self.missing_blocks(checkpoint)?.filter(|_| layers.is_none()) else {
            return Ok(());
        };
        let some: Vec<String> = missing.iter().take(4).map(|name| format!("{name:?}")).collect();
        Err(Error::bad_input(format!(
            "the file is not whole: it has the measures of {} {} but not all of its blocks; missing are {}{}. Where it is \
             named, as in `kinetograph run {}`, a network may have fewer",
            self.network.name,
            variant.name,
            some.join(", "),
            if missing.len() > some.len() {
                format!(" and {} more", missing.len() - some.len())
            } else {
                String::new()
            },
            self.network.name
        )))
    }
}

/// The number of the block that a weight of a folder of Hugging Face's is in.
fn block(name: &str) -> Option<u64> {
    let (_, rest) = name.split_once("encoder.layer.")?;
    rest.split('.').next()?.parse().ok()
}

/// The network that a checkpoint holds.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when it is of no network known; the text says what it is most like. And when it holds only
/// some blocks of a published network.
pub fn recognise(checkpoint: &Checkpoint) -> Result<Match> {
    let mut nearest: Option<Match> = None;
    for network in NETWORKS {
        let Some(found) = best(checkpoint, network, None)? else { continue };
        if nearest.as_ref().is_none_or(|b| found.rank() > b.rank()) {
            nearest = Some(found);
        }
    }
    let path = checkpoint.path().display();
    match nearest {
        Some(found) if found.fit.is_likely() => found.check_whole(checkpoint).map(|()| found).at(path),
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
