//! From a video to the inputs of a network: frames and optical flow as its publisher prepared them.
//!
//! ```no_run
//! use kinetograph::models::{self, Choices};
//! use kinetograph::prepare::Prepare;
//! use kinetograph::{Engine, PlanOptions, video};
//!
//! let engine = Engine::cpu();
//! let model = models::load("c3d.pth", &Choices::default())?;
//! let mut video = video::open("clip.mp4")?;
//! let views = Prepare::default().inputs(&model, &mut video, &engine, &mut |_, _| {})?;
//! let outputs = engine.plan(&model.graph)?.run(&views.view(0)?)?;
//! println!("{:?}", outputs["features"].shape());
//! # Ok::<(), kinetograph::Error>(())
//! ```

mod maps;
mod moments;
mod preprocessing;

use std::num::NonZero;

use crate::error::{Error, Result};
use crate::flow::{FlowPlan, FlowRecipe, Method, Order};
use crate::graph::{Engine, PlanOptions};
use crate::models::{Input, Model, Source};
use crate::tensor::Tensor;
use crate::video::{Recipe, Video};
use crate::weights::Preprocessing;

pub use maps::FrameMaps;
pub use moments::Moments;

/// What a user may choose about the inputs of a network.
#[derive(Debug, Clone)]
pub struct Prepare {
    /// How many views of the video; one unless given.
    pub views: Option<usize>,
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
            views: None,
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
    /// The views of a video, from its start; flow is estimated by `engine`. `progress` is told how many flows of how
    /// many are done.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the video cannot be read, [`crate::ErrorKind::Usage`] when a recipe does not
    /// exist, and what estimating flow gives.
    pub fn inputs(
        &self,
        model: &Model,
        video: &mut Video,
        engine: &Engine,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Views> {
        self.each(&model.inputs, model.preprocessing.as_ref(), video, engine, progress)
    }

    fn each(
        &self,
        inputs: &[Input],
        asked: Option<&Preprocessing>,
        video: &mut Video,
        engine: &Engine,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Views> {
        let views = self.views.unwrap_or(1);
        let each = inputs.iter().map(|input| {
            let tensor = match input.source {
                Source::Frames(own) => {
                    let recipe = self.recipe(input, own, asked)?;
                    recipe.apply(video, views)?
                }
                Source::Flow(own) => self.flow(input, own, video, views, engine, progress)?,
                Source::Boxes(_) => {
                    return Err(Error::usage(
                        "boxes do not come from a video: the host program must give them",
                    ));
                }
            };
            Ok((input.name, tensor))
        });
        Ok(Views { inputs: each.collect::<Result<_>>()? })
    }

    /// The recipe chosen; or that of the weights, as changed by what their folder asks for.
    fn recipe(&self, input: &Input, own: &str, asked: Option<&Preprocessing>) -> Result<Recipe> {
        let recipe = match (&self.recipe, asked) {
            (Some(chosen), _) => chosen.clone(),
            (None, Some(asked)) => preprocessing::asked_for(Recipe::by_name(own)?, asked)?,
            (None, None) => Recipe::by_name(own)?,
        };
        let recipe = recipe.with_frames(input.frames);
        Ok(if recipe.crop.height == input.size { recipe } else { recipe.with_size(input.size) })
    }

    fn flow(
        &self,
        input: &Input,
        own: &str,
        video: &mut Video,
        views: usize,
        engine: &Engine,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Tensor> {
        let recipe = self.flow_recipe.clone().map_or_else(|| FlowRecipe::by_name(own), Ok)?;
        let recipe = recipe.with_size(input.size);
        let size = recipe.flow_size(video.width(), video.height());
        let plan = FlowPlan::new(engine, size, self.pairs, &self.method, &PlanOptions::default())?;
        if recipe.order == Order::Frames {
            return recipe.with_flows(input.frames).apply(video, &plan, views, progress);
        }
        let recipe = recipe.with_flows(input.channels / 2);
        // Each frame of a clip has its own stack; those of one clip lie as far apart as possible.
        let stacks = recipe.apply(video, &plan, views * input.frames, progress)?;
        let [_, h, w, c] = stacks.shape().dims("the stacks", "[N, H, W, 2L]")?;
        let stacks = stacks.reshape(&[input.frames, views, h, w, c])?;
        stacks.permute(&[1, 0, 2, 3, 4])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Difference;
    use crate::video::{Frame, open, write};

    fn video(dir: &std::path::Path, frames: u8) -> Video {
        let picture = |i: u8| {
            let level = |p: usize| ((p % 40) * 5 + usize::from(i) * 3) as u8;
            Frame::new(40, 40, (0..1600).flat_map(|p| [level(p); 3]).collect()).unwrap()
        };
        write::pngs(dir, (0..frames).map(picture)).unwrap();
        open(dir).unwrap()
    }

    #[test]
    fn views_of_frames_and_flow() {
        let dir = tempfile::tempdir().unwrap();
        let mut video = video(dir.path(), 8);
        let inputs = [
            Input::clip("imagenet-224", 2, 16),
            Input { channels: 4, ..Input::flow("two-stream-bryanyzhu-flow", 2, 16) },
            Input::flow("i3d-flow", 3, 16),
        ];
        let method = crate::flow::DualTvl1 { scales: 1, warps: 1, ..Default::default() };
        let solver = crate::ops::Tvl1 { inner_iterations: 2, outer_iterations: 1, ..method.solver };
        let prepare = Prepare {
            views: Some(3),
            method: crate::flow::DualTvl1 { solver, ..method }.into(),
            ..Prepare::default()
        };
        let views = prepare.each(&inputs, None, &mut video, &Engine::cpu(), &mut |_, _| {}).unwrap();
        assert_eq!(views.len(), 3);
        let shapes: Vec<Vec<usize>> = views.inputs.iter().map(|(_, t)| t.shape().to_vec()).collect();
        assert_eq!(shapes, [vec![3, 2, 16, 16, 3], vec![3, 2, 16, 16, 4], vec![3, 3, 16, 16, 2]]);
        assert_eq!(&views.view(2).unwrap()[1].1.shape()[..], [1, 2, 16, 16, 4]);
        assert!(views.view(3).is_err());
    }

    #[test]
    fn a_difference_is_no_flow() {
        let dir = tempfile::tempdir().unwrap();
        let mut video = video(dir.path(), 3);
        let inputs = [Input { channels: 2, ..Input::flow("plain-flow-64", 1, 16) }];
        let prepare = Prepare { method: Difference::Signed.into(), ..Prepare::default() };
        let e = prepare.each(&inputs, None, &mut video, &Engine::cpu(), &mut |_, _| {}).unwrap_err();
        assert!(e.to_string().contains("a flow has 2 components"), "{e}");
    }
}
