//! The two-stream demo, from the pictures to both answers: the stream that sees a frame can only guess, the stream that
//! sees flow knows. On the CPU executor and on every adapter.

use kinetograph::demo::two_stream::{self, TwoStream};
use kinetograph::demo::{Motion, Scene};
use kinetograph::gpu::{Gpu, adapters, install_hint};
use kinetograph::{Engine, PlanOptions};

fn streams(engine: &Engine) -> TwoStream {
    TwoStream::new(engine, &PlanOptions::default()).unwrap()
}

fn highest(probabilities: &[f64]) -> Motion {
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-3, "{probabilities:?}");
    let best =
        (0..probabilities.len()).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b])).unwrap();
    Motion::ALL[best]
}

/// All motions of some scenes, which have their middle frame in common: the RGB stream gives the same answer to all, and
/// is so right once in eight times; the flow stream is right.
fn check(engine: &Engine, seeds: std::ops::Range<u64>) {
    let streams = streams(engine);
    let scenes: Vec<Scene> = seeds
        .flat_map(|seed| Motion::ALL.map(|motion| two_stream::scene(seed).with_motion(motion)))
        .collect();
    let (mut rgb, mut flow, mut both) = (0, 0, 0);
    let mut guess = None;
    for (i, scene) in scenes.iter().enumerate() {
        let answer = streams.answer(scene).unwrap();
        if i % 8 > 0 {
            assert_eq!(
                guess,
                Some(answer.rgb.clone()),
                "the RGB stream saw more than the frame in the middle"
            );
        }
        rgb += usize::from(highest(&answer.rgb) == scene.motion());
        flow += usize::from(highest(&answer.flow) == scene.motion());
        both += usize::from(highest(&answer.both()) == scene.motion());
        guess = Some(answer.rgb);
    }
    println!("{}: of {} clips rgb {rgb}, flow {flow}, both {both}", engine.describe(), scenes.len());
    assert_eq!(8 * rgb, scenes.len());
    assert!(10 * flow >= 9 * scenes.len() && 10 * both >= 9 * scenes.len());
}

#[test]
fn the_cpu_needs_flow() {
    check(&Engine::cpu(), 0..1);
}

#[test]
fn every_adapter_needs_flow() {
    let adapters = adapters();
    if adapters.is_empty() {
        println!("SKIPPED: no adapter; {}", install_hint());
    }
    for adapter in adapters {
        check(&Engine::from_gpu(Gpu::from_adapter(&adapter).unwrap()), 0..3);
    }
}
