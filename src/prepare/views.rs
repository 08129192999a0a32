//! The views of a video: clips in time by crops in space.

use super::{Prepare, Views};
use crate::error::{Error, Result};
use crate::flow::{FlowPlan, FlowRecipe, Order};
use crate::graph::{Engine, Plan, PlanOptions};
use crate::models::{Average, Input, Model, Source};
use crate::tensor::Tensor;
use crate::video::{Crops, Recipe, Video};

use super::Answer;

/// The prepared clips that are in memory at once; where a single clip with its crops is larger, that clip.
const MOST_BYTES: usize = 256 << 20;

/// The views over which a network's published evaluation averages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedViews {
    /// Clips, spread over the video.
    pub clips: usize,
    /// Crops of each.
    pub crops: Crops,
    /// Frames in a clip, where it takes more than in training; a shorter video gives fewer.
    pub frames: Option<usize>,
    /// Whose evaluation that is, and what else it does.
    pub about: &'static str,
}

impl PublishedViews {
    /// Those of the first input that comes from a video, as its recipe knows them; `None` for a network that takes boxes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] when there is no such recipe.
    pub fn of(inputs: &[Input]) -> Result<Option<PublishedViews>> {
        if inputs.iter().any(|i| matches!(i.source, Source::Boxes(_))) {
            return Ok(None);
        }
        let Some(input) = inputs.first() else { return Ok(None) };
        Ok(match input.source {
            // What prepares single frames says nothing of clips.
            Source::Frames(name) if input.frames > 1 && Recipe::by_name(name)?.frames == 1 => {
                let about = Recipe::by_name(name)?.about;
                Some(PublishedViews { clips: 1, crops: Crops::One, frames: None, about })
            }
            Source::Frames(name) => {
                let Recipe { clips, crops, test_frames, about, .. } = Recipe::by_name(name)?;
                Some(PublishedViews { clips, crops, frames: test_frames, about })
            }
            Source::Flow(name) => {
                let FlowRecipe { clips, crops, test_frames, about, .. } = FlowRecipe::by_name(name)?;
                Some(PublishedViews { clips, crops, frames: test_frames, about })
            }
            Source::Boxes(_) | Source::Bank { .. } => None,
        })
    }
}

/// How one network sees videos: its inputs with the recipes that were settled for them.
///
/// It outlives the [`Model`], whose weights can be dropped once they are planned.
#[derive(Debug, Clone)]
pub struct Viewing {
    inputs: Vec<(Input, Settled)>,
    prepare: Prepare,
    average: Average,
}

/// A recipe as the user, the weights' folder and the network's measures make it.
#[derive(Debug, Clone)]
enum Settled {
    Frames(Recipe),
    Flow(FlowRecipe),
}

/// An input of one video.
struct Sight<'a> {
    name: &'static str,
    recipe: &'a Settled,
    /// The frames or flows of each clip; of networks on single frames, of each frame of each clip.
    windows: Vec<Vec<usize>>,
    /// Frames with a stack of flows each.
    stacks: Option<usize>,
    flow: Option<FlowPlan>,
    /// Bytes of one clip with all its crops.
    bytes: usize,
}

impl Viewing {
    /// How `model` sees videos, as `prepare` says.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] when a recipe does not exist or the network takes boxes, which no video has;
    /// [`crate::ErrorKind::BadInput`] when the weights' folder asks for what cannot be prepared.
    pub fn new(model: &Model, prepare: &Prepare) -> Result<Viewing> {
        let settle = |input: &Input| {
            let settled = match input.source {
                Source::Frames(own) => {
                    Settled::Frames(prepare.recipe_for(input, own, model.preprocessing.as_ref())?)
                }
                Source::Flow(own) => {
                    let recipe = prepare.flow_recipe.clone().map_or_else(|| FlowRecipe::by_name(own), Ok)?;
                    let recipe = recipe.with_size(input.size);
                    let flows = if recipe.order == Order::Frames { input.frames } else { input.channels / 2 };
                    Settled::Flow(recipe.with_flows(flows))
                }
                Source::Boxes(_) | Source::Bank { .. } => {
                    return Err(Error::usage(
                        "boxes do not come from a video: the host program must give them",
                    ));
                }
            };
            Ok((*input, settled))
        };
        let inputs = model.inputs.iter().map(settle).collect::<Result<_>>()?;
        Ok(Viewing { inputs, prepare: prepare.clone(), average: model.average })
    }

