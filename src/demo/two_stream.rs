//! The two-stream demo (Simonyan and Zisserman, Two-Stream Convolutional Networks for Action Recognition in Videos, 2014):
//! one small network sees a single frame, another the flow between the frames around it.
//!
//! The clips are those of the other demo before a background that moves slowly, eleven frames around the middle. The
//! RGB stream sees the frame in the middle, which is the same whatever the motion ([`Scene::with_motion`]): it can only
//! guess. The flow stream sees the motion.

use std::num::NonZero;

use super::{Motion, SIZE, Scene};
use crate::error::{Error, Result};
use crate::flow::{DualTvl1, FlowPlan, FlowRecipe};
use crate::graph::{Engine, Graph, Plan, PlanOptions};
use crate::models::resnet::{Block, CONVENTIONS, ResNet};
use crate::ops::{Softmax, Tvl1};
use crate::tensor::Tensor;
use crate::video::{Frame, Recipe};
use crate::weights::{Checkpoint, Weights};

/// The trained weights, made by `tools/train_two_stream.py` from clips of seeds from 1,000,000 on.
const RGB_WEIGHTS: &[u8] = include_bytes!("../../assets/two-stream-rgb.safetensors");
const FLOW_WEIGHTS: &[u8] = include_bytes!("../../assets/two-stream-flow.safetensors");

/// How the frame becomes what the RGB stream takes.
const RECIPE: &str = "plain-64";

/// How flow becomes what the flow stream takes.
const FLOW_RECIPE: &str = "plain-flow-64";

/// Flows of a clip.
pub const FLOWS: usize = 10;

/// Frames of a clip.
pub const FRAMES: usize = FLOWS + 1;

/// How flow is estimated: TV-L1 with less work than OpenCV's defaults, enough for small pictures.
pub fn method() -> DualTvl1 {
    let solver = Tvl1 { inner_iterations: 10, outer_iterations: 2, epsilon: 0.0, ..Tvl1::default() };
    DualTvl1 { solver, scales: 3, warps: 2, scale_step: 0.5, ..DualTvl1::default() }
}

/// The scene of a seed.
pub fn scene(seed: u64) -> Scene {
    Scene::from_seed(seed).with_drift(seed)
}

/// The time of frame `i` of a clip, for [`Scene::at`].
pub fn time(i: usize) -> f32 {
    i as f32 - (FLOWS / 2) as f32
}

/// The frames of a clip, `side` by `side` pixels.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when `side` is zero.
pub fn frames(scene: &Scene, side: usize) -> Result<Vec<Frame>> {
    (0..FRAMES).map(|i| Frame::new(side, side, scene.at(time(i), side, side))).collect()
}

/// The frame that the RGB stream sees.
///
/// # Errors
/// Never in practice; the size is fixed.
pub fn middle(scene: &Scene) -> Result<Frame> {
    Frame::new(SIZE, SIZE, scene.at(0.0, SIZE, SIZE))
}

/// The recipe by which flow becomes the input of the flow stream.
///
/// # Errors
/// Never in practice; the name is known.
pub fn flow_recipe() -> Result<FlowRecipe> {
    Ok(FlowRecipe::by_name(FLOW_RECIPE)?.with_flows(FLOWS))
}

/// The network of the RGB stream for one clip: input `clip` `[1, 1, 64, 64, 3]`, output `probabilities` `[1, 8]` in
/// the order of [`Motion::ALL`].
///
/// # Errors
/// When the embedded weights are broken.
pub fn rgb_network() -> Result<Graph> {
    network(3, "the RGB stream's weights", RGB_WEIGHTS)
}

/// The network of the flow stream for one clip: input `flow` `[1, 1, 64, 64, 20]`, output as [`rgb_network`].
///
/// # Errors
/// When the embedded weights are broken.
pub fn flow_network() -> Result<Graph> {
    network(2 * FLOWS, "the flow stream's weights", FLOW_WEIGHTS)
}

