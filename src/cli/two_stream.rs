//! `kinetograph demo two-stream`: what one frame tells of a motion, and what flow tells.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use kinetograph::demo::two_stream::{self, Answer, FLOWS, TwoStream};
use kinetograph::demo::{self, Motion, SIZE, Scene};
use kinetograph::error::At;
use kinetograph::flow::{self, Coloring, UNKNOWN};
use kinetograph::video::resize::{Filter, resize};
use kinetograph::video::{Frame, write};
use kinetograph::{Error, PlanOptions, Result, Tensor, npy};
use serde_json::json;

use super::{Common, demo::fresh_seed, output};

/// Height and width of each half of the GIF.
const PICTURE: usize = 192;

/// Radius of the wheel of colours in its corner.
const WHEEL: usize = 18;

/// All clips of `--render` are in memory at once, 92 KiB each.
const MOST_RENDERED: u64 = 20_000;

/// Render a clip whose frames tell nothing of its motion, estimate its flow, and ask two small trained networks: one that
/// sees a frame, one that sees the flow.
#[derive(Args)]
pub(crate) struct Streams {
    /// The clip to render [default: a fresh one]
    #[arg(long)]
    seed: Option<u64>,
    /// How its shape moves [default: as the seed says]: left, right, up, down, clockwise, counter-clockwise, approaching
    /// or receding
    #[arg(long, value_parser = motion)]
    motion: Option<Motion>,
    /// Where the clip goes beside its flow, to look at
    #[arg(long, default_value = "kinetograph-two-stream.gif", value_name = "OUT.gif")]
    gif: PathBuf,
    /// Count how many of N clips, never seen in training, each stream and both get right
    #[arg(long, value_name = "N", conflicts_with = "motion")]
    evaluate: Option<u64>,
    /// Write frames.npy, flows.npy and labels.npy for training to this folder instead
    #[arg(long, value_name = "DIR", conflicts_with_all = ["evaluate", "gif", "motion"])]
    render: Option<PathBuf>,
    /// How many clips --render makes, from --seed on
    #[arg(long, default_value_t = 400, requires = "render")]
    count: u64,
    #[command(flatten)]
    common: Common,
}

fn motion(text: &str) -> Result<Motion, String> {
    let all = Motion::ALL.map(Motion::label);
    let found = Motion::ALL.into_iter().find(|m| m.label() == text);
    found.ok_or_else(|| format!("there are {}", all.join(", ")))
}

impl Streams {
    pub(crate) fn run(&self) -> Result<()> {
        if let Some(folder) = &self.render {
            return self.render(folder);
        }
        if let Some(count) = self.evaluate {
            return self.evaluate(count);
        }
        let seed = self.seed.unwrap_or_else(fresh_seed);
        let scene = two_stream::scene(seed);
        let scene = self.motion.map_or(scene.clone(), |m| scene.with_motion(m));
        output::check_writable(&self.gif)?;
        let options = self.common.options()?;
        let engine = self.common.engine()?;
        let streams = TwoStream::new(&engine, &options)?;
        let start = Instant::now();
        let answer = streams.answer(&scene)?;
        let seconds = start.elapsed().as_secs_f64();
        write::gif(&self.gif, 8.0, &pictures(&scene, &answer)?)?;
        eprintln!(
            "clip: seed {seed}, {} frames, to look at beside its flow: {}",
            FLOWS + 1,
            self.gif.display()
        );
        let off = endpoint_error(&scene, &answer.flows)?;
        let truth = scene.motion().label();
        let streams = [("rgb", answer.rgb.clone()), ("flow", answer.flow.clone()), ("both", answer.both())];
        if self.common.json {
            let mut document = json!({
                "device": engine.describe(), "seed": seed, "truth": truth, "endpoint_error": off,
            });
            if let Some(map) = document.as_object_mut() {
                map.extend(
                    streams.map(|(name, p)| (name.to_owned(), json!({"top": output::json_top(&top(&p, 8))}))),
                );
            }
            return output::json(&document);
        }
        for ((_, p), title) in streams.iter().zip([
            "RGB stream, sees the frame in the middle:".to_owned(),
            format!("flow stream, sees {FLOWS} flows ({off:.2} pixels from the true ones on average):"),
            "both, their probabilities averaged:".to_owned(),
        ]) {
            output::print(&title)?;
            output::print(&output::ranking(&top(p, 3)))?;
        }
        let verdict = |p: &[f64]| if top(p, 1)[0].1 == truth { "right" } else { "wrong" };
        let [rgb, flow, both] = streams.each_ref().map(|(_, p)| verdict(p));
        output::print(&format!(
            "truth: {truth}; the RGB stream is {rgb}, the flow stream {flow}, both together {both} ({seconds:.2} s)"
        ))
    }

