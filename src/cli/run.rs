//! `kinetograph run`: a network on a video.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use kinetograph::error::At;
use kinetograph::flow::{DualTvl1, Farneback, FlowRecipe, Method};
use kinetograph::labels::Labels;
use kinetograph::models::{self, Average, Choices, Model, Source};
use kinetograph::ops::Tvl1;
use kinetograph::prepare::{Answer, Consensus, Prepare, Viewing, Views};
use kinetograph::video::{self, Recipe, Video};
use kinetograph::{Engine, Error, Plan, Result, Tensor, npy};
use serde_json::json;

use super::views::{self, Choice, ViewFlags};
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
    /// Class names: a file with one a line, in the order of the classes, or a data set: imagenet-1k, kinetics-400,
    /// kinetics-600, kinetics-700, ucf101, hmdb51, something-something-v2, ava-2.2 [default: the one of these that has as
    /// many classes as the weights]
    #[arg(long)]
    labels: Option<PathBuf>,
    /// How many classes to show
    #[arg(long, default_value_t = 5)]
    top: usize,
    #[command(flatten)]
    views: ViewFlags,
    /// Put a classifier with random weights, for as many classes as --labels has, in place of that of the weights: its
    /// answers mean nothing before it is trained, but the features are those of the weights
    #[arg(long, requires = "labels")]
    new_head: bool,
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
    /// How the views' logits become the video's, instead of as the weights' publisher averages: mean, max, top:K or
    /// weighted:A,B,… (the consensus functions of temporal segment networks)
    #[arg(long, value_name = "FUNCTION")]
    consensus: Option<Consensus>,
    /// Write the logits (or features), one row a view, to this .npy file
    #[arg(long, value_name = "OUT.npy")]
    output: Option<PathBuf>,
    /// Write the preprocessed views, `[views, T, H, W, 3]`, to this .npy file: what another program must be given
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

