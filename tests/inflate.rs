//! A network inflated from one on single frames, on a video that stands still.

use std::path::{Path, PathBuf};
use std::process::Command;

use kinetograph::models::r3d::{Kind, R3d};
use kinetograph::models::{self, Choices, recognise};
use kinetograph::weights::{Checkpoint, Inflation, Weights, save_safetensors};
use kinetograph::{Engine, Graph, Tensor};

const FRAMES: usize = 24;
const SIZE: usize = 16;

/// A small ResNet of torchvision, all weights random.
fn resnet() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/networks/resnet-basic/weights.safetensors")
}

/// The frames of a node's value.
type Frames = Vec<Vec<f32>>;

/// Runs a graph on a frame shown `frames` times; gives the frames of its nodes, and the logits as one frame.
fn run(mut graph: Graph, frames: usize, nodes: &[&str]) -> Vec<Frames> {
    for node in nodes {
        let value = graph.value(node).unwrap_or_else(|| panic!("{node}\n{graph}"));
        graph.output(node, value).unwrap();
    }
    let one = SIZE * SIZE * 3;
    let clip =
        Tensor::from_fn(&[1, frames, SIZE, SIZE, 3], |i| ((i % one * 37) % 101) as f32 / 50.0 - 1.0).unwrap();
    let outputs = Engine::cpu().plan(&graph).unwrap().run(&[("clip", clip)]).unwrap();
    let of = |name: &&str| {
        let tensor = &outputs[*name];
        let frames = if tensor.shape().rank() == 5 { tensor.shape()[1] } else { 1 };
        let values = tensor.f32s().unwrap();
        values.chunks_exact(values.len() / frames).map(<[f32]>::to_vec).collect()
    };
    nodes.iter().chain(&["logits"]).map(of).collect()
}

/// The largest difference, relative to the largest magnitude.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(0f32, |m, x| m.max(x.abs()));
    a.iter().zip(b).fold(0f32, |m, (a, b)| m.max((a - b).abs())) / largest
}

/// By mode: the inflated network, and its counterpart on one frame.
fn both(mode: Inflation, nodes: &[&str]) -> (Vec<Frames>, Vec<Frames>) {
    let checkpoint = Checkpoint::open(resnet()).unwrap();
    let made = models::find("r3d").unwrap().inflate(None, &checkpoint, mode).unwrap();
    assert_eq!(made.naming.convention.name, "torchvision-2d");
    assert!(made.left_out.is_empty(), "{:?}", made.left_out);
    // The stem and two convolutions for each of six blocks.
    assert_eq!(made.inflated, 13);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r3d.safetensors");
    save_safetensors(&file, &made.tensors).unwrap();
    let inflated = Checkpoint::open(&file).unwrap();
    let found = recognise(&inflated).unwrap();
    assert_eq!((found.network.name, found.variant.name), ("r3d", "r3d-18"));
    let choices = Choices { frames: Some(FRAMES), size: Some(SIZE), ..Choices::default() };
    let volume = found.load(inflated, &choices).unwrap().graph;

    let flat = R3d {
        stem: Kind::Spatial,
        stages: [Kind::Spatial; 4],
        blocks: [2, 1, 2, 1],
        width: 8,
        classes: Some(7),
        frames: 1,
        size: SIZE,
        ..R3d::r3d18()
    };
    let weights = Weights::new(checkpoint, made.naming);
    let frame = flat.build(1, &weights).unwrap();
    weights.finish().unwrap();
    (run(volume, FRAMES, nodes), run(frame, 1, nodes))
}

/// The claim of I3D holds inside: there every frame gives what the frame alone gives. Within five frames of either end the
/// windows of the first five convolutions reach into the padding.
#[test]
fn repeated_weights_agree_away_from_the_ends() {
    let nodes = ["layer1.1/activation", "layer2.0/activation"];
    let (volume, frame) = both(Inflation::Repeat, &nodes);
    // Frames seen on either side by the stem and four convolutions; in layer2, of every second frame, by one more and one
    // that counts twice.
    for (node, (reach, step)) in [(5, 1), (8, 2)].into_iter().enumerate() {
        let (got, want) = (&volume[node], &frame[node][0]);
        assert_eq!(got.len(), FRAMES / step);
        for (t, got) in got.iter().enumerate() {
            let inside = t * step >= reach && t * step + reach < FRAMES;
            let d = difference(got, want);
            assert!(!inside || d < 1e-5, "{}: frame {t}: {d:e}", nodes[node]);
        }
        for t in [0, got.len() - 1] {
            let d = difference(&got[t], want);
            assert!(d > 1e-2, "{}: frame {t} at the end agrees: {d:e}", nodes[node]);
        }
    }
    assert!(difference(&volume[2][0], &frame[2][0]) > 1e-3, "the ends are seen in the logits");
}

/// With the weights in the middle alone nothing is lost at the ends, and so the whole network agrees.
#[test]
fn centred_weights_agree_everywhere() {
    let nodes = ["layer1.1/activation", "layer2.0/activation", "layer4.0/activation"];
    let (volume, frame) = both(Inflation::Centre, &nodes);
    for (got, want) in volume.iter().zip(&frame) {
        for (t, got) in got.iter().enumerate() {
            let d = difference(got, &want[0]);
            assert!(d < 1e-5, "frame {t}: {d:e}");
        }
    }
}

fn command(arguments: &[&str]) -> (bool, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_kinetograph")).arg("inflate").args(arguments).output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_command_writes_a_file_that_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, out) = (resnet(), folder.path().join("mc3.safetensors"));
    let (weights, out) = (weights.to_str().unwrap(), out.to_str().unwrap());
    let (good, text) = command(&["r3d", "--variant", "mc3-18", "--weights", weights, "--output", out]);
    assert!(good && text.contains("5 of them inflated"), "{text}");
    assert_eq!(recognise(&Checkpoint::open(out).unwrap()).unwrap().variant.name, "mc3-18");

    // What is of three dimensions already needs nothing; a factored convolution has no counterpart; another network.
    let (good, text) = command(&["r3d", "--variant", "mc3-18", "--weights", out, "--output", out]);
    assert!(!good && text.contains("needs an axis for time"), "{text}");
    let (good, text) = command(&["r3d", "--variant", "r2plus1d-18", "--weights", weights, "--output", out]);
    assert!(!good && text.contains("has no such weight"), "{text}");
    let (good, text) = command(&["resnet", "--weights", weights, "--output", out]);
    assert!(!good && text.contains("looks at single frames"), "{text}");
    let (good, text) = command(&["i3d", "--weights", weights, "--output", out]);
    assert!(!good && text.contains("resnet-basic"), "{text}");
}
