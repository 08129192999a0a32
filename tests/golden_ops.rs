//! Every operator against PyTorch: `tools/golden_ops` made the files in `golden/ops`, one an operator.
//!
//! Each case goes through the operator's door, on the CPU executor and on every adapter of this machine.

use std::collections::BTreeSet;
use std::path::Path;

use kinetograph::gpu::{Gpu, adapters, install_hint};
use kinetograph::graph::TensorType;
use kinetograph::ops::{Attributes, CATALOG, Door, Layout};
use kinetograph::{Engine, Graph, Result, Tensor};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value as Json;

/// Largest difference, relative to the largest magnitude.
const TOLERANCE: f64 = 2e-6;

struct Golden {
    name: String,
    door: &'static Door,
    attributes: Json,
    /// In this crate's layouts.
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    /// Moves and choices must agree to the bit.
    exact: bool,
}

fn tensor(file: &SafeTensors<'_>, name: &str, layout: Layout) -> Tensor {
    let view = file.tensor(name).unwrap();
    let words = view.data().chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
    let tensor = match view.dtype() {
        Dtype::I32 => Tensor::new(view.shape(), words.map(i32::from_le_bytes).collect::<Vec<_>>()),
        _ => Tensor::new(view.shape(), words.map(f32::from_le_bytes).collect::<Vec<_>>()),
    }
    .unwrap();
    match layout.from_torch(view.shape().len()) {
        Some(order) => tensor.permute(&order).unwrap(),
        None => tensor,
    }
}

