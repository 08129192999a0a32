//! `kinetograph run`: a network on a video.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use kinetograph::error::At;
use kinetograph::models::{self, Average, Choices, Input, Model, Network, Source};
use kinetograph::video::{self, Recipe};
use kinetograph::weights::Checkpoint;
use kinetograph::{Error, Plan, Result, Tensor, npy};
use serde_json::json;

use super::{Common, output};

#[derive(Args)]
pub(crate) struct Run {
    /// The network: see `kinetograph models` [default: what the weights' names tell]
    model: Option<String>,
    /// A video file, an animated GIF, a folder of pictures, or a .npy tensor, which skips preprocessing
    #[arg(long)]
    input: PathBuf,
    /// Weights: .safetensors, .pth, .pt or .ckpt, or a folder of safetensors; given again for a second stream
    #[arg(long, required = true)]
    weights: Vec<PathBuf>,
    /// What several streams are averaged in [default: what the last one's publisher averages]
    #[arg(long, value_enum, value_name = "WHAT")]
    fuse: Option<Fuse>,
    /// How much each stream counts, such as 1,1.5 [default: all alike]
    #[arg(long, value_delimiter = ',', value_name = "N,N")]
    shares: Vec<f64>,
    /// Class names, one a line, in the order of the classes
    #[arg(long)]
    labels: Option<PathBuf>,
    /// How many classes to show
    #[arg(long, default_value_t = 5)]
    top: usize,
    /// How many clips, spread over the video, to average [default: 1]
    #[arg(long, value_name = "N")]
    clips: Option<usize>,
    /// The preprocessing, if not that of the weights: c3d-davidea, c3d-mmaction, c3d-jfzhang, c3d-caffe …
    #[arg(long)]
    recipe: Option<String>,
    /// The variant of the network, if not that of the weights: see `kinetograph models`
    #[arg(long)]
    variant: Option<String>,
    /// The axes of a .npy input
    #[arg(long, value_enum, default_value_t = ClipLayout::Nthwc)]
    layout: ClipLayout,
    /// Write the logits (or features), one row a clip, to this .npy file
    #[arg(long, value_name = "OUT.npy")]
    output: Option<PathBuf>,
    /// Write the preprocessed clips, `[clips, T, H, W, 3]`, to this .npy file: what another program must be given
    /// to compare
    #[arg(long, value_name = "CLIPS.npy")]
    save_input: Option<PathBuf>,
    /// Show how long each node takes
    #[arg(long)]
    profile: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, ValueEnum)]
enum Fuse {
    /// The probabilities of the streams
    Probabilities,
    /// The logits, before the softmax
    Logits,
}

#[derive(Clone, Copy, ValueEnum)]
enum ClipLayout {
    /// `[N, T, H, W, C]`
    Nthwc,
    /// `[N, C, T, H, W]`, as in PyTorch
    Ncthw,
}

/// What a network says of a video: a row of logits, or of features, for each view.
struct Answer {
    /// `logits` or `features`.
    name: &'static str,
    rows: Vec<Vec<f32>>,
    average: Average,
}

impl Run {
    pub(crate) fn run(&self) -> Result<()> {
        let network = self.model.as_deref().map(models::find).transpose()?;
        let labels = self.labels.as_deref().map(read_labels).transpose()?;
        let options = self.common.options()?;
        self.check()?;
        let mut choices = Choices { variant: self.variant.clone(), ..Choices::default() };
        let tensor = is_npy(&self.input).then(|| self.read_tensor()).transpose()?;
        if let Some(t) = &tensor {
            choices.frames = Some(t.shape()[1]);
            choices.size = Some(t.shape()[2]);
        }
        let mut models = Vec::new();
        for path in &self.weights {
            let model = self.load(network, path, &choices)?;
            eprintln!("{}: {}", path.display(), model.notes);
            models.push(model);
        }
        let classes = self.classes(&models, labels.as_deref())?;
        let engine = self.common.engine()?;
        let mut answers = Vec::new();
        for model in models {
            let views = match &tensor {
                Some(t) => t.clone(),
                None => self.decode(&model)?,
            };
            if let Some(path) = &self.save_input {
                npy::write(path, &views)?;
            }
            let [input] = &model.inputs[..] else {
                return Err(Error::usage(format!(
                    "{} takes boxes, too, which the library alone can give it",
                    model.network
                )));
            };
            let (input, average) = (input.name, model.average);
            let plan = engine.plan_with(&model.graph, &options)?;
            drop(model);
            if self.profile {
                let timings = plan.profile(&[(input, view(&views, 0)?)])?;
                eprintln!("{}", output::timings(&timings));
            }
            let (name, rows) = predict(&plan, input, &views)?;
            answers.push(Answer { name, rows, average });
        }
        if let (Some(path), [answer]) = (&self.output, &answers[..]) {
            let (count, width) = (answer.rows.len(), answer.rows[0].len());
            npy::write(path, &Tensor::new(&[count, width], answer.rows.concat())?)?;
            eprintln!("wrote {} [{count}, {width}] to {}", answer.name, path.display());
        }
        let top = if classes.is_some() { self.ranked(&answers, labels.as_deref())? } else { Vec::new() };
        if self.common.json {
            return output::json(&json!({"device": engine.describe(), "top": output::json_top(&top)}));
        }
        if top.is_empty() {
            eprintln!(
                "these weights have no classifier: {} features a clip; --output writes them",
                answers[0].rows[0].len()
            );
            return Ok(());
        }
        output::print(&output::ranking(&top))
    }

