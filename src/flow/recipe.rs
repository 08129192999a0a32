//! From a video to the input of a flow network, as published networks were trained with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Encoding, FLOW_RECIPES, FlowPlan, Order, components, gray, stack};
use crate::error::{At, Error, Result};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::video::resize::{Filter, resize, resize_channel};
use crate::video::{Corner, Crop, Crops, Frame, Rounding, Size, Video, sample};

/// Which flows of a video make its clips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windows {
    /// In the middles of equal parts ([`sample::clips`]); the last flow repeats where the video is too short.
    Middles,
    /// From the start, `floor((flows - length + 1) / clips)` flows apart; the last flow repeats where the video is too
    /// short. bryanyzhu/two-stream-pytorch (scripts/eval_ucf101_pytorch/VideoTemporalPrediction.py) and
    /// jeffreyyihuang/two-stream-action-recognition (`val_sample19`).
    Steps,
    /// From the start, `floor((flows - length) / (clips - 1))` flows apart; the last flow repeats where the video is
    /// too short. yjxiong/temporal-segment-networks (tools/eval_net.py).
    StepsToEnd,
    /// From the first to the last possible place, between them rounded, halves to even; one clip lies in the middle. A
    /// video that is too short begins anew. MMAction2 (`SampleFrames` in test mode).
    Ends,
}

impl Windows {
    /// The flows of each of `clips` clips of `length`, as indices into the `flows` flows of a video.
    pub fn indices(self, flows: usize, clips: usize, length: usize) -> Vec<Vec<usize>> {
        let room = flows.saturating_sub(length);
        let last = flows.saturating_sub(1);
        let start: Box<dyn Fn(usize) -> usize> = match self {
            Windows::Middles => return sample::clips(flows, clips, length, 1),
            Windows::Steps => {
                let step = (flows + 1).saturating_sub(length) / clips.max(1);
                Box::new(move |i| i * step)
            }
            Windows::StepsToEnd => {
                let step = room / clips.saturating_sub(1).max(1);
                Box::new(move |i| i * step)
            }
            Windows::Ends if clips == 1 => Box::new(move |_| room / 2),
            Windows::Ends => {
                Box::new(move |i| Rounding::Nearest.divide(i * room, clips.saturating_sub(1).max(1)))
            }
        };
        let index = |i: usize| if self == Windows::Ends { i % flows.max(1) } else { i.min(last) };
        (0..clips).map(|c| (0..length).map(|i| index(start(c) + i)).collect()).collect()
    }
}

/// How a video becomes the input of a network that takes flow.
///
/// Frames are scaled to [`frame_size`](FlowRecipe::frame_size) and made grey, the flow between neighbours is estimated
/// and [encoded](Encoding), scaled to [`size`](FlowRecipe::size), cropped at the centre, divided by
/// [`divisor`](FlowRecipe::divisor) and normalised, `(x - mean) / std`, and [stacked](Order).
///
/// ```no_run
/// # use std::num::NonZero;
/// use kinetograph::flow::{DualTvl1, FlowPlan, FlowRecipe};
/// use kinetograph::{Engine, PlanOptions, video};
/// let mut video = video::open("clip.mp4")?;
/// let recipe = FlowRecipe::by_name("tsn-caffe-flow")?;
/// let (engine, at_a_time) = (Engine::cpu(), NonZero::<usize>::MIN);
/// let size = recipe.flow_size(video.width(), video.height());
/// let plan = FlowPlan::new(&engine, size, at_a_time, &DualTvl1::default().into(), &PlanOptions::default())?;
/// let clips = recipe.apply(&mut video, &plan, 3, &mut |_, _| {})?;
/// assert_eq!(&clips.shape()[..], [3, 224, 224, 10]);
/// # Ok::<(), kinetograph::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FlowRecipe {
    /// Its name.
    pub name: &'static str,
    /// Where it comes from and what it is for.
    pub about: &'static str,
    /// The frames a second that the video is first resampled to, if it is.
    pub fps: Option<f64>,
    /// The size of the frames between which flow is estimated, bilinear; that of the video if not given.
    pub frame_size: Option<Size>,
    /// How pixels become numbers.
    pub encoding: Encoding,
    /// The size that encoded flow is scaled to, if it is, and how. Numbers stay what they are: motions are not made
    /// shorter with the picture. Levels are rounded again.
    pub size: Option<(Size, Filter)>,
    /// The crop, if there is one.
    pub crop: Option<Crop>,
    /// What encoded flow is divided by: 255 or 1.
    pub divisor: f32,
    /// Subtracted after the division.
    pub mean: f32,
    /// Divided by at the end.
    pub std: f32,
    /// Flows in a clip.
    pub flows: usize,
    /// How they are stacked.
    pub order: Order,
    /// Which flows of a video.
    pub windows: Windows,
    /// The clips of one video over which the published evaluation averages.
    pub clips: usize,
    /// The crops of each clip over which it averages.
    pub crops: Crops,
    /// Flows in a clip of that evaluation, where it takes more than in training; a shorter video gives fewer.
    pub test_frames: Option<usize>,
}

