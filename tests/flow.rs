//! TV-L1 optical flow against OpenCV's, scikit-image's and that of Image Processing On Line, of which
//! `tools/golden_flow.py` keeps flows in `golden/flow.safetensors` and `golden/flow_recipes.safetensors`, and against the
//! true flow of the pictures, on the CPU executor and on every adapter.

use std::num::NonZero;
use std::path::Path;

use kinetograph::flow::{DualTvl1, FlowPlan};
use kinetograph::gpu::{Gpu, adapters, install_hint};
use kinetograph::ops::Tvl1;
use kinetograph::{Engine, Graph, PlanOptions, Tensor};
use safetensors::{Dtype, SafeTensors};

const NAMES: [&str; 4] = ["translate", "rotate", "zoom", "shear"];

struct Pair {
    first: Vec<f32>,
    second: Vec<f32>,
    size: [usize; 2],
    truth: Tensor,
    defaults: Tensor,
    short: Tensor,
}

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)).unwrap()
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Tensor {
    let view = file.tensor(name).unwrap();
    let (data, half) = (view.data(), view.dtype() == Dtype::F16);
    let values: Vec<f32> = if half {
        data.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()
    } else {
        data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    };
    Tensor::new(view.shape(), values).unwrap()
}

fn gray(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    file.tensor(name).unwrap().data().iter().map(|&b| f32::from(b)).collect()
}