    /// What can be said before anything is read.
    fn check(&self) -> Result<()> {
        if self.top == 0 {
            return Err(Error::usage("--top 0: at least one class must be shown"));
        }
        if let Some(clips) = self.clips.filter(|n| !(1..=MOST_CLIPS).contains(n)) {
            return Err(Error::usage(format!("--clips {clips}: 1 to {MOST_CLIPS} clips are possible")));
        }
        if let Some(name) = &self.recipe {
            Recipe::by_name(name)?;
        }
        if is_npy(&self.input) && (self.clips.is_some() || self.recipe.is_some()) {
            return Err(Error::usage(
                "--clips and --recipe are for videos; a .npy input holds its clips already prepared",
            ));
        }
        let streams = self.weights.len();
        if streams > 1 && (is_npy(&self.input) || self.output.is_some() || self.save_input.is_some()) {
            return Err(Error::usage(
                "a .npy input, --output and --save-input are for one stream: give one --weights",
            ));
        }
        if streams == 1 && (self.fuse.is_some() || !self.shares.is_empty()) {
            return Err(Error::usage("--fuse and --shares are for several streams: give --weights for each"));
        }
        let positive = self.shares.iter().all(|s| s.is_finite() && *s > 0.0);
        if !(self.shares.is_empty() || self.shares.len() == streams && positive) {
            return Err(Error::usage(format!(
                "--shares {:?}: one positive number is needed for each of the {streams} --weights",
                self.shares
            )));
        }
        [&self.output, &self.save_input]
            .into_iter()
            .flatten()
            .try_for_each(|path| output::check_writable(path))
    }

    /// How many classes the streams tell apart; `None` where the only one has no classifier.
    fn classes(&self, models: &[Model], labels: Option<&[String]>) -> Result<Option<usize>> {
        let count = |model: &Model| {
            let logits = model.graph.outputs().find(|(name, _)| *name == "logits");
            logits.and_then(|(_, v)| model.graph.shape(v).last().copied())
        };
        let counts: Vec<Option<usize>> = models.iter().map(count).collect();
        if counts.iter().any(|n| *n != counts[0] || n.is_none() && counts.len() > 1) {
            let each = self.weights.iter().zip(&counts).map(|(path, n)| {
                format!(
                    "{}: {}",
                    path.display(),
                    n.map_or("no classifier".into(), |n| format!("{n} classes"))
                )
            });
            let each: Vec<String> = each.collect();
            return Err(Error::bad_input(format!(
                "the streams must tell the same classes apart: {}",
                each.join(", ")
            )));
        }
        if let (Some(path), Some(labels), Some(n)) = (&self.labels, labels, counts[0])
            && n != labels.len()
        {
            return Err(Error::bad_input(format!(
                "{}: {} labels, one a line, for {n} classes",
                path.display(),
                labels.len(),
            )));
        }
        Ok(counts[0])
    }

    /// The network of the weights, for clips as those of a .npy input, if there is one.
    fn load(&self, network: Option<&'static Network>, path: &Path, choices: &Choices) -> Result<Model> {
        let load = |choices: &Choices| {
            let checkpoint = Checkpoint::open(path)?;
            match network {
                Some(network) => network.load(checkpoint, choices),
                None => {
                    let found = models::recognise(&checkpoint)?;
                    match &choices.variant {
                        Some(_) => found.network.load(checkpoint, choices),
                        None => found.load(checkpoint, choices),
                    }
                }
            }
        };
        let model = load(choices).map_err(|e| {
            // Where the weights are right for clips of their own size, the input is to blame.
            let own = Choices { frames: None, size: None, ..choices.clone() };
            match (choices.frames, choices.size, load(&own)) {
                (Some(frames), Some(size), Ok(Model { inputs, .. })) => Error::bad_input(format!(
                    "{}: clips of {frames} frames of {size}×{size} do not fit these weights, which are for {} frames \
                     of {}×{}",
                    self.input.display(),
                    inputs[0].frames,
                    inputs[0].size,
                    inputs[0].size
                )),
                _ => e,
            }
        })?;
        Ok(model)
    }

    /// A .npy tensor as `[N, T, H, W, C]`.
    fn read_tensor(&self) -> Result<Tensor> {
        let tensor = npy::read(&self.input)?.to_f32();
        let tensor = match tensor.shape().rank() {
            4 => tensor.reshape(&[&[1], &tensor.shape()[..]].concat())?,
            _ => tensor,
        };
        let tensor = match self.layout {
            _ if tensor.shape().rank() != 5 => tensor,
            ClipLayout::Nthwc => tensor,
            ClipLayout::Ncthw => tensor.permute(&[0, 2, 3, 4, 1])?,
        };
        let wanted = match self.layout {
            ClipLayout::Nthwc => "[N, T, H, W, C]",
            ClipLayout::Ncthw => "[N, C, T, H, W]",
        };
        if tensor.shape().rank() != 5 || tensor.shape()[2] != tensor.shape()[3] {
            return Err(Error::bad_input(format!(
                "{}: a clip must be {wanted} with square frames (see --layout); its shape is {}",
                self.input.display(),
                npy::read(&self.input)?.shape()
            )));
        }
        Ok(tensor)
    }

