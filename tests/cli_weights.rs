//! What the command says of weight files, and where a file is not what it should be.

mod command;

use command::Folder;
use kinetograph::demo::Motion;
use kinetograph::video::{Frame, write};
use serde_json::Value as Json;

/// What `weights` prints for the golden file of a network.
fn said(words: &str) -> String {
    String::from_utf8(Folder::new(&["weights"]).run(words).stdout).unwrap()
}

#[test]
fn inputs_are_described_in_words() {
    let text = said("{slow-ava-lfb-max}");
    for part in [
        "frames of 256×256, 3 channels, prepared as mmaction-slow-4x16",
        "input boxes: as many as a frame has, each x1, y1, x2, y2 in pixels of the network's frames",
        "input bank: features of 128 channels, of up to 5 persons in each of 60 seconds",
        "its maximum (names of weights do not tell whether it is --variant lfb-avg)",
    ] {
        assert!(text.contains(part), "`{part}` is not in `{text}`");
    }
    assert!(said("{slow-ava-lfb-max} --variant lfb-avg").contains("persons a second: its mean\n"));
    let text = said("{nonlocal-slowfast}");
    let part = "non-local blocks: embedded Gaussian (names of weights do not tell whether it is --variant i3d-nonlocal-dot)";
    assert!(text.contains(part), "{text}");
    let text = said("{nonlocal-slowfast} --variant i3d-nonlocal-dot");
    assert!(text.contains("non-local blocks: dot product") && !text.contains("do not tell"), "{text}");
}

/// Notes are for people: none shows how a value is made in Rust.
#[test]
fn notes_are_no_rust() {
    for name in [
        "frame-order-resnet",
        "lrcn",
        "mvit-v1",
        "nonlocal-mmaction-dot",
        "resnet-basic",
        "shuffle-and-learn",
        "tcc",
        "timesformer-original",
        "two-stream-fusion-sum",
        "videomae-original",
    ] {
        let output = Folder::new(&["weights"]).command(&format!("{{{name}}} --json")).output().unwrap();
        let found: Json = serde_json::from_slice(&output.stdout).unwrap();
        // Those that are not of the published size do not fit by themselves.
        let Some(notes) = found["notes"].as_str() else { continue };
        assert!(!notes.contains(['{', '}']) && !notes.contains("::"), "{name}: {notes}");
        for variant in ["EachFrame", "NormOfMean", "EmbeddedGaussian", "ResNetV2", "SpaceOnly", "Bottleneck"]
        {
            assert!(!notes.contains(variant), "{name}: {notes}");
        }
    }
}

#[test]
fn layers_are_listed() {
    let text = said("{tsn} --layers");
    for part in ["node", "operator", "conv1", "fc", "total"] {
        assert!(text.contains(part), "`{part}` is not in `{text}`");
    }
    assert!(!said("{tsn}").contains("operator"));
    let json: Json = serde_json::from_str(&said("{tsn} --layers --json")).unwrap();
    let layers = json["layers"].as_array().unwrap();
    assert!(layers.len() > 10 && layers.iter().any(|l| l["operator"] == "linear" && l["constants"] == 1799));
    assert!(layers.iter().any(|l| l["operator"] == "conv3d" && l["mmac"].as_f64() > Some(1.0)));
}

/// Where shapes follow from the clips, the error says so, and the flags let the weights fit.
#[test]
fn open_measures_are_asked_for() {
    let folder = Folder::new(&[]);
    let frames = (0..4).map(|i| Frame::new(48, 40, vec![40 * i; 48 * 40 * 3]).unwrap());
    write::gif(folder.path("clip.gif"), 10.0, frames).unwrap();
    let hint = "give --frames N and --size M of the training";
    folder.fails("weights {late-fusion-linear}", 4, &["late.fc1.weight", hint]);
    folder.fails("run --input clip.gif --weights {late-fusion-linear}", 4, &["late.fc1.weight", hint]);
    folder.fails("weights {late-fusion-linear} --size 0", 2, &["--size 0: 1 to"]);
    let text = said("{late-fusion-linear} --frames 3 --size 40");
    assert!(text.contains("every weight is there"), "{text}");
    folder.run("run --input clip.gif --weights {late-fusion-linear} --frames 3 --size 40");
}

#[test]
fn wrong_files_are_named_in_words() {
    let folder = Folder::new(&[]);
    let frames = (0..4).map(|i| Frame::new(48, 40, vec![40 * i; 48 * 40 * 3]).unwrap());
    write::gif(folder.path("clip.gif"), 10.0, frames).unwrap();
    std::fs::write(folder.path("people.json"), r#"{"frames": []}"#).unwrap();
    folder.fails(
        "speedup clip.gif --weights {s3d} --output short.gif",
        4,
        &["these weights are of s3d", "weights of speednet are needed"],
    );
    folder.fails(
        "run --input clip.gif --weights {r3d} --labels nosuch",
        4,
        &["nosuch: ", "it is no data set known here either", "kinetics-400"],
    );
    folder.fails(
        "propagate --input clip.gif --weights {crw} --mask people.json --output masks",
        4,
        &["people.json", "a mask is a picture, such as a PNG"],
    );
}

/// The names that README's line gives the demo's classes.
#[test]
fn labels_of_the_demo() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo-labels.txt")).unwrap();
    assert!(text.lines().eq(Motion::ALL.iter().map(|m| m.label())));
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    assert!(readme.contains("--labels assets/demo-labels.txt"));
}
