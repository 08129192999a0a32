//! What TimeCycle and the colouriser run in training, against transcriptions in PyTorch:
//! `tools/golden_networks/correspondence.py` made the file.

use std::path::{Path, PathBuf};

use kinetograph::gpu::{Gpu, adapters, install_hint};
use kinetograph::models::colorizer::{self, Colorizer};
use kinetograph::models::resnet::ResNet;
use kinetograph::models::timecycle::{self, TimeCycle};
use kinetograph::weights::{Checkpoint, Convention, Weights};
use kinetograph::{Engine, Graph, Result, Tensor};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The graph with the weights of the network's own golden.
fn loaded(name: &str, conventions: &[Convention], build: impl Fn(&Weights) -> Result<Graph>) -> Graph {
    let names = Weights::shapes();
    build(&names).unwrap();
    let checkpoint = Checkpoint::open(golden(&format!("networks/{name}/weights.safetensors"))).unwrap();
    let weights = Weights::detect(checkpoint, conventions, &names.names()).unwrap();
    let graph = build(&weights).unwrap();
    weights.finish().unwrap();
    graph
}

fn tracker() -> Graph {
    let encoder = ResNet { blocks: [1, 1, 2, 1], width: 4, frames: 2, classes: None, ..ResNet::resnet50() };
    let config = TimeCycle { encoder, embedding: 16, places: [8, 7], tracker: [10, 6] };
    loaded("timecycle", timecycle::CONVENTIONS, |w| config.tracker(1, w))
}

fn pointing() -> Graph {
    let config = Colorizer {
        stem: 4,
        stages: [4, 8, 12, 12],
        head: 10,
        embedding: 6,
        frames: 3,
        size: 64,
        ..Colorizer::resnet18()
    };
    loaded("colorizer", colorizer::CONVENTIONS, |w| config.pointing(1, 5, w))
}

/// The largest difference of an output, against the largest magnitude.
fn errors(engine: &Engine, graph: &Graph, network: &str, change: f32) -> Vec<(String, f32)> {
    let file = Checkpoint::open(golden("correspondence_training.safetensors")).unwrap();
    let tensor = |name: &str| file.tensor(&format!("{network}.{name}")).unwrap();
    let inputs: Vec<(&str, Tensor)> = graph
        .inputs()
        .map(|(name, _)| {
            let t = tensor(name);
            let v = t.f32s().unwrap();
            (name, Tensor::from_fn(t.shape(), |i| v[i] + change * (i % 3) as f32).unwrap())
        })
        .collect();
    let outputs = engine.plan(graph).unwrap().run(&inputs).unwrap();
    let error = |name: &str, got: &Tensor| {
        let want = tensor(name);
        assert_eq!(got.shape(), want.shape(), "{network} {name}");
        let both = got.f32s().unwrap().iter().zip(want.f32s().unwrap());
        let far = both.map(|(a, b)| if (a - b).is_nan() { f32::INFINITY } else { (a - b).abs() });
        far.fold(0.0, f32::max) / want.f32s().unwrap().iter().fold(0.0, |m: f32, x| m.max(x.abs()))
    };
    outputs.iter().map(|(name, got)| (name.to_owned(), error(name, got))).collect()
}

fn check(engine: &Engine) {
    for (network, graph, outputs) in [("timecycle", tracker(), 3), ("colorizer", pointing(), 1)] {
        let errors = errors(engine, &graph, network, 0.0);
        assert_eq!(errors.len(), outputs);
        for (name, e) in errors {
            assert!(e < 2e-5, "{network} {name} on {}: {e:e}", engine.describe());
        }
    }
}

#[test]
fn the_reference_agrees_with_pytorch() {
    check(&Engine::cpu());
}

#[test]
fn every_adapter_agrees_with_pytorch() {
    let adapters = adapters();
    if adapters.is_empty() {
        println!("SKIPPED: no adapter; {}", install_hint());
    }
    for adapter in adapters {
        check(&Engine::from_gpu(Gpu::from_adapter(&adapter).unwrap()));
    }
}

#[test]
fn a_difference_is_noticed() {
    for (network, graph) in [("timecycle", tracker()), ("colorizer", pointing())] {
        for (name, e) in errors(&Engine::cpu(), &graph, network, 0.05) {
            assert!(e > 1e-3, "{network} {name}: {e:e}");
        }
    }
}

#[test]
fn a_patch_must_hold_the_convolutions() {
    let config = TimeCycle { places: [30, 6], ..TimeCycle::resnet50() };
    let e = config.tracker(1, &Weights::shapes()).unwrap_err().to_string();
    assert!(e.contains("6 places") && e.contains("7 or more"), "{e}");
}
