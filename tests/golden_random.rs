//! The host's generator against PyTorch: `tools/golden_random.py` made `golden/random.safetensors`.

use kinetograph::random::Generator;
use kinetograph::{Result, Tensor};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value as Json;

/// How far a normal number may be off, in units of the last place of the largest of its call: PyTorch's logarithm, cosine
/// and sine are f32.
const ULPS: f32 = 1.0;

/// Makes one call, `[function, arguments…]`.
fn draw(generator: &mut Generator, call: &[Json]) -> Result<Tensor> {
    let numbers: Vec<i64> = call[1..].iter().map(|n| n.as_i64().unwrap()).collect();
    let shape: Vec<usize> = numbers.iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect();
    match call[0].as_str().unwrap() {
        "uniform" => generator.uniform(&shape),
        "normal" => generator.normal(&shape),
        "integers" => generator.integers(numbers[0] as i32, numbers[1] as i32, &shape[2..]),
        "permutation" => generator.permutation(shape[0]),
        other => panic!("no function {other}"),
    }
}

#[test]
fn the_generator_draws_what_pytorch_draws() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/random.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let cases: Json = serde_json::from_str(&metadata.metadata().as_ref().unwrap()["cases"]).unwrap();
    let mut calls = 0;
    for (name, about) in cases.as_object().unwrap() {
        let mut generator = Generator::new(about[0].as_u64().unwrap());
        for (k, call) in about[1].as_array().unwrap().iter().enumerate() {
            let call = call.as_array().unwrap();
            let got = draw(&mut generator, call).unwrap();
            let view = file.tensor(&format!("{name}/{k}")).unwrap();
            assert_eq!(&**got.shape(), view.shape(), "{name}/{k}");
            let words = view.data().chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
            if view.dtype() == Dtype::I32 {
                let want: Vec<i32> = words.map(i32::from_le_bytes).collect();
                assert_eq!(got.i32s().unwrap(), want, "{name}/{k}: {call:?}");
            } else {
                let want: Vec<f32> = words.map(f32::from_le_bytes).collect();
                let largest = want.iter().fold(0f32, |m, w| m.max(w.abs()));
                let allowed = if call[0] == "normal" { ULPS * largest * f32::EPSILON } else { 0.0 };
                for (i, (g, w)) in got.f32s().unwrap().iter().zip(&want).enumerate() {
                    assert!(
                        (g - w).abs() <= allowed,
                        "{name}/{k}: {call:?}: element {i} is {g} instead of {w}"
                    );
                }
            }
            calls += 1;
        }
    }
    assert!(calls > 30, "{calls}");
}
