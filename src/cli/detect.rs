//! `kinetograph detect`: what the persons in given boxes do, along a clip.

use std::path::{Path, PathBuf};

use clap::Args;
use kinetograph::detection::{self, FeatureBank, KeyFrame, Linking, RATE, Tube, Watcher};
use kinetograph::labels::Labels;
use kinetograph::models::{self, Choices, Input, Source};
use kinetograph::video::{self, Rate, Recipe, Video, write};
use kinetograph::weights::Checkpoint;
use kinetograph::{Engine, Error, Plan, Result};
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
///
/// A network with a long-term feature bank looks at the whole clip first, with the weights that its bank was made with:
///
/// kinetograph detect --input clip.mp4 --weights slowonly-lfb-nl.pth --bank-weights slowonly-ava.pth --boxes people.json
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
    /// The shorter side of the frames that the network sees [default: as its weights were tested, 256]
    #[arg(long)]
    size: Option<usize>,
    /// The variant of the network, where its weights do not tell: see `kinetograph models`
    #[arg(long)]
    variant: Option<String>,
    /// Weights of the network whose features a long-term feature bank is made of [default: those of --weights]
    #[arg(long, value_name = "WEIGHTS")]
    bank_weights: Option<PathBuf>,
    /// A long-term feature bank that --save-bank wrote
    #[arg(long, value_name = "BANK.safetensors", conflicts_with = "bank_weights")]
    bank: Option<PathBuf>,
    /// Write the features of the boxes as a long-term feature bank
    #[arg(long, value_name = "OUT.safetensors")]
    save_bank: Option<PathBuf>,
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

/// A network that is ready to see key frames.
struct Detector {
    plan: Plan,
    recipe: Recipe,
    stride: usize,
    bank: Option<Input>,
    /// The output that a bank is made of.
    features: &'static str,
    /// How many actions the classifier knows, if there is one.
    actions: Option<usize>,
}

