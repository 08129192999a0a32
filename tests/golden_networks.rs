//! Every network against a public implementation: `tools/golden_networks` made the folders of `golden/networks`.
//!
//! Each holds a checkpoint as its publisher names it, which must be recognised, and the inputs, intermediate values and
//! outputs of the other implementation, for the CPU executor and every adapter of this machine.

use std::path::Path;
use std::sync::OnceLock;

use kinetograph::flow::FlowRecipe;
use kinetograph::gpu::{Gpu, adapters, install_hint};
use kinetograph::models::{self, Choices, NETWORKS, Source, recognise};
use kinetograph::video::Recipe;
use kinetograph::weights::Checkpoint;
use kinetograph::{Engine, Graph, PlanOptions, Precision, Tensor};

#[path = "networks/files.rs"]
mod files;
#[path = "networks/table.rs"]
mod table;

use files::{about, choices, folders, weights};

struct Golden {
    name: String,
    graph: Graph,
    inputs: Vec<(String, Tensor)>,
    /// The outputs and, made outputs, intermediate nodes.
    want: Vec<(String, Tensor)>,
    network: &'static str,
}

fn golden(folder: &Path) -> Golden {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let path = folder.join("values.safetensors");
    let about = about(folder);
    let checkpoint = Checkpoint::open(weights(folder)).unwrap();
    let found = recognise(&checkpoint).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(found.network.name, about["network"], "{name}");
    assert_eq!(found.naming.convention.name, about["convention"], "{name}");
    let network = found.network;
    let choices = choices(&about);
    let loaded = match choices.variant {
        Some(_) => network.load(checkpoint, &choices),
        None => found.load(checkpoint, &choices),
    };
    let mut graph = loaded.unwrap_or_else(|e| panic!("{name}: {e}")).graph;

    let values = Checkpoint::open(&path).unwrap();
    let (mut inputs, mut want) = (Vec::new(), Vec::new());
    for entry in values.entries() {
        let (kind, key) = entry.name.split_once('.').unwrap();
        let tensor = values.tensor(&entry.name).unwrap();
        match kind {
            "input" => inputs.push((key.to_owned(), tensor)),
            "output" => want.push((key.to_owned(), tensor)),
            _ => {
                let value = graph.value(key).unwrap_or_else(|| panic!("{name}: no node {key}\n{graph}"));
                graph.output(key, value).unwrap();
                want.push((key.to_owned(), tensor));
            }
        }
    }
    assert!(want.len() >= 5, "{name}: three nodes, features and logits at least");
    Golden { name, graph, inputs, want, network: network.name }
}

/// Largest error relative to the largest magnitude.
fn error(got: &Tensor, want: &Tensor) -> f64 {
    let (g, w) = (got.f32s().unwrap(), want.f32s().unwrap());
    assert_eq!(g.len(), w.len(), "{} instead of {}", got.shape(), want.shape());
    let scale = w.iter().fold(0f64, |m, x| m.max(f64::from(x.abs())));
    assert!(scale > 0.0);
    g.iter().zip(w).fold(0f64, |m, (g, w)| {
        let e = (f64::from(*g) - f64::from(*w)).abs() / scale;
        if e.is_nan() { f64::INFINITY } else { m.max(e) }
    })
}

/// The errors of all that is compared.
fn errors(golden: &Golden, engine: &Engine, precision: Precision, inputs: &[(String, Tensor)]) -> Vec<f64> {
    let plan = engine.plan_with(&golden.graph, &PlanOptions::with_precision(precision)).unwrap();
    let inputs: Vec<(&str, Tensor)> = inputs.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
    let outputs = plan.run(&inputs).unwrap_or_else(|e| panic!("{}: {e}", golden.name));
    golden.want.iter().map(|(name, want)| error(&outputs[name.as_str()], want)).collect()
}

fn check(engine: &Engine, precision: Precision, tolerance: f64) {
    for folder in folders() {
        let golden = golden(&folder);
        let errors = errors(&golden, engine, precision, &golden.inputs);
        for ((name, _), e) in golden.want.iter().zip(errors) {
            let place = format!("{} {name} on {} in {precision}", golden.name, engine.describe());
            assert!(e <= tolerance, "{place}: {e:e}");
        }
    }
}

/// What is compared of every golden file and its error on the CPU executor in f32.
fn cpu_errors() -> &'static [Vec<(String, f64)>] {
    static ERRORS: OnceLock<Vec<Vec<(String, f64)>>> = OnceLock::new();
    ERRORS.get_or_init(|| {
        let each = folders().into_iter().map(|folder| {
            let golden = golden(&folder);
            let errors = errors(&golden, &Engine::cpu(), Precision::F32, &golden.inputs);
            golden.want.into_iter().map(|(name, _)| name).zip(errors).collect()
        });
        each.collect()
    })
}

