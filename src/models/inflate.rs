//! The weights of a 3D network from those of a network on single frames.

use super::{Choices, Network, Reading, i3d, r3d};
use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::weights::{Checkpoint, Convention, Inflation, Naming, Weights};

/// How the networks on single frames, whose weights fit, name them.
const FLAT: [(&Network, &[Convention]); 2] = [(&i3d::NETWORK, i3d::FLAT), (&r3d::NETWORK, r3d::FLAT)];

/// What [`Network::inflate`] makes.
#[derive(Debug)]
pub struct Inflated {
    /// The weights by the names of the network's first convention, in its published layout.
    pub tensors: Vec<(String, Tensor)>,
    /// How the checkpoint names them.
    pub naming: Naming,
    /// How many of them got an axis for time; the others are as they were.
    pub inflated: usize,
    /// What the checkpoint holds beside them, by its own names.
    pub left_out: Vec<String>,
}

impl Network {
    /// The weights of a variant of this network from a checkpoint of its counterpart on single frames: that of torchvision
    /// where there is one, or one that is named as this network's own. The variant's measures are read off the checkpoint.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for an unknown variant and for a network on single frames, [`crate::ErrorKind::BadInput`] when the checkpoint is of no
    /// such network, lacks a weight, or has no weight that needs an axis for time.
    pub fn inflate(
        &self,
        variant: Option<&str>,
        checkpoint: &Checkpoint,
        inflation: Inflation,
    ) -> Result<Inflated> {
        let choices = Choices { variant: variant.map(str::to_owned), ..Choices::default() };
        let variant = self.variant(variant)?.name;
        let flat = FLAT.iter().find(|(network, _)| network.name == self.name).map_or(&[][..], |(_, c)| c);
        let conventions = [flat, self.conventions].concat();
        let outline = Weights::shapes();
        self.published(Some(variant))?.build(1, &outline)?;
        let over_time = |shape: &Shape| matches!(shape[..], [_, _, frames, _, _] if frames > 1);
        if !outline.taken().iter().any(|(_, shape)| over_time(shape)) {
            return Err(Error::usage(format!(
                "{} looks at single frames: it has no weights to inflate; `kinetograph models` lists the networks",
                self.name
            )));
        }
        let naming = Naming::find(checkpoint, &conventions, &outline.names())?;

        let design =
            (self.design)(&Reading { variant, choices: &choices, file: Some((checkpoint, &naming)) })?;
        let weights = Weights::shapes();
        design.build(1, &weights)?;
        let (mut tensors, mut inflated) = (Vec::new(), 0);
        for (name, shape) in weights.taken() {
            let published = naming.published(&name);
            let Some(entry) = published.as_deref().and_then(|p| checkpoint.entry(p)) else {
                let reason = match &published {
                    Some(published) => format!("{published:?} is missing"),
                    None => "a network on single frames has no such weight".into(),
                };
                return Err(unfit(checkpoint, self, &name, &reason));
            };
            let tensor = checkpoint.tensor(&entry.name)?;
            let tensor = match (&shape[..], &entry.shape[..]) {
                (&[cout, cin, frames, kh, kw], &[a, b, c, d]) if [a, b, c, d] == [cout, cin, kh, kw] => {
                    inflated += usize::from(frames > 1);
                    inflation.inflate(&tensor, frames)?
                }
                (wanted, found) if long(wanted).eq(long(found)) => tensor.reshape(wanted)?,
                _ => {
                    let reason = format!(
                        "{:?} is {:?}, {shape} or one frame of it is wanted",
                        entry.name, entry.shape
                    );
                    return Err(unfit(checkpoint, self, &name, &reason));
                }
            };
            let own = self.conventions.first().and_then(|c| (c.map)(&name));
            tensors.push((own.unwrap_or(name), tensor));
        }
        if inflated == 0 {
            return Err(Error::bad_input(format!(
                "{}: none of its weights needs an axis for time: {} can take it as it is",
                checkpoint.path().display(),
                self.name
            )));
        }
        let used: Vec<Option<String>> = weights.names().iter().map(|name| naming.published(name)).collect();
        let names = checkpoint.entries().iter().map(|e| &e.name);
        let left_out = names
            .filter(|name| {
                !name.ends_with("num_batches_tracked") && !used.iter().flatten().any(|u| u == *name)
            })
            .cloned()
            .collect();
        Ok(Inflated { tensors, naming, inflated, left_out })
    }
}

/// The lengths of the axes that are longer than 1.
fn long(shape: &[usize]) -> impl Iterator<Item = &usize> {
    shape.iter().filter(|&&d| d != 1)
}

fn unfit(checkpoint: &Checkpoint, network: &Network, name: &str, reason: &str) -> Error {
    Error::bad_input(format!(
        "{}: cannot be inflated to {}: for {name}, {reason}",
        checkpoint.path().display(),
        network.name
    ))
}