impl Run {
    pub(crate) fn run(&self) -> Result<()> {
        let network = self.model.as_deref().map(models::find).transpose()?;
        let mut labels = self.labels.as_deref().map(read_labels).transpose()?;
        let options = self.common.options()?;
        self.check()?;
        let mut choices = Choices { variant: self.variant.clone(), ..Choices::default() };
        self.views.choices(&mut choices);
        let tensor = is_npy(&self.input).then(|| self.read_tensor()).transpose()?;
        if let Some(t) = &tensor {
            choices.frames = Some(t.shape()[1]);
            choices.size = Some(t.shape()[2]);
        }
        if self.new_head {
            choices.new_head = labels.as_ref().map(Vec::len);
            eprintln!(
                "the classifier is new and its weights random: answers mean nothing before it is trained"
            );
        }
        let place =
            tensor.as_ref().map_or("--frames and --size".into(), |_| self.input.display().to_string());
        let mut models = Vec::new();
        for path in &self.weights {
            let model = views::load(network, path, &choices, &place)?;
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
            if model.inputs.iter().any(|i| matches!(i.source, Source::Boxes(_))) {
                let text = format!("{} takes boxes, too: use `kinetograph detect`", model.network);
                return Err(Error::usage(text));
            }
            if self.save_input.is_some() && model.inputs.len() > 1 {
                return Err(Error::usage(format!("--save-input: {} has several inputs", model.network)));
            }
            let mut shown = Shown { answer: Answer::new(model.average), input: Vec::new(), profiled: false };
            match (&tensor, &model.inputs[..]) {
                (Some(t), [input]) => {
                    let (name, average) = (input.name, model.average);
                    let plan = engine.plan_with(&model.graph, &options)?;
                    drop(model);
                    shown.answer = Answer::new(average);
                    self.show(&plan, &Views { inputs: vec![(name, t.clone())] }, &mut shown, &mut || {})?;
                }
                (Some(_), _) => {
                    return Err(Error::usage("a network of several inputs takes a video, no .npy file"));
                }
                (None, _) => {
                    let mut video = video::open(&self.input)?;
                    let viewing = self.viewing(&model, &mut video)?;
                    let plan = engine.plan_with(&model.graph, &options)?;
                    drop(model);
                    self.watch(&plan, &viewing, &mut video, &engine, &mut shown)?;
                }
            }
            if let Some(path) = &self.save_input {
                npy::write(path, &joined(&shown.input)?)?;
            }
            answers.push(shown.answer);
        }
        if let (Some(path), [answer]) = (&self.output, &answers[..]) {
            let (name, rows) = answer.rows();
            let (count, width) = (rows.len(), rows[0].len());
            npy::write(path, &Tensor::new(&[count, width], rows.concat())?)?;
            eprintln!("wrote {name} [{count}, {width}] to {}", path.display());
        }
        let top = if classes.is_some() { self.ranked(&answers, labels.as_deref())? } else { Vec::new() };
        if self.common.json {
            return output::json(&json!({"device": engine.describe(), "top": output::json_top(&top)}));
        }
        if top.is_empty() {
            eprintln!(
                "these weights have no classifier: {} features a view; --output writes them",
                answers[0].rows().1[0].len()
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
        self.views.check()?;
        if let Some(name) = &self.recipe {
            Recipe::by_name(name)?;
        }
        if let Some(name) = &self.flow_recipe {
            FlowRecipe::by_name(name)?;
        }
        let prepared = self.views.any() || self.recipe.is_some() || self.flow_recipe.is_some();
        if is_npy(&self.input) && prepared {
            return Err(Error::usage(
                "--views, --clips, --frames, --size, --recipe and --flow-recipe are for videos; a .npy input holds its clips \
                 already prepared",
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
                "{}: {} labels, one a line, for {n} classes; --new-head puts an untrained classifier of {} classes in place \
                 of that of the weights",
                path.display(),
                labels.len(),
                labels.len(),
            )));
        }
        Ok(counts[0])
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

    /// How a network sees the video.
    fn viewing(&self, model: &Model, video: &mut Video) -> Result<Viewing> {
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
        let mut prepare = Prepare {
            recipe: self.recipe.as_deref().map(Recipe::by_name).transpose()?,
            flow_recipe: self.flow_recipe.as_deref().map(FlowRecipe::by_name).transpose()?,
            method,
            ..Prepare::default()
        };
        self.views.apply(model, Choice::Published, &mut prepare)?;
        let viewing = Viewing::new(model, &prepare)?;
        if let Some(span) = viewing.too_short(video)? {
            eprintln!(
                "the video has {} frames and a clip spans {span}: the last frame is repeated",
                video.count()?
            );
        }
        Ok(viewing)
    }

    /// Shows a network all views of the video.
    fn watch(
        &self,
        plan: &Plan,
        viewing: &Viewing,
        video: &mut Video,
        engine: &Engine,
        shown: &mut Shown,
    ) -> Result<()> {
        let flows = output::bar("optical flow", 0);
        let bar = output::bar("views", viewing.len());
        let mut progress = |done, all| {
            flows.set_length(all as u64);
            flows.set_position(done as u64);
            if done == all {
                flows.finish_and_clear();
            }
        };
        viewing.each(video, engine, &mut progress, &mut |views| {
            self.show(plan, &views, shown, &mut || bar.inc(1))
        })?;
        bar.finish_and_clear();
        Ok(())
    }

    /// Shows a network some views.
    fn show(&self, plan: &Plan, views: &Views, shown: &mut Shown, done: &mut dyn FnMut()) -> Result<()> {
        if let (Some(_), [(_, tensor)]) = (&self.save_input, &views.inputs[..]) {
            shown.input.push(tensor.clone());
        }
        for i in 0..views.len() {
            let view = views.view(i)?;
            if self.profile && !std::mem::replace(&mut shown.profiled, true) {
                eprintln!("{}", output::timings(&plan.profile(&view)?));
            }
            shown.answer.add(plan, &view)?;
            done();
        }
        Ok(())
    }

    /// The classes by their probability, averaged over the views and the streams.
    fn ranked(&self, answers: &[Answer], labels: Option<&[String]>) -> Result<Vec<(usize, String, f64)>> {
        let logits = match (self.fuse, answers) {
            (Some(Fuse::Logits), _) => true,
            (None, [.., last]) if answers.len() > 1 => last.average() == Average::Logits,
            _ => false,
        };
        let share = |i: usize| self.shares.get(i).copied().unwrap_or(1.0);
        let all: f64 = (0..answers.len()).map(share).sum();
        let mut mean = vec![0f64; answers[0].rows().1[0].len()];
        for (i, answer) in answers.iter().enumerate() {
            let part = if logits { share(i) } else { share(i) / all };
            let each = match &self.consensus {
                None if logits => answer.mean_logits(),
                None => answer.probabilities(),
                Some(consensus) if logits => answer.consensus(consensus)?,
                Some(consensus) => output::softmax(&answer.consensus(consensus)?),
            };
            mean.iter_mut().zip(each).for_each(|(m, x)| *m += part * x);
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

/// What a network has seen and said.
struct Shown {
    answer: Answer,
    /// What it was shown, where that is to be saved.
    input: Vec<Tensor>,
    profiled: bool,
}

/// Tensors one after the other along the first axis.
fn joined(parts: &[Tensor]) -> Result<Tensor> {
    let [first, ..] = parts else { return Err(Error::internal("no views were seen")) };
    let count = parts.iter().map(|t| t.shape()[0]).sum();
    let mut values = Vec::new();
    for part in parts {
        values.extend_from_slice(part.f32s()?);
    }
    Tensor::new(&[&[count], &first.shape()[1..]].concat(), values)
}

fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"))
}

pub(super) fn read_labels(path: &Path) -> Result<Vec<String>> {
    if let Some(known) = path.to_str().and_then(Labels::by_name) {
        return Ok(known.list().into_iter().map(str::to_owned).collect());
    }
    let bytes = std::fs::read(path).map_err(|e| {
        let text = format!("{e}; it is no data set known here either, which are {}", Labels::names());
        Error::bad_input(text).at(path.display())
    })?;
    let text =
        std::str::from_utf8(&bytes).map_err(|_| Error::bad_input("is no text (UTF-8)")).at(path.display())?;
    Ok(text
        .trim_start_matches('\u{feff}')
        .lines()
        .map(|l| l.trim().to_owned())
        .filter(|l| !l.is_empty())
        .collect())
}