    fn evaluate(&self, count: u64) -> Result<()> {
        if count == 0 || count > demo::UNSEEN_SEEDS {
            return Err(Error::usage(format!("--evaluate {count}: 1 to {} clips", demo::UNSEEN_SEEDS)));
        }
        let engine = self.common.engine()?;
        let options = PlanOptions { on_progress: None, ..self.common.options()? };
        let streams = TwoStream::new(&engine, &options)?;
        let bar = output::bar("evaluating", count as usize);
        let mut right = [0usize; 3];
        let mut off = 0.0;
        for seed in 0..count {
            let scene = two_stream::scene(seed);
            let answer = streams.answer(&scene)?;
            off += endpoint_error(&scene, &answer.flows)? / count as f64;
            for (n, p) in right.iter_mut().zip([&answer.rgb, &answer.flow, &answer.both()]) {
                *n += usize::from(output::highest(p, 1)[0].0 == scene.motion().index());
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        let [rgb, flow, both] = right.map(|n| n as f64 / count as f64);
        if self.common.json {
            return output::json(&json!({
                "device": engine.describe(), "clips": count, "endpoint_error": off,
                "accuracy": {"rgb": rgb, "flow": flow, "both": both},
            }));
        }
        for (name, share) in [("RGB stream", rgb), ("flow stream", flow), ("both", both)] {
            output::print(&format!("{name:<12} {:>6.2} % of {count} unseen clips", share * 100.0))?;
        }
        output::print(&format!(
            "chance: {:.2} %; the flow is {off:.2} pixels from the true one on average",
            100.0 / Motion::ALL.len() as f64
        ))
    }

    /// Clips for training, as `tools/train_two_stream.py` reads them.
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
        let engine = self.common.engine()?;
        let options = PlanOptions { on_progress: None, ..self.common.options()? };
        let plan = two_stream::estimator(&engine, &options)?;
        let mut recipe = two_stream::flow_recipe()?;
        // Levels as they are: bytes.
        (recipe.mean, recipe.std) = (0.0, 1.0);
        let bar = output::bar("rendering", self.count as usize);
        let (mut frames, mut flows, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for seed in first..first + self.count {
            let scene = two_stream::scene(seed);
            frames.extend(two_stream::middle(&scene)?.into_rgb());
            let stack = recipe.clip(&two_stream::estimate(&plan, &scene)?)?;
            flows.extend(stack.f32s()?.iter().map(|x| *x as u8));
            labels.push(scene.motion().index() as i32);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let count = labels.len();
        npy::write(folder.join("frames.npy"), &Tensor::new(&[count, SIZE, SIZE, 3], frames)?)?;
        npy::write(folder.join("flows.npy"), &Tensor::new(&[count, SIZE, SIZE, 2 * FLOWS], flows)?)?;
        npy::write(folder.join("labels.npy"), &Tensor::new(&[count], labels)?)
    }
}

/// The motions by their probability.
fn top(probabilities: &[f64], count: usize) -> Vec<(usize, String, f64)> {
    let highest = output::highest(probabilities, count).into_iter();
    highest.map(|(i, p)| (i, Motion::ALL[i].label().to_owned(), p)).collect()
}

/// How far flows are from the true ones, in pixels on average.
fn endpoint_error(scene: &Scene, flows: &[Tensor]) -> Result<f64> {
    let mut sum = 0.0;
    for (i, flow) in flows.iter().enumerate() {
        sum += flow::measure(flow, &scene.flow(two_stream::time(i), SIZE, SIZE)?)?.aee;
    }
    Ok(sum / flows.len() as f64)
}

/// Each frame beside the flow to the next, with the wheel that says which colour is which direction.
fn pictures(scene: &Scene, answer: &Answer) -> Result<Vec<Frame>> {
    let most = flow::longest(&answer.flows).max(1e-3);
    let wheel = wheel()?;
    let frames = two_stream::frames(scene, PICTURE)?;
    let beside = answer.flows.iter().zip(&frames).map(|(flow, frame)| {
        let small = flow::picture(flow, Coloring::Middlebury, Some(most))?;
        let large = resize(&small, PICTURE, PICTURE, Filter::Bilinear)?;
        let mut colors: Vec<u8> = large.iter().map(|x| x.round() as u8).collect();
        let corner = PICTURE - wheel.width() - 4;
        for (y, row) in wheel.rgb().chunks_exact(wheel.width() * 3).enumerate() {
            for (x, pixel) in row.chunks_exact(3).enumerate().filter(|(_, p)| **p != [0; 3]) {
                let at = ((corner + y) * PICTURE + corner + x) * 3;
                colors[at..at + 3].copy_from_slice(pixel);
            }
        }
        super::flow::clip::side_by_side(frame, &Frame::new(PICTURE, PICTURE, colors)?)
    });
    beside.collect()
}

/// The colour of every direction: that of the flow that leads there from the middle. Black around it.
fn wheel() -> Result<Frame> {
    let side = 2 * WHEEL + 1;
    let flow = Tensor::from_fn(&[side, side, 2], |i| {
        let [x, y] = [i / 2 % side, i / 2 / side].map(|c| c as f32 - WHEEL as f32);
        if x.hypot(y) <= WHEEL as f32 { if i % 2 == 0 { x } else { y } } else { UNKNOWN }
    })?;
    flow::picture(&flow, Coloring::Middlebury, Some(WHEEL as f32))
}