fn pairs() -> Vec<Pair> {
    let bytes = golden("flow.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: &str| floats(&file, name);
    let gray = |name: &str| gray(&file, name);
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

/// The flow of one pair, from an initial one or none.
fn flow(
    engine: &Engine,
    method: &DualTvl1,
    size: [usize; 2],
    [first, second]: [&[f32]; 2],
    initial: Option<&Tensor>,
) -> Tensor {
    let [h, w] = size;
    let mut g = Graph::new();
    let a = g.input("first", &[1, h, w, 1]).unwrap();
    let b = g.input("second", &[1, h, w, 1]).unwrap();
    let from = initial.map(|_| g.input("initial", &[1, h, w, 2]).unwrap());
    let flow = method.add(&mut g, a, b, from).unwrap();
    g.output("flow", flow).unwrap();
    let frame = |values: &[f32]| Tensor::new(&[1, h, w, 1], values.to_vec()).unwrap();
    let mut inputs = vec![("first", frame(first)), ("second", frame(second))];
    inputs.extend(
        initial.map(|t| ("initial", Tensor::new(&[1, h, w, 2], t.f32s().unwrap().to_vec()).unwrap())),
    );
    let outputs = engine.plan(&g).unwrap().run(&inputs).unwrap();
    Tensor::new(&[h, w, 2], outputs["flow"].f32s().unwrap().to_vec()).unwrap()
}

/// So few iterations that no rounding decides.
fn short() -> DualTvl1 {
    let solver = Tvl1 {
        epsilon: 0.0,
        median_filtering: 0,
        inner_iterations: 5,
        outer_iterations: 1,
        ..Tvl1::default()
    };
    DualTvl1 { solver, scales: 3, warps: 2, ..DualTvl1::default() }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Name, method, second picture, where to begin, and how far the mean and the worst may be off.
type Recipe<'a> = (&'a str, DualTvl1, &'a [f32], Option<&'a Tensor>, f64, f64);

fn recipes(engine: &Engine) {
    let pair = &pairs()[0];
    let bytes = golden("flow_recipes.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let [h, w] = pair.size;
    let brighter = gray(&file, "brighter");
    let with_gamma = |m: DualTvl1| DualTvl1 { solver: Tvl1 { gamma: 0.6, ..m.solver }, ..m };
    let initial = Tensor::from_fn(&[h, w, 2], |i| {
        let (x, y) = ((i / 2 % w) as f32, (i / 2 / w) as f32);
        if i % 2 == 0 { 1.0 + x / 90.0 } else { -0.5 + y / 80.0 }
    });
    let initial = initial.unwrap();
    let skimage = DualTvl1::skimage();
    let short_skimage = DualTvl1 {
        solver: Tvl1 { inner_iterations: 3, epsilon: 0.0, ..skimage.solver },
        warps: 2,
        ..skimage
    };
    let ipol = DualTvl1::ipol();
    let short_ipol = DualTvl1 {
        solver: Tvl1 { inner_iterations: 5, epsilon: 0.0, ..ipol.solver },
        warps: 2,
        scales: 2,
        ..ipol
    };
    let all: [Recipe<'_>; 7] = [
        ("with-initial", short(), &pair.second, Some(&initial), 1e-5, 1e-3),
        ("gamma", with_gamma(short()), &brighter, None, 1e-5, 1e-3),
        ("gamma-defaults", with_gamma(DualTvl1::default()), &brighter, None, 0.02, f64::INFINITY),
        ("skimage-short", short_skimage, &pair.second, None, 1e-5, 1e-3),
        ("skimage", skimage, &pair.second, None, 1e-3, f64::INFINITY),
        ("ipol-short", short_ipol, &pair.second, None, 1e-5, 1e-3),
        ("ipol", ipol, &pair.second, None, 0.02, f64::INFINITY),
    ];
    for (name, method, second, from, most, worst) in all {
        let ours = flow(engine, &method, pair.size, [&pair.first, second], from);
        let theirs = floats(&file, name);
        let apart = distances(&ours, &theirs, 0);
        let (off, far) = (mean(&apart), apart.iter().copied().fold(0.0, f64::max));
        println!("{name} on {}: {off:.2e} pixels apart on average, {far:.2e} at most", engine.describe());
        assert!(off < most && far < worst, "{name}: {off}, {far} at most");
        if ["skimage", "ipol"].contains(&name) {
            let [ours, theirs] = [&ours, &theirs].map(|flow| mean(&distances(flow, &pair.truth, 6)));
            assert!((ours - theirs).abs() < 0.01 && ours < 0.07, "{name}: {ours}, theirs {theirs}");
        }
    }

    // A square of 48 pixels from (20, 16) that moves by (1½, 1) before a background that moves by (−½, ½).
    let layered = [gray(&file, "layers/first"), gray(&file, "layers/second")];
    let ours = flow(engine, &DualTvl1::default(), [80, 88], [&layered[0], &layered[1]], None);
    let theirs = f64::from(floats(&file, "layers/error").f32s().unwrap()[0]);
    let errors = |flow: &Tensor| {
        let pixels = flow.f32s().unwrap().chunks(2).enumerate().filter_map(|(i, u)| {
            let (x, y) = ((i % 88) as f32, (i / 88) as f32);
            let in_square = (20.0..68.0).contains(&x) && (16.0..64.0).contains(&y);
            // Background that comes to lie behind the square, in whole or in part, and what leaves the picture.
            let (to_x, to_y) = (x - 2.0, y - 0.5);
            let hidden = !in_square && to_x > 19.0 && to_x < 68.0 && to_y > 15.0 && to_y < 64.0;
            let inside = (6.0..82.0).contains(&x) && (6.0..74.0).contains(&y);
            let [u0, v0] = if in_square { [1.5, 1.0] } else { [-0.5, 0.5] };
            (inside && !hidden).then(|| f64::from((u[0] - u0).hypot(u[1] - v0)))
        });
        mean(&pixels.collect::<Vec<_>>())
    };
    let ours = errors(&ours);
    println!("two layers on {}: {ours:.4} pixels from the truth, OpenCV {theirs:.4}", engine.describe());
    assert!((ours - theirs).abs() < 0.01 && ours < 0.07, "two layers: {ours}, OpenCV {theirs}");
}

/// Frames so small, or of such a kind, that there is little to see.
fn odd_frames(engine: &Engine) {
    let few =
        |m: DualTvl1| DualTvl1 { solver: Tvl1 { inner_iterations: 3, outer_iterations: 1, ..m.solver }, ..m };
    for [h, w] in [[1, 1], [1, 9], [7, 1], [2, 3], [5, 5], [15, 4]] {
        let frame =
            |shift: usize| -> Vec<f32> { (0..h * w).map(|i| ((i + shift) * 37 % 256) as f32).collect() };
        for method in [DualTvl1::default(), DualTvl1::skimage(), DualTvl1::ipol()].map(few) {
            let mut g = Graph::new();
            let a = g.input("first", &[1, h, w, 1]).unwrap();
            let b = g.input("second", &[1, h, w, 1]).unwrap();
            if method.smoothing > 0.0 && h.min(w) < 5 {
                let error = method.add(&mut g, a, b, None).unwrap_err().to_string();
                assert!(error.contains("too small for a Gaussian"), "{error}");
                continue;
            }
            let still = flow(engine, &method, [h, w], [&frame(0), &frame(0)], None);
            assert!(still.f32s().unwrap().iter().all(|x| x.abs() < 1e-5), "{w}x{h} {still:?}");
            let moving = flow(engine, &method, [h, w], [&frame(0), &frame(1)], None);
            assert!(moving.f32s().unwrap().iter().all(|x| x.is_finite()), "{w}x{h} {moving:?}");
        }
    }
    // Grey frames do not move, in any recipe; nor where a NaN does not reach.
    let grey = vec![90.0; 20 * 24];
    let mut holed = grey.clone();
    holed[0] = f32::NAN;
    for method in [DualTvl1::default(), DualTvl1::skimage(), DualTvl1::ipol()].map(few) {
        let still = flow(engine, &method, [20, 24], [&grey, &grey], None);
        assert!(still.f32s().unwrap().iter().all(|x| *x == 0.0));
        let seen = flow(engine, &method, [20, 24], [&holed, &grey], None);
        assert!(seen.f32s().unwrap()[0].is_nan(), "{seen:?}");
    }
    let seen = flow(engine, &few(DualTvl1::default()), [20, 24], [&holed, &grey], None);
    assert_eq!(seen.f32s().unwrap()[2 * 20 * 24 - 1], 0.0);
}

#[test]
fn unusable_parameters_are_refused() {
    let method = DualTvl1::default();
    let refused = |method: DualTvl1, second: [usize; 4], initial: Option<[usize; 4]>| {
        let mut g = Graph::new();
        let a = g.input("first", &[1, 20, 24, 1]).unwrap();
        let b = g.input("second", &second).unwrap();
        let initial = initial.map(|shape| g.input("initial", &shape).unwrap());
        method.add(&mut g, a, b, initial).unwrap_err().to_string()
    };
    let same = [1, 20, 24, 1];
    let solver = |solver: Tvl1| refused(DualTvl1 { solver, ..method }, same, None);
    for (error, part) in [
        (refused(method, [1, 20, 25, 1], None), "both must be [N, H, W, 1]"),
        (refused(method, same, Some([1, 20, 24, 1])), "an initial flow of"),
        (refused(DualTvl1 { scales: 0, ..method }, same, None), "scales 0"),
        (refused(DualTvl1 { warps: 0, ..method }, same, None), "warps 0"),
        (refused(DualTvl1 { scale_step: 1.0, ..method }, same, None), "scale_step 1"),
        (refused(DualTvl1 { scale_step: f64::NAN, ..method }, same, None), "scale_step NaN"),
        (refused(DualTvl1 { smoothing: f64::INFINITY, ..method }, same, None), "smoothing inf"),
        (refused(DualTvl1 { smoothing: 9.0, ..method }, same, None), "46 pixels a side are needed"),
        (solver(Tvl1 { tau: f32::NAN, ..Tvl1::default() }), "tau NaN"),
        (solver(Tvl1 { gamma: f32::INFINITY, ..Tvl1::default() }), "gamma inf"),
        (solver(Tvl1 { inner_iterations: usize::MAX, ..Tvl1::default() }), "at most"),
    ] {
        assert!(error.contains(part), "{error}");
    }
}

fn check(engine: &Engine) {
    odd_frames(engine);
    recipes(engine);
    let pairs = pairs();
    let short = flows(engine, &pairs, &short());
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
