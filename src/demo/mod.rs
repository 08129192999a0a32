//! The demo: clips rendered from a seed, and the small trained network that tells how their shape moves.

mod draw;
mod figure;
pub mod scene;
#[cfg(feature = "video")]
pub mod two_stream;

use crate::error::Result;
use crate::graph::Graph;
use crate::models::c3d::{C3d, CONVENTIONS, Pool5};
use crate::tensor::Tensor;
use crate::weights::{Checkpoint, Weights};

pub use scene::{FRAMES, Motion, Scene};

/// Height and width of the network's frames.
pub const SIZE: usize = 64;

/// The trained weights, made by `tools/train_demo.py` from clips of seeds from 1,000,000 on.
const WEIGHTS: &[u8] = include_bytes!("../../assets/demo-c3d.safetensors");

/// Seeds below this one were not trained on.
pub const UNSEEN_SEEDS: u64 = 1_000_000;

/// The demo's network for `clips` clips at once: input `clip` `[clips, 16, 64, 64, 3]`, output `logits`
/// `[clips, 8]` in the order of [`Motion::ALL`].
///
/// # Errors
/// When the embedded weights are broken.
pub fn network(clips: usize) -> Result<Graph> {
    let checkpoint = Checkpoint::from_bytes("the demo's weights", WEIGHTS)?;
    let config = C3d {
        width: 8,
        features: 128,
        classes: Some(Motion::ALL.len()),
        frames: FRAMES,
        size: SIZE,
        pool5: Pool5::Floor,
    };
    let canonical = Weights::shapes();
    config.build(clips, &canonical)?;
    let weights = Weights::detect(checkpoint, CONVENTIONS, &canonical.names())?;
    let graph = config.build(clips, &weights)?;
    weights.finish()?;
    Ok(graph)
}

/// A scene as the network takes it: `[1, 16, 64, 64, 3]`, levels from −1 to 1.
///
/// # Errors
/// Never in practice; the shape is fixed.
pub fn clip(scene: &Scene) -> Result<Tensor> {
    let levels = scene.render(SIZE, SIZE);
    Tensor::from_fn(&[1, FRAMES, SIZE, SIZE, 3], |i| f32::from(levels[i]) / 127.5 - 1.0)
}