impl FlowRecipe {
    /// The recipe of this name in [`FLOW_RECIPES`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for an unknown name; the text gives the nearest ones.
    pub fn by_name(name: &str) -> Result<FlowRecipe> {
        if let Some(recipe) = FLOW_RECIPES.iter().find(|r| r.name == name) {
            return Ok(recipe.clone());
        }
        let mut names: Vec<&str> = FLOW_RECIPES.iter().map(|r| r.name).collect();
        names.sort_by(|a, b| strsim::jaro_winkler(b, name).total_cmp(&strsim::jaro_winkler(a, name)));
        names.truncate(3);
        Err(Error::usage(format!("there is no flow recipe `{name}`; the nearest are {}", names.join(", "))))
    }

    /// The same recipe with `flows` flows in a clip.
    #[must_use]
    pub fn with_flows(mut self, flows: usize) -> FlowRecipe {
        self.flows = flows;
        self
    }

    /// The same recipe for `size` by `size` pixels; the sizes before keep their proportion to it.
    #[must_use]
    pub fn with_size(mut self, size: usize) -> FlowRecipe {
        let own = match (self.crop, self.size.map(|(size, _)| size).or(self.frame_size)) {
            (Some(crop), _) => crop.height,
            (None, Some(Size::Exact { height: own, .. } | Size::ShortEdge(own, _))) => own,
            (None, None) => size,
        };
        let scale =
            |length: usize| Rounding::Nearest.divide(length.saturating_mul(size), own.max(1)).max(size);
        let scaled = |of: Size| match of {
            Size::Exact { height, width } => Size::Exact { height: scale(height), width: scale(width) },
            Size::ShortEdge(edge, rounding) => Size::ShortEdge(scale(edge), rounding),
        };
        self.frame_size = self.frame_size.map(scaled);
        self.size = self.size.map(|(of, filter)| (scaled(of), filter));
        self.crop = self.crop.map(|c| Crop { height: size, width: size, ..c });
        self
    }

    /// Height and width at which flow is estimated, for a video of this size: what a [`FlowPlan`] is planned for.
    pub fn flow_size(&self, width: usize, height: usize) -> [usize; 2] {
        let (h, w) = self.frame_size.map_or((height, width), |size| size.of(width, height));
        [h, w]
    }

    /// The frames of a video of `frames` frames at `fps` frames a second whose neighbours make pairs: the first flow
    /// leads from the first of them to the second, and so on.
    pub fn timeline(&self, frames: usize, fps: Option<f64>) -> Vec<usize> {
        match (self.fps, fps) {
            (Some(target), Some(fps)) => sample::by_fps(frames, fps, target),
            _ => (0..frames).collect(),
        }
    }

    /// A frame as flow is estimated from it: brightnesses from 0 to 255, of [`FlowRecipe::flow_size`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the size is absurd.
    pub fn frame(&self, frame: &Frame) -> Result<Vec<f32>> {
        let [h, w] = self.flow_size(frame.width(), frame.height());
        if [h, w] == [frame.height(), frame.width()] {
            return Ok(gray(frame));
        }
        let levels = resize(frame, h, w, Filter::Bilinear)?;
        let bytes = levels.iter().map(|x| x.round_ties_even().clamp(0.0, 255.0) as u8).collect();
        Ok(gray(&Frame::new(w, h, bytes)?))
    }

