//! Flow recipes against the loaders of the repositories that they are named after.

use std::num::NonZero;

use safetensors::SafeTensors;

use super::{DualTvl1, Encoding, FLOW_RECIPES, FlowPlan, FlowRecipe, Windows};
use crate::ErrorKind;
use crate::graph::{Engine, PlanOptions};
use crate::ops::Tvl1;
use crate::tensor::Tensor;
use crate::video::{Frame, open, write};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/video/flow_recipes.safetensors");

fn golden(file: &SafeTensors, name: &str) -> Tensor {
    let view = file.tensor(name).unwrap();
    let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
    Tensor::new(view.shape(), values.collect::<Vec<f32>>()).unwrap()
}

/// The loaders of the repositories, written in NumPy by `tools/golden_flow_recipes.py`, at a sixteenth of the size.
/// What was not scaled must be the same. Scaled levels may differ by one: OpenCV 5 scales bytes in fixed point, up to 0.75
/// from the exact value, and PIL rounds between its two passes, up to 0.91 from it, by which 13 and 20 in a hundred of
/// these levels differ from the exact ones rounded.
#[test]
fn flows_agree_with_the_loaders_of_the_repositories() {
    let bytes = std::fs::read(GOLDEN).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let flows = golden(&file, "flows");
    let one = flows.shape()[1..].iter().product();
    let each = flows.f32s().unwrap().chunks_exact(one).map(|f| Tensor::new(&flows.shape()[1..], f.to_vec()));
    let flows: Vec<Tensor> = each.map(Result::unwrap).collect();
    let mut compared = 0;
    for recipe in FLOW_RECIPES.iter().filter(|r| r.name != "plain-flow-64") {
        let got = recipe.clone().with_size(14).clip(&flows).unwrap();
        let want = golden(&file, recipe.name);
        assert_eq!(got.shape(), want.shape(), "{}", recipe.name);
        let level = if recipe.size.is_some() { 1.01 / (recipe.divisor * recipe.std) } else { 1e-6 };
        let far = got.f32s().unwrap().iter().zip(want.f32s().unwrap()).map(|(a, b)| (a - b).abs());
        let (worst, off) = far.fold((0f32, 0), |(w, n), d| (w.max(d), n + usize::from(d > 1e-4)));
        assert!(worst <= level, "{}: {worst}", recipe.name);
        assert!(5 * off <= want.f32s().unwrap().len(), "{}: {off} levels are off", recipe.name);
        compared += 1;
    }
    assert_eq!(compared, 6);
    for bound in [15.0, 20.0] {
        let edges = golden(&file, &format!("edges{bound}"));
        let levels = Encoding::Levels { bound }.apply(&edges).unwrap();
        assert_eq!(levels.f32s().unwrap(), golden(&file, &format!("levels{bound}")).f32s().unwrap());
    }
}

#[test]
fn windows_are_where_the_repositories_have_them() {
    let starts = |w: Windows, flows, clips, length| -> Vec<usize> {
        w.indices(flows, clips, length).iter().map(|w| w[0]).collect()
    };
    // (100 - 10 + 1) // 4 = 22; (100 - 5) // 3 = 31; 95 / 3 = 31.67, 63.33.
    assert_eq!(starts(Windows::Steps, 100, 4, 10), [0, 22, 44, 66]);
    assert_eq!(starts(Windows::StepsToEnd, 100, 4, 5), [0, 31, 62, 93]);
    assert_eq!(starts(Windows::Ends, 100, 4, 5), [0, 32, 63, 95]);
    assert_eq!(starts(Windows::Ends, 100, 1, 5), [47]);
    // np.round(2.5) = 2.
    assert_eq!(starts(Windows::Ends, 10, 3, 5), [0, 2, 5]);
    assert_eq!(starts(Windows::Middles, 100, 1, 10), [45]);
    assert_eq!(Windows::Steps.indices(3, 2, 5), [[0, 1, 2, 2, 2]; 2]);
    assert_eq!(Windows::StepsToEnd.indices(3, 1, 4), [[0, 1, 2, 2]]);
    assert_eq!(Windows::Ends.indices(3, 2, 5), [[0, 1, 2, 0, 1]; 2]);
}

