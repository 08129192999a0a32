//! `kinetograph run`: a network on a video.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use kinetograph::error::At;
use kinetograph::models::{self, Choices, Model, Network};
use kinetograph::video::{self, Recipe};
use kinetograph::weights::Checkpoint;
use kinetograph::{Error, Plan, Result, Tensor, npy};
use serde_json::json;

use super::{Common, output};

#[derive(Args)]
pub(crate) struct Run {
    /// The network: see `kinetograph models`
    model: String,
    /// A video file, an animated GIF, a folder of pictures, or a .npy tensor, which skips preprocessing
    #[arg(long)]
    input: PathBuf,
    /// Weights: .safetensors, .pth, .pt or .ckpt, or a folder of safetensors
    #[arg(long)]
    weights: PathBuf,
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
enum ClipLayout {
    /// `[N, T, H, W, C]`
    Nthwc,
    /// `[N, C, T, H, W]`, as in PyTorch
    Ncthw,
}

impl Run {
    pub(crate) fn run(&self) -> Result<()> {
        let network = models::find(&self.model)?;
        let labels = self.labels.as_deref().map(read_labels).transpose()?;
        let options = self.common.options()?;
        self.check()?;
        let mut choices = Choices { variant: self.variant.clone(), ..Choices::default() };
        let tensor = is_npy(&self.input).then(|| self.read_tensor()).transpose()?;
        if let Some(t) = &tensor {
            choices.frames = Some(t.shape()[1]);
            choices.size = Some(t.shape()[2]);
        }
        let model = self.load(network, &choices)?;
        eprintln!("weights: {}", model.notes);
        let classes = model.graph.outputs().find(|(name, _)| *name == "logits");
        let classes = classes.and_then(|(_, v)| model.graph.shape(v).last().copied());
        if let (Some(path), Some(labels)) = (&self.labels, &labels)
            && classes.is_some_and(|n| n != labels.len())
        {
            return Err(Error::bad_input(format!(
                "{}: {} labels, one a line, for {} classes",
                path.display(),
                labels.len(),
                classes.unwrap_or_default()
            )));
        }
        let clips = match tensor {
            Some(t) => t,
            None => self.decode(&model)?,
        };
        if let Some(path) = &self.save_input {
            npy::write(path, &clips)?;
        }
        let engine = self.common.engine()?;
        let plan = engine.plan_with(&model.graph, &options)?;
        drop(model);
        let rows = predict(&plan, &clips)?;
        if let Some(path) = &self.output {
            let width = rows[0].1.len();
            let data: Vec<f32> = rows.iter().flat_map(|(_, r)| r.iter().copied()).collect();
            npy::write(path, &Tensor::new(&[rows.len(), width], data)?)?;
            eprintln!("wrote {} [{}, {width}] to {}", rows[0].0, rows.len(), path.display());
        }
        let top = if classes.is_some() { ranked(&rows, labels.as_deref(), self.top)? } else { Vec::new() };
        if self.profile {
            let first = slice_clip(&clips, 0)?;
            let timings = plan.profile(&[("clip", first)])?;
            eprintln!("{}", output::timings(&timings));
        }
        if self.common.json {
            return output::json(&json!({"device": engine.describe(), "top": output::json_top(&top)}));
        }
        if top.is_empty() {
            eprintln!(
                "these weights have no classifier: {} features a clip; --output writes them",
                rows[0].1.len()
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
        [&self.output, &self.save_input]
            .into_iter()
            .flatten()
            .try_for_each(|path| output::check_writable(path))
    }

    /// The network of the weights, for clips as those of a .npy input, if there is one.
    fn load(&self, network: &Network, choices: &Choices) -> Result<Model> {
        let load = |choices: &Choices| (network.load)(Checkpoint::open(&self.weights)?, choices);
        load(choices).map_err(|e| {
            // Where the weights are right for clips of their own size, the input is to blame.
            let own = Choices { frames: None, size: None, ..choices.clone() };
            match (choices.frames, choices.size, load(&own)) {
                (Some(frames), Some(size), Ok(model)) => Error::bad_input(format!(
                    "{}: clips of {frames} frames of {size}×{size} do not fit these weights, which are for {} frames \
                     of {}×{}",
                    self.input.display(),
                    model.frames,
                    model.size,
                    model.size
                )),
                _ => e,
            }
        })
    }

    /// A .npy tensor as `[N, T, H, W, 3]`.
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
            ClipLayout::Nthwc => "[N, T, H, W, 3]",
            ClipLayout::Ncthw => "[N, 3, T, H, W]",
        };
        if tensor.shape().rank() != 5 || tensor.shape()[4] != 3 || tensor.shape()[2] != tensor.shape()[3] {
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
        let name = self.recipe.as_deref().unwrap_or(model.recipe);
        let recipe = Recipe::by_name(name)?.with_frames(model.frames);
        let recipe = if recipe.crop.height == model.size { recipe } else { recipe.with_size(model.size) };
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
}

/// All clips are in memory at once; one of the largest networks is 2.4 MB.
const MOST_CLIPS: usize = 1000;

fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"))
}

/// Clip `i` of `[N, T, H, W, 3]` as `[1, T, H, W, 3]`.
pub(crate) fn slice_clip(clips: &Tensor, i: usize) -> Result<Tensor> {
    let shape = clips.shape();
    let one: usize = shape[1..].iter().product();
    let data = clips.f32s()?[i * one..(i + 1) * one].to_vec();
    Tensor::new(&[&[1], &shape[1..]].concat(), data)
}

/// The output of a network, clip by clip: its name and values.
pub(crate) fn predict(plan: &Plan, clips: &Tensor) -> Result<Vec<(String, Vec<f32>)>> {
    (0..clips.shape()[0])
        .map(|i| {
            let outputs = plan.run(&[("clip", slice_clip(clips, i)?)])?;
            let (name, tensor) =
                outputs.iter().next().ok_or_else(|| Error::internal("a network without output"))?;
            Ok((name.to_owned(), tensor.f32s()?.to_vec()))
        })
        .collect()
}

/// The classes by their probability, averaged over the clips.
fn ranked(
    rows: &[(String, Vec<f32>)],
    labels: Option<&[String]>,
    count: usize,
) -> Result<Vec<(usize, String, f64)>> {
    let classes = rows[0].1.len();
    let mut mean = vec![0f64; classes];
    for (_, logits) in rows {
        for (m, p) in mean.iter_mut().zip(output::softmax(logits)) {
            *m += p / rows.len() as f64;
        }
    }
    if mean.iter().any(|p| p.is_nan()) {
        return Err(Error::bad_input(
            "the network gave NaN: check that the weights are intact and the input finite, and try --precision f32",
        ));
    }
    let name = |i: usize| labels.map_or_else(|| format!("class {i}"), |l| l[i].clone());
    Ok(output::highest(&mean, count).into_iter().map(|(i, p)| (i, name(i), p)).collect())
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
