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
use crate::graph::{Engine, Plan, PlanOptions};
use crate::ops::Tvl1;
use crate::tensor::Tensor;
use crate::video::Frame;

/// Flows of a clip.
pub const FLOWS: usize = 10;

/// Frames of a clip.
pub const FRAMES: usize = FLOWS + 1;

/// How flow is estimated: TV-L1 with less work than OpenCV's defaults, enough for small pictures.
pub const METHOD: DualTvl1 = DualTvl1 {
    solver: Tvl1 {
        tau: 0.25,
        lambda: 0.15,
        theta: 0.3,
        gamma: 0.0,
        flat: f32::EPSILON,
        inner_iterations: 10,
        outer_iterations: 2,
        dual_iterations: 0,
        median_filtering: 5,
        epsilon: 0.0,
    },
    scales: 3,
    warps: 2,
    scale_step: 0.5,
};

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