#[test]
fn names_and_sizes() {
    let e = FlowRecipe::by_name("tsn-cafe").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Usage);
    assert!(e.to_string().contains("the nearest are tsn-caffe-flow"), "{e}");
    for recipe in FLOW_RECIPES {
        let size = recipe.crop.map_or(224, |c| c.width);
        assert_eq!(recipe.clone().with_size(size), *recipe);
        assert_eq!(FlowRecipe::by_name(recipe.name).unwrap(), *recipe);
    }
    let names: Vec<&str> = FLOW_RECIPES.iter().map(|r| r.name).collect();
    assert!(names.is_sorted(), "{names:?}");
    let tsn = FlowRecipe::by_name("tsn-mmaction-flow").unwrap();
    assert_eq!((tsn.flow_size(640, 480), tsn.flow_size(240, 480)), ([320, 427], [640, 320]));
    let i3d = FlowRecipe::by_name("i3d-flow").unwrap();
    assert_eq!(i3d.timeline(6, Some(50.0)), [0, 2, 4]);
}

/// A picture that moves by 2 pixels a frame, from a file to the network's input.
#[test]
fn a_video_becomes_a_stack() {
    let dir = tempfile::tempdir().unwrap();
    let wave = |x: f32, y: f32| 128.0 + 60.0 * (x / 4.0).sin() + 60.0 * (y / 5.0 + x / 9.0).cos();
    let frame = |t: usize| {
        let at = |i: usize| wave((i % 40) as f32 - 2.0 * t as f32, (i / 40) as f32) as u8;
        Frame::new(40, 32, (0..40 * 32).flat_map(|i| [at(i); 3]).collect()).unwrap()
    };
    write::pngs(dir.path(), (0..6).map(frame)).unwrap();
    let mut video = open(dir.path()).unwrap();
    let recipe = FlowRecipe::by_name("plain-flow-64").unwrap().with_size(32).with_flows(2);
    assert_eq!(recipe.flow_size(40, 32), [32, 40]);
    let solver = Tvl1 { outer_iterations: 2, inner_iterations: 10, ..Tvl1::default() };
    let method = DualTvl1 { solver, scales: 2, ..DualTvl1::default() };
    let plan = |h, w| {
        let three = NonZero::new(3).unwrap();
        FlowPlan::new(&Engine::cpu(), [h, w], three, &method.into(), &PlanOptions::default()).unwrap()
    };
    let mut told = Vec::new();
    let clips = recipe.apply(&mut video, &plan(32, 40), 2, &mut |i, n| told.push((i, n))).unwrap();
    assert_eq!(clips.shape()[..], [2, 32, 32, 4]);
    assert_eq!(told, [(1, 4), (2, 4), (3, 4), (4, 4)]);
    // 2 of 4 pixels to the right: half way from 128 to 255.
    for (channel, wanted) in [0.5, 0.0, 0.5, 0.0].into_iter().enumerate() {
        let values = clips.f32s().unwrap().iter().skip(channel).step_by(4);
        let mean = values.sum::<f32>() / (2 * 32 * 32) as f32;
        assert!((mean - wanted).abs() < 0.04, "channel {channel}: {mean}");
    }
    let e = recipe.apply(&mut video, &plan(40, 32), 1, &mut |_, _| {}).unwrap_err().to_string();
    assert!(e.contains("planned for 32x40, the recipe plain-flow-64 takes it at 40x32"), "{e}");
    assert!(recipe.apply(&mut video, &plan(32, 40), 0, &mut |_, _| {}).is_err());
    let still = tempfile::tempdir().unwrap();
    write::png(still.path().join("1.png"), &frame(0)).unwrap();
    let mut still = open(still.path()).unwrap();
    let e = recipe.apply(&mut still, &plan(32, 40), 1, &mut |_, _| {}).unwrap_err().to_string();
    assert!(e.contains("1 frames have no flow"), "{e}");
    assert!(recipe.with_size(50).flow(&Tensor::from_fn(&[32, 40, 2], |_| 0.0).unwrap()).is_err());
}