    /// Prepares one flow `[H, W, 2]`, in pixels: encoded, scaled, cropped and normalised, `[H', W', 2]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the tensor is no flow or the crop is larger than the scaled flow.
    pub fn flow(&self, flow: &Tensor) -> Result<Tensor> {
        Ok(self.views(flow, Crops::One)?.swap_remove(0))
    }

    /// Prepares one flow in all `crops`, `[H', W', 2]` each. In a mirrored one motions to the left go to the right.
    ///
    /// # Errors
    /// As [`FlowRecipe::flow`].
    pub fn views(&self, flow: &Tensor, crops: Crops) -> Result<Vec<Tensor>> {
        let encoded = self.encoding.apply(flow)?;
        let ([h, w], values) = components(&encoded)?;
        let channel = |c: usize| values.iter().skip(c).step_by(2).copied().collect::<Vec<f32>>();
        let mut channels = [channel(0), channel(1)];
        let mut size = [h, w];
        if let Some((to, filter)) = self.size {
            let (height, width) = to.of(w, h);
            for c in &mut channels {
                *c = resize_channel(c, [h, w], [height, width], filter)?;
                if matches!(self.encoding, Encoding::Levels { .. }) {
                    c.iter_mut().for_each(|x| *x = x.round_ties_even().clamp(0.0, 255.0));
                }
            }
            size = [height, width];
        }
        let [h, w] = size;
        let crop = self.crop.unwrap_or(Crop { height: h, width: w, rounding: Rounding::Down });
        let Crop { height: ch, width: cw, rounding } = crop;
        if ch > h || cw > w || ch * cw == 0 {
            return Err(Error::bad_input(format!(
                "a crop of {cw}x{ch} cannot be taken from a flow of {w}x{h}"
            )));
        }
        // Levels count from 0 at one bound to 255 at the other.
        let turned = if matches!(self.encoding, Encoding::Levels { .. }) { 255.0 } else { 0.0 };
        let view = |corner: Corner| {
            Tensor::from_fn(&[ch, cw, 2], |i| {
                let (y, x, c) = (i / 2 / cw, i / 2 % cw, i % 2);
                let x = if corner.mirrored { cw - 1 - x } else { x };
                let v = channels[c][(corner.top + y) * w + corner.left + x];
                let v = if corner.mirrored && c == 0 { turned - v } else { v };
                (v / self.divisor - self.mean) / self.std
            })
        };
        crops.corners([h - ch, w - cw], rounding).into_iter().map(view).collect()
    }

    /// Prepares the flows of one clip and stacks them: `[H', W', 2L]` or `[L, H', W', 2]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] as [`FlowRecipe::flow`], and when there is no flow or their sizes differ.
    pub fn clip(&self, flows: &[Tensor]) -> Result<Tensor> {
        let prepared = flows.iter().map(|f| self.flow(f)).collect::<Result<Vec<Tensor>>>()?;
        stack(&prepared.iter().collect::<Vec<_>>(), self.order)
    }

