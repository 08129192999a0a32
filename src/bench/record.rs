//! Results, and the file that keeps them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{At, Error, Result};
use crate::fs::write_atomic;
use crate::gpu::Peak;
use crate::graph::MemorySummary;

/// The version of the file's format.
const FORMAT: u32 = 1;

/// What an entry took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The entry's name.
    pub name: String,
    /// Floating-point operations, a multiply-add counted as two.
    pub flops: u64,
    /// Bytes that have to be read and written, in f32.
    pub bytes: u64,
    /// Seconds in kernels, one after the other; the median.
    pub kernels: f64,
    /// Seconds of a run with its transfers of inputs and outputs; the median.
    pub whole: f64,
    /// Seconds of planning and of the first run: weights packed and uploaded, kernels compiled.
    pub first: f64,
    /// The largest difference from the processor's answer, relative to its largest magnitude; none if not compared.
    pub error: Option<f64>,
    /// What the plan takes on a GPU.
    #[serde(with = "memory")]
    pub memory: Option<MemorySummary>,
    /// How many times as fast as in the record that it was compared with, if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
}

impl Measured {
    /// Billions of operations a second, in kernels.
    pub fn gflops(&self) -> f64 {
        self.flops as f64 / self.kernels / 1e9
    }

    /// Billions of bytes a second, in kernels.
    pub fn gbs(&self) -> f64 {
        self.bytes as f64 / self.kernels / 1e9
    }

    /// Operations a byte.
    pub fn intensity(&self) -> f64 {
        self.flops as f64 / self.bytes as f64
    }

    /// Which part of what the device can do at best is reached: of its copy bandwidth where memory bounds it, else of
    /// its multiply-adds. Algorithms that need fewer operations may be above 1.
    pub fn share(&self, peak: &Peak) -> f64 {
        (self.flops as f64 / peak.flops).max(self.bytes as f64 / peak.bytes) / self.kernels
    }
}

/// All that was measured on a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of this format.
    pub format: u32,
    /// The version of this crate.
    pub version: String,
    /// Device and driver.
    pub device: String,
    /// How tensors were stored, `f32` or `f16`.
    pub precision: String,
    /// Operations and bytes a second that the device reaches at best, if they were measured.
    pub peak: Option<[f64; 2]>,
    /// The results.
    pub entries: Vec<Measured>,
}

impl Record {
    /// An empty record.
    pub fn new(device: impl Into<String>, precision: impl Into<String>, peak: Option<Peak>) -> Record {
        Record {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            device: device.into(),
            precision: precision.into(),
            peak: peak.map(|p| [p.flops, p.bytes]),
            entries: Vec::new(),
        }
    }

    /// What the device reaches at best.
    pub fn peak(&self) -> Option<Peak> {
        self.peak.map(|[flops, bytes]| Peak { flops, bytes })
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the file cannot be read or is none.
    pub fn read(path: impl AsRef<Path>) -> Result<Record> {
        let path = path.as_ref();
        let read = || {
            let text = std::fs::read_to_string(path)
                .map_err(|e| Error::bad_input(format!("cannot be read: {e}")))?;
            let record: Record = serde_json::from_str(&text).map_err(|e| {
                Error::bad_input(format!("is no record of `kinetograph bench --output`: {e}"))
            })?;
            let sound = |m: &Measured| m.kernels.is_finite() && m.kernels > 0.0;
            match record.format {
                FORMAT if record.entries.iter().all(sound) => Ok(record),
                FORMAT => Err(Error::bad_input("has an entry that took no time")),
                other => Err(Error::bad_input(format!("has format {other}; this version reads {FORMAT}"))),
            }
        };
        read().at(path.display())
    }

    /// Writes it as JSON; on any error the file stays as it was.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] when the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(|e| Error::internal(e.to_string()))?;
        write_atomic(path.as_ref(), |out| {
            writeln!(out, "{text}").map_err(|e| Error::usage(format!("cannot be written: {e}")))
        })
    }

    /// How long an entry took in another record, divided by how long it took in this one.
    pub fn faster(&self, before: &Record, name: &str) -> Option<f64> {
        let find = |r: &Record| r.entries.iter().find(|m| m.name == name).map(|m| m.kernels);
        Some(find(before)? / find(self)?)
    }
}

/// A plan's memory as three numbers.
mod memory {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::graph::MemorySummary;

    pub(super) fn serialize<S: Serializer>(m: &Option<MemorySummary>, s: S) -> Result<S::Ok, S::Error> {
        m.map(|m| [m.weights, m.activations, m.alive]).serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<MemorySummary>, D::Error> {
        let numbers = Option::<[u64; 3]>::deserialize(d)?;
        Ok(numbers.map(|[weights, activations, alive]| MemorySummary { weights, activations, alive }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let mut record = Record::new("a device", "f32", Some(Peak { flops: 100e9, bytes: 10e9 }));
        record.entries.push(Measured {
            name: "conv3d/one".into(),
            flops: 50_000_000_000,
            bytes: 1_000_000_000,
            kernels: 1.0,
            whole: 1.5,
            first: 2.0,
            error: Some(1e-7),
            memory: Some(MemorySummary { weights: 1, activations: 2, alive: 2 }),
            ratio: None,
        });
        record
    }

    #[test]
    fn a_record_is_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bench.json");
        let record = record();
        record.write(&path).unwrap();
        assert_eq!(Record::read(&path).unwrap(), record);
        std::fs::write(&path, "{\"format\": 1}").unwrap();
        let error = Record::read(&path).unwrap_err().to_string();
        assert!(error.contains("bench.json") && error.contains("no record"), "{error}");
    }

    #[test]
    fn shares_are_of_what_bounds() {
        let record = record();
        let peak = record.peak().unwrap();
        let one = &record.entries[0];
        assert_eq!(one.share(&peak), 0.5);
        let memory = Measured { flops: 1, bytes: 9_000_000_000, ..one.clone() };
        assert_eq!(memory.share(&peak), 0.9);
        let slower = Record { entries: vec![Measured { kernels: 2.0, ..one.clone() }], ..record.clone() };
        assert_eq!(record.faster(&slower, "conv3d/one"), Some(2.0));
        assert_eq!(record.faster(&slower, "conv3d/two"), None);
    }
}
