//! What plans hold on a device: no network needs much more memory than its tensors that are alive at once. No device is
//! asked: the plan's own arithmetic is.

use std::path::PathBuf;

use kinetograph::graph::{ConvForm, Family, MemoryLimits};
use kinetograph::models;
use kinetograph::ops::{NonLocal, Weighting};
use kinetograph::{ErrorKind, Graph, PlanOptions};

#[path = "networks/files.rs"]
mod files;

use files::{about, choices, folders, weights};

/// The small networks of the golden files, with their names.
fn small() -> Vec<(String, &'static str, Graph)> {
    let graph = |folder: &PathBuf| {
        let model = models::load(weights(folder), &choices(&about(folder))).unwrap();
        (folder.file_name().unwrap().to_string_lossy().into_owned(), model.network, model.graph)
    };
    folders().iter().map(graph).collect()
}

/// The golden files whose network, Slow on boxes, takes more than a tenth above what is alive, and how much it may. A buffer that a
/// dispatch reads is not one that it writes, so that three tensors that follow each other need three buffers, each as
/// large as the largest that it ever holds.
const MORE: &[(&str, f64)] = &[("slow-ava", 1.13), ("slow-ava-pytorchvideo", 1.11)];

/// Published configurations that take more than a tenth above what is alive as long as their normalisations have no values,
/// and are no part of the convolutions before them.
const UNFUSED: &[(&str, &str, f64)] =
    &[("crw", "resnet18", 1.12), ("frame-order", "shuffle-and-learn", 1.14), ("r3d", "r2plus1d-18", 1.18)];

/// A published configuration that takes more than a tenth above what is alive: its poolings leave so little alive that what
/// follows each other in three buffers shows.
const POOLED: &[(&str, &str, f64)] = &[("gru-rcn", "vgg16", 1.11)];

/// With the plainest kernels: others take working memory besides, for slices of small products, for the factors of Winograd's
/// form.
fn excess(graph: &Graph) -> f64 {
    let limits = MemoryLimits { binding: u64::MAX, buffer: u64::MAX, ..MemoryLimits::LEAST };
    let memory = graph.memory(Family::Direct, &PlanOptions::default(), &limits).unwrap();
    memory.activations as f64 / memory.alive as f64
}

#[test]
fn small_networks_take_what_is_alive_and_a_tenth() {
    for (name, network, graph) in small() {
        let known = MORE.iter().find(|(known, _)| *known == name).map(|(_, most)| *most);
        let most = known.unwrap_or(if network == "i3d" { 1.05 } else { 1.1 });
        let excess = excess(&graph);
        assert!((0.5..=most).contains(&excess), "{name}: {excess:.3} of what is alive, {most} at most");
    }
}

#[test]
fn published_networks_take_what_is_alive_and_a_tenth() {
    let mut wrong = Vec::new();
    for network in models::NETWORKS {
        for variant in network.variants {
            let named = |(n, v, _): &&(&str, &str, f64)| (*n, *v) == (network.name, variant.name);
            let most = match network.name {
                "c3d" | "i3d" | "timesformer" => 1.05,
                _ => UNFUSED.iter().chain(POOLED).find(named).map_or(1.1, |(.., most)| *most),
            };
            let excess = excess(&network.outline(Some(variant.name)).unwrap());
            let (network, variant) = (network.name, variant.name);
            if !(0.5..=most).contains(&excess) {
                wrong.push(format!("{network} {variant}: {excess:.3} of what is alive, {most} at most"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A convolution's output that is pooled is never there: of C3D's 49 MiB after the first convolution and a quarter of
/// that after its pooling only the latter. Slices of small products may take more.
#[test]
fn what_is_pooled_is_never_stored() {
    let c3d = models::find("c3d").unwrap().outline(None).unwrap();
    for family in [Family::Direct, Family::Tiled, Family::Uniform] {
        let memory = |fuse| {
            let options = PlanOptions { fuse, form: Some(ConvForm::Plain), ..PlanOptions::default() };
            c3d.memory(family, &options, &MemoryLimits::LEAST).unwrap()
        };
        let (fused, plain) = (memory(true), memory(false));
        let pooled = 16 * 56 * 56 * 64 * 4;
        assert!(plain.activations >= 4 * pooled + pooled, "{family:?}: {plain:?}");
        let most = if family == Family::Tiled { plain.activations - 2 * pooled } else { 2 * pooled };
        assert!(fused.activations < most, "{family:?}: {fused:?}");
    }
}

/// What needs a matrix of scores elsewhere: ViViT over 3,137 tokens, 450 MiB, and a non-local block whose keys are not
/// pooled, over 8×28×28 positions, 150 MiB.
#[test]
fn scores_are_never_stored_as_a_whole() {
    let plan = |graph: &Graph| {
        let memory = |family| graph.memory(family, &PlanOptions::default(), &MemoryLimits::LEAST).unwrap();
        [Family::Tiled, Family::Uniform].map(memory)
    };
    let vivit = models::find("vivit").unwrap().outline(Some("joint")).unwrap();
    for m in plan(&vivit) {
        assert!(m.activations < 128 << 20, "{m:?}");
    }
    for mode in [Weighting::Softmax, Weighting::DotProduct] {
        let mut g = Graph::new();
        let [theta, phi, values] =
            ["theta", "phi", "g"].map(|name| g.input(name, &[1, 8 * 28 * 28, 256]).unwrap());
        let y = g.non_local([theta, phi, values], &NonLocal { mode, scale: None }).unwrap();
        g.output("y", y).unwrap();
        for m in plan(&g) {
            assert!(m.activations < 128 << 20, "{m:?}");
        }
    }
    // The limit binds.
    let mut g = Graph::new();
    let x = g.input("x", &[1, 8 * 28 * 28, 8 * 28 * 28]).unwrap();
    g.output("y", x).unwrap();
    let e = g.memory(Family::Tiled, &PlanOptions::default(), &MemoryLimits::LEAST).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::OutOfMemory);
    assert!(e.to_string().contains("binds at most 134217728"), "{e}");
}
