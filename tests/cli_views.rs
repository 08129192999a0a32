//! The views of a video as a user of `run` and `embed` chooses them. Everything runs on the CPU.

use std::path::{Path, PathBuf};
use std::process::Command;

use kinetograph::video::{Frame, write};
use kinetograph::{Tensor, npy};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/networks");

/// A folder with a moving texture of so many frames of 48×40, `clip` as pictures and `clip.gif`.
fn folder(frames: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let frames = (0..frames).map(|t| {
        let level = |p: usize| {
            (128.0 + 60.0 * ((p % 48 + 3 * t) as f32 / 3.0).sin() * ((p / 48) as f32 / 4.0).cos()) as u8
        };
        Frame::new(48, 40, (0..48 * 40).flat_map(|p| [level(p), 255 - level(p), (p % 251) as u8]).collect())
            .unwrap()
    });
    let clip = folder.path().join("clip");
    std::fs::create_dir(&clip).unwrap();
    let frames: Vec<Frame> = frames.collect();
    write::pngs(&clip, &frames).unwrap();
    write::gif(folder.path().join("clip.gif"), 25.0, &frames).unwrap();
    folder
}

/// Exit code and standard error of `kinetograph COMMAND … --weights GOLDEN`.
fn kinetograph(folder: &Path, command: &str, golden: &str, more: &str) -> (Option<i32>, String) {
    let file = format!("{GOLDEN}/{golden}/weights.safetensors");
    let input = if command == "run" { "--input" } else { "--device=cpu" };
    let output = Command::new(env!("CARGO_BIN_EXE_kinetograph"))
        .args([command, input, if command == "run" { "clip" } else { "clip.gif" }, "--weights", &file])
        .args(more.split_whitespace())
        .env("KINETOGRAPH_DEVICE", "cpu")
        .current_dir(folder)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn done(folder: &Path, command: &str, golden: &str, more: &str) -> String {
    let (code, text) = kinetograph(folder, command, golden, more);
    assert_eq!(code, Some(0), "{text}");
    text
}

fn refused(folder: &Path, golden: &str, more: &str, code: i32, parts: &[&str]) {
    let (got, text) = kinetograph(folder, "run", golden, more);
    assert_eq!(got, Some(code), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

fn rows(path: PathBuf) -> Vec<Vec<f32>> {
    let tensor: Tensor = npy::read(path).unwrap();
    let width = tensor.shape()[1];
    tensor.f32s().unwrap().chunks_exact(width).map(<[f32]>::to_vec).collect()
}

#[test]
fn clips_by_crops() {
    let folder = folder(40);
    let at = |name: &str| folder.path().join(name);
    let r3d = |more: &str| done(folder.path(), "run", "r3d", &format!("--frames 4 --size 28 {more}"));
    r3d("--views 2x3 --output six.npy --save-input seen.npy");
    r3d("--clips 2 --output two.npy");
    let (six, two) = (rows(at("six.npy")), rows(at("two.npy")));
    assert_eq!((six.len(), two.len()), (6, 2));
    assert_eq!(npy::read(at("seen.npy")).unwrap().shape()[0], 6);
    // The second of three crops is the centre.
    assert_eq!([&six[1], &six[4]], [&two[0], &two[1]]);
    assert_ne!(six[0], six[2]);
    // What is published for it, said and taken: 5 clips.
    assert!(r3d("--output five.npy").contains("views: 5x1 (clips by crops), as published"));
    assert_eq!(rows(at("five.npy")).len(), 5);
    r3d("--views published --output named.npy");
    assert_eq!(rows(at("named.npy")), rows(at("five.npy")));
    for (views, want) in [
        ("2", "CLIPSxCROPS"),
        ("ax3", "\"a\" is no number of clips"),
        ("2x4", "there are 1 (the centre), 3"),
        ("0x3", "--views 0: 1 to 1000"),
        ("2x3 --clips 4", "cannot be used with"),
    ] {
        refused(folder.path(), "r3d", &format!("--views {views}"), 2, &[want]);
    }
}

/// The same loop gives features; by default of one view.
#[test]
fn features_of_views() {
    let folder = folder(30);
    for (views, name, count) in [("--views 2x5", "ten", 10), ("", "one", 1), ("--views published", "all", 5)]
    {
        done(folder.path(), "embed", "r3d", &format!("--frames 4 --size 28 --output {name} {views}"));
        let file = folder.path().join(name).join("clip.gif.npy");
        assert_eq!(rows(file).len(), count, "{views}");
    }
}

#[test]
fn measures_that_fit_and_others() {
    let folder = folder(40);
    let short = |frames| format!("--views 1x1 --frames {frames} --size 32 --save-input seen.npy");
    done(folder.path(), "run", "r3d", &short(9));
    assert_eq!(npy::read(folder.path().join("seen.npy")).unwrap().shape()[..], [1, 9, 32, 32, 3]);
    refused(
        folder.path(),
        "early-fusion",
        "--frames 3",
        4,
        &["--frames and --size: clips of 3 frames", "do not fit"],
    );
    refused(folder.path(), "r3d", "--size 0", 2, &["--size 0: 1 to"]);
    let text = done(folder.path(), "run", "r3d", "--views 1x1 --frames 100 --size 28");
    assert!(
        text.contains("the video has 40 frames and a clip spans 100: the last frame is repeated"),
        "{text}"
    );
}

#[test]
fn views_are_put_together_by_a_consensus() {
    let folder = folder(40);
    let two = "--views 2x1 --frames 4 --size 28 --consensus";
    done(folder.path(), "run", "r3d", &format!("{two} max"));
    refused(folder.path(), "r3d", &format!("{two} top:9"), 2, &["there are 2 views"]);
    refused(folder.path(), "r3d", &format!("{two} median"), 2, &["consensus \"median\"", "weighted:A,B"]);
}

/// A classifier is replaced only when that is asked for.
#[test]
fn other_classes_need_a_new_head() {
    let folder = folder(20);
    std::fs::write(folder.path().join("labels"), "one\ntwo\nthree\n").unwrap();
    refused(folder.path(), "r3d", "--labels labels", 4, &["3 labels", "for 6 classes", "--new-head"]);
    refused(folder.path(), "r3d", "--new-head", 2, &["--labels"]);
    let text = done(
        folder.path(),
        "run",
        "r3d",
        "--labels labels --new-head --views 1x1 --size 28 --output new.npy",
    );
    assert!(text.contains("answers mean nothing before it is trained"), "{text}");
    assert_eq!(rows(folder.path().join("new.npy"))[0].len(), 3);
    refused(folder.path(), "crw", "--labels labels --new-head", 4, &["no classifier"]);
}
