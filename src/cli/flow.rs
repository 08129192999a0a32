//! `kinetograph flow`: the optical flow of two pictures or of a clip.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};
use kinetograph::error::At;
use kinetograph::flow::{self, Coloring, FlowPlan, Measures};
use kinetograph::video::{self, Frame, write};
use kinetograph::{Error, Result, Tensor};
use serde_json::json;

use super::tvl1::Tvl1Flags;
use super::{Common, output};

/// Estimate the optical flow (TV-L1) between two pictures, or between the frames of a clip.
///
/// kinetograph flow a.png b.png --output flow.flo --picture flow.png --truth truth.flo
///
/// kinetograph flow clip.mp4 --output flows/ --gif flow.gif
#[derive(Args)]
pub(crate) struct Flow {
    /// Two pictures of one size, or one clip
    #[arg(required = true, num_args = 1..=2)]
    input: Vec<PathBuf>,
    /// For two pictures a .flo, .png (KITTI) or .npy file; for a clip the folder of its flow_00000.flo …
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Write the flow in colours: a .png for two pictures
    #[arg(long, value_name = "OUT.png")]
    picture: Option<PathBuf>,
    /// How directions become colours
    #[arg(long, value_enum, default_value_t = Colors::Middlebury)]
    colors: Colors,
    /// The motion in pixels that has full colour [default: the longest]
    #[arg(long, value_name = "PIXELS")]
    longest: Option<f32>,
    /// Write the first picture with arrows along the flow, short ones drawn longer
    #[arg(long, value_name = "OUT.png")]
    arrows: Option<PathBuf>,
    /// Write the second picture brought back along the flow: it should look like the first
    #[arg(long, value_name = "OUT.png")]
    warped: Option<PathBuf>,
    /// Compare with this true flow: .flo, .png (KITTI) or .npy
    #[arg(long, value_name = "TRUTH.flo")]
    truth: Option<PathBuf>,
    /// For a clip: write its frames beside their flow, as an animation
    #[arg(long, value_name = "OUT.gif")]
    gif: Option<PathBuf>,
    /// For a clip: the flow from each frame to the N-th after it, every N frames
    #[arg(long, value_name = "N", default_value_t = 1)]
    stride: usize,
    /// For a clip: how many pairs to work on at a time
    #[arg(long, value_name = "N", default_value_t = 8)]
    batch: usize,
    #[command(flatten)]
    tvl1: Tvl1Flags,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, ValueEnum)]
enum Colors {
    /// The wheel of the Middlebury benchmark: white is no motion
    Middlebury,
    /// Hue for the direction, value for the length: black is no motion
    Hsv,
}

impl Flow {
    pub(crate) fn run(&self) -> Result<()> {
        self.check()?;
        match &self.input[..] {
            [first, second] => self.pair(first, second),
            [clip] => self.clip(clip),
            _ => Err(Error::usage("two pictures or one clip are needed")),
        }
    }

    fn check(&self) -> Result<()> {
        let files = [&self.picture, &self.arrows, &self.warped, &self.gif];
        files.into_iter().flatten().try_for_each(|path| output::check_writable(path))?;
        if self.stride == 0 || self.batch == 0 {
            return Err(Error::usage("--stride and --batch must be 1 or more"));
        }
        let pair = self.input.len() == 2;
        for (flag, given, of_pair) in [
            ("--picture", self.picture.is_some(), true),
            ("--arrows", self.arrows.is_some(), true),
            ("--warped", self.warped.is_some(), true),
            ("--truth", self.truth.is_some(), true),
            ("--gif", self.gif.is_some(), false),
            ("--stride", self.stride != 1, false),
        ] {
            if given && of_pair != pair {
                let what = if of_pair { "two pictures" } else { "one clip" };
                return Err(Error::usage(format!("{flag} is for {what}")));
            }
        }
        match &self.output {
            Some(path) if pair => output::check_writable(path),
            _ => Ok(()),
        }
    }

    fn coloring(&self) -> Coloring {
        match self.colors {
            Colors::Middlebury => Coloring::Middlebury,
            Colors::Hsv => Coloring::Hsv,
        }
    }

    fn pair(&self, first: &Path, second: &Path) -> Result<()> {
        let (a, b) = (single(first)?, single(second)?);
        if (a.width(), a.height()) != (b.width(), b.height()) {
            return Err(Error::bad_input(format!(
                "{} is {}x{}, {} is {}x{}: both must have one size",
                first.display(),
                a.width(),
                a.height(),
                second.display(),
                b.width(),
                b.height()
            )));
        }
        let truth = self.truth.as_deref().map(flow::read).transpose()?;
        let engine = self.common.engine()?;
        let size = [a.height(), a.width()];
        let plan = FlowPlan::new(
            &engine,
            size,
            NonZero::<usize>::MIN,
            &self.tvl1.method(),
            &self.common.options()?,
        )?;
        let (grey_a, grey_b) = (flow::gray(&a), flow::gray(&b));
        let start = Instant::now();
        let flows = plan.run(&[(&grey_a, &grey_b)])?;
        let seconds = start.elapsed().as_secs_f64();
        let flow = flows.first().ok_or_else(|| Error::internal("a run without flow"))?;
        let measures = match (&truth, &self.truth) {
            (Some(truth), Some(path)) => Some(flow::measure(flow, truth).at(path.display())?),
            _ => None,
        };
        if let Some(path) = &self.output {
            flow::write(path, flow)?;
        }
        if let Some(path) = &self.picture {
            write::png(path, &flow::picture(flow, self.coloring(), self.longest)?)?;
        }
        if let Some(path) = &self.arrows {
            // Small motions are drawn longer, up to the distance between arrows.
            let longest = flow::longest([flow]).max(1e-3);
            write::png(path, &flow::arrows(&a, flow, 16, (16.0 / longest).clamp(1.0, 16.0))?)?;
        }
        if let Some(path) = &self.warped {
            write::png(path, &flow::warp(&b, flow)?)?;
        }
        self.report(1, seconds, measures, &engine.describe())
    }