fn goldens() -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/ops");
    let mut all = Vec::new();
    for door in CATALOG {
        let path = folder.join(format!("{}.safetensors", door.name));
        // A view has nothing to compare.
        if door.name == "reshape" {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap_or_else(|e| {
            panic!("{}: {e}; python tools/golden_ops {} makes it", path.display(), door.name)
        });
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let cases: Json = serde_json::from_str(&metadata.metadata().as_ref().unwrap()["cases"]).unwrap();
        for (name, about) in cases.as_object().unwrap() {
            let count = about["inputs"].as_u64().unwrap() as usize;
            let port = |i: usize| &door.inputs[i.min(door.inputs.len() - 1)];
            let further = (1..).map(|i| format!("{name}/output.{i}"));
            let outputs = std::iter::once(format!("{name}/output")).chain(further);
            let outputs = outputs.take_while(|n| file.tensor(n).is_ok());
            all.push(Golden {
                name: format!("{}/{name}", door.name),
                door,
                attributes: about["attributes"].clone(),
                exact: about.get("exact").is_some_and(|e| e == true),
                inputs: (0..count).map(|i| tensor(&file, &format!("{name}/{i}"), port(i).layout)).collect(),
                outputs: outputs.map(|n| tensor(&file, &n, door.output)).collect(),
            });
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

impl Golden {
    /// Inputs but the first, where an operator has ports of several layouts, are constants as weights are.
    fn run(&self, engine: &Engine) -> Result<Vec<Tensor>> {
        let mut graph = Graph::new();
        let mut values = Vec::new();
        let mut given = Vec::new();
        let weights = self.door.inputs.iter().any(|p| p.layout != self.door.inputs[0].layout);
        let names: Vec<String> = (0..self.inputs.len()).map(|i| i.to_string()).collect();
        for (i, tensor) in self.inputs.iter().enumerate() {
            values.push(if i > 0 && weights {
                graph.constant(&names[i], tensor.clone())
            } else {
                given.push((names[i].as_str(), tensor.clone()));
                let ty = TensorType { shape: tensor.shape().clone(), dtype: tensor.dtype() };
                graph.input_of(&names[i], ty)?
            });
        }
        let attributes = Attributes::from_json(self.attributes.clone())?;
        for (i, v) in self.door.add(&mut graph, &values, &attributes)?.into_iter().enumerate() {
            graph.output(&i.to_string(), v)?;
        }
        Ok(engine.plan(&graph)?.run(&given)?.iter().map(|(_, y)| y.clone()).collect())
    }

    /// What is wrong with the results.
    fn judge(&self, got: &[Tensor]) -> Option<String> {
        if got.len() != self.outputs.len() {
            return Some(format!("{} outputs instead of {}", got.len(), self.outputs.len()));
        }
        got.iter().zip(&self.outputs).find_map(|(got, want)| self.judge_one(got, want))
    }

    fn judge_one(&self, got: &Tensor, want: &Tensor) -> Option<String> {
        if got.shape() != want.shape() || got.dtype() != want.dtype() {
            let (a, b) = (got.shape(), want.shape());
            return Some(format!("{} of shape {a} instead of {} of {b}", got.dtype(), want.dtype()));
        }
        let (got, want) = (got.to_f32(), want.to_f32());
        let (got, want) = (got.f32s().unwrap(), want.f32s().unwrap());
        let finite = want.iter().filter(|w| w.is_finite());
        let scale = finite.fold(0f64, |m, w| m.max(f64::from(w.abs())));
        let allowed = if self.exact { 0.0 } else { TOLERANCE * scale };
        got.iter().zip(want).enumerate().find_map(|(i, (g, w))| {
            let same = g == w || (g.is_nan() && w.is_nan()) || self.differs_from_torch(*g, i);
            let gap = (f64::from(*g) - f64::from(*w)).abs();
            let within = same || gap <= allowed;
            (!within).then(|| format!("element {i} is {g} instead of {w}, more than {allowed:e} apart"))
        })
    }

    /// A softmax of −∞ alone is zero here and NaN in PyTorch.
    fn differs_from_torch(&self, got: f32, index: usize) -> bool {
        if self.door.name != "softmax" {
            return false;
        }
        let Some(row) = self.inputs.first().and_then(|x| x.shape().last()) else { return false };
        let log = self.attributes.get("log").is_some();
        let masked = self.inputs[0].f32s().unwrap().chunks(*row).nth(index / row);
        masked.is_some_and(|r| r.iter().all(|x| *x == f32::NEG_INFINITY))
            && got == if log { f32::NEG_INFINITY } else { 0.0 }
    }
}

fn check(engine: &Engine) {
    let goldens = goldens();
    let covered: BTreeSet<&str> = goldens.iter().map(|g| g.door.name).collect();
    assert_eq!(covered.len() + 1, CATALOG.len());
    let mut wrong = Vec::new();
    for golden in &goldens {
        match golden.run(engine) {
            Ok(got) => wrong.extend(golden.judge(&got).map(|what| format!("{}: {what}", golden.name))),
            Err(e) => wrong.push(format!("{}: {e}", golden.name)),
        }
    }
    println!("{}: {} cases, {} wrong", engine.describe(), goldens.len(), wrong.len());
    assert!(wrong.is_empty(), "{}\n{}", engine.describe(), wrong.join("\n"));
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

/// The comparison must notice a wrong element, a NaN and a wrong shape.
#[test]
fn the_comparison_can_fail() {
    for golden in goldens() {
        let Some((last, first)) = golden.outputs.split_last() else { panic!("{}", golden.name) };
        let judge = |bad| golden.judge(&[first, &[bad]].concat());
        if let Ok(good) = last.i32s() {
            let bad: Vec<i32> = good.iter().map(|i| i + 1).collect();
            assert!(judge(Tensor::new(last.shape(), bad).unwrap()).is_some(), "{}", golden.name);
            continue;
        }
        let good = last.f32s().unwrap();
        let Some(at) = good.iter().position(|x| x.is_finite() && x.abs() > 0.1) else { continue };
        for wrong in [f32::NAN, good[at] * 1.001 + 0.01, f32::INFINITY] {
            let mut bad = good.to_vec();
            bad[at] = wrong;
            let bad = Tensor::new(last.shape(), bad).unwrap();
            assert!(judge(bad).is_some(), "{}", golden.name);
        }
        assert!(judge(last.reshape(&[good.len(), 1, 1, 1]).unwrap()).is_some());
    }
}
