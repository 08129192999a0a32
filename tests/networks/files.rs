//! The golden files of networks and what they say of themselves.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use kinetograph::models::Choices;
use safetensors::SafeTensors;

pub(crate) fn folders() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/networks");
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

/// What a golden says of itself.
pub(crate) fn about(folder: &Path) -> HashMap<String, String> {
    let bytes = std::fs::read(folder.join("values.safetensors")).unwrap();
    SafeTensors::read_metadata(&bytes).unwrap().1.metadata().clone().unwrap()
}

/// What a user would have to say besides the file.
pub(crate) fn choices(about: &HashMap<String, String>) -> Choices {
    let number = |key: &str| about.get(key).map(|n| n.parse().unwrap());
    Choices {
        variant: about.get("variant").cloned(),
        frames: number("frames"),
        size: number("size"),
        boxes: number("boxes"),
        width: number("width"),
        maps: number("maps_height").zip(number("maps_width")).map(|(h, w)| [h, w]),
        ..Choices::default()
    }
}

/// Where a golden's weights are: a file, or the folder where it is as Hugging Face lays it out.
pub(crate) fn weights(folder: &Path) -> PathBuf {
    let file = folder.join("weights.safetensors");
    if file.exists() { file } else { folder.to_path_buf() }
}
