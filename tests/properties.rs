//! Random attributes and shapes of the operators with the most of them: the kernels agree with the reference.

use kinetograph::gpu::{Gpu, adapters, install_hint};
use kinetograph::ops::{Conv3d, Pool, Pool3d};
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

fn fails(case: &Case, gpu: &Gpu) -> Vec<String> {
    let failed = |v: &Verdict| matches!(v, Verdict::Fail(_));
    let reports = verify::run(case, gpu);
    assert!(!reports.is_empty());
    reports
        .iter()
        .filter(|r| failed(&r.verdict))
        .map(|r| format!("{}: {:?}", r.configuration, r.verdict))
        .collect()
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

#[test]
fn convolutions_of_any_attributes() {
    let Some(gpu) = first_adapter() else { return };
    let strategy = (
        (three(1..=3), three(1..=3), pairs(2), three(1..=2), three(0..=4)),
        (1usize..=2, 1usize..=3, 1usize..=5, 1usize..=6, any::<bool>()),
    );
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let result =
        runner.run(&strategy, |((kernel, stride, padding, dilation, spare), (n, groups, i, o, bias))| {
            let [t, h, w] = room(kernel, dilation, padding, spare);
            let a = Conv3d { stride, padding, dilation, groups, ..Conv3d::default() };
            let x = [n, t, h, w, i * groups];
            let weight = [kernel[0], kernel[1], kernel[2], i, o * groups];
            let out = [o * groups];
            let shapes: &[&[usize]] = if bias { &[&x, &weight, &out] } else { &[&x, &weight] };
            let case =
                Case::new("conv3d/drawn", shapes, move |g, v| g.conv3d(v[0], v[1], v.get(2).copied(), &a));
            let wrong = fails(&case.weights_from(1).exact_on_integers(), &gpu);
            prop_assert!(wrong.is_empty(), "{}", wrong.join("\n"));
            Ok(())
        });
    result.unwrap();
}

#[test]
fn pools_of_any_attributes() {
    let Some(gpu) = first_adapter() else { return };
    let strategy = (
        (three(1..=4), three(1..=4), pairs(3), three(1..=3), three(0..=4)),
        (1usize..=2, 1usize..=9, any::<[bool; 3]>()),
    );
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let result =
        runner.run(&strategy, |((kernel, stride, pads, steps, spare), (n, c, [max, ceil, zeros]))| {
            let dilation = if max { steps } else { [1; 3] };
            let padding = std::array::from_fn(|a| {
                let window = dilation[a] * (kernel[a] - 1) + 1;
                pads[a].map(|p: usize| p.min(window - 1))
            });
            let [t, h, w] = room(kernel, dilation, padding, spare);
            let a = Pool3d {
                mode: if max { Pool::Max } else { Pool::Average },
                kernel_size: kernel,
                stride: Some(stride),
                padding,
                dilation,
                ceil_mode: ceil,
                count_include_pad: max || zeros,
                zero_pad: max && zeros,
            };
            let case = Case::new("pool3d/drawn", &[&[n, t, h, w, c]], move |g, v| g.pool3d(v[0], &a));
            let case = if max { case.exact_on_integers() } else { case };
            let wrong = fails(&case, &gpu);
            prop_assert!(wrong.is_empty(), "{}", wrong.join("\n"));
            Ok(())
        });
    result.unwrap();
}
