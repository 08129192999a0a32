//! Writing files so that a reader sees the old content or the new, never a part.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{At, Error, Result};

/// Writes `path` through `write`: into a temporary file beside it, which takes its place only when
/// everything succeeded. On any error the temporary file goes and `path` stays as it was.
///
/// A path that is a device or a pipe (`/dev/stdout`) is written directly.
///
/// # Errors
/// What `write` gives; [`crate::ErrorKind::Usage`] when the path or its folder takes no file.
pub fn write_atomic(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    write_inner(path, write).at(path.display())
}

fn write_inner(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    // A rename would replace a link, not what it points to.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    match fs::metadata(&target) {
        Ok(m) if m.is_dir() => return Err(Error::usage("is a folder; the name of a file is needed")),
        Ok(m) if !m.is_file() => {
            let mut out = BufWriter::new(File::options().write(true).open(&target).map_err(failed)?);
            write(&mut out)?;
            return out.flush().map_err(failed);
        }
        _ => {}
    }
    let folder = folder_of(&target)?;
    let temporary = temporary_in(&folder)?;
    let mut out = BufWriter::with_capacity(1 << 20, temporary.as_file());
    write(&mut out)?;
    out.flush().map_err(failed)?;
    drop(out);
    temporary.persist(&target).map_err(|e| failed(e.error))?;
    Ok(())
}

/// Makes the file `path` through `make`, which is told the name of an empty temporary file beside it and fills it, as
/// another program may; it takes its place only when everything succeeded.
#[cfg(feature = "video")]
pub(crate) fn make_atomic(path: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let made = folder_of(&target).and_then(|folder| {
        if target.exists() && !target.is_file() {
            return Err(Error::usage("is no regular file"));
        }
        let temporary = temporary_in(&folder)?;
        make(temporary.path())?;
        temporary.persist(&target).map_err(|e| failed(e.error))?;
        Ok(())
    });
    made.at(path.display())
}

/// The folder that a file is to lie in.
fn folder_of(target: &Path) -> Result<PathBuf> {
    let folder = match target.parent() {
        Some(p) if p.as_os_str().is_empty() => PathBuf::from("."),
        Some(p) => p.to_path_buf(),
        None => return Err(Error::usage("the name of a file is needed")),
    };
    match folder.is_dir() {
        true => Ok(folder),
        false => Err(Error::usage(format!("there is no folder {}", folder.display()))),
    }
}

fn temporary_in(folder: &Path) -> Result<tempfile::NamedTempFile> {
    // Its own text names the temporary file, which means nothing to the reader.
    builder().tempfile_in(folder).map_err(|e| {
        Error::usage(format!(
            "cannot be written: the folder {} takes no files: {}",
            folder.display(),
            e.kind()
        ))
    })
}

/// Temporary files are private by default; what takes a user's path gets the usual permissions.
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

/// The error for a failed write.
pub(crate) fn failed(e: io::Error) -> Error {
    Error::usage(format!("cannot be written: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.bin");
        write_atomic(&path, |w| w.write_all(b"old").map_err(failed)).unwrap();
        let e = write_atomic(&path, |w| {
            w.write_all(b"new").map_err(failed)?;
            Err(Error::bad_input("gave up"))
        });
        assert!(e.unwrap_err().to_string().ends_with("a.bin: gave up"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["a.bin"]);
        write_atomic(&path, |w| w.write_all(b"new").map_err(failed)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(dir.path()), ["a.bin"]);
    }

    #[test]
    fn places_that_cannot_be_written_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        assert!(write_atomic(dir.path(), |_| Ok(())).is_err());
        let e = write_atomic(&dir.path().join("no/such/a.bin"), |_| Ok(())).unwrap_err();
        assert!(e.to_string().contains("there is no folder"), "{e}");
        assert!(write_atomic(Path::new(""), |_| Ok(())).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_and_devices_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_atomic(&link, |w| w.write_all(b"new").map_err(failed)).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        write_atomic(Path::new("/dev/null"), |w| w.write_all(b"x").map_err(failed)).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
