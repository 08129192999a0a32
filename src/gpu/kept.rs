//! Compiled pipelines in a file, so that another process need not compile them again.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{Gpu, Hash};
use crate::error::{At, Error, Result};
use crate::fs::{failed, write_atomic};

/// What a file begins with; the last letter is the version of its format.
const MAGIC: &[u8] = b"KGPIPES1";

/// wgpu's version, as far as what it keeps depends on it.
const WGPU: &str = "wgpu 30";

/// No driver keeps more; what is longer is none of our files.
const MOST_BYTES: u64 = 1 << 30;

/// The driver's memory of what it has compiled, and the file it came from.
pub(super) struct Kept {
    pub(super) cache: wgpu::PipelineCache,
    path: PathBuf,
    key: String,
    state: Mutex<State>,
}

struct State {
    /// The checksum of what is in the file.
    written: Option<u64>,
    /// Whether something was compiled since.
    compiled: bool,
}

impl Gpu {
    /// Keeps what this device compiles in a file of a folder, and takes from it what an earlier process has compiled; each
    /// device, driver and version has a file of its own. The file is written whenever a plan is ready that needed something
    /// new. One that is broken is written anew, and one that cannot be written is left out, both with one warning in the log. Where the
    /// driver cannot hand over what it has compiled, nothing happens.
    pub fn keep_pipelines(&self, folder: &Path) {
        if !self.0.features.contains(wgpu::Features::PIPELINE_CACHE) || self.0.kept.get().is_some() {
            return;
        }
        let key = format!("{}, {WGPU}, {}", self.describe(), env!("CARGO_PKG_VERSION"));
        let mut hash = Hash::new();
        hash.add(key.as_bytes());
        let path = folder.join(format!("pipelines-{:016x}.bin", hash.value()));
        let data = read(&path, &key).unwrap_or_else(|e| {
            log::warn!("{e}; it is ignored and written anew");
            None
        });
        let written = data.as_deref().map(|data| checksum(&key, data));
        let cache = self.scoped("the cache of pipelines", |device| open(device, data.as_deref()));
        match cache {
            Ok(cache) => {
                let state = Mutex::new(State { written, compiled: false });
                let _ = self.0.kept.set(Kept { cache, path, key, state });
            }
            Err(e) => log::warn!("{e}; every kernel is compiled anew"),
        }
    }

    /// Writes what was compiled since the last time.
    pub(crate) fn save_pipelines(&self) {
        if let Some(kept) = self.0.kept.get() {
            kept.save().unwrap_or_else(|e| log::warn!("{e}; compiled kernels are not kept"));
        }
    }
}

#[expect(unsafe_code, reason = "wgpu cannot know where the data comes from")]
fn open(device: &wgpu::Device, data: Option<&[u8]>) -> wgpu::PipelineCache {
    let label = Some("kinetograph");
    // SAFETY: the data was returned by `get_data` for this very adapter, driver and version of wgpu: `decode` compares all
    // of these with the file's head, and a checksum of the whole. wgpu compares its own head and the driver's again.
    unsafe { device.create_pipeline_cache(&wgpu::PipelineCacheDescriptor { label, data, fallback: true }) }
}

impl Kept {
    /// Notes that something was compiled.
    pub(super) fn compiled(&self) {
        self.state().compiled = true;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self) -> Result<()> {
        let mut state = self.state();
        if !state.compiled {
            return Ok(());
        }
        state.compiled = false;
        let Some(data) = self.cache.get_data() else { return Ok(()) };
        let sum = checksum(&self.key, &data);
        if state.written == Some(sum) {
            return Ok(());
        }
        // Also if it fails: once is enough.
        state.written = Some(sum);
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(failed).at(folder.display())?;
        }
        write_atomic(&self.path, |out| out.write_all(&encode(&self.key, &data)).map_err(failed))
    }
}

/// The data of a file; none if there is no file.
fn read(path: &Path, key: &str) -> Result<Option<Vec<u8>>> {
    let read = || {
        let unreadable = |e: std::io::Error| Error::bad_input(format!("cannot be read: {e}"));
        match fs::metadata(path) {
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(e) => return Err(unreadable(e)),
            Ok(m) if !m.is_file() || m.len() > MOST_BYTES => {
                return Err(Error::bad_input("is no file of compiled kernels"));
            }
            Ok(_) => {}
        }
        decode(&fs::read(path).map_err(unreadable)?, key).map(|data| Some(data.to_vec()))
    };
    read().at(path.display())
}

fn checksum(key: &str, data: &[u8]) -> u64 {
    let mut hash = Hash::new();
    hash.add(key.as_bytes());
    hash.add(data);
    hash.value()
}

/// Magic, the key's length and itself, the checksum, the data.
fn encode(key: &str, data: &[u8]) -> Vec<u8> {
    let length = (key.len() as u64).to_le_bytes();
    [MAGIC, &length, key.as_bytes(), &checksum(key, data).to_le_bytes(), data].concat()
}

fn decode<'a>(file: &'a [u8], key: &str) -> Result<&'a [u8]> {
    let rest = file.strip_prefix(MAGIC).ok_or_else(|| Error::bad_input("is no file of compiled kernels"))?;
    let rest =
        rest.strip_prefix(&(key.len() as u64).to_le_bytes()).and_then(|r| r.strip_prefix(key.as_bytes()));
    let rest = rest.ok_or_else(|| Error::bad_input("is of another device, driver or version"))?;
    let (sum, data) = rest.split_first_chunk().unwrap_or((&[0; 8], &[]));
    if u64::from_le_bytes(*sum) != checksum(key, data) {
        return Err(Error::bad_input("is damaged"));
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_byte_is_noticed() {
        let file = encode("a device", &[1, 2, 3]);
        assert_eq!(decode(&file, "a device").unwrap(), [1, 2, 3]);
        for at in 0..file.len() {
            let mut broken = file.clone();
            broken[at] ^= 0x10;
            assert!(decode(&broken, "a device").is_err(), "byte {at}");
            assert!(decode(&file[..at], "a device").is_err(), "{at} bytes");
        }
        assert!(decode(&[&file[..], &[0]].concat(), "a device").is_err());
        let why = |file: &[u8], key| decode(file, key).unwrap_err().to_string();
        assert!(why(&file, "a driver").contains("another device"));
        assert!(why(b"{}", "a device").contains("no file of"));
        assert!(why(&file[..file.len() - 1], "a device").contains("damaged"));
    }

    #[test]
    fn the_key_names_the_wgpu_that_is_used() {
        let manifest = include_str!("../../Cargo.toml");
        let line = manifest.lines().find(|l| l.starts_with("wgpu = ")).unwrap();
        assert!(line.contains(&format!("\"{}.", WGPU.trim_start_matches("wgpu "))), "{line}");
    }
}
