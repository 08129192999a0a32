//! The file of compiled kernels as a user meets it: written once, taken, and ignored when it is broken.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kinetograph::gpu::{self, install_hint};
use kinetograph::wgpu::Features;

fn computed(cache: &Path) -> String {
    let words = ["verify", "vector_quantize/cosine-nan", "--device", "0"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinetograph"));
    let output: Output =
        command.args(words).env("KINETOGRAPH_CACHE", cache).env("NODEVICE_SELECT", "1").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    errors
}

fn warnings(errors: &str) -> usize {
    errors.matches("WARN").count()
}

fn files(cache: &Path) -> Vec<PathBuf> {
    fs::read_dir(cache).unwrap().map(|f| f.unwrap().path()).collect()
}

/// Whether the first adapter hands over what it compiled.
fn can_keep() -> bool {
    let adapter = gpu::adapters().into_iter().next();
    let can = adapter.is_some_and(|a| a.features().contains(Features::PIPELINE_CACHE));
    if !can {
        println!("SKIPPED: no adapter that keeps pipelines; {}", install_hint());
    }
    can
}

#[test]
fn broken_and_foreign_files_are_ignored_and_written_anew() {
    if !can_keep() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("made/by/the/command");
    assert_eq!(warnings(&computed(&cache)), 0);
    let [file] = &files(&cache)[..] else { panic!("{:?}", files(&cache)) };
    assert!(file.file_name().unwrap().to_str().unwrap().starts_with("pipelines-"), "{file:?}");
    let whole = fs::read(file).unwrap();
    let changed = |at: usize| {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        changed
    };
    let cases = [
        (whole[..whole.len() - 1].to_vec(), "damaged"),
        (changed(whole.len() - 1), "damaged"),
        // The first letter of the device's name.
        (changed(16), "another device"),
        (Vec::new(), "no file of compiled kernels"),
    ];
    for (bytes, why) in cases {
        fs::write(file, bytes).unwrap();
        let errors = computed(&cache);
        assert!(errors.contains(why) && warnings(&errors) == 1, "{why}: {errors}");
        let errors = computed(&cache);
        assert_eq!(warnings(&errors), 0, "after {why}: {errors}");
    }
    assert_eq!(files(&cache).len(), 1);
}

#[test]
fn where_nothing_can_be_written_everything_works() {
    if !can_keep() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let no_folder = folder.path().join("file");
    fs::write(&no_folder, "").unwrap();
    let errors = computed(&no_folder);
    assert!(errors.contains("not kept") && warnings(&errors) == 1, "{errors}");
    // A disk that is full.
    #[cfg(target_os = "linux")]
    {
        let cache = folder.path().join("cache");
        computed(&cache);
        let file = files(&cache).pop().unwrap();
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/dev/full", &file).unwrap();
        let errors = computed(&cache);
        assert!(errors.contains("cannot be written") && errors.contains("not kept"), "{errors}");
    }
}