    /// Estimates the flow of `clips` clips of a video, from its start: f32 `[clips, H, W, 2L]`, or
    /// `[clips, L, H, W, 2]` for [`Order::Frames`], normalised. Flows that several clips hold are estimated once.
    /// `plan` is for [`FlowRecipe::flow_size`]; `progress` is told how many flows of how many are done.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the recipe makes no sense (no flows, a crop larger than the flow), the plan is
    /// for another size, or the video has less than two frames or cannot be read; and what running gives.
    pub fn apply(
        &self,
        video: &mut Video,
        plan: &FlowPlan,
        clips: usize,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Tensor> {
        let windows = self.indices(video, clips)?;
        self.cut(video, plan, &windows, Crops::One, progress)
    }

    /// The flows of each of `clips` clips of a video, as indices into its flows.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when no clips or flows are asked for, or the video has less than two frames or cannot
    /// be read.
    pub fn indices(&self, video: &mut Video, clips: usize) -> Result<Vec<Vec<usize>>> {
        let frames = self.timeline(video.count()?, video.fps()).len();
        let available = frames.saturating_sub(1);
        if available == 0 {
            let text = format!("{frames} frames have no flow; two are needed");
            return Err(Error::bad_input(text).at(video.path().display()));
        }
        if clips == 0 || self.flows == 0 {
            return Err(Error::bad_input(format!(
                "{clips} clips of {} flows; one or more are needed",
                self.flows
            )));
        }
        Ok(self.windows.indices(available, clips, self.flows))
    }

    /// Estimates the flows with these indices, clip by clip, and prepares each clip in all `crops`: f32
    /// `[clips·crops, H, W, 2L]` or `[clips·crops, L, H, W, 2]`, the crops of a clip one after the other. Decoding begins
    /// anew only where the video has passed the first frame needed.
    ///
    /// # Errors
    /// As [`FlowRecipe::apply`].
    pub fn cut(
        &self,
        video: &mut Video,
        plan: &FlowPlan,
        windows: &[Vec<usize>],
        crops: Crops,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Tensor> {
        let place = video.path().display().to_string();
        let timeline = self.timeline(video.count()?, video.fps());
        let mut prepared: BTreeMap<usize, Vec<Tensor>> =
            windows.iter().flatten().map(|i| (*i, Vec::new())).collect();
        let needed: Vec<usize> = prepared.keys().copied().collect();
        if let Some(i) = needed.last().filter(|i| **i + 1 >= timeline.len()) {
            return Err(Error::bad_input(format!("there is no flow {i}")).at(place));
        }
        if needed.first().is_some_and(|&i| timeline[i] < video.position()) {
            video.rewind()?;
        }
        let size = self.flow_size(video.width(), video.height());
        let mut frames = Frames { recipe: self, video, last: None };
        for batch in needed.chunks(plan.pairs()) {
            let pairs = batch.iter().map(|&i| Ok((frames.at(timeline[i])?, frames.at(timeline[i + 1])?)));
            let pairs = pairs.collect::<Result<Vec<(Arc<[f32]>, Arc<[f32]>)>>>().at(&place)?;
            let pairs: Vec<(&[f32], &[f32])> = pairs.iter().map(|(a, b)| (&a[..], &b[..])).collect();
            for (i, flow) in batch.iter().zip(plan.run(&pairs)?) {
                if flow.shape()[..2] != size {
                    return Err(Error::bad_input(format!(
                        "the flow is planned for {}x{}, the recipe {} takes it at {}x{}",
                        flow.shape()[1],
                        flow.shape()[0],
                        self.name,
                        size[1],
                        size[0]
                    )));
                }
                prepared.insert(*i, self.views(&flow, crops)?);
                progress(needed.partition_point(|k| k <= i), needed.len());
            }
        }
        let mut shape = vec![windows.len() * crops.count()];
        let mut out: Vec<f32> = Vec::new();
        for (window, crop) in windows.iter().flat_map(|w| (0..crops.count()).map(move |crop| (w, crop))) {
            let flows: Vec<&Tensor> = window.iter().filter_map(|i| prepared.get(i)?.get(crop)).collect();
            let clip = stack(&flows, self.order)?;
            if out.is_empty() {
                shape.extend_from_slice(clip.shape());
                let elements = Shape::new(&shape)?.elements();
                out.try_reserve_exact(elements).map_err(|_| {
                    Error::out_of_memory(format!("clips of {shape:?} need {} bytes", elements * 4))
                })?;
            }
            out.extend_from_slice(clip.f32s()?);
        }
        Tensor::new(&shape, out)
    }
}

/// The grey frames of a video, asked for in rising order; the last one may be asked for again.
struct Frames<'a> {
    recipe: &'a FlowRecipe,
    video: &'a mut Video,
    last: Option<(usize, Arc<[f32]>)>,
}

impl Frames<'_> {
    fn at(&mut self, index: usize) -> Result<Arc<[f32]>> {
        if let Some((last, frame)) = &self.last
            && *last == index
        {
            return Ok(frame.clone());
        }
        while self.video.position() < index && self.video.skip_frame()? {}
        let frame =
            self.video.next_frame()?.ok_or_else(|| Error::bad_input(format!("there is no frame {index}")))?;
        let gray: Arc<[f32]> = self.recipe.frame(&frame)?.into();
        self.last = Some((index, gray.clone()));
        Ok(gray)
    }
}
