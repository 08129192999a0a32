//! The command `detect` as a user meets it: what is wrong with boxes and flags is said before a network is loaded.

use std::path::PathBuf;
use std::process::Command;

use kinetograph::detection::{self, FeatureBank, PersonBox};
use kinetograph::models::slowfast_ava;
use kinetograph::video::{Frame, write};
use kinetograph::weights::{Checkpoint, Weights, save_safetensors};
use kinetograph::{Tensor, npy};

struct Folder(tempfile::TempDir);

impl Folder {
    /// With `clip.gif`, eight frames of 40×20.
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        let frame = |i: usize| Frame::new(40, 20, vec![(i * 20) as u8; 2400]).unwrap();
        write::gif(folder.path("clip.gif"), 10.0, (0..8).map(frame)).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What `detect` on the clip writes as JSON, for the boxes of `p.json`; `@` stands for a golden file's weights.
    fn tubes(&self, words: &str) -> serde_json::Value {
        let output = self.detect(words);
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["tubes"].clone()
    }

    fn detect(&self, words: &str) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kinetograph"));
        command.current_dir(self.0.path()).env("KINETOGRAPH_DEVICE", "cpu").env_remove("RUST_LOG");
        command.args("detect --input clip.gif --size 32 --threshold 0 --boxes p.json --json".split(' '));
        command.args(words.split_whitespace().map(|word| match word.strip_prefix('@') {
            Some(golden) => {
                let root = env!("CARGO_MANIFEST_DIR");
                format!("{root}/tests/golden/networks/{golden}/weights.safetensors")
            }
            None => word.to_owned(),
        }));
        command.output().unwrap()
    }

    fn refusal(&self, words: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kinetograph"));
        command.current_dir(self.0.path()).env("KINETOGRAPH_DEVICE", "cpu").env_remove("RUST_LOG");
        command.args("detect --input clip.gif --weights none.pth".split(' ')).args(words.split_whitespace());
        let output = command.output().unwrap();
        assert!(!output.status.success(), "{words}");
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
fn wrong_boxes_are_named() {
    let folder = Folder::new();
    for (boxes, want) in [
        ("[[1, 2, 30, 12], [9, 2, 3, 12]]", "frame 3, box 1: [9.0, 2.0, 3.0, 12.0] is empty or reversed"),
        ("[[1, 2, 1, 12]]", "frame 3, box 0: [1.0, 2.0, 1.0, 12.0] is empty or reversed"),
        ("[[41, 2, 50, 12]]", "lies outside the frame of 40×20"),
        ("[[1, 2, 3]]", "3 numbers: x1, y1, x2, y2"),
    ] {
        let text = format!(r#"{{"frames": [{{"frame": 3, "boxes": {boxes}}}]}}"#);
        std::fs::write(folder.path("p.json"), text).unwrap();
        let e = folder.refusal("--boxes p.json");
        assert!(e.contains("p.json") && e.contains(want), "{e}");
    }
    for (text, want) in [
        (
            r#"{"frames": [{"frame": 8, "boxes": [[0, 0, 1, 1]]}]}"#,
            "frame 8, box 0: the video has frames 0 to 7",
        ),
        (r#"{"frames": [{"boxes": [[0, 0, 1, 1]]}]}"#, "either `frame` or `time`"),
        ("[1, 2]", "is a list, not an object; boxes are given as"),
        (
            r#"{"frames": [{"frame": -3, "boxes": []}]}"#,
            "entry 0 of `frames`: `frame` is -3: the index of a frame, a whole number from 0 on, is needed",
        ),
        (
            r#"{"normalized": true, "frames": [{"frame": 0, "boxes": [[6, 4, 14, 22]]}]}"#,
            r#"[6.0, 4.0, 14.0, 22.0] lies outside the frame whose corners are 0 and 1: the file says "normalized": true"#,
        ),
        (r#"{"frames": [{"frame": 0, "boxes": [[0.1, 0.1, 0.5, 0.9]]}]}"#, r#"with "normalized": true"#),
        (r#"{"frames": [{"frame": 0, "boxes": [1, 2, 3, 4]}]}"#, "box 0: 1 is no list of numbers"),
        (r#"{"frames": [{"frame": 0, "people": []}]}"#, "`people` is not known here"),
        (r#"{"frames": [{"frame": 0, "boxes": [[1, "#, "is no JSON"),
    ] {
        std::fs::write(folder.path("p.json"), text).unwrap();
        let e = folder.refusal("--boxes p.json");
        assert!(e.contains(want), "{e}");
    }
    let rows = vec![0.0, 0.0, 0.0, f32::NAN, 5.0];
    npy::write(folder.path("p.npy"), &Tensor::new(&[1, 5], rows).unwrap()).unwrap();
    let e = folder.refusal("--boxes p.npy");
    assert!(e.contains("frame 0, box 0") && e.contains("is not finite"), "{e}");
    npy::write(folder.path("p.npy"), &Tensor::new(&[1, 4], vec![0.0f32; 4]).unwrap()).unwrap();
    assert!(folder.refusal("--boxes p.npy").contains("rows of 4 numbers"));
}

#[test]
fn wrong_flags_are_named() {
    let folder = Folder::new();
    for (words, want) in [
        ("--threshold 2", "--threshold 2: a number from 0 to 1"),
        ("--every 0", "--every 0: a positive number of seconds"),
        ("--top 0", "--top and --size must be 1 or more"),
        ("--output tubes.avi", "the name must end so"),
        ("--boxes none.json", "none.json"),
        ("--labels none.txt", "none.txt"),
        ("", "none.pth"),
    ] {
        let e = folder.refusal(words);
        assert!(e.contains(want), "{words}: {e}");
    }
}

/// A clip without persons has no tubes.
#[test]
fn nobody_does_nothing() {
    let folder = Folder::new();
    for frames in ["[]", r#"[{"frame": 3, "boxes": []}]"#] {
        std::fs::write(folder.path("p.json"), format!(r#"{{"frames": {frames}}}"#)).unwrap();
        let output = folder.detect("--weights @slow-ava --output none.gif");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("p.json: no box, hence nobody"), "{text}");
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["tubes"], serde_json::json!([]));
        assert!(folder.path("none.gif").is_file());
    }
}

#[test]
fn boxes_are_read_in_the_order_of_time() {
    let folder = Folder::new();
    let text = r#"{"normalized": true, "frames": [{"time": 0.5, "boxes": [[0.5, 0, 1.5, 0.5, 0.75]]},
        {"frame": 2, "boxes": [[0, 0, 1, 1]]}]}"#;
    std::fs::write(folder.path("p.json"), text).unwrap();
    let keys = detection::read(&folder.path("p.json"), 8, 10.0, [40, 20]).unwrap();
    assert_eq!(keys.iter().map(|k| k.frame).collect::<Vec<_>>(), [2, 5]);
    assert_eq!(keys[0].boxes, [PersonBox { corners: [0.0, 0.0, 40.0, 20.0], score: 1.0 }]);
    assert_eq!(keys[1].boxes, [PersonBox { corners: [20.0, 0.0, 40.0, 10.0], score: 0.75 }]);
    // A frame without persons is one that a tube misses.
    let text = r#"{"frames": [{"frame": 4, "boxes": []}, {"frame": 1, "boxes": [[0, 0, 9, 9]]}]}"#;
    std::fs::write(folder.path("p.json"), text).unwrap();
    let keys = detection::read(&folder.path("p.json"), 8, 10.0, [40, 20]).unwrap();
    assert_eq!(keys.iter().map(|k| (k.frame, k.boxes.len())).collect::<Vec<_>>(), [(1, 1), (4, 0)]);
    assert_eq!(detection::every(0.2, 8, 10.0), [1, 3, 5, 7]);
    assert_eq!(detection::every(9.0, 8, 10.0), [4]);
}

/// PySlowFast's names, which are those of its networks for whole clips, give what pytorchvideo's do.
#[test]
fn checkpoints_of_two_publishers() {
    let folder = Folder::new();
    let golden =
        format!("{}/tests/golden/networks/slowfast-ava/weights.safetensors", env!("CARGO_MANIFEST_DIR"));
    let checkpoint = Checkpoint::open(&golden).unwrap();
    let shapes = Weights::shapes();
    slowfast_ava::SlowFastAva::r50(1).build(1, &shapes).unwrap();
    let published = slowfast_ava::CONVENTIONS[0].map;
    let pairs = shapes.names().into_iter().map(|name| (published(&name).unwrap(), name));
    // The small network has fewer blocks than the published one.
    let pairs = pairs.filter(|(theirs, _)| checkpoint.entries().iter().any(|e| e.name == *theirs));
    let tensors: Vec<(String, Tensor)> =
        pairs.map(|(theirs, ours)| (ours, checkpoint.tensor(&theirs).unwrap())).collect();
    save_safetensors(folder.path("renamed.safetensors"), &tensors).unwrap();
    std::fs::write(
        folder.path("p.json"),
        r#"{"frames": [{"frame": 2, "boxes": [[4, 2, 30, 18], [0, 0, 20, 20]]}, {"frame": 4, "boxes": []}]}"#,
    )
    .unwrap();
    let (theirs, ours) =
        (folder.tubes("--weights @slowfast-ava"), folder.tubes("--weights renamed.safetensors"));
    assert_eq!(theirs.as_array().unwrap().len(), 2);
    assert_eq!(theirs, ours);
}

const PEOPLE: &str = r#"{"frames": [{"frame": 1, "boxes": [[4, 2, 30, 18, 0.9], [0, 0, 20, 20, 0.5]]},
    {"frame": 6, "boxes": [[5, 2, 31, 18]]}]}"#;

/// A bank is made on the way or read, of the weights that the network was trained with or of others.
#[test]
fn a_feature_bank_is_made_kept_and_asked() {
    let folder = Folder::new();
    std::fs::write(folder.path("p.json"), PEOPLE).unwrap();
    let other = folder.tubes("--weights @slow-ava-lfb --bank-weights @slow-ava --save-bank once.safetensors");
    assert_eq!(other.as_array().unwrap().len(), 2);
    folder.tubes("--weights @slow-ava --save-bank bank.safetensors");
    let bank = |name: &str| FeatureBank::read(&folder.path(name)).unwrap();
    assert_eq!(bank("once.safetensors"), bank("bank.safetensors"));
    assert_eq!((bank("bank.safetensors").len(), bank("bank.safetensors").channels()), (3, 128));
    assert_eq!(folder.tubes("--weights @slow-ava-lfb --bank bank.safetensors"), other);
    assert_ne!(folder.tubes("--weights @slow-ava-lfb"), other);
    // The maximum and the mean of it differ, and have the same weights.
    let pooled = |variant: &str| {
        folder.tubes(&format!("--weights @slow-ava-lfb-max --bank bank.safetensors --variant {variant}"))
    };
    assert_ne!(pooled("lfb-max"), pooled("lfb-avg"));

    for (words, want) in [
        ("--weights @slow-ava --bank bank.safetensors", "has no feature bank to ask"),
        ("--weights @slow-ava-lfb --bank-weights @slowfast-ava-mmaction", "features of 192 channels"),
        ("--weights @slow-ava-lfb --bank none.safetensors", "none.safetensors"),
        ("--weights @slow-ava-lfb --bank @slow-ava", "no feature bank"),
        ("--weights @slow-r50", "takes no boxes: use `kinetograph run`"),
        ("--weights @slow-ava --variant r99", "no variant `r99`"),
    ] {
        let output = folder.detect(words);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(want), "{words}: {text}");
    }
}
