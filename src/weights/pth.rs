//! PyTorch files. The `pytorch-reader` crate parses the pickle into data; nothing in it is executed.

use std::path::Path;

use super::checkpoint::Entry;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

#[cfg(not(feature = "pth"))]
mod reader {
    use super::*;

    #[derive(Debug)]
    pub(crate) enum File {}

    impl File {
        pub(crate) fn open(_: &Path) -> Result<(File, Vec<Entry>)> {
            Err(Error::bad_input(
                "is a PyTorch file, which this build cannot read: build it with the feature `pth`, or convert \
                 the file to safetensors",
            ))
        }

        pub(crate) fn format(&self) -> &'static str {
            match *self {}
        }

        pub(crate) fn tensor(&self, _: &Entry) -> Result<Tensor> {
            match *self {}
        }
    }
}

#[cfg(feature = "pth")]
mod reader {
    use std::collections::{BTreeSet, HashMap};
    use std::fmt;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use pytorch_reader::{DType, FileFormat, PytorchReader};
    use tempfile::TempPath;

    use super::super::torch_zip;
    use super::*;
    use crate::element::{Element, Endian};

    #[derive(Debug)]
    pub(crate) struct File {
        tensors: HashMap<String, pytorch_reader::Tensor>,
        format: &'static str,
        len: u64,
        /// Where the file could not be read itself.
        _copy: Option<TempPath>,
    }

    impl File {
        pub(crate) fn open(path: &Path) -> Result<(File, Vec<Entry>)> {
            let len = path.metadata().map_or(0, |m| m.len());
            let copy = torch_zip::readable_copy(path)?;
            let reader = guard(|| PytorchReader::new(copy.as_deref().unwrap_or(path)))?;
            let format = match reader.metadata().format_type {
                FileFormat::Zip => "PyTorch (zip)",
                FileFormat::Tar => "PyTorch (tar)",
                FileFormat::Legacy => "PyTorch (before 1.6)",
                FileFormat::Pickle => "pickle",
            };
            if reader.is_empty() {
                return Err(Error::bad_input(match format {
                    "pickle" => {
                        "is a Python pickle without PyTorch tensors, such as Caffe2's .pkl models are; look for \
                         the same model as .pth or .pyth"
                    }
                    _ => "is a PyTorch file without tensors",
                }));
            }
            let mut tensors = reader.into_tensors();
            while let Some(wrapper) = wrapper(&tensors) {
                log::debug!("{}: weights are under {wrapper:?}", path.display());
                let inside = |(name, t): (String, _)| Some((name.strip_prefix(&wrapper)?.to_string(), t));
                tensors = tensors.into_iter().filter_map(inside).collect();
            }
            let entries = tensors.iter().map(|(name, t)| Entry {
                name: name.clone(),
                dtype: element(t.dtype()).to_string(),
                shape: t.shape().to_vec(),
            });
            let entries = entries.collect();
            Ok((File { tensors, format, len, _copy: copy }, entries))
        }

        pub(crate) fn format(&self) -> &'static str {
            self.format
        }

        pub(crate) fn tensor(&self, entry: &Entry) -> Result<Tensor> {
            let tensor =
                self.tensors.get(&entry.name).ok_or_else(|| Error::internal("is listed but gone"))?;
            // A view with steps of 0 can be far larger than the file.
            let bytes = tensor.shape().iter().try_fold(tensor.dtype().size(), |n, &d| n.checked_mul(d));
            if bytes.is_none_or(|n| n as u64 > self.len.max(1 << 20)) {
                return Err(Error::bad_input(format!("of shape {:?} is larger than the file", entry.shape)));
            }
            let bytes = guard(|| tensor.read())?;
            element(tensor.dtype()).decode(&entry.shape, &bytes, Endian::NATIVE)
        }
    }

    /// Dictionaries that training programs put their weights into, beside other things.
    const WRAPPERS: [&str; 5] = ["state_dict", "model_state_dict", "model_state", "model_weights", "params"];
    /// The same, but also common names of a module; then all else beside them must be of training.
    const MODULES: [&str; 5] = ["model", "module", "net", "network", "weights"];
    const TRAINING: [&str; 10] =
        ["optim", "sched", "lr_", "ema", "scaler", "amp", "rng", "cuda_rng", "callbacks", "loops"];

    /// The `name.` that all weights are under, if they are.
    fn wrapper(tensors: &HashMap<String, pytorch_reader::Tensor>) -> Option<String> {
        let tops: BTreeSet<&str> =
            tensors.keys().map(|name| name.split_once('.').map_or("", |(top, _)| top)).collect();
        let beside = |top: &str| TRAINING.iter().any(|t| top.starts_with(t));
        let alone = |w: &str| tops.iter().all(|&top| top == w || beside(top));
        let sure = WRAPPERS.into_iter().find(|w| tops.contains(w));
        let found = sure.or_else(|| MODULES.into_iter().find(|w| tops.contains(w) && alone(w)));
        found.map(|w| format!("{w}."))
    }

    /// Runs the reader; its errors, and panics should it have any, become ours.
    fn guard<T, E: fmt::Display>(read: impl FnOnce() -> Result<T, E>) -> Result<T> {
        let text = match catch_unwind(AssertUnwindSafe(read)) {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(e)) => e.to_string(),
            Err(_) => "the reader gave up on it".to_string(),
        };
        let mut line: String = text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if line.len() < text.len() {
            line.push('…');
        }
        let cut =
            if line.contains("EOCD") || line.contains("nexpected end") { "; is it cut off?" } else { "" };
        Err(Error::bad_input(format!("is no readable PyTorch file: {line}{cut}")))
    }

    fn element(dtype: DType) -> Element {
        match dtype {
            DType::F64 => Element::F64,
            DType::F32 => Element::F32,
            DType::F16 => Element::F16,
            DType::BF16 => Element::Bf16,
            DType::I64 => Element::I64,
            DType::I32 => Element::I32,
            DType::I16 => Element::I16,
            DType::I8 => Element::I8,
            DType::U64 => Element::U64,
            DType::U32 => Element::U32,
            DType::U16 => Element::U16,
            DType::U8 => Element::U8,
            DType::Bool => Element::Bool,
        }
    }
}

pub(super) use reader::File;
