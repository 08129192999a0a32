//! What the features in a folder are of, so that a later call adds to them only what belongs there.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use kinetograph::{Error, Result, write_atomic};
use serde::{Deserialize, Serialize};

/// The file that says it.
const NAME: &str = "embed.json";

/// What is kept beside features.
#[derive(Serialize, Deserialize, PartialEq)]
pub(super) struct Kept {
    /// The name of the file or folder of the weights, and a checksum of what it holds.
    weights: String,
    checksum: String,
    network: String,
    views: String,
    /// A checksum of all that says how clips are prepared.
    prepared: String,
    precision: String,
    /// The folders and videos that were given, from the root.
    inputs: Vec<PathBuf>,
}

impl Kept {
    pub(super) fn new(
        weights: &Path,
        [network, views, prepared, precision]: [String; 4],
        inputs: &[PathBuf],
    ) -> Result<Kept> {
        let absolute = |path: &PathBuf| std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        let name = std::fs::canonicalize(weights).unwrap_or_else(|_| weights.to_path_buf());
        Ok(Kept {
            weights: name.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
            checksum: checksum(weights)?,
            network,
            views,
            prepared,
            precision,
            inputs: inputs.iter().map(absolute).collect(),
        })
    }

    /// Compares with what the folder's features are of, and keeps it there; `made` are features that are there already, with
    /// the folder or video given that they would be of.
    ///
    /// # Errors
    /// [`kinetograph::ErrorKind::Usage`] when the features are of other weights or views, or of other videos of the same names.
    pub(super) fn agree(mut self, folder: &Path, made: &[(&Path, &Path)]) -> Result<()> {
        let path = folder.join(NAME);
        let other = |what: String| {
            let advice = "choose another --output";
            Err(Error::usage(format!("{}: the features there are {what}; {advice}", folder.display())))
        };
        let before = match std::fs::read(&path) {
            Ok(text) => Some(serde_json::from_slice::<Kept>(&text).map_err(|e| {
                Error::bad_input(format!("{}: says no longer what the features are of: {e}", path.display()))
            })?),
            Err(_) if made.is_empty() => None,
            Err(_) => return other(format!("of weights that are not known, for {NAME} is missing")),
        };
        if let Some(before) = before {
            if before.checksum != self.checksum {
                let [old, new] = [&before, &self].map(|k| format!("{} (checksum {})", k.weights, k.checksum));
                return other(format!("of other weights: {old}, not {new}"));
            }
            let pairs = [
                ("views", &before.views, &self.views),
                ("network", &before.network, &self.network),
                ("precision", &before.precision, &self.precision),
                ("preparation", &before.prepared, &self.prepared),
            ];
            if let Some((what, before, now)) = pairs.into_iter().find(|(_, before, now)| before != now) {
                return other(format!("of other {what}: {before}, not {now}"));
            }
            let inputs = &before.inputs;
            let new = |given: &Path| std::fs::canonicalize(given).is_ok_and(|g| !inputs.contains(&g));
            if let Some((target, given)) = made.iter().find(|(_, given)| new(given)) {
                return other(format!(
                    "of other folders than {}, and one is in the way: {}",
                    given.display(),
                    target.display()
                ));
            }
            self.inputs.extend(before.inputs);
        }
        self.inputs.sort();
        self.inputs.dedup();
        let failed = |e: std::io::Error| Error::usage(format!("{}: cannot be written: {e}", path.display()));
        std::fs::create_dir_all(folder).map_err(failed)?;
        write_atomic(&path, |out| {
            serde_json::to_writer_pretty(out, &self)
                .map_err(|e| Error::usage(format!("cannot be written: {e}")))
        })
    }
}

/// Of a text.
pub(super) fn checksum_of_text(text: &str) -> String {
    format!("{:08x}", crc32fast::hash(text.as_bytes()))
}

/// Of a file, or all files of a folder: alike for alike content, wherever it lies.
fn checksum(path: &Path) -> Result<String> {
    let failed = |e: std::io::Error| Error::bad_input(format!("{}: cannot be read: {e}", path.display()));
    let mut files = vec![path.to_path_buf()];
    if path.is_dir() {
        let all = std::fs::read_dir(path).map_err(failed)?.map(|entry| Ok(entry.map_err(failed)?.path()));
        files = all.collect::<Result<_>>()?;
        files.retain(|f| f.is_file());
        files.sort();
    }
    let mut sum = crc32fast::Hasher::new();
    let mut part = vec![0; 1 << 20];
    for file in files {
        let mut file = File::open(file).map_err(failed)?;
        loop {
            match file.read(&mut part).map_err(failed)? {
                0 => break,
                n => sum.update(&part[..n]),
            }
        }
    }
    Ok(format!("{:08x}", sum.finalize()))
}
