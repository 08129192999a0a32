//! The maps of frames, by which labels are propagated.

use std::path::Path;

use crate::error::{Error, Result};
use crate::graph::{Engine, Plan, PlanOptions};
use crate::models::{self, Choices, NETWORKS, Source};
use crate::tensor::Tensor;
use crate::video::{Frame, Recipe, Rounding, Size};

/// A network that gives maps of whole frames of one size.
#[derive(Debug)]
pub struct FrameMaps {
    plan: Plan,
    recipe: Recipe,
    /// Frames that the network takes at once.
    frames: usize,
    map: [usize; 3],
    network: &'static str,
    notes: String,
}

impl FrameMaps {
    /// Loads the network of a weight file for frames of this width and height, prepared as its publisher does but for the
    /// shorter side, which becomes `short`, if given, and the crop, which is left out.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the file cannot be read or its network has no maps, and what planning gives.
    pub fn load(
        engine: &Engine,
        path: impl AsRef<Path>,
        variant: Option<&str>,
        [width, height]: [usize; 2],
        short: Option<usize>,
        options: &PlanOptions,
    ) -> Result<FrameMaps> {
        let path = path.as_ref();
        let choices =
            |maps| Choices { variant: variant.map(str::to_owned), maps: Some(maps), ..Choices::default() };
        // The file says whose preparation it needs, which says how large frames become.
        let model = models::load(path, &choices([64; 2]))?;
        let recipe = match &model.inputs[..] {
            [input] if model.graph.outputs().any(|(name, _)| name == "maps") => match input.source {
                Source::Frames(recipe) => Recipe::by_name(recipe)?,
                _ => return Err(Error::bad_input("takes no frames but optical flow").at(path.display())),
            },
            _ => {
                let others = NETWORKS.iter().filter(|n| n.has_maps()).map(|n| n.name);
                let others = others.collect::<Vec<_>>().join(", ");
                let text = format!("{} has no maps; these networks have: {others}", model.network);
                return Err(Error::bad_input(text).at(path.display()));
            }
        };
        let short = short.unwrap_or(recipe.crop.height);
        let recipe =
            Recipe { size: Size::ShortEdge(short, Rounding::Nearest), ..recipe }.whole(width, height);
        let (network, frame) = (model.network, [recipe.crop.height, recipe.crop.width]);
        drop(model);
        let model = models::load(path, &choices(frame))
            .map_err(|e| e.at(format!("frames of {}x{}", frame[1], frame[0])))?;
        let frames = model.inputs[0].frames;
        let maps = model.graph.outputs().find(|(name, _)| *name == "maps").map(|(_, v)| v);
        let maps = maps.ok_or_else(|| Error::internal("a network whose maps are gone"))?;
        let [_, _, h, w, c] = model.graph.shape(maps).dims("the maps", "[N, T, H, W, C]")?;
        let plan = engine.plan_with(&model.graph, options)?;
        Ok(FrameMaps { plan, recipe, frames, map: [h, w, c], network, notes: model.notes })
    }

    /// The network's name.
    pub fn network(&self) -> &'static str {
        self.network
    }

    /// Whose conventions the file follows and what was read off it, for people.
    pub fn notes(&self) -> &str {
        &self.notes
    }

    /// Height and width of the frames that the network sees.
    pub fn frame(&self) -> [usize; 2] {
        [self.recipe.crop.height, self.recipe.crop.width]
    }

    /// Height, width and channels of the maps.
    pub fn shape(&self) -> [usize; 3] {
        self.map
    }

    /// How many frames the network takes at once.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// The map `[H, W, C]` of each of some frames, at most [`FrameMaps::frames`]. Where they are fewer, the network sees the
    /// last one again.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for no frame, more, or frames of another size; those of a run.
    pub fn of(&self, frames: &[Frame]) -> Result<Vec<Tensor>> {
        let (Some(last), true) = (frames.last(), frames.len() <= self.frames) else {
            let text = format!("{} frames at once, the network takes {}", frames.len(), self.frames);
            return Err(Error::bad_input(text));
        };
        let mut clip = Vec::new();
        for i in 0..self.frames {
            clip.extend(self.recipe.frame(frames.get(i).unwrap_or(last))?);
        }
        let [height, width] = self.frame();
        let clip = Tensor::new(&[1, self.frames, height, width, 3], clip)?;
        let outputs = self.plan.run(&[("clip", clip)])?;
        let maps = outputs["maps"].f32s()?.chunks_exact(self.map.iter().product());
        maps.take(frames.len()).map(|map| Tensor::new(&self.map, map.to_vec())).collect()
    }
}
