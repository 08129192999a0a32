//! `kinetograph run`: a network on a video.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use kinetograph::error::At;
use kinetograph::flow::{DualTvl1, Farneback, FlowRecipe, Method};
use kinetograph::labels::Labels;
use kinetograph::models::{self, Average, Choices, Model, Network, Source};
use kinetograph::ops::Tvl1;
use kinetograph::prepare::{Prepare, Views};
use kinetograph::video::{self, Recipe};
use kinetograph::weights::Checkpoint;
use kinetograph::{Engine, Error, Plan, Result, Tensor, npy};
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
    /// Class names: a file with one a line, in the order of the classes, or imagenet-1k or kinetics-400 [default: the
    /// Class names: a file with one a line, in the order of the classes, or a data set: imagenet-1k, kinetics-400,
    /// kinetics-600, kinetics-700, ucf101, hmdb51, something-something-v2, ava-2.2 [default: the one of these that has as
    /// many classes as the weights]
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
    /// The preprocessing of optical flow, if not that of the weights: i3d-flow, tsn-caffe-flow …
    #[arg(long, value_name = "RECIPE")]
    flow_recipe: Option<String>,
    /// How optical flow is found, for networks that take it
    #[arg(long, value_enum, default_value_t = FlowMethod::Tvl1, value_name = "METHOD")]
    flow_method: FlowMethod,
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
enum FlowMethod {
    /// TV-L1 with OpenCV's defaults
    Tvl1,
    /// TV-L1 with a tenth of the iterations
    Tvl1Fast,
    /// Farnebäck's, with the parameters of dense_flow
    Farneback,
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
        let mut labels = self.labels.as_deref().map(read_labels).transpose()?;
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
        labels = labels.or_else(|| models.iter().find_map(|m| m.labels.clone()));
        if let (None, Some(found)) = (&labels, classes.and_then(Labels::by_count)) {
            eprintln!("labels: those of {}, which has as many classes; --labels gives others", found.name);
            labels = Some(found.list().into_iter().map(str::to_owned).collect());
        }
        let engine = self.common.engine()?;
        let mut answers = Vec::new();
        for model in models {
            let views = match (&tensor, &model.inputs[..]) {
                _ if model.inputs.iter().any(|i| matches!(i.source, Source::Boxes(_))) => {
                    let text = format!("{} takes boxes, too: use `kinetograph detect`", model.network);
                    return Err(Error::usage(text));
                }
                (None, _) => self.decode(&model, &engine)?,
                (Some(t), [input]) => Views { inputs: vec![(input.name, t.clone())] },
                _ => return Err(Error::usage("a network of several inputs takes a video, no .npy file")),
            };
            if let (Some(path), [(_, tensor)]) = (&self.save_input, &views.inputs[..]) {
                npy::write(path, tensor)?;
            }
            let average = model.average;
            let plan = engine.plan_with(&model.graph, &options)?;
            drop(model);
            if self.profile {
                let timings = plan.profile(&views.view(0)?)?;
                eprintln!("{}", output::timings(&timings));
            }
            let (name, rows) = predict(&plan, &views)?;
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
        if let Some(name) = &self.flow_recipe {
            FlowRecipe::by_name(name)?;
        }
        let prepared = [self.clips.is_some(), self.recipe.is_some(), self.flow_recipe.is_some()];
        if is_npy(&self.input) && prepared.contains(&true) {
            return Err(Error::usage(
                "--clips, --recipe and --flow-recipe are for videos; a .npy input holds its clips already prepared",
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
        let load = |choices: &Choices| match network {
            Some(network) => network.load(Checkpoint::open(path)?, choices),
            None => models::load(path, choices),
        };
        load(choices).map_err(|e| {
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
        })
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

    /// Views of the video, prepared for a network.
    fn decode(&self, model: &Model, engine: &Engine) -> Result<Views> {
        let mut video = video::open(&self.input)?;
        eprintln!(
            "input: {}×{} {}{}",
            video.width(),
            video.height(),
            video.format(),
            video.fps().map_or(String::new(), |f| format!(", {f:.2} frames a second"))
        );
        let method = match self.flow_method {
            FlowMethod::Tvl1 => Method::default(),
            FlowMethod::Farneback => Farneback::dense_flow().into(),
            FlowMethod::Tvl1Fast => {
                let solver = Tvl1 { outer_iterations: 2, inner_iterations: 15, ..Tvl1::default() };
                DualTvl1 { solver, ..DualTvl1::default() }.into()
            }
        };
        let prepare = Prepare {
            views: self.clips,
            recipe: self.recipe.as_deref().map(Recipe::by_name).transpose()?,
            flow_recipe: self.flow_recipe.as_deref().map(FlowRecipe::by_name).transpose()?,
            method,
            ..Prepare::default()
        };
        let bar = output::bar("optical flow", 0);
        let views = prepare.inputs(model, &mut video, engine, &mut |done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        views
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

/// The logits of a network, or its features where it has no classifier, view by view.
fn predict(plan: &Plan, views: &Views) -> Result<(&'static str, Vec<Vec<f32>>)> {
    let mut name = "features";
    let rows = (0..views.len()).map(|i| {
        let outputs = plan.run(&views.view(i)?)?;
        if outputs.get("logits").is_some() {
            name = "logits";
        }
        let tensor = outputs.get(name).ok_or_else(|| Error::internal("a network without features"))?;
        Ok(tensor.f32s()?.to_vec())
    });
    let rows = rows.collect::<Result<_>>()?;
    Ok((name, rows))
}

pub(super) fn read_labels(path: &Path) -> Result<Vec<String>> {
    if let Some(known) = path.to_str().and_then(Labels::by_name) {
        return Ok(known.list().into_iter().map(str::to_owned).collect());
    }
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
