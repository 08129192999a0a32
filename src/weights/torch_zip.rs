//! PyTorch's zip files as the crate `zip` can read them.
//!
//! PyTorch writes ZIP64 records between the central directory and its end record though no number needs them. The crate
//! `zip`, 9.1 to 9.8, looks for the directory's start as many bytes before the end record as the directory is long: 76 bytes
//! too late, those of the ZIP64 records, where in general nothing is, so that it looks elsewhere. But if the first entry's
//! header is of 76 bytes, the second one's lies just there and is taken for the first: where the archive's name is of 21
//! characters, for that entry is `<name>/data.pkl`. Such a file is read from a copy that says that ZIP64's records count.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use tempfile::TempPath;

use crate::error::{Error, Result};

/// The lengths of the end record and of the locator of ZIP64's end record before it.
const END: u64 = 22;
const LOCATOR: u64 = 20;

/// A copy that can be read of a file that cannot, and `None` of any other file. The copy goes with the path.
pub(super) fn readable_copy(path: &Path) -> Result<Option<TempPath>> {
    // What cannot be read here is for the reader to tell.
    let Some(at) = File::open(path).ok().and_then(|mut file| misleading_end(&mut file)) else {
        return Ok(None);
    };
    log::debug!("{}: its ZIP64 records mislead the reader; it is copied", path.display());
    copy(path, at).map(Some).map_err(|e| {
        Error::bad_input(format!(
            "a copy of it is needed and cannot be made in {}: {e}. Let TMPDIR name a folder with room for it, or save \
             the weights anew under a file name that is longer or shorter",
            std::env::temp_dir().display()
        ))
    })
}

/// The position of the end record, if that makes the second entry of the directory look like the first.
fn misleading_end(file: &mut File) -> Option<u64> {
    let end = file.metadata().ok()?.len().checked_sub(END)?;
    let record: [u8; END as usize] = bytes(file, end)?;
    let located = bytes::<4>(file, end.checked_sub(LOCATOR)?)? == *b"PK\x06\x07";
    let number = |at: usize| record.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let (size, start) = (number(12)?, number(16)?);
    let counts = record.get(10..12)? == [0xff; 2] || size == u32::MAX || start == u32::MAX;
    if !record.starts_with(b"PK\x05\x06") || !located || counts {
        return None;
    }
    let taken = end.checked_sub(size.into()).filter(|taken| *taken > start.into())?;
    let is_header = |bytes: [u8; 4]| bytes == *b"PK\x01\x02";
    (is_header(bytes(file, start.into())?) && is_header(bytes(file, taken)?)).then_some(end)
}

fn bytes<const N: usize>(file: &mut File, at: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.seek(SeekFrom::Start(at)).ok()?;
    file.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// Copies the file, with numbers of entries in the end record at `end` for which readers turn to ZIP64's record.
fn copy(path: &Path, end: u64) -> std::io::Result<TempPath> {
    let copy = tempfile::Builder::new().prefix("kinetograph-").tempfile()?;
    // Where the file system can, this shares the blocks.
    let mut from = File::open(path)?;
    let mut file = copy.as_file();
    std::io::copy(&mut from, &mut file)?;
    file.seek(SeekFrom::Start(end + 8))?;
    file.write_all(&[0xff; 4])?;
    file.flush()?;
    Ok(copy.into_temp_path())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::weights::Checkpoint;

    /// What `pickle.dumps` gives of an ordered dictionary of one tensor of two numbers, as PyTorch pickles it.
    const PICKLE: &[u8] = b"\x80\x02}q\x00X\x01\x00\x00\x00wq\x01ctorch._utils\n_rebuild_tensor_v2\nq\x02((X\x07\x00\x00\x00\
        storageq\x03ctorch\nFloatStorage\nq\x04X\x01\x00\x00\x000q\x05X\x03\x00\x00\x00cpuq\x06K\x02tq\x07QK\x00K\x02\x85q\
        \x08K\x01\x85q\t\x89ccollections\nOrderedDict\nq\n)Rq\x0btq\x0cRq\rs.";

    fn join(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    /// A zip as PyTorch writes it, without checksums, of an archive called so.
    fn archive(name: &str) -> Vec<u8> {
        let data = [1.5f32, -2.0].map(f32::to_le_bytes).concat();
        let entries: [(&str, &[u8]); 3] = [("data.pkl", PICKLE), ("byteorder", b"little"), ("data/0", &data)];
        let (mut file, mut directory) = (Vec::new(), Vec::new());
        for (entry, content) in entries {
            let entry = format!("{name}/{entry}");
            let size = (content.len() as u32).to_le_bytes();
            let lengths = [(entry.len() as u16).to_le_bytes(), [0; 2]].concat();
            let same = join(&[&[0; 14], &size, &size, &lengths]);
            let start = (file.len() as u32).to_le_bytes();
            directory.extend(join(&[b"PK\x01\x02\0\0", &same, &[0; 10], &start, entry.as_bytes()]));
            file.extend(join(&[b"PK\x03\x04", &same, entry.as_bytes(), content]));
        }
        let [start, size, count] = [file.len(), directory.len(), entries.len()].map(|n| n as u64);
        let zip64 = (start + size).to_le_bytes();
        let numbers = [0, count, count, size, start].map(u64::to_le_bytes).concat();
        let end64 = join(&[b"PK\x06\x06", &44u64.to_le_bytes(), &[0x1e, 3, 0x2d, 0], &numbers]);
        let locator = join(&[b"PK\x06\x07\0\0\0\0", &zip64, &[1, 0, 0, 0]]);
        let count = (count as u16).to_le_bytes();
        let (size, start) = ((size as u32).to_le_bytes(), (start as u32).to_le_bytes());
        let end = join(&[b"PK\x05\x06\0\0\0\0", &count, &count, &size, &start, &[0; 2]]);
        join(&[&file, &directory, &end64, &locator, &end])
    }

    /// Whatever the archive is called: PyTorch calls it as its file.
    #[test]
    fn archives_of_any_name_are_read() {
        let folder = tempfile::tempdir().unwrap();
        for length in 1..60 {
            let path = folder.path().join("w.pth");
            fs::write(&path, archive(&"a".repeat(length))).unwrap();
            let copied = readable_copy(&path).unwrap().is_some();
            assert_eq!(copied, length == 21, "{length}");
            let checkpoint = Checkpoint::open(&path).unwrap_or_else(|e| panic!("{length}: {e}"));
            let tensor = checkpoint.tensor("w").unwrap();
            assert_eq!(tensor.f32s().unwrap(), [1.5, -2.0], "{length}");
        }
    }

    #[test]
    fn other_files_are_let_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.pth");
        assert!(readable_copy(&path).unwrap().is_none());
        for content in [&b""[..], b"PK\x05\x06", &[0; 30], &[0xff; 64], &archive("short")] {
            fs::write(&path, content).unwrap();
            assert!(readable_copy(&path).unwrap().is_none());
        }
    }
}
