//! The safetensors format: one file, or several with an index.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use memmap2::{Mmap, MmapOptions};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};

use super::checkpoint::{Entry, decode};
use crate::element::Element;
use crate::error::{At, Error, Result};
use crate::fs::{failed, write_atomic};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::{DType, Tensor};

const MAX_HEADER: u64 = 32 << 20;
const MAX_TENSORS: usize = 100_000;
const MAX_NAME: usize = 1024;
const METADATA: &str = "__metadata__";

/// The file or files of a model.
#[derive(Debug)]
pub(super) struct Files {
    files: Vec<Part>,
    /// By tensor, its file. Empty where there is one file.
    file_of: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Part {
    content: Content,
    metadata: Metadata,
    /// Where the data begin, and how many bytes there are.
    start: u64,
    len: u64,
}

#[derive(Debug)]
enum Content {
    File(File),
    Memory(&'static [u8]),
}

/// The bytes of one tensor.
enum Bytes {
    Mapped(Mmap),
    Memory(&'static [u8]),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Memory(bytes) => bytes,
        }
    }
}

impl Files {
    pub(super) fn open(path: &Path) -> Result<(Files, Vec<Entry>)> {
        Ok(Files::of(Part::open(path)?))
    }

    pub(super) fn from_bytes(bytes: &'static [u8]) -> Result<(Files, Vec<Entry>)> {
        Ok(Files::of(Part::read(bytes, bytes.len() as u64, |_| Content::Memory(bytes))?))
    }

    fn of(part: Part) -> (Files, Vec<Entry>) {
        let entries = part.metadata.tensors().into_iter().map(|(name, info)| entry(name, info)).collect();
        (Files { files: vec![part], file_of: BTreeMap::new() }, entries)
    }

    /// Opens the parts an index names. They must lie beside it.
    pub(super) fn open_index(path: &Path) -> Result<(Files, Vec<Entry>)> {
        #[derive(Deserialize)]
        struct Index {
            weight_map: BTreeMap<String, String>,
        }
        let io = |e: std::io::Error| Error::bad_input(format!("cannot be read: {e}"));
        if path.metadata().map_err(io)?.len() > MAX_HEADER {
            return Err(Error::bad_input("is too large for an index of weights"));
        }
        let text = std::fs::read(path).map_err(io)?;
        let Index { weight_map } = serde_json::from_slice(&text)
            .map_err(|e| Error::bad_input(format!("is no index of weights: {e}")))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let (mut files, mut number, mut file_of) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let mut entries = Vec::with_capacity(weight_map.len());
        for (tensor, part) in weight_map {
            let i = match number.get(&part) {
                Some(&i) => i,
                None => {
                    let mut steps = Path::new(&part).components();
                    if !matches!((steps.next(), steps.next()), (Some(Component::Normal(_)), None)) {
                        return Err(Error::bad_input(format!(
                            "names {part:?}, which is not a file beside it"
                        )));
                    }
                    files.push(Part::open(&folder.join(&part)).at(format_args!("part {part:?}"))?);
                    number.insert(part.clone(), files.len() - 1);
                    files.len() - 1
                }
            };
            let Some(info) = files.get(i).and_then(|f| f.metadata.info(&tensor)) else {
                return Err(Error::bad_input(format!(
                    "places tensor {tensor:?} in {part:?}, which lacks it"
                )));
            };
            entries.push(entry(tensor.clone(), info));
            file_of.insert(tensor, i);
        }
        Ok((Files { files, file_of }, entries))
    }

    pub(super) fn format(&self) -> &'static str {
        if self.file_of.is_empty() { "safetensors" } else { "safetensors in parts" }
    }

    pub(super) fn tensor(&self, entry: &Entry) -> Result<Tensor> {
        let file = self.files.get(self.file_of.get(&entry.name).copied().unwrap_or(0));
        let part = file.ok_or_else(|| Error::internal("is in no file"))?;
        let info = part.metadata.info(&entry.name).ok_or_else(|| Error::internal("is listed but gone"))?;
        let element = element(info.dtype).ok_or_else(|| {
            Error::bad_input(format!("has elements of type {}, which cannot be read", entry.dtype))
        })?;
        Shape::new(&info.shape)?;
        decode(element, entry, &part.map(info)?)
    }
}

