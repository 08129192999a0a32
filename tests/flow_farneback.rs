//! Farnebäck's optical flow and the difference of frames against OpenCV's, of which `tools/golden_flow.py` keeps what it
//! made in `golden/farneback.safetensors`, on the CPU executor and on every adapter.

use std::num::NonZero;
use std::path::Path;

use kinetograph::flow::{Difference, Farneback, FlowPlan, Method};
use kinetograph::gpu::{Gpu, adapters, install_hint};
use kinetograph::{Engine, PlanOptions, Precision, Tensor};
use safetensors::SafeTensors;

struct Golden(Vec<u8>);

impl Golden {
    fn new() -> Golden {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/farneback.safetensors");
        Golden(std::fs::read(path).unwrap())
    }

    fn floats(&self, name: &str) -> Tensor {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let view = file.tensor(name).unwrap();
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Tensor::new(view.shape(), values.collect::<Vec<_>>()).unwrap()
    }

    /// A picture's brightnesses and its height and width.
    fn bytes(&self, name: &str) -> (Vec<f32>, [usize; 2]) {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let view = file.tensor(name).unwrap();
        (view.data().iter().map(|&b| f32::from(b)).collect(), [view.shape()[0], view.shape()[1]])
    }
}

/// Mean and largest distance.
fn apart(a: &Tensor, b: &Tensor) -> (f64, f64) {
    assert_eq!(a.shape(), b.shape());
    let pixels = a.f32s().unwrap().chunks(2).zip(b.f32s().unwrap().chunks(2));
    let distances: Vec<f64> = pixels.map(|(a, b)| f64::from((a[0] - b[0]).hypot(a[1] - b[1]))).collect();
    assert!(distances.iter().all(|d| d.is_finite()));
    (distances.iter().sum::<f64>() / distances.len() as f64, distances.iter().fold(0.0, |m, d| m.max(*d)))
}

fn methods() -> [(&'static str, Farneback); 4] {
    let defaults = Farneback::default();
    [
        ("default", defaults),
        ("dense_flow", Farneback::dense_flow()),
        ("single", Farneback { levels: 0, winsize: 9, iterations: 1, poly_sigma: 0.0, ..defaults }),
        (
            "initial",
            Farneback { pyr_scale: 0.6, levels: 2, winsize: 12, iterations: 2, poly_sigma: 1.1, ..defaults },
        ),
    ]
}

fn check(engine: &Engine) {
    let golden = Golden::new();
    let ((first, size), (second, _)) = (golden.bytes("first"), golden.bytes("second"));
    let two = NonZero::new(2).unwrap();
    // The other way round beside it, which must not touch it.
    let pairs = [(&first[..], &second[..]), (&second[..], &first[..])];
    for (name, method) in methods() {
        let run = |precision| {
            let options = PlanOptions::with_precision(precision);
            if name == "initial" {
                let plan = FlowPlan::with_initial(engine, size, two, &method.into(), &options).unwrap();
                let initial = golden.floats("initial");
                let flows = plan.run_from(&pairs, &[initial.clone(), initial]).unwrap();
                assert!(plan.run(&pairs).unwrap_err().to_string().contains("initial flows"));
                return flows;
            }
            let plan = FlowPlan::new(engine, size, two, &method.into(), &options).unwrap();
            let flows = plan.run(&pairs).unwrap();
            assert_eq!(flows[0].bytes(), plan.run(&pairs[..1]).unwrap()[0].bytes());
            assert_ne!(flows[0].bytes(), flows[1].bytes());
            flows
        };
        let want = golden.floats(name);
        let (mean, worst) = apart(&run(Precision::F32)[0], &want);
        println!("{name} on {}: {mean:.1e} pixels from OpenCV's, {worst:.1e} at most", engine.describe());
        assert!(mean < 1e-5 && worst < 2e-3, "{name}: {mean}, {worst} at most");
        if engine.gpu().is_some_and(Gpu::has_f16) {
            let (mean, _) = apart(&run(Precision::F16)[0], &want);
            println!("{name} in f16: {mean:.1e} pixels from OpenCV's");
            assert!(mean < 0.01, "{name} in f16: {mean}");
        }
    }
    let difference = |method: Difference| {
        let plan =
            FlowPlan::new(engine, size, NonZero::<usize>::MIN, &method.into(), &PlanOptions::default());
        plan.unwrap().run(&pairs[..1]).unwrap().remove(0)
    };
    let (absolute, signed) = (difference(Difference::Absolute), difference(Difference::Signed));
    assert_eq!(&**absolute.shape(), [size[0], size[1], 1]);
    assert_eq!(absolute.f32s().unwrap(), golden.bytes("absdiff").0);
    let want: Vec<f32> = first.iter().zip(&second).map(|(a, b)| b - a).collect();
    assert_eq!(signed.f32s().unwrap(), want);
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

#[test]
fn any_size_has_a_flow() {
    let engine = Engine::cpu();
    for size in [[1, 1], [1, 9], [2, 3], [7, 5], [15, 16]] {
        let frame = |shift: usize| -> Vec<f32> {
            (0..size[0] * size[1]).map(|i| ((i * 37 + shift * 11) % 256) as f32).collect()
        };
        for method in [Farneback::default(), Farneback::dense_flow()] {
            let plan =
                FlowPlan::new(&engine, size, NonZero::<usize>::MIN, &method.into(), &PlanOptions::default());
            let flow = plan.unwrap().run(&[(&frame(0), &frame(1))]).unwrap().remove(0);
            assert!(flow.f32s().unwrap().iter().all(|x| x.is_finite()), "{size:?}");
        }
    }
}

#[test]
fn what_does_not_fit_the_memory_is_refused_with_the_bytes_needed() {
    let options = PlanOptions { memory_limit: Some(64 << 20), ..PlanOptions::default() };
    let size = [2160, 3840];
    for method in [Method::default(), Farneback::default().into()] {
        let e = FlowPlan::new(&Engine::cpu(), size, NonZero::<usize>::MIN, &method, &options);
        let e = e.err().unwrap();
        assert_eq!(e.kind(), kinetograph::ErrorKind::OutOfMemory, "{e}");
        assert!(e.to_string().contains("bytes") && e.to_string().contains("67108864"), "{e}");
    }
}

#[test]
fn wrong_settings_say_what_is_wrong() {
    let plan = |method: Method| {
        let engine = Engine::cpu();
        match FlowPlan::new(&engine, [40, 40], NonZero::<usize>::MIN, &method, &PlanOptions::default()) {
            Ok(_) => panic!("{method:?} was planned"),
            Err(e) => e.to_string(),
        }
    };
    let defaults = Farneback::default();
    for (method, text) in [
        (Farneback { pyr_scale: 1.0, ..defaults }, "pyr_scale 1"),
        (Farneback { pyr_scale: f64::NAN, ..defaults }, "pyr_scale NaN"),
        (Farneback { iterations: 0, ..defaults }, "iterations 0"),
        (Farneback { winsize: 1, ..defaults }, "winsize 1"),
        (Farneback { poly_n: 0, ..defaults }, "poly_n 0"),
        (Farneback { poly_sigma: -1.0, ..defaults }, "poly_sigma -1"),
    ] {
        let e = plan(method.into());
        assert!(e.contains(text), "{e}");
    }
    let with = FlowPlan::with_initial(
        &Engine::cpu(),
        [4, 4],
        NonZero::<usize>::MIN,
        &Difference::Signed.into(),
        &PlanOptions::default(),
    );
    assert!(with.is_err_and(|e| e.to_string().contains("begins with no flow")));
}