impl Detector {
    fn watcher(&self) -> Watcher<'_> {
        let Detector { plan, recipe, stride, .. } = self;
        Watcher { plan, recipe, stride: *stride, bank: self.bank.map(|b| [b.frames, b.size]) }
    }
}

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
        let engine = self.common.engine()?;
        if let (Some(path), true) = (&self.boxes, keys.iter().all(|k| k.boxes.is_empty())) {
            return self.nobody(path, &mut video, fps, &engine);
        }
        let detector = self.load(&self.weights, self.variant.as_deref(), &engine, &keys, size)?;
        if detector.bank.is_none() && (self.bank.is_some() || self.bank_weights.is_some()) {
            let place = self.weights.display();
            return Err(Error::usage(format!("--bank, --bank-weights: {place} has no feature bank to ask")));
        }
        let actions = detector
            .actions
            .ok_or_else(|| Error::bad_input("these weights have no classifier of actions"))?;
        let names = names(labels, actions)?;
        let bank = self.remember(&detector, &engine, &mut video, &keys, size)?;
        let bar = output::bar("key frames", keys.len());
        let progress = &mut |n| bar.set_position(n as u64);
        let logits = detector.watcher().rows("logits", &mut video, &keys, &bank, progress);
        bar.finish_and_clear();
        let sigmoids = |row: &Vec<f32>| row.iter().map(|x| detection::sigmoid(*x)).collect();
        let scores: Vec<Vec<Vec<f32>>> = logits?.iter().map(|k| k.iter().map(sigmoids).collect()).collect();
        let tubes = detection::link(&keys, &scores, &Linking { iou: self.iou, gap: self.gap });
        if let Some(path) = &self.output {
            self.draw(path, &mut video, fps, &keys, &tubes, &names)?;
        }
        self.report(&tubes, &names, fps, &engine.describe())
    }

    /// Says that there is nobody whose actions could be told.
    fn nobody(&self, boxes: &Path, video: &mut Video, fps: f64, engine: &Engine) -> Result<()> {
        eprintln!("{}: no box, hence nobody whose actions could be detected", boxes.display());
        if self.save_bank.is_some() {
            return Err(Error::bad_input("--save-bank: there are no boxes whose features could be kept"));
        }
        if let Some(path) = &self.output {
            self.draw(path, video, fps, &[], &[], &[])?;
        }
        self.report(&[], &[], fps, &engine.describe())
    }

    /// Plans the network of a weight file for these key frames.
    fn load(
        &self,
        path: &Path,
        variant: Option<&str>,
        engine: &Engine,
        keys: &[KeyFrame],
        [width, height]: [usize; 2],
    ) -> Result<Detector> {
        let checkpoint = Checkpoint::open(path)?;
        let found = models::recognise_for_boxes(&checkpoint, variant)?;
        let mut choices = Choices {
            variant: variant.map(str::to_owned),
            boxes: keys.iter().map(|k| k.boxes.len()).max(),
            ..Choices::default()
        };
        let design = found.design(&checkpoint, &choices)?;
        let Some(Source::Frames(recipe)) = design.inputs.first().map(|i| i.source) else {
            return Err(Error::usage(format!("{} sees no frames", found.network.name)));
        };
        let recipe = Recipe::by_name(recipe)?;
        let recipe = recipe.clone().with_size(self.size.unwrap_or(recipe.crop.height)).whole(width, height);
        let Rate::Stride(stride) = recipe.rate else {
            return Err(Error::internal(format!("{} has no stride", recipe.name)));
        };
        (choices.size, choices.width) = (Some(recipe.crop.height), Some(recipe.crop.width));
        let model = found.load(checkpoint, &choices)?;
        eprintln!("{}: {}", path.display(), model.notes);
        let outputs: Vec<_> = model.graph.outputs().collect();
        let shape = |name: &str| outputs.iter().find(|o| o.0 == name).map(|o| model.graph.shape(o.1));
        Ok(Detector {
            recipe: recipe.with_frames(model.inputs[0].frames),
            stride,
            bank: model.inputs.iter().find(|i| matches!(i.source, Source::Bank { .. })).copied(),
            features: if shape("roi").is_some() { "roi" } else { "features" },
            actions: shape("logits").and_then(|s| s.last().copied()),
            plan: engine.plan_with(&model.graph, &self.common.options()?)?,
        })
    }

    /// The features of the persons of the whole clip, as far as they are asked for.
    fn remember(
        &self,
        detector: &Detector,
        engine: &Engine,
        video: &mut Video,
        keys: &[KeyFrame],
        size: [usize; 2],
    ) -> Result<FeatureBank> {
        let wanted = detector.bank.map(|b| b.channels);
        if wanted.is_none() && self.save_bank.is_none() {
            return Ok(FeatureBank::default());
        }
        let bank = if let Some(path) = &self.bank {
            FeatureBank::read(path)?
        } else {
            let other =
                self.bank_weights.as_ref().map(|p| self.load(p, None, engine, keys, size)).transpose()?;
            let maker = other.as_ref().unwrap_or(detector);
            let nothing = FeatureBank::empty(maker.bank.map_or(0, |b| b.channels));
            let bar = output::bar("feature bank", keys.len());
            let progress = &mut |n| bar.set_position(n as u64);
            let features = maker.watcher().rows(maker.features, video, keys, &nothing, progress);
            bar.finish_and_clear();
            FeatureBank::new(keys, &features?, video.fps().unwrap_or(RATE))?
        };
        if let Some(wanted) = wanted.filter(|w| *w != bank.channels() && !bank.is_empty()) {
            let place = self.bank.as_ref().or(self.bank_weights.as_ref());
            let place = place.unwrap_or(&self.weights).display();
            return Err(Error::bad_input(format!(
                "{place}: features of {} channels, {} asks a bank of {wanted}",
                bank.channels(),
                self.weights.display()
            )));
        }
        if let Some(path) = &self.save_bank {
            bank.save(path)?;
        }
        if bank.is_empty() { Ok(FeatureBank::empty(wanted.unwrap_or(0))) } else { Ok(bank) }
    }

    /// What can be said before anything is read.
    fn check(&self) -> Result<()> {
        if self.top == 0 || self.size == Some(0) {
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
        self.save_bank.as_deref().map_or(Ok(()), output::check_writable)?;
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
        path: &Path,
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