    /// How many views each video has.
    pub fn len(&self) -> usize {
        self.prepare.clips * self.prepare.crops.count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the publisher averages.
    pub fn average(&self) -> Average {
        self.average
    }

    /// The frames of the video that the longest clip spans, if the video has fewer: its last frame is then repeated.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the video cannot be read.
    pub fn too_short(&self, video: &mut Video) -> Result<Option<usize>> {
        let spans = self.inputs.iter().map(|(_, settled)| match settled {
            Settled::Frames(recipe) => recipe.span(video.fps()),
            Settled::Flow(_) => 0,
        });
        let longest = spans.max().unwrap_or(0);
        Ok((video.count()? < longest).then_some(longest))
    }

    /// Shows `see` the views of a video, clip after clip, the crops of each one after the other, as many at a time as fit
    /// 256 MiB; where they do not all fit, the video is decoded again. Flow is estimated by `engine`; `progress` is told how
    /// many flows of how many are done.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the video cannot be read or no clips are asked for, what estimating flow gives,
    /// and what `see` gives.
    pub fn each(
        &self,
        video: &mut Video,
        engine: &Engine,
        progress: &mut dyn FnMut(usize, usize),
        see: &mut dyn FnMut(Views) -> Result<()>,
    ) -> Result<()> {
        let (clips, crops) = (self.prepare.clips, self.prepare.crops);
        if clips == 0 {
            return Err(Error::bad_input("no clips of a video: one or more are needed"));
        }
        let sights = self.inputs.iter().map(|(input, settled)| self.sight(input, settled, video, engine));
        let sights = sights.collect::<Result<Vec<_>>>()?;
        let bytes: usize = sights.iter().map(|s| s.bytes).sum();
        let at_once = (MOST_BYTES / bytes.max(1)).clamp(1, clips);
        for first in (0..clips).step_by(at_once) {
            let some = first..(first + at_once).min(clips);
            let inputs = sights.iter().map(|s| {
                let windows: Vec<Vec<usize>> = match s.stacks {
                    None => s.windows[some.clone()].to_vec(),
                    // The stacks of one clip lie as far apart as possible.
                    Some(frames) => {
                        let of = |clip| (0..frames).map(move |f| f * clips + clip);
                        some.clone().flat_map(of).map(|i| s.windows[i].clone()).collect()
                    }
                };
                let tensor = match (s.recipe, &s.flow) {
                    (Settled::Flow(recipe), Some(plan)) => {
                        recipe.cut(video, plan, &windows, crops, progress)?
                    }
                    (Settled::Frames(recipe), _) => recipe.cut(video, &windows, crops)?,
                    (Settled::Flow(_), None) => return Err(Error::internal("a flow that is not planned")),
                };
                Ok((s.name, s.stacks.map_or(Ok(tensor.clone()), |n| stacked(&tensor, n, crops.count()))?))
            });
            see(Views { inputs: inputs.collect::<Result<_>>()? })?;
        }
        Ok(())
    }

    /// What a network, planned as `plan`, says of a video.
    ///
    /// # Errors
    /// Those of [`Viewing::each`] and of running.
    pub fn ask(
        &self,
        plan: &Plan,
        video: &mut Video,
        engine: &Engine,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Answer> {
        let mut answer = Answer::new(self.average);
        self.each(video, engine, progress, &mut |views| {
            (0..views.len()).try_for_each(|i| answer.add(plan, &views.view(i)?))
        })?;
        Ok(answer)
    }

    fn sight<'a>(
        &self,
        input: &Input,
        recipe: &'a Settled,
        video: &mut Video,
        engine: &Engine,
    ) -> Result<Sight<'a>> {
        let clips = self.prepare.clips;
        let values = input.frames * input.size * input.size * input.channels;
        let sight = Sight {
            name: input.name,
            recipe,
            windows: Vec::new(),
            stacks: None,
            flow: None,
            bytes: values.saturating_mul(4 * self.prepare.crops.count()),
        };
        Ok(match recipe {
            Settled::Frames(recipe) => {
                Sight { windows: recipe.indices(video.count()?, video.fps(), clips), ..sight }
            }
            Settled::Flow(recipe) => {
                let stacks = (recipe.order != Order::Frames).then_some(input.frames);
                let size = recipe.flow_size(video.width(), video.height());
                let Prepare { pairs, method, .. } = &self.prepare;
                let plan = FlowPlan::new(engine, size, *pairs, method, &PlanOptions::default())?;
                let windows = recipe.indices(video, clips * stacks.unwrap_or(1))?;
                Sight { windows, stacks, flow: Some(plan), ..sight }
            }
        })
    }
}

