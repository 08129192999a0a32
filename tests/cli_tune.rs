//! `tune` as a user meets it: what it measures is kept, used, not measured twice, and ignored when it is broken.

use std::path::Path;
use std::process::{Command, Output};

use kinetograph::gpu::{self, install_hint};
use kinetograph::graph::Tuning;
use serde_json::Value as Json;

/// An entry of `bench` that software runs in milliseconds, with all tiles to choose from.
const ENTRY: &str = "conv3d/slowfast-lateral";

fn kinetograph(cache: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinetograph"));
    command.args(words).env("KINETOGRAPH_CACHE", cache).env("NODEVICE_SELECT", "1").output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn rows(output: &Output) -> Vec<Json> {
    assert!(output.status.success(), "{}", errors(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_processor_has_nothing_to_tune() {
    let folder = tempfile::tempdir().unwrap();
    let output = kinetograph(folder.path(), &["tune", ENTRY, "--device", "cpu"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("nothing to tune"), "{}", errors(&output));
    let output = kinetograph(folder.path(), &["tune", "nosuch"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("`nosuch`"), "{}", errors(&output));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn choices_are_kept_and_used_and_broken_ones_ignored() {
    let Some(device) = gpu::adapters().into_iter().next() else {
        println!("SKIPPED: no adapter; {}", install_hint());
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("made/by/the/command");
    let number = "0";
    let tune = ["tune", ENTRY, "--device", number, "--json"];
    let first = rows(&kinetograph(&cache, &tune));
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(first[0]["candidates"].as_u64().unwrap() >= 6, "{first:?}");
    assert!(first[0]["chosen_ms"].as_f64().unwrap() <= first[0]["usual_ms"].as_f64().unwrap());
    let mut files: Vec<_> = std::fs::read_dir(&cache).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "json"));
    assert_eq!(files.len(), 1, "{files:?}");
    let gpu = kinetograph::gpu::Gpu::from_adapter(&device).unwrap();
    let tuning = Tuning::read(&files[0], &gpu).unwrap();
    assert_eq!(
        (tuning.len(), files[0].file_name().unwrap().to_str()),
        (1, Some(Tuning::file_name(&gpu).as_str()))
    );

    // Known already; measured again only when asked.
    assert!(rows(&kinetograph(&cache, &tune)).is_empty());
    assert_eq!(rows(&kinetograph(&cache, &[&tune[..], &["--again"]].concat())).len(), 1);

    let bench = ["bench", ENTRY, "--device", number, "--time", "0"];
    let output = kinetograph(&cache, &bench);
    assert!(output.status.success() && !errors(&output).contains("warning"), "{}", errors(&output));
    let text = std::fs::read_to_string(&files[0]).unwrap();
    for broken in [&text[..text.len() / 2], "", "{\"format\": 99, \"device\": \"\", \"choices\": {}}"] {
        std::fs::write(&files[0], broken).unwrap();
        let output = kinetograph(&cache, &bench);
        assert!(output.status.success(), "{}", errors(&output));
        assert_eq!(errors(&output).matches("warning:").count(), 1, "{}", errors(&output));
        let output = kinetograph(&cache, &[&bench[..], &["--no-tune"]].concat());
        assert!(output.status.success() && !errors(&output).contains("warning"), "{}", errors(&output));
    }
    // The device's name in the file is another's.
    std::fs::write(&files[0], text.replace("\"device\": \"", "\"device\": \"no ")).unwrap();
    assert!(errors(&kinetograph(&cache, &bench)).contains("another device"));
    assert_eq!(rows(&kinetograph(&cache, &tune)).len(), 1);
    assert_eq!(Tuning::read(&files[0], &gpu).unwrap().len(), 1);
}