    fn clip(&self, path: &Path) -> Result<()> {
        let frames = every(path, self.stride)?;
        let (width, height) = (frames[0].width(), frames[0].height());
        let grey: Vec<Vec<f32>> = frames.iter().map(flow::gray).collect();
        let pairs: Vec<(&[f32], &[f32])> = grey.windows(2).map(|w| (&w[0][..], &w[1][..])).collect();
        let engine = self.common.engine()?;
        let batch = NonZero::new(self.batch.min(pairs.len())).unwrap_or(NonZero::<usize>::MIN);
        let plan =
            FlowPlan::new(&engine, [height, width], batch, &self.tvl1.method(), &self.common.options()?)?;
        if let Some(folder) = &self.output {
            let made = std::fs::create_dir_all(folder);
            made.map_err(|e| Error::usage(format!("the folder cannot be made: {e}"))).at(folder.display())?;
        }
        let bar = output::bar("pairs", pairs.len());
        let start = Instant::now();
        let mut flows: Vec<Tensor> = Vec::new();
        for part in pairs.chunks(plan.pairs()) {
            flows.extend(plan.run(part)?);
            bar.set_position(flows.len() as u64);
        }
        bar.finish_and_clear();
        let seconds = start.elapsed().as_secs_f64();
        if let Some(folder) = &self.output {
            for (i, f) in flows.iter().enumerate() {
                flow::write(folder.join(format!("flow_{i:05}.flo")), f)?;
            }
        }
        if let Some(path) = &self.gif {
            let most = self.longest.unwrap_or_else(|| flow::longest(&flows));
            let rate = video::open(&self.input[0])?.fps().unwrap_or(10.0) / self.stride as f64;
            let beside: Result<Vec<Frame>> = flows
                .iter()
                .zip(&frames)
                .map(|(f, frame)| {
                    side_by_side(frame, &flow::picture(f, self.coloring(), Some(most.max(1e-3)))?)
                })
                .collect();
            write::gif(path, rate.clamp(1.0, 50.0), &beside?)?;
        }
        self.report(flows.len(), seconds, None, &engine.describe())
    }

    fn report(&self, pairs: usize, seconds: f64, measures: Option<Measures>, device: &str) -> Result<()> {
        let rate = pairs as f64 / seconds.max(1e-9);
        if self.common.json {
            let mut document = json!({"pairs_per_second": rate, "device": device});
            if let (Some(m), Some(map)) = (measures, document.as_object_mut()) {
                map.insert("aee".into(), m.aee.into());
                map.insert("aae".into(), m.aae.into());
            }
            return output::json(&document);
        }
        eprintln!("{pairs} pairs in {seconds:.2} s, {rate:.2} a second");
        let Some(m) = measures else { return Ok(()) };
        output::print(&format!(
            "endpoint error {:.4} pixels, angular error {:.3}° on average",
            m.aee, m.aae
        ))?;
        let bad =
            Measures::THRESHOLDS.iter().zip(m.bad).map(|(t, b)| format!("{:.2} % beyond {t}", 100.0 * b));
        output::print(&format!("{} of {} pixels", bad.collect::<Vec<_>>().join(", "), m.pixels))
    }
}

/// The only frame of a picture.
fn single(path: &Path) -> Result<Frame> {
    let mut video = video::open(path)?;
    let frame = video.next_frame()?;
    let more = video.skip_frame()?;
    match frame {
        Some(frame) if !more => Ok(frame),
        _ => Err(Error::bad_input(format!(
            "{}: a picture of one frame is needed; give a clip alone",
            path.display()
        ))),
    }
}

/// Every `stride`-th frame of a clip, at least two.
fn every(path: &Path, stride: usize) -> Result<Vec<Frame>> {
    let mut video = video::open(path)?;
    let mut frames = Vec::new();
    'reading: while let Some(frame) = video.next_frame()? {
        frames.push(frame);
        for _ in 1..stride {
            if !video.skip_frame()? {
                break 'reading;
            }
        }
    }
    if frames.len() < 2 {
        return Err(Error::bad_input(format!(
            "{}: {} frames at a stride of {stride}, flow needs two",
            path.display(),
            frames.len()
        )));
    }
    Ok(frames)
}

fn side_by_side(left: &Frame, right: &Frame) -> Result<Frame> {
    let row = left.width() * 3;
    let rows = left.rgb().chunks_exact(row).zip(right.rgb().chunks_exact(row));
    Frame::new(left.width() * 2, left.height(), rows.flat_map(|(a, b)| [a, b].concat()).collect())
}
