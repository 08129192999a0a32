//! From a video to the inputs of a network: frames and optical flow as its publisher prepared them.
//!
//! ```no_run
//! use kinetograph::models::{self, Choices};
//! use kinetograph::prepare::{Prepare, Viewing};
//! use kinetograph::{Engine, video};
//!
//! let engine = Engine::cpu();
//! let model = models::load("c3d.pth", &Choices::default())?;
//! let plan = engine.plan(&model.graph)?;
//! let ten_clips = Viewing::new(&model, &Prepare { clips: 10, ..Prepare::default() })?;
//! let mut video = video::open("clip.mp4")?;
//! let answer = ten_clips.ask(&plan, &mut video, &engine, &mut |_, _| {})?;
//! println!("{:?}", answer.probabilities());
//! # Ok::<(), kinetograph::Error>(())
//! ```

mod answer;
mod maps;
mod moments;
mod preprocessing;
mod views;

use std::num::NonZero;

use crate::error::{Error, Result};
use crate::flow::{FlowRecipe, Method};
use crate::models::Input;
use crate::tensor::Tensor;
use crate::video::{Crops, Recipe};
use crate::weights::Preprocessing;

pub use answer::{Answer, Consensus, softmax};
pub use maps::FrameMaps;
pub use moments::Moments;
pub use views::{PublishedViews, Viewing};

/// What a user may choose about the inputs of a network.
#[derive(Debug, Clone)]
pub struct Prepare {
    /// How many clips, spread over the video.
    pub clips: usize,
    /// The crops of each; a view is a crop of a clip.
    pub crops: Crops,
    /// The recipe for frames, if not that of the weights.
    pub recipe: Option<Recipe>,
    /// The recipe for flow, if not that of the weights.
    pub flow_recipe: Option<FlowRecipe>,
    /// How flow is found.
    pub method: Method,
    /// Pairs of frames whose flow is estimated at a time.
    pub pairs: NonZero<usize>,
}

impl Default for Prepare {
    fn default() -> Self {
        Prepare {
            clips: 1,
            crops: Crops::One,
            recipe: None,
            flow_recipe: None,
            method: Method::default(),
            pairs: NonZero::new(8).unwrap_or(NonZero::<usize>::MIN),
        }
    }
}

/// Several views of a video, as the inputs of a network.
#[derive(Debug, Clone)]
pub struct Views {
    /// By the names of the inputs: `[views, T, H, W, C]` each.
    pub inputs: Vec<(&'static str, Tensor)>,
}

impl Views {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.inputs.first().map_or(0, |(_, t)| t.shape()[0])
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One view, `[1, T, H, W, C]` of each input.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are fewer.
    pub fn view(&self, i: usize) -> Result<Vec<(&'static str, Tensor)>> {
        self.inputs.iter().map(|(name, tensor)| Ok((*name, one(tensor, i)?))).collect()
    }
}

/// Element `i` of `[N, …]` as `[1, …]`.
fn one(tensor: &Tensor, i: usize) -> Result<Tensor> {
    let shape = tensor.shape();
    if shape.is_empty() || i >= shape[0] {
        return Err(Error::bad_input(format!("view {i} of {shape}")));
    }
    let length: usize = shape[1..].iter().product();
    Tensor::new(&[&[1], &shape[1..]].concat(), tensor.f32s()?[i * length..(i + 1) * length].to_vec())
}

impl Prepare {
    /// The recipe chosen; or that of the weights, as changed by what their folder asks for.
    fn recipe_for(&self, input: &Input, own: &str, asked: Option<&Preprocessing>) -> Result<Recipe> {
        let recipe = match (&self.recipe, asked) {
            (Some(chosen), _) => chosen.clone(),
            (None, Some(asked)) => preprocessing::asked_for(Recipe::by_name(own)?, asked)?,
            (None, None) => Recipe::by_name(own)?,
        };
        let recipe = recipe.with_frames(input.frames);
        Ok(if recipe.crop.height == input.size { recipe } else { recipe.with_size(input.size) })
    }
}