#[test]
fn cpu_agrees() {
    for (folder, errors) in folders().iter().zip(cpu_errors()) {
        for (name, e) in errors {
            assert!(*e <= 1e-5, "{} {name} on the CPU in f32: {e:e}", folder.display());
        }
    }
    check(&Engine::cpu(), Precision::F16, 5e-3);
}

/// Most of the time goes into compiling kernels on one core, so the precisions are two tests.
fn check_adapters(precision: Precision, tolerance: f64) {
    let adapters = adapters();
    if adapters.is_empty() {
        println!("SKIPPED: no adapter; {}", install_hint());
    }
    for adapter in adapters {
        let gpu = Gpu::from_adapter(&adapter).unwrap();
        let f16 = gpu.has_f16();
        let engine = Engine::from_gpu(gpu);
        if precision == Precision::F16 && !f16 {
            println!("SKIPPED: f16 on {}", engine.describe());
            continue;
        }
        check(&engine, precision, tolerance);
    }
}

#[test]
fn every_adapter_agrees_in_f32() {
    check_adapters(Precision::F32, 1e-5);
}

#[test]
fn every_adapter_agrees_in_f16() {
    check_adapters(Precision::F16, 5e-3);
}

/// The comparison sees a small change of the input at every output.
#[test]
fn a_difference_is_noticed() {
    for folder in folders() {
        let golden = golden(&folder);
        let nudge = |t: &Tensor| {
            let v = t.f32s().unwrap();
            Tensor::from_fn(t.shape(), |i| v[i] + 0.05 * (i % 3) as f32).unwrap()
        };
        let nudged: Vec<_> = golden.inputs.iter().map(|(n, t)| (n.clone(), nudge(t))).collect();
        let errors = errors(&golden, &Engine::cpu(), Precision::F32, &nudged);
        for ((name, _), e) in golden.want.iter().zip(errors) {
            assert!(e > 1e-4, "{} {name}: {e:e}", golden.name);
        }
    }
}

/// A classifier of other classes can be put into every network that has one, whoever named its weights.
#[test]
fn every_head_can_be_renewed() {
    for folder in folders() {
        let about = about(&folder);
        if about.contains_key("maps_height") {
            continue;
        }
        let file = folder.join("weights.safetensors");
        let path = if file.exists() { &file } else { &folder };
        let measures = Choices {
            variant: about.get("variant").cloned(),
            frames: about.get("frames").map(|n| n.parse().unwrap()),
            size: about.get("size").map(|n| n.parse().unwrap()),
            ..Choices::default()
        };
        let classes =
            |graph: &Graph| graph.outputs().find(|o| o.0 == "logits").map(|o| graph.shape(o.1).to_vec());
        let load = |new_head| models::load(path, &Choices { new_head, ..measures.clone() });
        let place = folder.display();
        let old = classes(&load(None).unwrap_or_else(|e| panic!("{place}: {e}")).graph);
        let new = load(Some(5)).map(|m| classes(&m.graph));
        match old {
            Some(old) => {
                let wanted = [&old[..old.len() - 1], &[5]].concat();
                assert_eq!(new.unwrap_or_else(|e| panic!("{place}: {e}")), Some(wanted), "{place}");
            }
            None => assert!(new.unwrap_err().to_string().contains("no classifier"), "{place}"),
        }
    }
}

/// What prepares the inputs of every variant exists.
#[test]
fn every_recipe_is_known() {
    for network in NETWORKS {
        for variant in network.variants {
            for input in network.published(Some(variant.name)).unwrap().inputs {
                match input.source {
                    Source::Frames(recipe) => drop(Recipe::by_name(recipe).unwrap()),
                    Source::Flow(recipe) => drop(FlowRecipe::by_name(recipe).unwrap()),
                    Source::Boxes(count) => assert!(count > 0),
                    Source::Bank { seconds, persons } => assert!(seconds * persons > 0),
                }
            }
        }
    }
}

/// C3D's golden files, one a variant, are those of `golden_c3d.rs`.
#[test]
fn every_network_has_a_golden() {
    let made: Vec<&str> = folders().iter().map(|f| golden(f).network).chain(["c3d"]).collect();
    for network in NETWORKS {
        assert!(made.contains(&network.name), "{} has no golden file", network.name);
    }
}
