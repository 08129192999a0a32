//! Random attributes and shapes of the operators with the most of them: the kernels agree with the reference. A file
//! a family of operators.

mod algebra;
mod attention;
mod convolution;
mod detection;
mod movement;
mod pointwise;
mod pooling;
mod quantization;
mod recurrent;
mod reduction;
mod sampling;

use kinetograph::Engine;
use kinetograph::gpu::{Gpu, adapters, install_hint};
use kinetograph::verify::{self, Case, Verdict};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Each runs in every kernel family.
const CASES: u32 = 30;

fn first_adapter() -> Option<Gpu> {
    let adapter = adapters().into_iter().next();
    if adapter.is_none() {
        println!("SKIPPED: no adapter to test kernels on; {}", install_hint());
    }
    adapter.map(|a| Gpu::from_adapter(&a).unwrap())
}

fn fails(case: &Case, engine: &Engine) -> Vec<String> {
    let failed = |v: &Verdict| matches!(v, Verdict::Fail(_));
    let reports = verify::run(case, engine);
    assert!(!reports.is_empty());
    reports
        .iter()
        .filter(|r| failed(&r.verdict))
        .map(|r| format!("{}: {:?}", r.configuration, r.verdict))
        .collect()
}

/// Draws cases and runs each on the processor and in every kernel family on the first adapter.
fn hold<S: Strategy>(strategy: &S, case: impl Fn(S::Value) -> Case) {
    let engines: Vec<Engine> =
        [Engine::cpu()].into_iter().chain(first_adapter().map(Engine::from_gpu)).collect();
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let result = runner.run(strategy, |drawn| {
        let case = case(drawn);
        let wrong: Vec<String> = engines.iter().flat_map(|engine| fails(&case, engine)).collect();
        prop_assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    });
    result.unwrap();
}

fn three(range: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = [usize; 3]> {
    prop::array::uniform3(range)
}

fn pairs(most: usize) -> impl Strategy<Value = [[usize; 2]; 3]> {
    prop::array::uniform3(prop::array::uniform2(0..=most))
}

/// Input lengths along T, H, W that leave room for a window, one more than the window and the padding demand.
fn room(kernel: [usize; 3], dilation: [usize; 3], padding: [[usize; 2]; 3], spare: [usize; 3]) -> [usize; 3] {
    std::array::from_fn(|a| {
        let window = dilation[a] * (kernel[a] - 1) + 1;
        window.saturating_sub(padding[a][0] + padding[a][1]).max(1) + spare[a]
    })
}
