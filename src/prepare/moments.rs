//! What a network says of many windows of one video.

use std::collections::BTreeMap;
use std::path::Path;

use super::Prepare;
use crate::error::{At, Error, Result};
use crate::graph::{Engine, Plan, PlanOptions};
use crate::models::{self, Choices, Source};
use crate::tensor::Tensor;
use crate::video::{Rate, Recipe, Video};

/// A network on windows of frames, each of which gives one row of numbers.
#[derive(Debug)]
pub struct Moments {
    plan: Plan,
    recipe: Recipe,
    output: &'static str,
    network: &'static str,
    notes: String,
}

impl Moments {
    /// Loads the network of a weight file, of whose outputs the one called `output` is taken, such as `features`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the file cannot be read or its network takes more than frames or has no such
    /// output, and what planning gives.
    pub fn load(
        engine: &Engine,
        path: impl AsRef<Path>,
        choices: &Choices,
        output: &'static str,
        options: &PlanOptions,
    ) -> Result<Moments> {
        let path = path.as_ref();
        let model = models::load(path, choices)?;
        let recipe = match &model.inputs[..] {
            [input] => match input.source {
                Source::Frames(own) => {
                    Prepare::default().recipe_for(input, own, model.preprocessing.as_ref())?
                }
                _ => return Err(Error::bad_input("takes no frames but optical flow").at(path.display())),
            },
            _ => {
                let text = format!("{} takes more than frames", model.network);
                return Err(Error::bad_input(text).at(path.display()));
            }
        };
        if !model.graph.outputs().any(|(name, _)| name == output) {
            let has =
                |n: &&&models::Network| n.outline(None).is_ok_and(|g| g.outputs().any(|o| o.0 == output));
            let others: Vec<&str> = models::NETWORKS.iter().filter(has).map(|n| n.name).collect();
            let text = format!(
                "these weights are of {}, which does not tell the {output}; weights of {} are needed",
                model.network,
                others.join(" or ")
            );
            return Err(Error::bad_input(text).at(path.display()));
        }
        let plan = engine.plan_with(&model.graph, options)?;
        Ok(Moments { plan, recipe, output, network: model.network, notes: model.notes })
    }

    /// The network's name.
    pub fn network(&self) -> &'static str {
        self.network
    }

    /// Whose conventions the file follows and what was read off it, for people.
    pub fn notes(&self) -> &str {
        &self.notes
    }

    /// How many frames a window has.
    pub fn length(&self) -> usize {
        self.recipe.frames
    }

    /// How many frames of a video with this rate lie from one of a window's frames to the next.
    pub fn stride(&self, fps: Option<f64>) -> usize {
        match (self.recipe.rate, fps) {
            (Rate::Stride(stride), _) => stride,
            (Rate::Fps(target), Some(fps)) => (fps / target).round().max(1.0) as usize,
            (Rate::Fps(_) | Rate::Segments, _) => 1,
        }
    }

    /// The window by which a moment of a video is known: around the frame, but for temporal cycle consistency, whose
    /// windows end with it. Beyond the video's ends its first and last frame repeat.
    pub fn around(&self, frame: usize, frames: usize, stride: usize) -> Vec<usize> {
        let length = self.length();
        let before = if self.network == "tcc" { length.saturating_sub(1) } else { length / 2 };
        let last = frames.saturating_sub(1);
        (0..length).map(|i| (frame + i * stride).saturating_sub(before * stride).min(last)).collect()
    }

    /// The rows `[windows, C]` of windows of a video, which lie in the order of their first frames. `progress` is told how
    /// many are done.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the video cannot be read or has no such frames; those of a run.
    pub fn of(
        &self,
        video: &mut Video,
        windows: &[Vec<usize>],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Tensor> {
        video.rewind()?;
        // How many windows have yet to see each frame.
        let mut uses: BTreeMap<usize, usize> = BTreeMap::new();
        windows.iter().flatten().for_each(|i| *uses.entry(*i).or_default() += 1);
        let mut ready: BTreeMap<usize, Vec<f32>> = BTreeMap::new();
        let mut rows = Vec::new();
        for (done, window) in windows.iter().enumerate() {
            let mut clip = Vec::new();
            for &index in window {
                while video.position() <= index {
                    let at = video.position();
                    let there = match uses.contains_key(&at) {
                        false => video.skip_frame()?,
                        true => match video.next_frame()? {
                            None => false,
                            Some(frame) => {
                                ready.insert(at, self.recipe.frame(&frame).at(video.path().display())?);
                                true
                            }
                        },
                    };
                    if !there {
                        let text = format!("there is no frame {at}");
                        return Err(Error::bad_input(text).at(video.path().display()));
                    }
                }
                let pixels =
                    ready.get(&index).ok_or_else(|| Error::internal(format!("frame {index} is gone")))?;
                clip.extend_from_slice(pixels);
                let left = uses.entry(index).or_default();
                *left = left.saturating_sub(1);
                if *left == 0 {
                    ready.remove(&index);
                }
            }
            let outputs = self.plan.run(&[("clip", Tensor::new(&self.recipe.shape(1), clip)?)])?;
            rows.extend_from_slice(outputs[self.output].f32s()?);
            progress(done + 1);
        }
        Tensor::new(&[windows.len(), rows.len() / windows.len().max(1)], rows)
    }
}
