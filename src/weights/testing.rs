//! Small files for tests.

use std::path::PathBuf;

use tempfile::TempDir;

use super::{Checkpoint, save_safetensors};
use crate::error::Result;
use crate::tensor::Tensor;

/// A safetensors file of zeros.
pub(super) fn checkpoint_of(
    entries: impl IntoIterator<Item = (String, Vec<usize>)>,
) -> (TempDir, Checkpoint) {
    let tensors: Vec<_> =
        entries.into_iter().map(|(name, shape)| (name, Tensor::from_fn(&shape, |_| 0.0).unwrap())).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.safetensors");
    save_safetensors(&path, &tensors).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    (dir, checkpoint)
}

/// The canonical names of C3D.
pub(super) fn c3d_names() -> Vec<String> {
    let layers =
        ["conv1", "conv2", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b", "fc6", "fc7", "fc8"];
    layers.iter().flat_map(|l| [format!("{l}.weight"), format!("{l}.bias")]).collect()
}

/// Opens a file with the given content and reads all of it.
pub(super) fn read_all(content: &[u8]) -> Result<Vec<(String, Tensor)>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, content).unwrap();
    let checkpoint = Checkpoint::open(&path)?;
    checkpoint.entries().iter().map(|e| Ok((e.name.clone(), checkpoint.tensor(&e.name)?))).collect()
}

/// A safetensors file with a header of our choice.
pub(super) fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

/// A file made by `tools/golden_weights.py`.
pub(super) fn golden(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden", "weights", name].iter().collect()
}
