//! An opened weight file of any kind.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Config, pth, random, safetensors, sniff};
use crate::element::{Element, Endian};
use crate::error::{At, Error, Result};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A tensor of a [`Checkpoint`], not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name in the file.
    pub name: String,
    /// The element type, such as `f32` or `bf16`.
    pub dtype: String,
    /// The lengths of the axes.
    pub shape: Vec<usize>,
}

/// An opened weight file: names and shapes at once, tensors when they are asked for.
///
/// Read are safetensors files, PyTorch files of every age (with the feature `pth`; nothing in them is ever
/// executed) and folders as Hugging Face lays them out. What a file is, its content tells, not its name.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    source: Source,
    /// Sorted by name.
    entries: Vec<Entry>,
    config: Box<Config>,
    /// What stands in place of tensors of the file.
    renewed: HashMap<String, Tensor>,
}

#[derive(Debug)]
enum Source {
    Safetensors(safetensors::Files),
    Pth(pth::File),
}

/// The files looked for in a folder, in this order.
const IN_FOLDER: [&str; 5] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "pytorch_model.bin",
];

impl Checkpoint {
    /// Opens a file, or a folder that holds `model.safetensors`, its parts and their index, or
    /// `pytorch_model.bin`. Beside a file of one of these names, its [`Checkpoint::config`] is read too.
    ///
    /// A safetensors file is mapped into memory and must not be shortened while the checkpoint is open.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the file cannot be read, is malformed or is of another kind; the
    /// text says of which.
    pub fn open(path: impl AsRef<Path>) -> Result<Checkpoint> {
        let path = path.as_ref();
        let file = if path.is_dir() { in_folder(path).at(path.display())? } else { path.to_path_buf() };
        let (source, mut entries) = open_file(&file).at(file.display())?;
        if entries.is_empty() {
            return Err(Error::bad_input("holds no tensors").at(file.display()));
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        log::debug!("{}: {} tensors", file.display(), entries.len());
        let is_of_folder = file.file_name().is_some_and(|name| IN_FOLDER.iter().any(|n| name == *n));
        let config = match file.parent() {
            Some(folder) if is_of_folder => Config::beside(folder)?,
            _ => Config::default(),
        };
        Ok(Checkpoint { path: file, source, entries, config: Box::new(config), renewed: HashMap::new() })
    }

    /// Opens a safetensors file that is part of the program (`include_bytes!`); `name` stands for its path.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when it is malformed.
    pub fn from_bytes(name: &str, bytes: &'static [u8]) -> Result<Checkpoint> {
        let (files, mut entries) = safetensors::Files::from_bytes(bytes).at(name)?;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let source = Source::Safetensors(files);
        Ok(Checkpoint { path: name.into(), source, entries, config: Box::default(), renewed: HashMap::new() })
    }

    /// The file opened; in a folder, the one found there.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file is, for messages: `safetensors`, `PyTorch (zip)` …
    pub fn format(&self) -> &'static str {
        match &self.source {
            Source::Safetensors(files) => files.format(),
            Source::Pth(file) => file.format(),
        }
    }

    /// What the folder says beside the weights; empty for a file that is not as Hugging Face lays it out.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The tensors of the file, sorted by name.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The tensor called `name` in the file, if there is one; nothing is read.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        let i = self.entries.binary_search_by(|e| e.name.as_str().cmp(name)).ok()?;
        self.entries.get(i)
    }

    /// Reads one tensor, in the layout of the file: floats as f32, integers and truth values as i32.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is none of that name, its type or shape is unsupported, an
    /// integer does not fit, or the file cannot be read.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let place = format_args!("{}: tensor {name:?}", self.path.display());
        let Some(entry) = self.entry(name) else {
            return Err(Error::bad_input("is not in the file")).at(place);
        };
        if let Some(renewed) = self.renewed.get(name) {
            return Ok(renewed.clone());
        }
        match &self.source {
            Source::Safetensors(files) => files.tensor(entry),
            Source::Pth(file) => file.tensor(entry),
        }
        .at(place)
    }

    /// Puts random values of [`Weights::random`](super::Weights::random) in place of a tensor, which has `rows` rows then.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is no such tensor, or none with rows, or that is too much.
    pub fn renew(&mut self, name: &str, rows: usize) -> Result<()> {
        let found = self.entries.binary_search_by(|e| e.name.as_str().cmp(name)).ok();
        let entry = found.and_then(|i| self.entries.get_mut(i)).filter(|e| !e.shape.is_empty());
        let Some(entry) = entry else {
            let place = format!("{}: tensor {name:?}", self.path.display());
            return Err(Error::bad_input("is not there, or has no rows").at(place));
        };
        entry.shape[0] = rows;
        let values = random::tensor(0, name, &Shape::new(&entry.shape)?)?;
        self.renewed.insert(name.to_owned(), values);
        Ok(())
    }
}

fn open_file(path: &Path) -> Result<(Source, Vec<Entry>)> {
    let io = |e: std::io::Error| Error::bad_input(format!("cannot be read: {e}"));
    // Opening a pipe would wait for a writer.
    if !path.metadata().map_err(io)?.is_file() {
        return Err(Error::bad_input("is not a regular file"));
    }
    let mut head = Vec::new();
    File::open(path).map_err(io)?.take(sniff::HEAD as u64).read_to_end(&mut head).map_err(io)?;
    match sniff::kind(&head) {
        sniff::Kind::Safetensors => {
            safetensors::Files::open(path).map(|(f, entries)| (Source::Safetensors(f), entries))
        }
        sniff::Kind::ShardIndex => {
            safetensors::Files::open_index(path).map(|(f, entries)| (Source::Safetensors(f), entries))
        }
        sniff::Kind::Pth => pth::File::open(path).map(|(f, entries)| (Source::Pth(f), entries)),
        sniff::Kind::Other(what) => Err(Error::bad_input(format!(
            "holds no weights that can be read: {what}. Read are safetensors files, PyTorch files (.pth, .pt, \
             .ckpt, .bin) and folders with one of them as Hugging Face lays them out"
        ))),
    }
}

fn in_folder(folder: &Path) -> Result<PathBuf> {
    let found = IN_FOLDER.iter().map(|name| folder.join(name)).find(|p| p.exists());
    found.ok_or_else(|| {
        Error::bad_input(format!("the folder holds no weights; looked for are {}", IN_FOLDER.join(", ")))
    })
}

/// Decodes the bytes of `entry`, little-endian.
pub(super) fn decode(element: Element, entry: &Entry, bytes: &[u8]) -> Result<Tensor> {
    element.decode(&entry.shape, bytes, Endian::Little)
}
