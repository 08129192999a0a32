//! `kinetograph flow`: what moves between two pictures, or along a clip.

pub(super) mod clip;
mod method;
mod pair;

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use kinetograph::flow::{self, Coloring, FlowPlan, Measures, Method};
use kinetograph::video::{Frame, write};
use kinetograph::{Error, Result, Tensor};
use serde_json::json;

use super::{Common, output};
use method::{MethodFlags, Methods};

/// Estimate the optical flow between two pictures, or between the frames of a clip.
///
/// Pictures are PNG, JPEG or WebP, grey or in colour: 16 bits are rounded to 8, transparency is dropped; or .npy of
/// numbers from 0 to 255, [H, W] or [H, W, 1 or 3]. A clip is a video, an animated GIF or a folder of pictures.
///
/// kinetograph flow a.png b.png --output flow.flo --picture flow.png --truth truth.flo
///
/// kinetograph flow clip.mp4 --method farneback --output flows/ --video flow.mp4
#[derive(Args)]
pub(crate) struct Flow {
    /// Two pictures of one size, or one clip
    #[arg(required = true, num_args = 1..=2)]
    input: Vec<PathBuf>,
    /// For two pictures a .flo, .png (KITTI) or .npy file; for a clip the folder of its flow_00000.flo …
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// For a clip: the format of the files in --output [default: flo; npy for --method difference]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write the flow in colours, or the difference in grey: a .png for two pictures
    #[arg(long, value_name = "OUT.png")]
    picture: Option<PathBuf>,
    /// How directions become colours
    #[arg(long, value_enum, default_value_t = Colors::Middlebury)]
    colors: Colors,
    /// The motion in pixels that has full colour [default: the longest], or the difference that is white [default: 255]
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
    /// The flow between the two pictures to begin with: .flo, .png (KITTI) or .npy
    #[arg(long, value_name = "FLOW.flo")]
    initial: Option<PathBuf>,
    /// For a clip: write its frames beside their flow, as an animated .gif or, by ffmpeg, as an .mp4
    #[arg(long, value_name = "OUT.mp4")]
    video: Option<PathBuf>,
    /// For a clip: the flow from each frame to the N-th after it, every N frames
    #[arg(long, value_name = "N", default_value_t = 1)]
    stride: usize,
    /// For a clip: how many pairs to work on at a time [default: 8, or as many as the device's memory holds]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    #[command(flatten)]
    common: Common,
    // Last: its headings would be those of what follows.
    #[command(flatten)]
    method: MethodFlags,
}

#[derive(Clone, Copy, ValueEnum)]
enum Colors {
    /// The wheel of the Middlebury benchmark: white is no motion
    Middlebury,
    /// Hue for the direction, value for the length: black is no motion
    Hsv,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Middlebury's
    Flo,
    /// KITTI's 16-bit PNG
    Png,
    /// NumPy's
    Npy,
}

impl Flow {
    pub(crate) fn run(&self) -> Result<()> {
        self.check()?;
        let method = self.method.read()?;
        match &self.input[..] {
            [first, second] => self.pair(first, second, &method),
            [clip] => self.clip(clip, &method),
            _ => Err(Error::usage("two pictures or one clip are needed")),
        }
    }

    /// Everything that can be refused before anything is read.
    fn check(&self) -> Result<()> {
        let pair = self.input.len() == 2;
        let flow_only = [
            ("--arrows", self.arrows.is_some()),
            ("--warped", self.warped.is_some()),
            ("--truth", self.truth.is_some()),
            ("--initial", self.initial.is_some()),
        ];
        let mut of_pair = flow_only.iter().copied().chain([("--picture", self.picture.is_some())]);
        let of_clip = [
            ("--video", self.video.is_some()),
            ("--stride", self.stride != 1),
            ("--batch", self.batch.is_some()),
            ("--format", self.format.is_some()),
        ];
        if let Some((flag, _)) = of_pair.find(|(_, given)| *given && !pair) {
            return Err(Error::usage(format!("{flag} is for two pictures")));
        }
        if let Some((flag, _)) = of_clip.iter().find(|(_, given)| *given && pair) {
            return Err(Error::usage(format!("{flag} is for one clip")));
        }
        if self.stride == 0 || self.batch == Some(0) {
            return Err(Error::usage("--stride and --batch must be 1 or more"));
        }
        if let Some(most) = self.longest.filter(|m| !(m.is_finite() && *m > 0.0)) {
            return Err(Error::usage(format!("--longest {most}: a positive number")));
        }
        if self.method.method == Methods::Difference {
            if let Some((flag, _)) = flow_only.iter().find(|(_, given)| *given) {
                return Err(Error::usage(format!("{flag} is for flow, not for --method difference")));
            }
            let wrong_name = |p: &PathBuf| pair && p.extension().is_none_or(|e| e != "npy");
            if self.format.is_some_and(|f| f != Format::Npy) || self.output.as_ref().is_some_and(wrong_name) {
                return Err(Error::usage("a difference is no flow: it is written as .npy"));
            }
        }
        let files = [&self.picture, &self.arrows, &self.warped, &self.video];
        files.into_iter().flatten().try_for_each(|path| output::check_writable(path))?;
        if let Some(path) = &self.video {
            write::check_movie(path)?;
        }
        match &self.output {
            Some(path) if pair => output::check_writable(path),
            Some(path) if path.exists() && !path.is_dir() => {
                Err(Error::usage("is a file; for a clip the name of a folder is needed").at(path.display()))
            }
            _ => Ok(()),
        }
    }

    fn format(&self) -> &'static str {
        match self.format {
            Some(Format::Flo) => "flo",
            Some(Format::Png) => "png",
            Some(Format::Npy) => "npy",
            None if self.method.method == Methods::Difference => "npy",
            None => "flo",
        }
    }

    /// The picture of a flow or a difference; `longest` where `--longest` is not given.
    fn painted(&self, motion: &Tensor, method: &Method, longest: Option<f32>) -> Result<Frame> {
        let most = self.longest.or(longest);
        if matches!(method, Method::Difference(_)) {
            return flow::difference_picture(motion, most.unwrap_or(255.0));
        }
        let coloring = match self.colors {
            Colors::Middlebury => Coloring::Middlebury,
            Colors::Hsv => Coloring::Hsv,
        };
        flow::picture(motion, coloring, most)
    }

    fn report(&self, pairs: usize, seconds: f64, measures: Option<Measures>, device: &str) -> Result<()> {
        let rate = pairs as f64 / seconds.max(1e-9);
        if self.common.json {
            let mut document = json!({"pairs": pairs, "pairs_per_second": rate, "device": device});
            if let (Some(m), Some(map)) = (measures, document.as_object_mut()) {
                let bad = Measures::THRESHOLDS.iter().zip(m.bad).map(|(t, b)| (t.to_string(), b.into()));
                map.insert("aee".into(), m.aee.into());
                map.insert("aae".into(), m.aae.into());
                map.insert("bad".into(), serde_json::Value::Object(bad.collect()));
            }
            return output::json(&document);
        }
        let plural = if pairs == 1 { "" } else { "s" };
        eprintln!("{pairs} pair{plural} in {seconds:.2} s of computing, {rate:.2} a second");
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

/// What a plan gives, and in how many seconds.
fn timed<T>(plan: &FlowPlan, run: impl FnOnce(&FlowPlan) -> Result<T>) -> Result<(T, f64)> {
    let start = Instant::now();
    let result = run(plan)?;
    Ok((result, start.elapsed().as_secs_f64()))
}