impl Part {
    fn open(path: &Path) -> Result<Part> {
        let io = |e: std::io::Error| Error::bad_input(format!("cannot be read: {e}"));
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        Part::read(file, length, Content::File)
    }

    /// Reads the header of a source of `length` bytes.
    fn read<R: Read>(mut source: R, length: u64, keep: impl FnOnce(R) -> Content) -> Result<Part> {
        let io = |e: std::io::Error| Error::bad_input(format!("cannot be read: {e}"));
        let Some(rest) = length.checked_sub(8) else {
            return Err(Error::bad_input("is too short for a safetensors file"));
        };
        let mut length = [0; 8];
        source.read_exact(&mut length).map_err(io)?;
        let length = u64::from_le_bytes(length);
        let Some(len) = rest.checked_sub(length) else {
            return Err(Error::bad_input(format!(
                "is cut off: its header alone should have {length} bytes, {rest} are there"
            )));
        };
        if length > MAX_HEADER {
            let text = format!("has a header of {length} bytes; at most {MAX_HEADER} are read");
            return Err(Error::bad_input(text));
        }
        let mut header = Vec::with_capacity(length as usize);
        source.by_ref().take(length).read_to_end(&mut header).map_err(io)?;
        let metadata = parse(&header, len)?;
        Ok(Part { content: keep(source), metadata, start: 8 + length, len })
    }

    /// Maps the bytes of one tensor only, so that no more memory is held than is being read.
    fn map(&self, info: &TensorInfo) -> Result<Bytes> {
        let io = |e: std::io::Error| Error::bad_input(format!("cannot be read: {e}"));
        let (begin, end) = info.data_offsets;
        let file = match &self.content {
            Content::File(file) => file,
            Content::Memory(bytes) => {
                let data = bytes.get(self.start as usize..).and_then(|d| d.get(begin..end));
                return data.map(Bytes::Memory).ok_or_else(|| Error::internal("its header was checked"));
            }
        };
        if file.metadata().map_err(io)?.len() < self.start + self.len {
            return Err(Error::bad_input("is gone: the file was shortened since it was opened"));
        }
        let mut options = MmapOptions::new();
        options.offset(self.start + begin as u64).len(end - begin);
        #[expect(unsafe_code, reason = "mapping a file has no safe form")]
        // SAFETY: the mapping is read-only and its bytes are only copied out, any value being valid. A file
        // that shrinks meanwhile is excluded by the documentation of `Checkpoint::open`.
        unsafe { options.map(file) }.map(Bytes::Mapped).map_err(io)
    }
}

/// Parses a header, having checked what the safetensors crate does not, or only by overflowing: offsets
/// against the data, duplicates, limits.
fn parse(header: &[u8], data_len: u64) -> Result<Metadata> {
    let malformed = |e| Error::bad_input(format!("has a malformed safetensors header: {e}"));
    let mut json = serde_json::Deserializer::from_slice(header);
    HeaderCheck { data_len }.deserialize(&mut json).and_then(|()| json.end()).map_err(malformed)?;
    let metadata: Metadata = serde_json::from_slice(header).map_err(malformed)?;
    let described = metadata.data_len() as u64;
    if described != data_len {
        return Err(Error::bad_input(format!(
            "has {data_len} bytes of data where its header describes {described}"
        )));
    }
    Ok(metadata)
}

struct HeaderCheck {
    data_len: u64,
}

