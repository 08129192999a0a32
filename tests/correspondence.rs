//! Label propagation and the alignment of clips against PyTorch: `tools/golden_correspondence.py` made the file.

use std::path::Path;

use kinetograph::correspondence::{LabelPropagation, align};
use kinetograph::gpu::{Gpu, adapters, install_hint};
use kinetograph::weights::Checkpoint;
use kinetograph::{Engine, Tensor};

const OPTIONS: LabelPropagation = LabelPropagation { context: 3, radius: 2.5, top_k: 4, temperature: 0.2 };

fn golden<const N: usize>(names: [&str; N]) -> [Tensor; N] {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/correspondence.safetensors");
    let file = Checkpoint::open(path).unwrap();
    names.map(|name| file.tensor(name).unwrap())
}

fn largest_difference(options: &LabelPropagation, engine: &Engine) -> f32 {
    let [maps, mask, labels] = golden(["maps", "mask", "labels"]);
    let got = options.run(engine, &maps, &mask).unwrap();
    difference(&got, &labels)
}

fn difference(got: &Tensor, want: &Tensor) -> f32 {
    assert_eq!(got.shape(), want.shape());
    let both = got.f32s().unwrap().iter().zip(want.f32s().unwrap());
    both.fold(0.0, |m, (a, b)| if (a - b).is_nan() { f32::INFINITY } else { m.max((a - b).abs()) })
}

fn check_alignment(engine: &Engine) {
    let [first, second, weights, places, cycle] = golden(["first", "second", "weights", "places", "cycle"]);
    let got = align(engine, &first, &second, 0.1).unwrap();
    for (name, got, want, most) in [
        ("weights", got.weights, weights, 1e-5),
        ("places", got.places, places, 1e-4),
        ("cycle", got.cycle, cycle, 1e-4),
    ] {
        let difference = difference(&got, &want);
        assert!(difference < most, "{name} on {}: {difference:e}", engine.describe());
    }
}

#[test]
fn the_reference_agrees_with_pytorch() {
    let difference = largest_difference(&OPTIONS, &Engine::cpu());
    assert!(difference < 1e-5, "{difference:e}");
    check_alignment(&Engine::cpu());
}

#[test]
fn every_adapter_agrees_with_pytorch() {
    let adapters = adapters();
    if adapters.is_empty() {
        println!("SKIPPED: no adapter; {}", install_hint());
    }
    for adapter in adapters {
        let engine = Engine::from_gpu(Gpu::from_adapter(&adapter).unwrap());
        let difference = largest_difference(&OPTIONS, &engine);
        assert!(difference < 1e-5, "{}: {difference:e}", engine.describe());
        check_alignment(&engine);
    }
}

/// What both clips have lies at the place where it was put, and leads back to itself.
#[test]
fn common_frames_find_each_other() {
    let [first, second] = golden(["first", "second"]);
    let sharp = align(&Engine::cpu(), &first, &second, 0.01).unwrap();
    for frame in 1..5 {
        let (place, back) = (sharp.places.f32s().unwrap()[frame], sharp.cycle.f32s().unwrap()[frame]);
        assert!((place - frame as f32 - 1.0).abs() < 0.05, "{frame} at {place}");
        assert!((back - frame as f32).abs() < 0.05, "{frame} back at {back}");
    }
}

/// Every attribute counts in the golden file.
#[test]
fn other_attributes_give_other_labels() {
    for other in [
        LabelPropagation { context: 2, ..OPTIONS },
        LabelPropagation { radius: 1.5, ..OPTIONS },
        LabelPropagation { top_k: 3, ..OPTIONS },
        LabelPropagation { temperature: 0.3, ..OPTIONS },
    ] {
        let difference = largest_difference(&other, &Engine::cpu());
        assert!(difference > 1e-3, "{other:?}: {difference:e}");
    }
}

#[test]
fn wrong_use_is_told() {
    let [maps, mask] = golden(["maps", "mask"]);
    let engine = Engine::cpu();
    let e = OPTIONS.run(&engine, &maps, &mask.permute(&[1, 0, 2]).unwrap()).unwrap_err().to_string();
    assert!(e.contains("the mask is 6×5, the maps are 5×6"), "{e}");
    let e = LabelPropagation { top_k: 0, ..OPTIONS }.run(&engine, &maps, &mask).unwrap_err().to_string();
    assert!(e.contains("top_k 0"), "{e}");
    let [first] = golden(["first"]);
    let fewer = Tensor::from_fn(&[3, 5], |i| i as f32).unwrap();
    let e = align(&engine, &first, &fewer, 0.1).unwrap_err().to_string();
    assert!(e.contains("12 and 5 channels"), "{e}");
    assert!(align(&engine, &first, &first, 0.0).is_err());
}
