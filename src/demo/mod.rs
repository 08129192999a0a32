//! The demos: clips rendered from a seed, and small trained networks that tell how their shape moves.

mod draw;
mod figure;
pub mod scene;
#[cfg(feature = "video")]
pub mod two_stream;

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::models::{self, Choices};
use crate::tensor::Tensor;
use crate::weights::Checkpoint;

pub use scene::{FRAMES, Motion, Scene};

/// Height and width of the networks' frames.
pub const SIZE: usize = 64;

/// Seeds below this one were not trained on.
pub const UNSEEN_SEEDS: u64 = 1_000_000;

/// A small network trained on rendered clips, by `tools/train_demo.py` from seeds of 1,000,000 on.
///
/// It takes `clip` `[1, 16, 64, 64, 3]`, see [`Trained::clip`], and gives `logits` `[1, 8]` in the order of [`Motion::ALL`].
#[derive(Debug)]
pub struct Trained {
    /// Its name, one of [`models::NETWORKS`].
    pub name: &'static str,
    /// What kind of network it is.
    pub title: &'static str,
    weights: &'static [u8],
    /// The variant, where the file does not tell it.
    variant: Option<&'static str>,
    mean: [f32; 3],
    std: [f32; 3],
}

/// The networks, the usual one first.
pub const NETWORKS: [Trained; 3] = [
    Trained {
        name: "c3d",
        title: "3D convolutions throughout, an eighth of C3D's channels",
        weights: include_bytes!("../../assets/demo-c3d.safetensors"),
        variant: Some("pool5-floor"),
        mean: [0.5; 3],
        std: [0.5; 3],
    },
    Trained {
        name: "gru-rcn",
        title: "recurrent: convolutional GRUs over the maps of a VGG-16 with a sixteenth of its channels",
        weights: include_bytes!("../../assets/demo-gru-rcn.safetensors"),
        variant: None,
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    },
    Trained {
        name: "mvit",
        title: "a transformer: an MViTv2 of five blocks",
        weights: include_bytes!("../../assets/demo-mvit.safetensors"),
        variant: None,
        mean: [0.45; 3],
        std: [0.225; 3],
    },
];

impl Trained {
    /// The network of this name.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for a name that no demo has.
    pub fn by_name(name: &str) -> Result<&'static Trained> {
        NETWORKS.iter().find(|n| n.name == name).ok_or_else(|| {
            let names: Vec<&str> = NETWORKS.iter().map(|n| n.name).collect();
            Error::usage(format!("no demo of a network `{name}`; there are: {}", names.join(", ")))
        })
    }

    /// The graph with its weights.
    ///
    /// # Errors
    /// When the embedded weights are broken.
    pub fn graph(&self) -> Result<Graph> {
        let checkpoint = Checkpoint::from_bytes(&format!("the demo's {}", self.name), self.weights)?;
        let choices = Choices {
            variant: self.variant.map(str::to_owned),
            frames: Some(FRAMES),
            size: Some(SIZE),
            ..Choices::default()
        };
        Ok(models::find(self.name)?.load(checkpoint, &choices)?.graph)
    }

    /// A scene as the network takes it: `[1, 16, 64, 64, 3]`, brightness from 0 to 1 less the mean of its channel,
    /// divided by the deviation.
    ///
    /// # Errors
    /// Never in practice; the shape is fixed.
    pub fn clip(&self, scene: &Scene) -> Result<Tensor> {
        let levels = scene.render(SIZE, SIZE);
        Tensor::from_fn(&[1, FRAMES, SIZE, SIZE, 3], |i| {
            (f32::from(levels[i]) / 255.0 - self.mean[i % 3]) / self.std[i % 3]
        })
    }
}
