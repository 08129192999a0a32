//! `kinetograph detect`: what the persons in given boxes do, along a clip.

use std::path::PathBuf;

use clap::Args;
use kinetograph::detection::{self, KeyFrame, Linking, Tube};
use kinetograph::labels::Labels;
use kinetograph::models::{self, Choices, Source};
use kinetograph::video::{self, Recipe, Video, write};
use kinetograph::{Error, Result};
use serde_json::json;

use super::run::read_labels;
use super::{Common, output};

/// Detect the actions of persons along a clip: scores for the boxes of its key frames, linked to tubes.
///
/// Boxes come from a detector of persons: JSON {"normalized": false, "frames": [{"frame": 12, "boxes": [[x1, y1, x2, y2,
/// score]]}]}, with "time" in seconds in place of "frame" and the score at will, or .npy [boxes, 5 or 6] of frame, x1, y1,
/// x2, y2 and perhaps a score, in pixels. What reaches beyond the frame is cut off.
///
/// kinetograph detect --input clip.mp4 --weights SLOWFAST_8x8_R50_DETECTION.pyth --boxes people.json --output tubes.mp4
#[derive(Args)]
pub(crate) struct Detect {
    /// A video file, an animated GIF or a folder of pictures
    #[arg(long)]
    input: PathBuf,
    /// Weights of a network that takes boxes: .safetensors, .pth, .pt, .pyth or .ckpt
    #[arg(long)]
    weights: PathBuf,
    /// Boxes of persons: .json or .npy [default: the whole frame, every --every seconds]
    #[arg(long)]
    boxes: Option<PathBuf>,
    /// Write the clip with its tubes as an animated .gif or, by ffmpeg, as an .mp4
    #[arg(long, value_name = "OUT.mp4")]
    output: Option<PathBuf>,
    /// The least probability of an action that is shown
    #[arg(long, default_value_t = 0.5)]
    threshold: f32,
    /// How many actions of a tube to show at most
    #[arg(long, default_value_t = 5)]
    top: usize,
    /// Seconds between key frames, without --boxes
    #[arg(long, default_value_t = 1.0)]
    every: f64,
    /// The shorter side of the frames that the network sees
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// The least intersection over union of successive boxes of a tube
    #[arg(long, default_value_t = Linking::default().iou)]
    iou: f32,
    /// Key frames in succession that a tube may miss
    #[arg(long, default_value_t = Linking::default().gap)]
    gap: usize,
    /// Names of the actions: a file with one a line, or a data set such as ava-2.2 [default: ava-2.2 for 80 actions,
    /// for 81 with the background, for the 60 that AVA evaluates]
    #[arg(long)]
    labels: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Frames a second where a video does not tell.
const RATE: f64 = 25.0;

impl Detect {
    pub(crate) fn run(&self) -> Result<()> {
        self.check()?;
        let labels = self.labels.as_deref().map(read_labels).transpose()?;
        let mut video = video::open(&self.input)?;
        let (fps, frames) = (video.fps().unwrap_or(RATE), video.count()?);
        let size = [video.width(), video.height()];
        let keys = match &self.boxes {
            Some(path) => detection::read(path, frames, fps, size)?,
            None => detection::whole(&detection::every(self.every, frames, fps), size),
        };
        let recipe = Recipe::by_name("slowfast-256")?.with_size(self.size).whole(size[0], size[1]);
        let choices = Choices {
            size: Some(recipe.crop.height),
            width: Some(recipe.crop.width),
            boxes: keys.iter().map(|k| k.boxes.len()).max(),
            ..Choices::default()
        };
        let model = models::load_for_boxes(&self.weights, &choices)?;
        eprintln!("{}: {}", self.weights.display(), model.notes);
        if !model.inputs.iter().any(|i| matches!(i.source, Source::Boxes(_))) {
            return Err(Error::usage(format!("{} takes no boxes: use `kinetograph run`", model.network)));
        }
        let logits = model.graph.outputs().find(|(name, _)| *name == "logits");
        let actions = logits.and_then(|(_, v)| model.graph.shape(v).last().copied());
        let actions =
            actions.ok_or_else(|| Error::bad_input("these weights have no classifier of actions"))?;
        let names = names(labels, actions)?;
        let recipe = recipe.with_frames(model.inputs[0].frames);
        let engine = self.common.engine()?;
        let plan = engine.plan_with(&model.graph, &self.common.options()?)?;
        drop(model);
        let bar = output::bar("key frames", keys.len());
        let logits =
            detection::logits(&plan, &recipe, STRIDE, &mut video, &keys, &mut |n| bar.set_position(n as u64));
        bar.finish_and_clear();
        let sigmoids = |row: &Vec<f32>| row.iter().map(|x| detection::sigmoid(*x)).collect();
        let scores: Vec<Vec<Vec<f32>>> = logits?.iter().map(|k| k.iter().map(sigmoids).collect()).collect();
        let tubes = detection::link(&keys, &scores, &Linking { iou: self.iou, gap: self.gap });
        if let Some(path) = &self.output {
            self.draw(path, &mut video, fps, &keys, &tubes, &names)?;
        }
        self.report(&tubes, &names, fps, &engine.describe())
    }

