//! Choices of kernels that were measured on a device, and the file that keeps them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{ConvForm, Family, Graph, Node, Traits, record_node};
use crate::error::{At, Error, Result};
use crate::fs::write_atomic;
use crate::gpu::{Gpu, Hash};

/// The version of the file's format.
const FORMAT: u32 = 2;

/// Which kernels are the fastest for nodes of given shapes on one device. [`crate::bench::tune`] measures it,
/// [`super::PlanOptions::tuning`] uses it; with the same table a plan is always the same.
///
/// A node is known by the text of its kernels, their constants and lengths, and the types of its tensors: what was measured
/// for another text or shape is never used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    device: String,
    choices: BTreeMap<String, Choice>,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Contents {
    format: u32,
    device: String,
    choices: BTreeMap<String, Choice>,
}

/// The kernels of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Choice {
    family: Family,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tile: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    form: Option<ConvForm>,
    /// That cooperative matrices are slower here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    no_matrices: bool,
    /// That exchanges within subgroups are slower here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    no_subgroups: bool,
}

impl Tuning {
    /// An empty table for a device.
    pub fn new(gpu: &Gpu) -> Tuning {
        Tuning { device: gpu.describe(), choices: BTreeMap::new() }
    }

    /// How many nodes it knows.
    pub fn len(&self) -> usize {
        self.choices.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.choices.is_empty()
    }

    /// The name of a file for a device and its driver: letters, digits and hyphens.
    pub fn file_name(gpu: &Gpu) -> String {
        let mut hash = Hash::new();
        hash.add(gpu.describe().as_bytes());
        format!("tuning-{:016x}.json", hash.value())
    }

    /// Reads a table.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the file cannot be read, is none, or is of another device or driver.
    pub fn read(path: &Path, gpu: &Gpu) -> Result<Tuning> {
        let read = || {
            let text = std::fs::read_to_string(path)
                .map_err(|e| Error::bad_input(format!("cannot be read: {e}")))?;
            let contents: Contents = serde_json::from_str(&text)
                .map_err(|e| Error::bad_input(format!("is no table of measured choices: {e}")))?;
            if contents.format != FORMAT {
                let format = contents.format;
                return Err(Error::bad_input(format!("has format {format}; this version reads {FORMAT}")));
            }
            if contents.device != gpu.describe() {
                return Err(Error::bad_input(format!("is of another device: {}", contents.device)));
            }
            Ok(Tuning { device: contents.device, choices: contents.choices })
        };
        read().at(path.display())
    }

    /// Writes it as JSON; on any error the file stays as it was.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] when the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let contents =
            Contents { format: FORMAT, device: self.device.clone(), choices: self.choices.clone() };
        let text = serde_json::to_string_pretty(&contents).map_err(|e| Error::internal(e.to_string()))?;
        write_atomic(path, |out| {
            writeln!(out, "{text}").map_err(|e| Error::usage(format!("cannot be written: {e}")))
        })
    }

    /// Keeps the choice for a node.
    pub(crate) fn keep(&mut self, key: String, traits: Traits, usual: Traits) {
        let no_matrices = traits.matrices.is_none() && usual.matrices.is_some();
        let no_subgroups = usual.subgroups && !traits.subgroups;
        let Traits { family, tile, form, .. } = traits;
        self.choices.insert(key, Choice { family, tile, form, no_matrices, no_subgroups });
    }

    /// Whether a node is known.
    pub(crate) fn knows(&self, key: &str) -> bool {
        self.choices.contains_key(key)
    }

    /// The choice for a node, if it is known.
    pub(crate) fn choice(&self, graph: &Graph, node: &Node, usual: Traits) -> Option<Traits> {
        // Looking at kernels' texts takes longer than looking into an empty table.
        if self.is_empty() || node.op.is_view() {
            return None;
        }
        let choice = self.choices.get(&key(graph, node, usual)?)?;
        let Choice { family, tile, form, no_matrices, no_subgroups } = *choice;
        let matrices = usual.matrices.filter(|_| !no_matrices);
        let subgroups = usual.subgroups && !no_subgroups;
        Some(Traits { family, tile, form, matrices, subgroups, ..usual })
    }
}

/// What a node's kernels are with some traits, as far as it makes a difference for how long they take: none for a node
/// that has no kernels or cannot be recorded.
pub(crate) fn signature(graph: &Graph, node: &Node, traits: Traits) -> Option<u64> {
    // Constants may be packed or not; which ones they are is enough.
    let constant = graph.constant_inputs(node);
    let dispatches = record_node(graph, node, traits, &constant).ok()?;
    if dispatches.is_empty() {
        return None;
    }
    let mut hash = Hash::new();
    for d in dispatches {
        hash.add(d.kernel.expand(&d.key.tunes).ok()?.source.as_bytes());
        hash.add(format!("{:?} {} {}", d.key, d.groups, d.table.len()).as_bytes());
        hash.add(&d.params);
    }
    for v in node.inputs.iter().chain(&node.outputs) {
        let ty = graph.ty(*v);
        hash.add(format!("{:?} {}", ty.dtype, ty.shape).as_bytes());
    }
    hash.add(format!("{constant:?}").as_bytes());
    Some(hash.value())
}

/// What a node is known by.
pub(crate) fn key(graph: &Graph, node: &Node, usual: Traits) -> Option<String> {
    Some(format!("{} {:016x}", node.op.name(), signature(graph, node, usual)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Precision;
    use crate::tensor::Tensor;

    fn linear(rows: usize, width: usize) -> Graph {
        let mut g = Graph::new();
        let x = g.input("x", &[rows, width]).unwrap();
        let w = g.constant("w", Tensor::from_fn(&[width, 8], |i| i as f32).unwrap());
        let y = g.linear(x, w, None).unwrap();
        g.output("y", y).unwrap();
        g
    }

    fn key_of(graph: &Graph, precision: Precision) -> String {
        key(graph, &graph.nodes[0], Traits::new(Family::Tiled, precision)).unwrap()
    }

    #[test]
    fn nodes_are_known_by_shape_and_precision() {
        let one = key_of(&linear(64, 16), Precision::F32);
        assert!(one.starts_with("linear "), "{one}");
        assert_eq!(one, key_of(&linear(64, 16), Precision::F32));
        assert_ne!(one, key_of(&linear(65, 16), Precision::F32));
        assert_ne!(one, key_of(&linear(64, 20), Precision::F32));
        assert_ne!(one, key_of(&linear(64, 16), Precision::F16));
    }

    #[test]
    fn a_kept_choice_is_found_again_and_no_other() {
        let usual = Traits::new(Family::Tiled, Precision::F32);
        let mut tuning = Tuning { device: "a device".into(), choices: BTreeMap::new() };
        let graph = linear(64, 16);
        let usual = Traits { subgroups: true, ..usual };
        let wanted = Traits { tile: Some(3), form: Some(ConvForm::Lines), subgroups: false, ..usual };
        tuning.keep(key_of(&graph, Precision::F32), wanted, usual);
        assert_eq!(tuning.choice(&graph, &graph.nodes[0], usual), Some(wanted));
        let other = linear(32, 16);
        assert_eq!(tuning.choice(&other, &other.nodes[0], usual), None);
    }
}
