//! A folder of its own, in which a test runs the command.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) struct Folder {
    folder: tempfile::TempDir,
    first: &'static [&'static str],
}

impl Folder {
    /// An empty folder; all words are preceded by these.
    pub(crate) fn new(first: &'static [&'static str]) -> Folder {
        Folder { folder: tempfile::tempdir().unwrap(), first }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command on the processor; `{crw}` and other names of goldens stand for their weights.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kinetograph"));
        command.current_dir(self.folder.path()).env("KINETOGRAPH_DEVICE", "cpu").env_remove("RUST_LOG");
        command.args(self.first);
        for word in words.split_whitespace() {
            match word.strip_prefix('{').and_then(|w| w.strip_suffix('}')) {
                Some(name) => command.arg(weights(name)),
                None => command.arg(word),
            };
        }
        command
    }

    pub(crate) fn run(&self, words: &str) -> Output {
        let output = self.command(words).output().unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Fails with this exit code, nothing on standard output and one error that has all the parts, and leaves no file.
    pub(crate) fn fails(&self, words: &str, code: i32, parts: &[&str]) {
        let before = self.names();
        let output = self.command(words).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words}: {stderr}");
        assert!(output.stdout.is_empty(), "{words}");
        assert_eq!(stderr.lines().filter(|l| l.starts_with("error")).count(), 1, "{words}: {stderr}");
        for part in parts {
            assert!(stderr.contains(part), "{words}: `{part}` is not in `{stderr}`");
        }
        assert_eq!(self.names(), before, "{words} left something");
    }
}

/// The weights of a network's golden file.
pub(crate) fn weights(network: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join(format!("tests/golden/networks/{network}/weights.safetensors"))
}
