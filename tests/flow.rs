//! TV-L1 optical flow against OpenCV's, of which `tools/golden_flow.py` keeps flows in `golden/flow.safetensors`, and
//! against the true flow of the pictures, on the CPU executor and on every adapter.

use std::num::NonZero;
use std::path::Path;

use kinetograph::flow::{DualTvl1, FlowPlan};
use kinetograph::gpu::{Gpu, adapters, install_hint};
use kinetograph::ops::Tvl1;
use kinetograph::{Engine, PlanOptions, Tensor};
use safetensors::SafeTensors;

const NAMES: [&str; 4] = ["translate", "rotate", "zoom", "shear"];

struct Pair {
    first: Vec<f32>,
    second: Vec<f32>,
    size: [usize; 2],
    truth: Tensor,
    defaults: Tensor,
    short: Tensor,
}

fn pairs() -> Vec<Pair> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/flow.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: &str| {
        let view = file.tensor(name).unwrap();
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Tensor::new(view.shape(), values.collect::<Vec<_>>()).unwrap()
    };
    let gray = |name: &str| file.tensor(name).unwrap().data().iter().map(|&b| f32::from(b)).collect();
    NAMES
        .iter()
        .map(|name| {
            let shape = file.tensor(&format!("{name}/first")).unwrap().shape().to_vec();
            let [h, w] = [shape[0], shape[1]];
            let matrix = floats(&format!("{name}/motion"));
            let m = matrix.f32s().unwrap();
            let truth = Tensor::from_fn(&[h, w, 2], |i| {
                let (x, y, row) = ((i / 2 % w) as f32, (i / 2 / w) as f32, &m[i % 2 * 3..]);
                row[0] * x + row[1] * y + row[2]
            });
            Pair {
                first: gray(&format!("{name}/first")),
                second: gray(&format!("{name}/second")),
                size: [h, w],
                truth: truth.unwrap(),
                defaults: floats(&format!("{name}/defaults")),
                short: floats(&format!("{name}/short")),
            }
        })
        .collect()
}

/// Distances of pixels at least `margin` from the border.
fn distances(a: &Tensor, b: &Tensor, margin: usize) -> Vec<f64> {
    let (h, w) = (a.shape()[0], a.shape()[1]);
    let pixels = a.f32s().unwrap().chunks(2).zip(b.f32s().unwrap().chunks(2)).enumerate();
    let inside = |i: usize| {
        let (x, y) = (i % w, i / w);
        x.min(w - 1 - x) >= margin && y.min(h - 1 - y) >= margin
    };
    let inner = pixels.filter(|(i, _)| inside(*i));
    inner.map(|(_, (a, b))| f64::from((a[0] - b[0]).hypot(a[1] - b[1]))).collect()
}

fn flows(engine: &Engine, pairs: &[Pair], method: &DualTvl1) -> Vec<Tensor> {
    let count = NonZero::new(pairs.len()).unwrap();
    let plan =
        FlowPlan::new(engine, pairs[0].size, count, &(*method).into(), &PlanOptions::default()).unwrap();
    let frames: Vec<_> = pairs.iter().map(|p| (&p.first[..], &p.second[..])).collect();
    let flows = plan.run(&frames).unwrap();
    // The last pair alone comes out the same, whatever lies beside it.
    let alone = plan.run(&frames[pairs.len() - 1..]).unwrap();
    assert_eq!(alone[0].bytes(), flows[pairs.len() - 1].bytes());
    flows
}

fn check(engine: &Engine) {
    let pairs = pairs();
    let short = Tvl1 {
        epsilon: 0.0,
        median_filtering: 0,
        inner_iterations: 5,
        outer_iterations: 1,
        ..Tvl1::default()
    };
    let short = DualTvl1 { solver: short, scales: 3, warps: 2, ..DualTvl1::default() };
    let short = flows(engine, &pairs, &short);
    let defaults = flows(engine, &pairs, &DualTvl1::default());
    for (i, pair) in pairs.iter().enumerate() {
        let name = NAMES[i];
        // OpenCV computes in f32: where a rounding decides, a pixel may be off by more than the others.
        let apart = distances(&short[i], &pair.short, 0);
        let (worst, sum) = apart.iter().fold((0.0, 0.0), |(w, s), d| (d.max(w), s + d));
        let mean = sum / apart.len() as f64;
        assert!(worst < 1e-3 && mean < 1e-5, "{name}, a few iterations: {worst}, {mean} on average");
        // Where the flow leads out of the picture, a rounding decides; OpenCV's own tests ask for 95 %.
        let apart = distances(&defaults[i], &pair.defaults, 6);
        let far = apart.iter().filter(|d| d.is_nan() || **d > 0.1).count();
        let mean = apart.iter().sum::<f64>() / apart.len() as f64;
        assert!(20 * far <= apart.len() && mean < 0.02, "{name}, defaults: {far} far, {mean} on average");
        let error = |flow| {
            let errors = distances(flow, &pair.truth, 6);
            errors.iter().sum::<f64>() / errors.len() as f64
        };
        let (ours, theirs) = (error(&defaults[i]), error(&pair.defaults));
        assert!((ours - theirs).abs() < 0.01 && ours < 0.07, "{name}: {ours}, OpenCV {theirs}");
        println!("{name} on {}: {ours:.4} pixels from the truth, OpenCV {theirs:.4}", engine.describe());
    }
}

#[test]
fn the_cpu_agrees_with_opencv() {
    check(&Engine::cpu());
}

#[test]
fn every_adapter_agrees_with_opencv() {
    let adapters = adapters();
    if adapters.is_empty() {
        println!("SKIPPED: no adapter; {}", install_hint());
    }
    for adapter in adapters {
        check(&Engine::from_gpu(Gpu::from_adapter(&adapter).unwrap()));
    }
}
