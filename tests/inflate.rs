//! A network inflated from one on single frames, on a video that stands still.

use std::path::{Path, PathBuf};
use std::process::Command;

use kinetograph::models::r3d::{Kind, R3d};
use kinetograph::models::{self, Choices, Inflated, Network, recognise};
use kinetograph::weights::{Checkpoint, Inflation, Weights, save_safetensors};
use kinetograph::{Engine, Graph, Tensor};

const FRAMES: usize = 24;
const SIZE: usize = 16;

/// The weights of golden files: small, all random.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/networks/{name}/weights.safetensors"))
}

/// A small ResNet of torchvision.
fn resnet() -> PathBuf {
    golden("resnet-basic")
}

/// A small ResNet of torchvision with bottlenecks.
fn bottlenecks() -> PathBuf {
    golden("resnet-bottleneck")
}

/// The frames of a node's value.
type Frames = Vec<Vec<f32>>;

/// Runs a graph on a frame shown `frames` times; gives the frames of its nodes, and the logits as one frame.
fn run(mut graph: Graph, frames: usize, nodes: &[&str]) -> Vec<Frames> {
    for node in nodes {
        let value = graph.value(node).unwrap_or_else(|| panic!("{node}\n{graph}"));
        graph.output(node, value).unwrap();
    }
    let size = graph.inputs().next().unwrap().1.shape[2];
    let one = size * size * 3;
    let clip =
        Tensor::from_fn(&[1, frames, size, size, 3], |i| ((i % one * 37) % 101) as f32 / 50.0 - 1.0).unwrap();
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

/// A variant of `resnet3d` from a small ResNet with bottlenecks, written, recognised and loaded.
fn volume(variant: &str, from: &Path, mode: Inflation, [frames, size]: [usize; 2]) -> (Graph, Inflated) {
    let checkpoint = Checkpoint::open(from).unwrap();
    let made = models::find("resnet3d").unwrap().inflate(Some(variant), &checkpoint, mode).unwrap();
    assert!(made.left_out.is_empty(), "{:?}", made.left_out);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("inflated.safetensors");
    save_safetensors(&file, &made.tensors).unwrap();
    let inflated = Checkpoint::open(&file).unwrap();
    let found = recognise(&inflated).unwrap();
    // Embedded Gaussian and dot product have the same weights.
    let recognised = if variant == "i3d-nonlocal-dot" { "i3d-nonlocal" } else { variant };
    assert_eq!((found.network.name, found.variant.name), ("resnet3d", recognised));
    assert_eq!(found.naming.convention.name, "mmaction");
    let choices = Choices { frames: Some(frames), size: Some(size), ..Choices::default() };
    (found.load(inflated, &choices).unwrap().graph, made)
}

/// The network on one frame, by the code that runs such files.
fn frame(from: &Path, size: usize) -> Graph {
    let choices = Choices { frames: Some(1), size: Some(size), ..Choices::default() };
    models::load(from, &choices).unwrap().graph
}

/// C2D has no windows over time: it is the ResNet, whatever the mode, and at any size, for its answer is of the mean of all
/// positions, here 8×8 of them.
#[test]
fn c2d_is_the_network_on_frames() {
    for (file, naming) in [("resnet-bottleneck", "torchvision-2d"), ("tsn", "mmaction-2d")] {
        let size = 256;
        let want = &run(frame(&golden(file), size), 1, &[])[0][0];
        for mode in [Inflation::Repeat, Inflation::Centre] {
            let (graph, made) = volume("c2d", &golden(file), mode, [8, size]);
            assert_eq!((made.naming.convention.name, made.inflated, made.added), (naming, 0, 0));
            assert!(made.still.contains("at all times"), "{}", made.still);
            let d = difference(&run(graph, 8, &[])[0][0], want);
            assert!(d < 1e-5, "{file}, {mode:?}: {d:e}");
        }
    }
}

/// With centred weights the answer is that of the ResNet, at any number of frames; with repeated ones it is not.
#[test]
fn inflated_bottlenecks_answer_as_on_the_frame_if_centred() {
    let size = 64;
    let want = &run(frame(&bottlenecks(), size), 1, &[])[0][0];
    // Stage by stage 1, 2, 1 and 1 blocks: the first convolutions of all are inflated in Slow's last two stages, every second in
    // I3D's, beside its stem.
    let [none, block] = [0, 1].map(|blocks| blocks * 11);
    for (variant, frames, inflated, added) in [
        ("slow", 8, 2, none),
        ("i3d", 32, 4, none),
        ("i3d-nonlocal", 32, 4, block),
        ("i3d-nonlocal-dot", 32, 4, block),
        ("i3d-nonlocal-gaussian", 32, 4, block - 4),
        ("i3d-nonlocal-concatenation", 32, 4, block + 1),
    ] {
        for (mode, agrees) in [(Inflation::Centre, true), (Inflation::Repeat, false)] {
            let (graph, made) = volume(variant, &bottlenecks(), mode, [frames, size]);
            assert_eq!((made.inflated, made.added), (inflated, added), "{variant}");
            assert_eq!(made.still.contains("at all times"), agrees, "{}", made.still);
            let d = difference(&run(graph, frames, &[])[0][0], want);
            println!("{variant} {mode:?}: {d:e}");
            assert!(if agrees { d < 1e-5 } else { d > 1e-3 }, "{variant}, {mode:?}: {d:e}");
        }
    }
}

/// Where repeated weights agree: Slow's maps two frames from the ends, for of its blocks two see three frames; I3D's as far as
/// five taps and strides, three blocks and the pooling of pairs reach.
#[test]
fn repeated_bottlenecks_agree_away_from_the_ends() {
    let size = 64;
    let last = "layer4.0/activation";
    let want = &run(frame(&bottlenecks(), size), 1, &[last])[0][0];
    for (variant, frames, inside) in [("slow", 16, 2..14), ("i3d", 64, 3..5)] {
        let (graph, _) = volume(variant, &bottlenecks(), Inflation::Repeat, [frames, size]);
        let maps = &run(graph, frames, &["s5/pathway0_res0/activation"])[0];
        assert_eq!(maps.len(), if variant == "slow" { frames } else { frames / 8 });
        for (t, got) in maps.iter().enumerate() {
            let d = difference(got, want);
            let good = if inside.contains(&t) { d < 1e-5 } else { d > 1e-4 };
            assert!(good, "{variant}, frame {t}: {d:e}");
        }
    }
}

/// Not every layer of R3D is one of ResNet-18: no mode makes the answers the same.
#[test]
fn r3d_answers_otherwise_than_resnet18() {
    let size = 64;
    let want = &run(frame(&resnet(), size), 1, &[])[0][0];
    let checkpoint = Checkpoint::open(resnet()).unwrap();
    for mode in [Inflation::Centre, Inflation::Repeat] {
        let made = models::find("r3d").unwrap().inflate(None, &checkpoint, mode).unwrap();
        assert!(made.still.contains("does not give the answer of torchvision's ResNet-18"), "{}", made.still);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("r3d.safetensors");
        save_safetensors(&file, &made.tensors).unwrap();
        let choices = Choices { frames: Some(FRAMES), size: Some(size), ..Choices::default() };
        let d = difference(&run(models::load(&file, &choices).unwrap().graph, FRAMES, &[])[0][0], want);
        println!("r3d {mode:?}: {d:e}");
        assert!(d > 0.05, "{mode:?}: {d:e}");
    }
}

/// I3D from weights that are named as its own, of its middle frames: centred, a clip answers as a frame does; repeated, not.
#[test]
fn i3d_answers_as_its_layers_on_the_frame_if_centred() {
    let volume = Checkpoint::open(golden("i3d-rgb")).unwrap();
    let flat: Vec<(String, Tensor)> = volume
        .entries()
        .iter()
        .map(|entry| {
            let tensor = volume.tensor(&entry.name).unwrap();
            let &[cout, cin, frames, kh, kw] = &entry.shape[..] else { return (entry.name.clone(), tensor) };
            let (values, places) = (tensor.f32s().unwrap(), kh * kw);
            let at = |i: usize| values[(i / places * frames + frames / 2) * places + i % places];
            (entry.name.clone(), Tensor::from_fn(&[cout, cin, kh, kw], at).unwrap())
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    save_safetensors(file("flat.safetensors"), &flat).unwrap();
    let checkpoint = Checkpoint::open(file("flat.safetensors")).unwrap();
    for (mode, agrees) in [(Inflation::Centre, true), (Inflation::Repeat, false)] {
        let made = models::find("i3d").unwrap().inflate(None, &checkpoint, mode).unwrap();
        assert_eq!(made.naming.convention.name, "piergiaj");
        save_safetensors(file("i3d.safetensors"), &made.tensors).unwrap();
        let answer = |frames: usize| {
            let choices = Choices { frames: Some(frames), size: Some(64), ..Choices::default() };
            let graph = models::load(file("i3d.safetensors"), &choices).unwrap().graph;
            run(graph, frames, &[])[0][0].clone()
        };
        let d = difference(&answer(16), &answer(1));
        assert!(if agrees { d < 1e-5 } else { d > 1e-3 }, "{mode:?}: {d:e}");
    }
}

/// The exit code, what is written for people, and for programs.
fn command(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_kinetograph")).arg("inflate").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stderr), text(output.stdout))
}

#[test]
fn the_command_writes_a_file_that_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, out) = (resnet(), folder.path().join("mc3.safetensors"));
    let (weights, out) = (weights.to_str().unwrap(), out.to_str().unwrap());
    let arguments = ["r3d", "--variant", "mc3-18", "--weights", weights, "--output", out];
    let (code, text, _) = command(&arguments);
    assert!(code == Some(0) && text.contains("5 of them inflated"), "{text}");
    assert!(text.contains("R3D has no pooling after its first convolution"), "{text}");
    assert_eq!(recognise(&Checkpoint::open(out).unwrap()).unwrap().variant.name, "mc3-18");

    let bottlenecks = bottlenecks();
    let variant = ["resnet3d", "--variant", "i3d-nonlocal", "--weights", bottlenecks.to_str().unwrap()];
    let (code, text, _) = command(&[&variant[..], &["--output", out]].concat());
    assert!(code == Some(0) && text.contains("as before training and change nothing"), "{text}");
    assert!(text.contains("what torchvision's ResNet-50, -101 or -152 gives"), "{text}");
    assert_eq!(recognise(&Checkpoint::open(out).unwrap()).unwrap().variant.name, "i3d-nonlocal");
}

#[test]
fn errors_give_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.safetensors");
    let refused = |model: &str, from: PathBuf, code: i32, parts: &[&str]| {
        let arguments = [model, "--weights", from.to_str().unwrap(), "--output", out.to_str().unwrap()];
        let (model, variant) = model.split_once(' ').unwrap_or((model, ""));
        let mut arguments = [&[model], &arguments[1..]].concat();
        if !variant.is_empty() {
            arguments.extend(["--variant", variant]);
        }
        let (got, text, _) = command(&arguments);
        assert_eq!(got, Some(code), "{text}");
        parts.iter().for_each(|part| assert!(text.contains(part), "{model}: {part}: {text}"));
        assert!(!out.exists());
    };
    let all = "i3d (rgb) from torchvision's GoogLeNet; r3d (r3d-18, mc3-18) from torchvision's ResNet-18 or -34; resnet3d (all \
               variants) from torchvision's ResNet-50, -101 or -152";
    for (model, reason) in [
        ("resnet", "none of its weights spans several frames"),
        ("timesformer", "none of its weights spans several frames"),
        ("c3d", "7×7"),
        ("slowfast", "resnet3d's variant `slow` is the slow path alone"),
        ("slow-ava", "keeps height and width"),
        ("s3d", "factored"),
        ("swin", "no network on single frames"),
    ] {
        refused(model, bottlenecks(), 2, &[&format!("{model} cannot be inflated"), reason, all]);
    }
    // VGG-11 is named as one of C3D's conventions.
    refused("c3d", golden("vgg"), 4, &["7×7", "[24, 512]", "it is a checkpoint of vgg"]);
    refused("i3d", resnet(), 4, &["torchvision's GoogLeNet", "it is a checkpoint of resnet: "]);
    refused("resnet3d", golden("vgg"), 4, &["ResNet-50, -101 or -152", "it is a checkpoint of vgg"]);
    refused("resnet3d", resnet(), 4, &["ResNet-50, -101 or -152", "it is a checkpoint of resnet: "]);
    refused("r3d", bottlenecks(), 4, &["ResNet-18 or -34", "it is a checkpoint of resnet: "]);
    refused("r3d r2plus1d-18", resnet(), 4, &["has no such weight"]);
    refused("r3d mc3-18", golden("mc3"), 4, &["needs an axis for time"]);
    refused("resnet3d", golden("i3d-r50-mmaction"), 4, &["needs an axis for time"]);
}

#[test]
fn other_endings_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["r3d.pth", "r3d", ".safetensors"] {
        let out = folder.path().join(name);
        let weights = resnet();
        let out = out.to_str().unwrap();
        let (code, text, _) = command(&["r3d", "--weights", weights.to_str().unwrap(), "--output", out]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("only safetensors files are written: name it"), "{text}");
        assert!(!Path::new(out).exists());
    }
}

#[test]
fn the_help_lists_what_can_be_inflated() {
    let (code, _, text) = command(&["--help"]);
    assert_eq!(code, Some(0));
    for (name, variants, from, _) in Network::inflatable() {
        let line = format!("{name} ({variants}), from {from}");
        assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(&line), "{line}: {text}");
    }
    assert!(text.contains("R3D has no pooling"), "{text}");
}
