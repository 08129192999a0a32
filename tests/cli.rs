//! The command as a user meets it: results, JSON, one-line errors and exit codes. Everything runs on the CPU.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kinetograph::{Tensor, npy};
use serde_json::Value as Json;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    fn tensor(&self, name: &str, shape: &[usize], f: impl FnMut(usize) -> f32) -> PathBuf {
        npy::write(self.path(name), &Tensor::from_fn(shape, f).unwrap()).unwrap();
        self.path(name)
    }
}

fn kinetograph(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kinetograph"))
        .args(words)
        .env("KINETOGRAPH_DEVICE", "cpu")
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json(output: &Output) -> Json {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Fails with this exit code, nothing on standard output, and one error, whose text contains all of `parts`.
fn fails(words: &[&str], code: i32, parts: &[&str]) {
    let output = kinetograph(words);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{words:?} printed a result");
    let errors: Vec<&str> = stderr.lines().filter(|l| l.starts_with("error")).collect();
    assert_eq!(errors.len(), 1, "{words:?}: {stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{words:?}: `{part}` is not in `{stderr}`");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn demo_names_the_motion() {
    let folder = Folder::new();
    let gif = folder.path("clip.gif");
    let output = kinetograph(&["demo", "--seed", "3", "--json", "--output", text(&gif)]);
    let json = json(&output);
    assert_eq!(json["truth"], "left");
    assert_eq!(json["top"][0]["label"], "left");
    assert_eq!(json["top"][0]["index"], 0);
    assert!(json["top"][0]["probability"].as_f64().unwrap() > 0.9);
    assert!(json["device"].as_str().unwrap().starts_with("cpu"));
    assert!(std::fs::read(gif).unwrap().starts_with(b"GIF89a"));
}

#[test]
fn demo_is_right_about_unseen_clips() {
    let json = json(&kinetograph(&["demo", "--evaluate", "16", "--json"]));
    assert_eq!(json["clips"], 16);
    assert!(json["accuracy"].as_f64().unwrap() > 0.9, "{json}");
}

#[test]
fn models_and_operators_are_listed() {
    let json = json(&kinetograph(&["models", "--json"]));
    assert_eq!(json[0]["name"], "c3d");
    assert_eq!(json[0]["params"], 79_991_015);
    let ops = kinetograph(&["models", "--ops"]);
    assert!(String::from_utf8_lossy(&ops.stdout).contains("conv3d: "));
    let outline = kinetograph(&["models", "c3d"]);
    assert!(String::from_utf8_lossy(&outline.stdout).contains("[1, 16, 112, 112, 64]"));
    fails(&["models", "c3dd"], 2, &["no network `c3dd`", "`c3d`"]);
}

#[test]
fn op_reads_and_writes_npy() {
    let folder = Folder::new();
    let x = folder.tensor("x.npy", &[1, 2, 2, 3, 3], |i| i as f32);
    let w = folder.tensor("w.npy", &[1, 2, 1, 1, 1], |i| [1.0, -1.0][i]);
    let y = folder.path("y.npy");
    let words = ["op", "conv3d", "--input", text(&x), "--weight", text(&w), "--stride", "1,2,2"];
    let output = kinetograph(&[&words[..], &["--layout", "ncthw", "--output", text(&y)]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let y = npy::read(y).unwrap();
    assert_eq!(&**y.shape(), [1, 1, 2, 2, 2]);
    assert_eq!(y.f32s().unwrap(), [-18.0; 8]);
}

#[test]
fn op_errors_name_the_fault() {
    let folder = Folder::new();
    let x = folder.tensor("x.npy", &[1, 2, 4, 4, 3], |i| i as f32);
    let w = folder.tensor("w.npy", &[3, 3, 3, 3, 4], |_| 1.0);
    let y = folder.path("y.npy");
    let base = ["op", "conv3d", "--input", text(&x), "--weight", text(&w), "--output", text(&y)];
    let with = |extra: &[&'static str]| [&base[..], extra].concat();
    fails(&with(&[]), 4, &["a window of 3 along T does not fit 2 elements"]);
    fails(&with(&["--padding", "1", "--stride", "0"]), 4, &["stride 0 along T"]);
    fails(&with(&["--padding", "1", "--stride", "99999999999"]), 4, &["stride 99999999999"]);
    fails(&with(&["--padding", "1", "--strides", "1"]), 4, &["unknown field `strides`", "`stride`"]);
    fails(&with(&["--padding", "1", "--groups", "2"]), 4, &["groups 2 must divide 3 input"]);
    fails(&["op", "conv4d", "--output", "y.npy"], 2, &["no operator `conv4d`", "conv3d"]);
    fails(&["op", "conv3d", "--input", text(&x), "--output", text(&y)], 2, &["conv3d needs --weight"]);
    fails(
        &["op", "conv3d", "--input", "none.npy", "--weight", text(&w), "--output", text(&y)],
        4,
        &["none.npy"],
    );
    assert!(!y.exists());
}

#[test]
fn batch_runs_on_after_an_error() {
    let folder = Folder::new();
    let x = folder.tensor("x.npy", &[2, 3], |i| i as f32 - 3.0);
    let (a, b) = (folder.path("a.npy"), folder.path("b.npy"));
    let line = |function: &str, out: &Path| {
        format!(
            "{{\"op\":\"activation\",\"input\":{:?},\"attrs\":{{\"function\":\"{function}\"}},\"output\":{:?}}}\n",
            text(&x),
            text(out)
        )
    };
    let batch = folder.file("cases.jsonl", (line("relux", &a) + &line("relu", &b)).as_bytes());
    let output = kinetograph(&["op", "--batch", text(&batch), "--json"]);
    assert_eq!(output.status.code(), Some(4));
    let lines: Vec<Json> = output
        .stdout
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    assert!(lines[0]["error"].as_str().unwrap().contains("no activation `relux`"));
    assert_eq!(lines[1]["shape"], serde_json::json!([2, 3]));
    assert_eq!(npy::read(b).unwrap().f32s().unwrap(), [0.0, 0.0, 0.0, 0.0, 1.0, 2.0]);
    assert!(!a.exists());
}

#[test]
fn run_says_what_is_wrong_with_its_files() {
    let folder = Folder::new();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/c3d/pool5-ceil.safetensors");
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo-c3d.safetensors");
    let words = folder.file("notes.txt", b"these are no weights, and no video either");
    let clip = folder.tensor("clip.npy", &[1, 16, 64, 64, 3], |i| (i % 255) as f32 / 127.0 - 1.0);
    let flat = folder.tensor("flat.npy", &[16, 64], |_| 0.0);
    let run = |input: &str, weights: &str| {
        vec![
            "run".to_owned(),
            "c3d".into(),
            "--input".into(),
            input.into(),
            "--weights".into(),
            weights.into(),
        ]
    };
    let fails = |input: &str, weights: &str, code: i32, parts: &[&str]| {
        let words = run(input, weights);
        self::fails(&words.iter().map(String::as_str).collect::<Vec<_>>(), code, parts);
    };
    fails(text(&clip), text(&words), 4, &["notes.txt"]);
    fails(text(&clip), "none.pth", 4, &["none.pth"]);
    fails(text(&clip), golden, 4, &["left over"]);
    fails(text(&words), demo, 4, &["notes.txt"]);
    fails("none.mp4", demo, 4, &["none.mp4"]);
    fails(text(&flat), demo, 4, &["flat.npy", "[N, T, H, W, 3]", "[16, 64]"]);
    let ok = kinetograph(&["run", "c3d", "--input", text(&clip), "--weights", demo, "--json", "--top", "2"]);
    let json = json(&ok);
    assert_eq!(json["top"].as_array().unwrap().len(), 2);
    assert_eq!(json["top"][0]["label"].as_str().unwrap(), format!("class {}", json["top"][0]["index"]));
    let unwritable = folder.path("no/such/folder/out.npy");
    let words = ["run", "c3d", "--input", text(&clip), "--weights", demo, "--output", text(&unwritable)];
    self::fails(&words, 2, &["out.npy"]);
}

#[test]
fn devices_that_do_not_exist_are_named() {
    fails(
        &["demo", "--device", "no such device", "--output", "/dev/null"],
        3,
        &["`no such device`", "--device cpu"],
    );
    fails(&["verify", "--device", "cpu"], 3, &["this is the CPU"]);
    let output = kinetograph(&["frobnicate"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn doctor_and_devices_always_answer() {
    assert!(kinetograph(&["doctor"]).status.success());
    let devices = kinetograph(&["devices"]);
    assert!(String::from_utf8_lossy(&devices.stdout).contains("cpu: "));
}