#[derive(Deserialize)]
struct Sizes {
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl<'de> DeserializeSeed<'de> for HeaderCheck {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for HeaderCheck {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if name.len() > MAX_NAME {
                return Err(A::Error::custom(format!("a name of {} bytes", name.len())));
            }
            if name == METADATA {
                map.next_value::<IgnoredAny>()?;
            } else {
                let Sizes { shape, data_offsets: (begin, end) } = map.next_value()?;
                if shape.len() > MAX_RANK {
                    return Err(A::Error::custom(format!("tensor {name:?} has {} axes", shape.len())));
                }
                if begin > end || end > self.data_len {
                    return Err(A::Error::custom(format!(
                        "tensor {name:?} takes bytes {begin} to {end} of {}; is the file cut off?",
                        self.data_len
                    )));
                }
                if shape.iter().try_fold(64u64, |n, &d| n.checked_mul(d)).is_none() {
                    return Err(A::Error::custom(format!("the shape {shape:?} of {name:?} overflows")));
                }
            }
            if names.len() == MAX_TENSORS {
                return Err(A::Error::custom(format!("more than {MAX_TENSORS} tensors")));
            }
            if let Some(twice) = names.replace(name) {
                return Err(A::Error::custom(format!("the name {twice:?} twice")));
            }
        }
        Ok(())
    }
}

fn entry(name: String, info: &TensorInfo) -> Entry {
    let dtype = element(info.dtype).map_or_else(|| info.dtype.to_string(), |e| e.to_string());
    Entry { name, dtype, shape: info.shape.clone() }
}

fn element(dtype: Dtype) -> Option<Element> {
    Some(match dtype {
        Dtype::F64 => Element::F64,
        Dtype::F32 => Element::F32,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::I64 => Element::I64,
        Dtype::I32 => Element::I32,
        Dtype::I16 => Element::I16,
        Dtype::I8 => Element::I8,
        Dtype::U64 => Element::U64,
        Dtype::U32 => Element::U32,
        Dtype::U16 => Element::U16,
        Dtype::U8 => Element::U8,
        Dtype::BOOL => Element::Bool,
        _ => return None,
    })
}

/// Writes tensors to a safetensors file, replacing it at once: a reader sees the old or the new one, never a part.
///
/// # Errors
/// [`crate::ErrorKind::Usage`] for names that are empty, too long or there twice, and when the file cannot be
/// written.
pub fn save_safetensors<S: AsRef<str>>(path: impl AsRef<Path>, tensors: &[(S, Tensor)]) -> Result<()> {
    let path = path.as_ref();
    let (header, order) = layout(tensors).at(path.display())?;
    write_atomic(path, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes()).map_err(failed)?;
        out.write_all(&header).map_err(failed)?;
        order.iter().try_for_each(|t| out.write_all(t.bytes())).map_err(failed)
    })
}

/// The header, and the tensors in the order of their data.
fn layout<S: AsRef<str>>(tensors: &[(S, Tensor)]) -> Result<(Vec<u8>, Vec<&Tensor>)> {
    if cfg!(target_endian = "big") {
        return Err(Error::usage("safetensors files are written on little-endian machines only"));
    }
    let mut sorted: Vec<(&str, &Tensor)> = tensors.iter().map(|(name, t)| (name.as_ref(), t)).collect();
    // Wide elements first, so that all are aligned.
    sorted.sort_by_key(|(name, t)| (std::cmp::Reverse(t.dtype().size()), *name));
    let (mut names, mut end) = (HashSet::new(), 0);
    let mut infos = Vec::with_capacity(sorted.len());
    for (name, t) in &sorted {
        if name.is_empty() || name.len() > MAX_NAME || *name == METADATA {
            return Err(Error::usage(format!("{name:?} cannot be the name of a tensor")));
        }
        if !names.insert(*name) {
            return Err(Error::usage(format!("two tensors have the name {name:?}")));
        }
        let dtype = match t.dtype() {
            DType::F32 => Dtype::F32,
            DType::F16 => Dtype::F16,
            DType::I32 => Dtype::I32,
            DType::U8 => Dtype::U8,
        };
        let begin = end;
        end += t.bytes().len();
        infos.push((
            name.to_string(),
            TensorInfo { dtype, shape: t.shape().to_vec(), data_offsets: (begin, end) },
        ));
    }
    let invalid = |e: &dyn fmt::Display| Error::internal(format!("no valid safetensors header: {e}"));
    let metadata = Metadata::new(None, infos).map_err(|e| invalid(&e))?;
    let mut header = serde_json::to_vec(&metadata).map_err(|e| invalid(&e))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok((header, sorted.into_iter().map(|(_, t)| t).collect()))
}
