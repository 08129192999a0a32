//! The command as a user meets it: results, JSON, one-line errors and exit codes. Everything runs on the CPU.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kinetograph::video::{self, Frame, write};
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

/// The table in the documentation is what the command writes.
#[test]
fn the_table_of_operators_is_up_to_date() {
    let output = kinetograph(&["models", "--ops", "--markdown"]);
    assert!(output.status.success());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operators.md");
    let here = std::fs::read_to_string(&path).unwrap_or_default();
    let same = here.lines().eq(String::from_utf8(output.stdout).unwrap().lines());
    assert!(same, "docs/operators.md: run `cargo run -- models --ops --markdown > docs/operators.md`");
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
    for name in ["c3d", "gru-rcn", "mvit"] {
        let json = json(&kinetograph(&["demo", "--model", name, "--evaluate", "16", "--json"]));
        assert_eq!((&json["network"], &json["clips"]), (&name.into(), &16.into()));
        assert!(json["accuracy"].as_f64().unwrap() > 0.9, "{json}");
    }
    fails(&["demo", "--model", "resnet"], 2, &["`resnet`", "c3d, gru-rcn, mvit"]);
}

#[test]
fn models_and_operators_are_listed() {
    let json = json(&kinetograph(&["models", "--json"]));
    assert_eq!(json[0]["name"], "c3d");
    assert_eq!(json[0]["variants"][0]["params"], 79_991_015);
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

/// A second output goes beside the first.
#[test]
fn op_writes_every_output() {
    let folder = Folder::new();
    let x = folder.tensor("x.npy", &[3, 2], |i| [0.9, 0.1, -5.0, 0.0, 0.0, 3.0][i]);
    let codebook = folder.tensor("codebook.npy", &[4, 2], |i| [9.0, 9.0, 1.0, 0.0, 0.0, 2.0, -1.0, 0.0][i]);
    let y = folder.path("y.npy");
    let words = ["op", "vector_quantize", "--input", text(&x), "--codebook", text(&codebook)];
    let output = kinetograph(&[&words[..], &["--distance", "expanded", "--output", text(&y)]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let indices = npy::read(&y).unwrap();
    assert_eq!((&**indices.shape(), indices.i32s().unwrap()), (&[3][..], &[1, 3, 2][..]));
    let quantized = npy::read(folder.path("y.1.npy")).unwrap();
    assert_eq!(quantized.f32s().unwrap(), [1.0, 0.0, -1.0, 0.0, 0.0, 2.0]);
    // The indices look the same codes up again.
    let again = folder.path("again.npy");
    let words = ["op", "embedding", "--input", text(&y), "--weight", text(&codebook)];
    let output = kinetograph(&[&words[..], &["--output", text(&again)]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(npy::read(again).unwrap().bytes(), quantized.bytes());
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
    fails(
        &["op", "activation", "--input", text(&x), "--input", text(&x), "--output", text(&y)],
        2,
        &["activation takes one --input, not 2"],
    );
    let e = kinetograph(&with(&["--padding", "1", "--stride", "0"]));
    assert!(!String::from_utf8_lossy(&e.stderr).contains("conv3d: conv3d: conv3d"));
    assert!(!y.exists());
    let help = kinetograph(&["op", "concat", "--input", "x.npy", "--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("[--input FILE …]"));
}

#[test]
fn broken_batches_are_placed() {
    let folder = Folder::new();
    let cases = [
        ("", "holds no case"),
        ("\n{\"op\"", "cases.jsonl:2: is no JSON"),
        ("[1]", "cases.jsonl:1: is no JSON object"),
        ("{\"input\": \"x.npy\"}", "\"op\" is missing"),
        ("{\"op\": 3}", "\"op\" is no text"),
        ("{\"op\": \"reduce\", \"attrs\": 3}", "\"attrs\" is no object"),
    ];
    for (content, part) in cases {
        let batch = folder.file("cases.jsonl", content.as_bytes());
        fails(&["op", "--batch", text(&batch)], 4, &[part]);
    }
    let batch = folder.file("cases.jsonl", b"{\"op\": \"reduce\", \"dim\": 0, \"output\": \"y.npy\"}");
    fails(&["op", "--batch", text(&batch)], 2, &["1 of 1 cases failed", "has no input `dim`", "\"attrs\""]);
    fails(&["op", "--batch", text(&batch), "--output", "y.npy"], 2, &["each line has its own \"output\""]);
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
    fails(text(&words), demo, 4, &["notes.txt", "this is a text file, no video"]);
    fails("none.mp4", demo, 4, &["none.mp4"]);
    fails(text(&flat), demo, 4, &["flat.npy", "[N, T, H, W, C]", "[16, 64]"]);
    let ok = kinetograph(&["run", "c3d", "--input", text(&clip), "--weights", demo, "--json", "--top", "2"]);
    let json = json(&ok);
    assert_eq!(json["top"].as_array().unwrap().len(), 2);
    assert_eq!(json["top"][0]["label"].as_str().unwrap(), format!("class {}", json["top"][0]["index"]));
    let short = folder.tensor("short.npy", &[1, 2, 64, 64, 3], |_| 0.0);
    fails(
        text(&short),
        demo,
        4,
        &["short.npy: clips of 2 frames of 64×64 do not fit", "for 16 frames of 64×64"],
    );
    let cut = folder.file("cut.safetensors", &std::fs::read(demo).unwrap()[..100_000]);
    fails(text(&clip), text(&cut), 4, &["cut.safetensors", "cut off"]);
    let hollow = folder.file("hollow.safetensors", b"\x02\0\0\0\0\0\0\0{}");
    fails(text(&clip), text(&hollow), 4, &["hollow.safetensors: holds no tensors"]);
    let unwritable = folder.path("no/such/folder/out.npy");
    let words = ["run", "c3d", "--input", text(&clip), "--weights", demo, "--output", text(&unwritable)];
    self::fails(&words, 2, &["out.npy"]);
}

/// The classes and the preprocessing of a folder as Hugging Face lays it out.
#[test]
fn run_reads_what_stands_beside_the_weights() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/networks/timesformer-divided");
    let folder = Folder::new();
    for name in ["model.safetensors", "config.json"] {
        std::fs::copy(Path::new(golden).join(name), folder.path(name)).unwrap();
    }
    let preprocessor = br#"{"size": {"shortest_edge": 32}, "crop_size": {"height": 24, "width": 24}, "resample": 2,
        "image_mean": [0.5, 0.25, 0.125], "image_std": [0.5, 0.25, 1.0], "rescale_factor": 0.00392156862745098}"#;
    folder.file("preprocessor_config.json", preprocessor);
    let frames = folder.path("frames");
    std::fs::create_dir(&frames).unwrap();
    let frame = || video::Frame::new(50, 40, [255, 102, 51].repeat(2000)).unwrap();
    video::write::pngs(&frames, (0..5).map(|_| frame())).unwrap();
    let clips = folder.path("clips.npy");
    let weights = folder.path("");
    let words = [
        "run",
        "--input",
        text(&frames),
        "--weights",
        text(&weights),
        "--json",
        "--views=1x1",
        "--save-input",
    ];
    let json = json(&kinetograph(&[&words[..], &[text(&clips)]].concat()));
    assert_eq!(json["top"][0]["label"].as_str().unwrap(), format!("action {}", json["top"][0]["index"]));
    let clips = npy::read(&clips).unwrap();
    assert_eq!(clips.shape()[..], [1, 4, 24, 24, 3]);
    for (i, x) in clips.f32s().unwrap().iter().enumerate() {
        assert!((x - [1.0, 0.6, 0.075][i % 3]).abs() < 1e-6, "{i}: {x}");
    }
    folder.file("preprocessor_config.json", br#"{"size": -3}"#);
    fails(&words[..5], 4, &["model.safetensors", "`size`: -3 is no length in pixels"]);
    folder.file("preprocessor_config.json", b"{");
    fails(&words[..5], 4, &["preprocessor_config.json: is no JSON object"]);
}

#[test]
fn run_says_what_is_wrong_with_its_flags() {
    let folder = Folder::new();
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo-c3d.safetensors");
    let clip = folder.tensor("clip.npy", &[1, 16, 64, 64, 3], |_| 0.5);
    let base = ["run", "c3d", "--weights", demo, "--input"];
    let with = |input: &str, flags: &[&str], code: i32, parts: &[&str]| {
        fails(&[&base[..], &[input], flags].concat(), code, parts);
    };
    with("none.mp4", &["--clips", "0"], 2, &["--clips 0: 1 to 1000"]);
    with("none.mp4", &["--clips", "100000"], 2, &["--clips 100000"]);
    with("none.mp4", &["--recipe", "plain-63"], 2, &["no recipe `plain-63`", "plain-64"]);
    with(text(&clip), &["--clips", "2"], 2, &["--clips", "a .npy input holds its clips"]);
    with(text(&clip), &["--top", "0"], 2, &["--top 0"]);
    with(text(&clip), &["--output", text(folder.0.path())], 2, &["is a folder"]);
    let labels = folder.file("labels.txt", "\u{feff}one\r\ntwo\r\n".as_bytes());
    with(text(&clip), &["--labels", text(&labels)], 4, &["labels.txt: 2 labels, one a line, for 8 classes"]);
    let binary = folder.file("binary.txt", b"\xff\xfe\x00");
    with(text(&clip), &["--labels", text(&binary)], 4, &["binary.txt: is no text"]);
}

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/networks");

/// A moving texture as a folder of pictures.
fn pictures(folder: &Folder, name: &str, frames: usize) -> PathBuf {
    let path = folder.path(name);
    std::fs::create_dir(&path).unwrap();
    let level =
        |i: usize, x: usize, y: usize| 128.0 + 60.0 * ((x + i) as f32 / 3.0).sin() * (y as f32 / 4.0).cos();
    let frames = (0..frames).map(|i| {
        let pixels = (0..48 * 48).flat_map(|p| [level(i, p % 48, p / 48) as u8; 3]);
        Frame::new(48, 48, pixels.collect()).unwrap()
    });
    write::pngs(&path, frames).unwrap();
    path
}

#[test]
fn two_streams_from_pictures_to_a_label() {
    let folder = Folder::new();
    let clip = pictures(&folder, "clip", 12);
    let rgb = format!("{GOLDEN}/resnet-basic/weights.safetensors");
    // Its frames stay as small as the pictures when flow is estimated.
    let flow = format!("{GOLDEN}/resnet-flow-action/weights.safetensors");
    let base =
        ["run", "--input", text(&clip), "--views=1x1", "--flow-method", "tvl1-fast", "--top", "7", "--json"];
    let top = |more: &[&str]| -> Vec<f64> {
        let json = json(&kinetograph(&[&base[..], more].concat()));
        let mut top = vec![0.0; 7];
        for entry in json["top"].as_array().unwrap() {
            top[entry["index"].as_u64().unwrap() as usize] = entry["probability"].as_f64().unwrap();
        }
        top
    };
    let (one, two) = (top(&["--weights", &rgb]), top(&["--weights", &flow]));
    let streams = ["--weights", &rgb, "--weights", &flow];
    let both = top(&[&streams[..], &["--fuse", "probabilities", "--shares", "1,3"]].concat());
    for (i, p) in both.iter().enumerate() {
        approx::assert_abs_diff_eq!(*p, (one[i] + 3.0 * two[i]) / 4.0, epsilon = 1e-6);
    }
    // The sum of logits is the product of probabilities.
    let both = top(&[&streams[..], &["--fuse", "logits"]].concat());
    let sum: f64 = (0..7).map(|i| one[i] * two[i]).sum();
    for (i, p) in both.iter().enumerate() {
        approx::assert_abs_diff_eq!(*p, one[i] * two[i] / sum, epsilon = 1e-5);
    }
    let vgg = format!("{GOLDEN}/two-stream-fusion-sum/weights.safetensors");
    let fused = kinetograph(&[&base[..], &["--weights", &vgg]].concat());
    assert_eq!(json(&fused)["top"].as_array().unwrap().len(), 7);
    fails(&[&base[..], &streams, &["--shares", "1"]].concat(), 2, &["--shares", "one positive number"]);
    fails(&[&base[..], &streams[..2], &["--fuse", "logits"]].concat(), 2, &["--fuse and --shares"]);
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo-c3d.safetensors");
    fails(&[&base[..], &streams[..2], &["--weights", demo]].concat(), 4, &["7 classes", "8 classes"]);
    fails(
        &[&base[..], &streams[..2], &["--flow-recipe", "i3d"]].concat(),
        2,
        &["no flow recipe `i3d`", "i3d-flow"],
    );
}

#[test]
fn weights_are_described() {
    let file = format!("{GOLDEN}/tsn/weights.safetensors");
    let json = json(&kinetograph(&["weights", &file, "--json"]));
    assert_eq!(json["network"], "resnet");
    assert_eq!(json["fits"], true);
    let output = kinetograph(&["weights", &file, "--tensors"]);
    let lines = String::from_utf8(output.stdout).unwrap();
    for part in ["names as mmaction", "every weight is there", "cls_head.fc_cls.bias f16 [7]"] {
        assert!(lines.contains(part), "{part} is not in {lines}");
    }
    let folder = Folder::new();
    let other = folder.path("other.safetensors");
    let some = [("nothing.known", Tensor::new(&[2], vec![1f32, 2.0]).unwrap())];
    kinetograph::weights::save_safetensors(&other, &some).unwrap();
    fails(&["weights", text(&other)], 4, &["other.safetensors: of no network known here"]);
}

#[test]
fn features_of_a_folder_are_written_once() {
    let folder = Folder::new();
    let videos = folder.path("videos");
    std::fs::create_dir_all(videos.join("sub")).unwrap();
    for (name, seed) in [("a.gif", "1"), ("sub/b.gif", "2")] {
        let path = videos.join(name);
        assert!(kinetograph(&["demo", "--seed", seed, "--output", text(&path)]).status.success());
    }
    std::fs::write(videos.join("broken.mp4"), b"this is no video").unwrap();
    let out = folder.path("features");
    let weights = format!("{GOLDEN}/resnet-basic/weights.safetensors");
    let embed = |more: &[&str]| {
        let words = ["embed", text(&videos), "--weights", &weights, "--output", text(&out), "--clips", "2"];
        let output = kinetograph(&[&words[..], more].concat());
        let lines = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<Json> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        (output.status.code(), lines)
    };
    let (code, lines) = embed(&["--shard", "0/2"]);
    assert_eq!((code, lines.len()), (Some(0), 2), "a.gif and sub/b.gif: {lines:?}");
    let (code, lines) = embed(&[]);
    assert_eq!(code, Some(4));
    let kinds: Vec<(bool, bool)> =
        lines.iter().map(|l| (l["skipped"] == true, l["error"].is_string())).collect();
    assert_eq!(kinds, [(true, false), (false, true), (true, false)]);
    let features = npy::read(out.join("sub/b.gif.npy")).unwrap();
    assert_eq!(&**features.shape(), [2, 64]);
    // All at once: the lines keep their order, the features their bits.
    std::fs::remove_dir_all(&out).unwrap();
    let (code, lines) = embed(&["--jobs", "3"]);
    assert_eq!(code, Some(4));
    let order: Vec<&str> = lines.iter().map(|l| l["video"].as_str().unwrap()).collect();
    let paths = ["a.gif", "broken.mp4", "sub/b.gif"].map(|name| videos.join(name));
    assert_eq!(order, paths.each_ref().map(|p| text(p)));
    assert_eq!(npy::read(out.join("sub/b.gif.npy")).unwrap().bytes(), features.bytes());
    fails(&["embed", text(&videos), "--weights", &weights, "--output", "x", "--jobs", "0"], 2, &["--jobs"]);
    // Features of other weights, other views or other videos of the same names are not taken for these.
    let other = format!("{GOLDEN}/resnet-bottleneck/weights.safetensors");
    let into = ["--output", text(&out), "--clips", "2"];
    let embed = |words: &[&'static str], given: &std::path::Path, weights: &str| {
        let mut all = vec!["embed".to_string(), text(given).into(), "--weights".into(), weights.into()];
        all.extend(into.iter().chain(words).map(|w| w.to_string()));
        all
    };
    let refused = |words: Vec<String>, parts: &[&str]| {
        fails(&words.iter().map(String::as_str).collect::<Vec<_>>(), 2, parts);
    };
    refused(
        embed(&[], &videos, &other),
        &["of other weights: weights.safetensors (checksum", "choose another --output"],
    );
    refused(embed(&["--precision", "f16"], &videos, &weights), &["of other precision: f32, not f16"]);
    std::fs::copy(videos.join("sub/b.gif"), videos.join("sub/a.gif")).unwrap();
    refused(embed(&[], &videos.join("sub"), &weights), &["of other folders than", "a.gif.npy"]);
    std::fs::remove_file(out.join("embed.json")).unwrap();
    refused(embed(&[], &videos, &weights), &["embed.json is missing"]);
    fails(
        &["embed", "nowhere", "--weights", &weights, "--output", text(&out)],
        4,
        &["nowhere: there is no such"],
    );
    fails(&["embed", text(&videos), "--weights", &weights, "--output", "x", "--shard", "2/2"], 2, &["I/N"]);
}

#[cfg(unix)]
#[test]
fn pipes_are_refused_and_not_waited_for() {
    let folder = Folder::new();
    let (video, npy) = (folder.path("pipe"), folder.path("pipe.npy"));
    for path in [&video, &npy] {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo-c3d.safetensors");
    fails(&["run", "c3d", "--weights", demo, "--input", text(&video)], 4, &["pipe: is not a regular file"]);
    fails(
        &["op", "activation", "--input", text(&npy), "--output", "y.npy"],
        4,
        &["pipe.npy: is not a regular"],
    );
}

#[test]
fn demo_leaves_nothing_behind_an_error() {
    let folder = Folder::new();
    let gif = folder.path("clip.gif");
    fails(&["demo", "--output", text(&gif), "--precision", "f17"], 2, &["precision `f17`"]);
    fails(&["demo", "--output", text(&gif), "--device", "no such device"], 3, &["`no such device`"]);
    assert!(!gif.exists());
    let clips = folder.path("clips");
    for count in ["0", "100000000000"] {
        fails(&["demo", "--render", text(&clips), "--count", count], 2, &["--count", "1 to 20000"]);
    }
    assert!(!clips.exists());
    let file = folder.file("file", b"");
    fails(&["demo", "--render", text(&file), "--count", "1"], 2, &["file: no such folder can be made"]);
}

#[test]
fn bench_says_what_it_can_measure() {
    fails(&["bench", "nosuch"], 2, &["`nosuch`", "conv3d/, ", "network/; `bench --list`"]);
    fails(&["bench", "conv3d/", "network/nosuch"], 2, &["`network/nosuch`", "network/c3d, "]);
    for time in ["nan", "inf", "1e9"] {
        fails(&["bench", "fc8", "--time", time], 2, &["--time", "0 to 3600 seconds"]);
    }
    fails(&["bench", "fc8", "--roofline", "a.png"], 2, &["a.png", ".svg or .html"]);
    fails(&["bench", "fc8", "--compare", "none.json"], 4, &["none.json", "cannot be read"]);
    fails(&["bench", "fc8", "--compare", "Cargo.toml"], 4, &["Cargo.toml", "no record"]);
    let list = json(&kinetograph(&["bench", "conv3d/c3d", "--list", "--json"]));
    assert_eq!(list.as_array().unwrap().len(), 8);
    // Multiply-adds of every tap of every output, padding included, and the bias.
    let (outputs, taps) = (2 * 7 * 7 * 512u64, 27 * 512);
    assert_eq!(
        (&list[7]["name"], &list[7]["flops"]),
        (&"conv3d/c3d-conv5b".into(), &(outputs * (2 * taps + 1)).into())
    );
}

#[test]
fn bench_measures_keeps_and_compares() {
    let folder = Folder::new();
    let (before, now) = (folder.path("before.json"), folder.path("now.json"));
    let entry = ["bench", "pool3d/i3d-branch", "--time", "0"];
    assert!(kinetograph(&[&entry[..], &["--output", text(&before)]].concat()).status.success());
    let flags = ["--json", "--output", text(&now), "--compare", text(&before)];
    let printed = json(&kinetograph(&[&entry[..], &flags[..]].concat()));
    let kept: Json = serde_json::from_str(&std::fs::read_to_string(&now).unwrap()).unwrap();
    assert_eq!(printed, kept);
    let one = &kept["entries"][0];
    assert_eq!((kept["entries"].as_array().unwrap().len(), &one["name"]), (1, &"pool3d/i3d-branch".into()));
    let earlier: Json = serde_json::from_str(&std::fs::read_to_string(&before).unwrap()).unwrap();
    let seconds = |v: &Json| v["kernels"].as_f64().unwrap();
    let ratio = seconds(&earlier["entries"][0]) / seconds(one);
    assert!((one["ratio"].as_f64().unwrap() / ratio - 1.0).abs() < 1e-9, "{one}");
}

#[test]
fn devices_that_do_not_exist_are_named() {
    fails(
        &["demo", "--device", "no such device", "--output", "/dev/null"],
        3,
        &["`no such device`", "--device cpu"],
    );
    fails(&["verify", "--device", "reference"], 2, &["this is the reference"]);
    let output = kinetograph(&["frobnicate"]);
    assert_eq!(output.status.code(), Some(2));
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinetograph"));
    command.args(["bench", "fc8", "--device", "gpu"]).env("WGPU_BACKEND", "noop");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("WGPU_BACKEND=noop"));
}

#[test]
fn doctor_and_devices_always_answer() {
    assert!(kinetograph(&["doctor"]).status.success());
    let devices = kinetograph(&["devices"]);
    assert!(String::from_utf8_lossy(&devices.stdout).contains("cpu: "));
}