    /// The clips of a video, by the recipe of the weights.
    fn decode(&self, model: &Model) -> Result<Tensor> {
        let Input { source, frames, size, .. } = model.inputs[0];
        let recipe = match source {
            Source::Frames(own) => Recipe::by_name(self.recipe.as_deref().unwrap_or(own))?,
            Source::Flow(_) | Source::Boxes(_) => {
                return Err(Error::usage(
                    "these weights take optical flow: give its stacks as a .npy file, [N, T, H, W, 2L]",
                ));
            }
        };
        let recipe = recipe.with_frames(frames);
        let recipe = if recipe.crop.height == size { recipe } else { recipe.with_size(size) };
        let mut video = video::open(&self.input)?;
        eprintln!(
            "input: {}×{} {}{}",
            video.width(),
            video.height(),
            video.format(),
            video.fps().map_or(String::new(), |f| format!(", {f:.2} frames a second"))
        );
        recipe.apply(&mut video, self.clips.unwrap_or(1))
    }

    /// The classes by their probability, averaged over the views and the streams.
    fn ranked(&self, answers: &[Answer], labels: Option<&[String]>) -> Result<Vec<(usize, String, f64)>> {
        let logits = match (self.fuse, answers) {
            (Some(Fuse::Logits), _) => true,
            (None, [.., last]) if answers.len() > 1 => last.average == Average::Logits,
            _ => false,
        };
        let share = |i: usize| self.shares.get(i).copied().unwrap_or(1.0);
        let all: f64 = (0..answers.len()).map(share).sum();
        let mut mean = vec![0f64; answers[0].rows[0].len()];
        for (i, answer) in answers.iter().enumerate() {
            let part = if logits { share(i) } else { share(i) / all };
            mean.iter_mut().zip(answer.mean(logits)).for_each(|(m, x)| *m += part * x);
        }
        if logits {
            mean = output::softmax(&mean);
        }
        if mean.iter().any(|p| p.is_nan()) {
            return Err(Error::bad_input(
                "the network gave NaN: check that the weights are intact and the input finite, and try --precision f32",
            ));
        }
        let name = |i: usize| labels.map_or_else(|| format!("class {i}"), |l| l[i].clone());
        Ok(output::highest(&mean, self.top).into_iter().map(|(i, p)| (i, name(i), p)).collect())
    }
}

impl Answer {
    /// Probabilities averaged over the views, as this network's publisher does; or logits.
    fn mean(&self, logits: bool) -> Vec<f64> {
        let mut mean = vec![0f64; self.rows[0].len()];
        for row in &self.rows {
            let row: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
            let each = if logits || self.average == Average::Logits { row } else { output::softmax(&row) };
            mean.iter_mut().zip(each).for_each(|(m, x)| *m += x / self.rows.len() as f64);
        }
        if !logits && self.average == Average::Logits { output::softmax(&mean) } else { mean }
    }
}

/// All clips are in memory at once; one of the largest networks is 2.4 MB.
const MOST_CLIPS: usize = 1000;

fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"))
}

/// View `i` of `[N, …]` as `[1, …]`.
pub(crate) fn view(views: &Tensor, i: usize) -> Result<Tensor> {
    let shape = views.shape();
    let one: usize = shape[1..].iter().product();
    let data = views.f32s()?[i * one..(i + 1) * one].to_vec();
    Tensor::new(&[&[1], &shape[1..]].concat(), data)
}

/// The logits of a network, or its features where it has no classifier, view by view.
pub(crate) fn predict(plan: &Plan, input: &str, views: &Tensor) -> Result<(&'static str, Vec<Vec<f32>>)> {
    let mut name = "features";
    let rows = (0..views.shape()[0]).map(|i| {
        let outputs = plan.run(&[(input, view(views, i)?)])?;
        if outputs.get("logits").is_some() {
            name = "logits";
        }
        let tensor = outputs.get(name).ok_or_else(|| Error::internal("a network without features"))?;
        Ok(tensor.f32s()?.to_vec())
    });
    let rows = rows.collect::<Result<_>>()?;
    Ok((name, rows))
}

fn read_labels(path: &Path) -> Result<Vec<String>> {
    let bytes = std::fs::read(path).at(path.display())?;
    let text =
        std::str::from_utf8(&bytes).map_err(|_| Error::bad_input("is no text (UTF-8)")).at(path.display())?;
    Ok(text
        .trim_start_matches('\u{feff}')
        .lines()
        .map(|l| l.trim().to_owned())
        .filter(|l| !l.is_empty())
        .collect())
}
