//! C3D against PyTorch: golden files made by `tools/golden_c3d.py`, on the CPU executor and every adapter.

use std::path::Path;

use kinetograph::gpu::{Gpu, adapters};
use kinetograph::models::c3d::{C3d, CONVENTIONS, Pool5};
use kinetograph::weights::{Checkpoint, Naming, Weights};
use kinetograph::{Engine, Graph, PlanOptions, Precision, Tensor};

/// Golden name, node, and the steps along T, H, W at which the golden file keeps it.
const TAPS: [(&str, &str, [usize; 3]); 3] = [
    ("conv2", "conv2/activation", [3, 4, 4]),
    ("conv4a", "conv4a/activation", [3, 4, 4]),
    ("pool5", "pool5/pool3d", [1; 3]),
];

struct Golden {
    graph: Graph,
    clip: Tensor,
    /// Name and channels-last tensor.
    want: Vec<(String, [usize; 3], Tensor)>,
}

fn golden(pool5: Pool5) -> Golden {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/c3d/{}.safetensors", pool5.name()));
    let file = Checkpoint::open(path).unwrap();
    let clip = file.tensor("clip").unwrap().to_f32();
    let clip = Tensor::from_fn(clip.shape(), |i| (clip.f32s().unwrap()[i] - 128.0) / 64.0).unwrap();
    let clip = clip.permute(&[0, 2, 3, 4, 1]).unwrap();
    let mut want: Vec<(String, [usize; 3], Tensor)> = TAPS
        .iter()
        .map(|(name, _, steps)| {
            let tensor = file.tensor(name).unwrap().permute(&[0, 2, 3, 4, 1]).unwrap();
            ((*name).to_owned(), *steps, tensor)
        })
        .collect();
    want.push(("logits".into(), [1; 3], file.tensor("logits").unwrap()));

    let config = C3d { width: 4, features: 16, classes: Some(7), frames: 16, size: 48, pool5 };
    let canonical = Weights::shapes();
    config.build(1, &canonical).unwrap();
    let naming = Naming::detect(&file, CONVENTIONS, &canonical.names()).unwrap();
    assert_eq!((naming.convention.name, &*naming.prefix), ("davidea", "weights."));
    let weights = Weights::new(file, naming);
    for name in ["clip", "logits", "conv2", "conv4a", "pool5"] {
        weights.ignore(name);
    }
    let mut graph = config.build(1, &weights).unwrap();
    weights.finish().unwrap();
    for (name, node, _) in TAPS {
        let value = graph.value(node).unwrap_or_else(|| panic!("no node {node}"));
        graph.output(name, value).unwrap();
    }
    Golden { graph, clip, want }
}

/// Every `steps`-th element along T, H, W of `[N, T, H, W, C]`.
fn thinned(tensor: &Tensor, steps: [usize; 3]) -> Tensor {
    let [n, t, h, w, c] = tensor.shape()[..] else { return tensor.clone() };
    let v = tensor.f32s().unwrap();
    let counts = [t.div_ceil(steps[0]), h.div_ceil(steps[1]), w.div_ceil(steps[2])];
    let shape = [n, counts[0], counts[1], counts[2], c];
    Tensor::from_fn(&shape, |i| {
        let (rest, ic) = (i / c, i % c);
        let (rest, iw) = (rest / counts[2], rest % counts[2]);
        let (rest, ih) = (rest / counts[1], rest % counts[1]);
        let (i_n, it) = (rest / counts[0], rest % counts[0]);
        v[(((i_n * t + it * steps[0]) * h + ih * steps[1]) * w + iw * steps[2]) * c + ic]
    })
    .unwrap()
}

/// Largest error relative to the largest magnitude.
fn error(got: &Tensor, want: &Tensor) -> f64 {
    assert_eq!(got.shape(), want.shape());
    let (got, want) = (got.f32s().unwrap(), want.f32s().unwrap());
    let scale = want.iter().fold(0f64, |m, x| m.max(f64::from(x.abs())));
    assert!(scale > 0.0);
    got.iter().zip(want).fold(0f64, |m, (g, w)| {
        let e = (f64::from(*g) - f64::from(*w)).abs() / scale;
        if e.is_nan() { f64::INFINITY } else { m.max(e) }
    })
}

fn check(engine: &Engine, precision: Precision, tolerance: f64) {
    for pool5 in Pool5::ALL {
        let golden = golden(pool5);
        let options = PlanOptions::with_precision(precision);
        let plan = engine.plan_with(&golden.graph, &options).unwrap();
        let outputs = plan.run(&[("clip", golden.clip.clone())]).unwrap();
        for (name, steps, want) in &golden.want {
            let e = error(&thinned(&outputs[name.as_str()], *steps), want);
            assert!(e <= tolerance, "{} {name}: {e:e} on {} in {precision}", pool5.name(), engine.describe());
        }
    }
}

#[test]
fn cpu_agrees_with_pytorch() {
    check(&Engine::reference(), Precision::F32, 1e-6);
    check(&Engine::cpu(), Precision::F32, 1e-5);
    check(&Engine::cpu(), Precision::F16, 5e-3);
}

#[test]
fn every_adapter_agrees_with_pytorch() {
    let adapters = adapters();
    if adapters.is_empty() {
        println!("SKIPPED: no adapter");
    }
    for adapter in adapters {
        let gpu = Gpu::from_adapter(&adapter).unwrap();
        let f16 = gpu.has_f16();
        let engine = Engine::from_gpu(gpu);
        check(&engine, Precision::F32, 1e-5);
        if f16 {
            check(&engine, Precision::F16, 5e-3);
        } else {
            println!("SKIPPED: f16 on {}", engine.describe());
        }
    }
}

/// The three poolings are told apart: each file disagrees with the other variants.
#[test]
fn a_wrong_variant_is_noticed() {
    let golden = golden(Pool5::Ceil);
    let wrong = self::golden(Pool5::Padded);
    let run = |g: &Graph| Engine::cpu().plan(g).unwrap().run(&[("clip", golden.clip.clone())]).unwrap();
    let want = &golden.want.last().unwrap().2;
    assert!(error(&run(&golden.graph)["logits"], want) < 1e-6);
    assert!(error(&run(&wrong.graph)["logits"], want) > 1e-2);
}