fn network(channels: usize, name: &str, weights: &'static [u8]) -> Result<Graph> {
    let config = ResNet {
        block: Block::Basic,
        blocks: [1; 4],
        width: 8,
        channels,
        classes: Some(Motion::ALL.len()),
        frames: 1,
        size: SIZE,
        maps: None,
    };
    let canonical = Weights::shapes();
    config.build(1, &canonical)?;
    let checkpoint = Checkpoint::from_bytes(name, weights)?;
    let weights = Weights::detect(checkpoint, CONVENTIONS, &canonical.names())?;
    let mut g = config.build(1, &weights)?;
    weights.finish()?;
    let logits = g.outputs().find(|(name, _)| *name == "logits").map(|(_, v)| v);
    let logits = logits.ok_or_else(|| Error::internal("a stream without logits"))?;
    let probabilities = g.softmax(logits, &Softmax::default())?;
    g.output("probabilities", probabilities)?;
    Ok(g)
}

/// The flow of clips, and both networks, planned once.
pub struct TwoStream {
    estimate: FlowPlan,
    rgb: Plan,
    flow: Plan,
}

/// What the streams say of a clip: probabilities in the order of [`Motion::ALL`].
#[derive(Debug, Clone)]
pub struct Answer {
    /// Of the stream that sees a frame.
    pub rgb: Vec<f64>,
    /// Of the stream that sees flow.
    pub flow: Vec<f64>,
    /// The flows, `[64, 64, 2]` pixels.
    pub flows: Vec<Tensor>,
}

impl Answer {
    /// The mean of both streams' probabilities, the late fusion of the paper.
    pub fn both(&self) -> Vec<f64> {
        self.rgb.iter().zip(&self.flow).map(|(a, b)| (a + b) / 2.0).collect()
    }
}

impl TwoStream {
    /// Plans flow and networks for one clip at a time.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfMemory`] when the device cannot hold it, [`crate::ErrorKind::Device`] when it fails.
    pub fn new(engine: &Engine, options: &PlanOptions) -> Result<TwoStream> {
        Ok(TwoStream {
            estimate: estimator(engine, options)?,
            rgb: engine.plan_with(&rgb_network()?, options)?,
            flow: engine.plan_with(&flow_network()?, options)?,
        })
    }

    /// Estimates the flow of a scene and asks both streams.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Device`] when the device fails.
    pub fn answer(&self, scene: &Scene) -> Result<Answer> {
        let frame = Recipe::by_name(RECIPE)?.frame(&middle(scene)?)?;
        let frame = Tensor::new(&[1, 1, SIZE, SIZE, 3], frame)?;
        let flows = estimate(&self.estimate, scene)?;
        let stack = flow_recipe()?.clip(&flows)?.reshape(&[1, 1, SIZE, SIZE, 2 * FLOWS])?;
        let rgb = probabilities(&self.rgb, "clip", frame)?;
        let flow = probabilities(&self.flow, "flow", stack)?;
        Ok(Answer { rgb, flow, flows })
    }
}

fn probabilities(plan: &Plan, input: &str, x: Tensor) -> Result<Vec<f64>> {
    let outputs = plan.run(&[(input, x)])?;
    Ok(outputs["probabilities"].to_f32().f32s()?.iter().map(|p| f64::from(*p)).collect())
}

/// Plans the flow of one clip, all pairs at once.
///
/// # Errors
/// As [`FlowPlan::new`].
pub fn estimator(engine: &Engine, options: &PlanOptions) -> Result<FlowPlan> {
    let pairs = NonZero::new(FLOWS).unwrap_or(NonZero::<usize>::MIN);
    FlowPlan::new(engine, [SIZE; 2], pairs, &method().into(), options)
}

/// The flows of a scene, `[64, 64, 2]` pixels, by the plan of [`estimator`].
///
/// # Errors
/// As [`FlowPlan::run`].
pub fn estimate(plan: &FlowPlan, scene: &Scene) -> Result<Vec<Tensor>> {
    let recipe = flow_recipe()?;
    let frames = frames(scene, SIZE)?.iter().map(|f| recipe.frame(f)).collect::<Result<Vec<_>>>()?;
    let pairs: Vec<(&[f32], &[f32])> = frames.windows(2).map(|w| (&w[0][..], &w[1][..])).collect();
    plan.run(&pairs)
}