    /// What can be said before anything is read.
    fn check(&self) -> Result<()> {
        if self.top == 0 || self.size == 0 {
            return Err(Error::usage("--top and --size must be 1 or more"));
        }
        for (flag, value) in [("--threshold", self.threshold), ("--iou", self.iou)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::usage(format!("{flag} {value}: a number from 0 to 1")));
            }
        }
        if !(self.every.is_finite() && self.every > 0.0) {
            return Err(Error::usage(format!("--every {}: a positive number of seconds", self.every)));
        }
        match &self.output {
            Some(path) => output::check_writable(path).and_then(|()| write::check_movie(path)),
            None => Ok(()),
        }
    }

    /// The most probable actions that reach the threshold.
    fn shown(&self, scores: &[f32]) -> Vec<(usize, f64)> {
        let scores: Vec<f64> = scores.iter().map(|s| f64::from(*s)).collect();
        let top = output::highest(&scores, self.top).into_iter();
        top.filter(|(_, p)| *p >= f64::from(self.threshold)).collect()
    }

    fn draw(
        &self,
        path: &std::path::Path,
        video: &mut Video,
        fps: f64,
        keys: &[KeyFrame],
        tubes: &[Tube],
        names: &[String],
    ) -> Result<()> {
        let apart = keys.windows(2).map(|k| k[1].frame - k[0].frame).min();
        let hold = apart.map_or(usize::MAX / 2, |n| n / 2);
        let text = |tube: usize, moment: usize| {
            let shown = self.shown(&tubes[tube].moments[moment].scores).into_iter();
            let lines = shown.map(|(action, p)| format!("{} {p:.2}", names[action]));
            std::iter::once(format!("#{tube}")).chain(lines).collect()
        };
        video.rewind()?;
        let mut index = 0;
        let drawn = std::iter::from_fn(|| {
            let frame = video.next_frame().transpose()?;
            index += 1;
            Some(frame.and_then(|f| detection::draw(f, index - 1, tubes, hold, text)))
        });
        write::movie(path, fps, drawn)
    }

    fn report(&self, tubes: &[Tube], names: &[String], fps: f64, device: &str) -> Result<()> {
        let actions = |scores: &[f32]| {
            let shown = self.shown(scores).into_iter();
            shown.map(|(i, p)| json!({"index": i, "label": names[i], "score": p})).collect::<Vec<_>>()
        };
        if self.common.json {
            let tubes = tubes.iter().enumerate().map(|(t, tube)| {
                let moments = tube.moments.iter().map(|m| {
                    json!({"frame": m.frame, "time": m.frame as f64 / fps, "box": m.person.corners,
                        "person": m.person.score, "actions": actions(&m.scores)})
                });
                json!({"tube": t, "actions": actions(&tube.mean()), "moments": moments.collect::<Vec<_>>()})
            });
            return output::json(&json!({"device": device, "tubes": tubes.collect::<Vec<_>>()}));
        }
        for (t, tube) in tubes.iter().enumerate() {
            let at = |m: Option<&detection::Moment>| m.map_or(0.0, |m| m.frame as f64 / fps);
            let (first, last, count) =
                (at(tube.moments.first()), at(tube.moments.last()), tube.moments.len());
            output::print(&format!("tube {t}: {first:.2} s to {last:.2} s, {count} key frames"))?;
            let shown = self.shown(&tube.mean()).into_iter().map(|(i, p)| (i, names[i].clone(), p));
            match &shown.collect::<Vec<_>>()[..] {
                [] => output::print(&format!("  no action of {} or more on average", self.threshold))?,
                shown => output::print(&output::ranking(shown))?,
            }
        }
        Ok(())
    }
}

/// Frames of the video from one of the network's to the next.
const STRIDE: usize = 2;

/// The actions' names: those given, AVA's for as many, or numbers.
fn names(given: Option<Vec<String>>, actions: usize) -> Result<Vec<String>> {
    match given {
        Some(names) if names.len() == actions => Ok(names),
        Some(names) => {
            Err(Error::bad_input(format!("{} labels, one a line, for {actions} actions", names.len())))
        }
        None => match (Labels::ava(actions), Labels::by_count(actions)) {
            (Some(ava), _) => Ok(ava.into_iter().map(str::to_owned).collect()),
            (None, Some(clips)) => {
                let text = format!(
                    "as many classes as {} has, whose clips have one label: use `kinetograph run`, or give --labels",
                    clips.name
                );
                Err(Error::usage(text))
            }
            (None, None) => Ok((0..actions).map(|i| format!("action {i}")).collect()),
        },
    }
}