/// Stacks `[clips·frames·crops, H, W, C]` as `[clips·crops, frames, H, W, C]`.
fn stacked(stacks: &Tensor, frames: usize, crops: usize) -> Result<Tensor> {
    let [n, h, w, c] = stacks.shape().dims("the stacks", "[N, H, W, C]")?;
    let clips = n / (frames * crops).max(1);
    let apart = stacks.reshape(&[clips, frames, crops, h, w, c])?.permute(&[0, 2, 1, 3, 4, 5])?;
    apart.reshape(&[clips * crops, frames, h, w, c])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Difference, DualTvl1};
    use crate::ops::Tvl1;
    use crate::video::{Frame, open, write};

    fn video(dir: &std::path::Path, frames: u8) -> Video {
        let picture = |i: u8| {
            let level = |p: usize| ((p % 40) * 5 + usize::from(i) * 3) as u8;
            Frame::new(40, 40, (0..1600).flat_map(|p| [level(p); 3]).collect()).unwrap()
        };
        write::pngs(dir, (0..frames).map(picture)).unwrap();
        open(dir).unwrap()
    }

    fn model(inputs: Vec<Input>) -> Model {
        Model {
            network: "none",
            graph: crate::Graph::new(),
            inputs,
            average: Average::Logits,
            labels: None,
            preprocessing: None,
            notes: String::new(),
        }
    }

    fn all(viewing: &Viewing, video: &mut Video) -> Result<Vec<Views>> {
        let mut seen = Vec::new();
        viewing.each(video, &Engine::cpu(), &mut |_, _| {}, &mut |views| {
            seen.push(views);
            Ok(())
        })?;
        Ok(seen)
    }

    #[test]
    fn views_of_frames_and_flow() {
        let dir = tempfile::tempdir().unwrap();
        let mut video = video(dir.path(), 8);
        let model = model(vec![
            Input::clip("imagenet-224", 2, 16),
            Input { channels: 4, ..Input::flow("two-stream-bryanyzhu-flow", 2, 16) },
            Input::flow("i3d-flow", 3, 16),
        ]);
        let method = DualTvl1 { scales: 1, warps: 1, ..Default::default() };
        let solver = Tvl1 { inner_iterations: 2, outer_iterations: 1, ..method.solver };
        let prepare =
            Prepare { clips: 3, method: DualTvl1 { solver, ..method }.into(), ..Prepare::default() };
        let shapes = |views: &Views| -> Vec<Vec<usize>> {
            views.inputs.iter().map(|(_, t)| t.shape().to_vec()).collect()
        };
        let one = all(&Viewing::new(&model, &prepare).unwrap(), &mut video).unwrap();
        assert_eq!(one.len(), 1);
        assert_eq!(shapes(&one[0]), [vec![3, 2, 16, 16, 3], vec![3, 2, 16, 16, 4], vec![3, 3, 16, 16, 2]]);
        assert_eq!(&one[0].view(2).unwrap()[1].1.shape()[..], [1, 2, 16, 16, 4]);
        assert!(one[0].view(3).is_err());

        // The centre crop among five is the one crop, for each clip.
        let five = Viewing::new(&model, &Prepare { crops: Crops::Five, ..prepare }).unwrap();
        assert_eq!(five.len(), 15);
        let five = all(&five, &mut video).unwrap();
        assert_eq!(shapes(&five[0])[1], [15, 2, 16, 16, 4]);
        for clip in 0..3 {
            let (a, b) = (one[0].view(clip).unwrap(), five[0].view(clip * 5 + 4).unwrap());
            for ((name, a), (_, b)) in a.iter().zip(&b) {
                assert_eq!(a.f32s().unwrap(), b.f32s().unwrap(), "{name}");
            }
        }
    }

    /// Three clips of 150 MiB come one at a time, and are what each alone is.
    #[test]
    fn memory_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let mut video = video(dir.path(), 3);
        let model = model(vec![Input::clip("c3d-davidea", 2, 2560)]);
        let prepare = Prepare { clips: 2, ..Prepare::default() };
        let seen = all(&Viewing::new(&model, &prepare).unwrap(), &mut video).unwrap();
        assert_eq!(seen.iter().map(Views::len).collect::<Vec<_>>(), [1, 1]);
        let level = |views: &Views| views.inputs[0].1.f32s().unwrap()[0];
        assert_eq!(level(&seen[1]) - level(&seen[0]), 3.0);
    }

    #[test]
    fn what_cannot_be_seen_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let mut video = video(dir.path(), 3);
        let viewing = |input, prepare: &Prepare| Viewing::new(&model(vec![input]), prepare).unwrap();
        let flow = Input { channels: 2, ..Input::flow("plain-flow-64", 1, 16) };
        let difference = Prepare { method: Difference::Signed.into(), ..Prepare::default() };
        let e = all(&viewing(flow, &difference), &mut video).unwrap_err();
        assert!(e.to_string().contains("a flow has 2 components"), "{e}");
        let none = Prepare { clips: 0, ..Prepare::default() };
        assert!(all(&viewing(Input::clip("plain-64", 1, 16), &none), &mut video).is_err());
    }

    #[test]
    fn published_views_are_those_of_the_recipe() {
        let of = |recipe| PublishedViews::of(&[Input::clip(recipe, 8, 224)]).unwrap().unwrap();
        for (recipe, clips, crops) in [
            ("slowfast-256", 10, Crops::Three),
            ("timesformer", 1, Crops::Three),
            ("vivit", 4, Crops::Three),
            ("mvit-16x4", 5, Crops::One),
            ("swin-mmaction", 4, Crops::Three),
            ("videomae", 5, Crops::Three),
            ("tsn", 1, Crops::Ten),
        ] {
            let views = of(recipe);
            assert_eq!((views.clips, views.crops), (clips, crops), "{recipe}");
        }
        let of_frames =
            |n| PublishedViews::of(&[Input::clip("imagenet-224", n, 224)]).unwrap().unwrap().clips;
        assert_eq!([of_frames(1), of_frames(16)], [25, 1]);
        assert_eq!(of("tsn").frames, Some(25));
        let boxes = Input { source: Source::Boxes(1), ..Input::clip("", 1, 1) };
        assert_eq!(PublishedViews::of(&[Input::clip("tsn", 8, 224), boxes]).unwrap(), None);
    }
}
