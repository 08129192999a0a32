//! `kinetograph demo`: the newcomer's first minute.

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use kinetograph::demo::{self, FRAMES, Motion, SIZE, Scene, Trained};
use kinetograph::error::At;
use kinetograph::video::{Frame, write};
use kinetograph::{Error, Result, Tensor, npy};
use serde_json::json;

use super::two_stream::Streams;
use super::{Common, output};

/// Height and width of the GIF.
const PICTURE: usize = 192;

/// All clips of `--render` are in memory at once, 192 KiB each.
const MOST_RENDERED: u64 = 20_000;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Demo {
    #[command(subcommand)]
    other: Option<Other>,
    /// The network to ask: c3d (convolutional), gru-rcn (recurrent) or mvit (a transformer)
    #[arg(long, default_value = demo::NETWORKS[0].name, value_name = "NAME")]
    model: String,
    /// The clip to render [default: a fresh one]
    #[arg(long)]
    seed: Option<u64>,
    /// Where the clip goes, to look at
    #[arg(long, default_value = "kinetograph-demo.gif", value_name = "OUT.gif")]
    output: PathBuf,
    /// Count how many of N clips, never seen in training, the network gets right
    #[arg(long, value_name = "N")]
    evaluate: Option<u64>,
    /// Write clips.npy and labels.npy for training to this folder instead
    #[arg(long, value_name = "DIR", conflicts_with_all = ["evaluate", "output", "model"])]
    render: Option<PathBuf>,
    /// How many clips --render makes, from --seed on
    #[arg(long, default_value_t = 400, requires = "render")]
    count: u64,
    #[command(flatten)]
    common: Common,
}

/// The other demo.
#[derive(Subcommand)]
enum Other {
    // Its text is that of the struct.
    TwoStream(Streams),
}

/// A seed that no one has chosen, of a clip that no network was trained on.
pub(super) fn fresh_seed() -> u64 {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    clock / 1000 % demo::UNSEEN_SEEDS
}

impl Demo {
    pub(crate) fn run(&self) -> Result<()> {
        if let Some(Other::TwoStream(streams)) = &self.other {
            return streams.run();
        }
        if let Some(folder) = &self.render {
            return self.render(folder);
        }
        let network = Trained::by_name(&self.model)?;
        if let Some(count) = self.evaluate {
            return self.evaluate(network, count);
        }
        let seed = self.seed.unwrap_or_else(fresh_seed);
        let scene = Scene::from_seed(seed);
        output::check_writable(&self.output)?;
        let options = self.common.options()?;
        let engine = self.common.engine()?;
        write::gif(&self.output, 10.0, &frames(&scene)?)?;
        eprintln!("clip: seed {seed}, {FRAMES} frames, to look at: {}", self.output.display());
        let plan = engine.plan_with(&network.graph()?, &options)?;
        let start = Instant::now();
        let outputs = plan.run(&[("clip", network.clip(&scene)?)])?;
        let seconds = start.elapsed().as_secs_f64();
        let probabilities = output::softmax(outputs["logits"].f32s()?);
        let top: Vec<(usize, String, f64)> = output::highest(&probabilities, Motion::ALL.len())
            .into_iter()
            .map(|(i, p)| (i, Motion::ALL[i].label().to_owned(), p))
            .collect();
        let truth = scene.motion().label();
        if self.common.json {
            return output::json(&json!({
                "device": engine.describe(), "network": network.name, "seed": seed, "truth": truth, "top": output::json_top(&top),
            }));
        }
        output::print(&output::ranking(&top))?;
        let verdict = if top[0].1 == truth { "right" } else { "wrong" };
        output::print(&format!("truth: {truth}; the network is {verdict} ({seconds:.2} s)"))
    }

    fn evaluate(&self, network: &Trained, count: u64) -> Result<()> {
        if count == 0 || count > demo::UNSEEN_SEEDS {
            return Err(Error::usage(format!("--evaluate {count}: 1 to {} clips", demo::UNSEEN_SEEDS)));
        }
        let engine = self.common.engine()?;
        let options = kinetograph::PlanOptions { on_progress: None, ..self.common.options()? };
        let plan = engine.plan_with(&network.graph()?, &options)?;
        let bar = output::bar("evaluating", count as usize);
        let mut right = 0;
        let mut confusion = [[0usize; 8]; 8];
        let mut last = None;
        for seed in 0..count {
            let scene = Scene::from_seed(seed);
            let outputs = plan.run(&[("clip", network.clip(&scene)?)])?;
            let probabilities = output::softmax(outputs["logits"].f32s()?);
            let top = output::highest(&probabilities, Motion::ALL.len());
            confusion[scene.motion().index()][top[0].0] += 1;
            right += usize::from(top[0].0 == scene.motion().index());
            last = Some((scene.motion(), top));
            bar.inc(1);
        }
        bar.finish_and_clear();
        let accuracy = right as f64 / count as f64;
        if self.common.json {
            let (truth, top) = last.ok_or_else(|| Error::internal("no clip was evaluated"))?;
            let top: Vec<_> =
                top.into_iter().map(|(i, p)| (i, Motion::ALL[i].label().to_owned(), p)).collect();
            return output::json(&json!({
                "device": engine.describe(), "network": network.name, "accuracy": accuracy, "clips": count, "truth": truth.label(),
                "top": output::json_top(&top),
            }));
        }
        for (truth, row) in Motion::ALL.iter().zip(confusion) {
            let all: usize = row.iter().sum();
            let wrong = Motion::ALL.iter().zip(row).filter(|(m, n)| *m != truth && *n > 0);
            let wrong: Vec<String> = wrong.map(|(m, n)| format!("{n} as {m}")).collect();
            output::print(&format!(
                "  {:<18} {:>4} of {all:<4} {}",
                truth.label(),
                row[truth.index()],
                wrong.join(", ")
            ))?;
        }
        output::print(&format!("accuracy: {:.2} % of {count} unseen clips", accuracy * 100.0))
    }

    /// Clips for training, as `tools/train_demo.py` reads them.
    fn render(&self, folder: &Path) -> Result<()> {
        let first = self.seed.unwrap_or(0);
        if self.count == 0 || self.count > MOST_RENDERED || first.checked_add(self.count).is_none() {
            return Err(Error::usage(format!(
                "--count {} from seed {first}: 1 to {MOST_RENDERED} clips are possible, up to seed {}",
                self.count,
                u64::MAX
            )));
        }
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::usage(format!("no such folder can be made: {e}")))
            .at(folder.display())?;
        let bar = output::bar("rendering", self.count as usize);
        let mut clips = Vec::new();
        let mut labels = Vec::new();
        for seed in first..first + self.count {
            let scene = Scene::from_seed(seed);
            clips.extend(scene.render(SIZE, SIZE));
            labels.push(scene.motion().index() as i32);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let count = labels.len();
        npy::write(folder.join("clips.npy"), &Tensor::new(&[count, FRAMES, SIZE, SIZE, 3], clips)?)?;
        npy::write(folder.join("labels.npy"), &Tensor::new(&[count], labels)?)
    }
}

fn frames(scene: &Scene) -> Result<Vec<Frame>> {
    let levels = scene.render(PICTURE, PICTURE);
    levels.chunks(PICTURE * PICTURE * 3).map(|f| Frame::new(PICTURE, PICTURE, f.to_vec())).collect()
}
