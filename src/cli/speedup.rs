//! `kinetograph speedup`: a clip played faster where it does not show.

use std::path::PathBuf;

use clap::Args;
use kinetograph::correspondence::{self, RateCurve, natural_rates, picked};
use kinetograph::error::At;
use kinetograph::models::Choices;
use kinetograph::prepare::Moments;
use kinetograph::video::{self, Video, write};
use kinetograph::{Error, Result};
use serde_json::json;

use super::plot::{Curve, curves};
use super::{Common, output};

/// Play a clip faster, most where SpeedNet still takes it for one of natural speed.
///
/// The network looks at windows of the clip at several rates, up to --fastest. Each moment is to go as fast as it seems
/// natural there; the rates are then smoothed and shifted so that the whole clip is as many times shorter as --rate says.
///
/// kinetograph speedup walk.mp4 --weights speednet.pth --rate 2 --output faster.mp4 --curve rates.png
#[derive(Args)]
pub(crate) struct Speedup {
    /// A video, an animated GIF or a folder of pictures
    clip: PathBuf,
    /// Weights of SpeedNet
    #[arg(long)]
    weights: PathBuf,
    /// How many times shorter the clip becomes
    #[arg(long, default_value_t = 2.0, allow_negative_numbers = true)]
    rate: f64,
    /// The fastest rate that is looked at; the others are powers of 1.25
    #[arg(long, value_name = "RATE", default_value_t = 4.0, allow_negative_numbers = true)]
    fastest: f64,
    /// The least probability that what is shown at a rate is of natural speed
    #[arg(long, default_value_t = 0.5, allow_negative_numbers = true)]
    threshold: f64,
    /// What a change of the rate costs: rates even out over about its root in frames
    #[arg(long, default_value_t = 100.0, allow_negative_numbers = true)]
    smoothness: f64,
    /// Frames of a window that the network sees [default: 64]
    #[arg(long)]
    frames: Option<usize>,
    /// Frames of the clip from one window to the next [default: half a window]
    #[arg(long)]
    step: Option<usize>,
    /// Height and width of the frames that the network sees [default: 224]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// The shorter clip: an animated .gif or, by ffmpeg, an .mp4
    #[arg(long, short, value_name = "OUT.mp4")]
    output: Option<PathBuf>,
    /// Write a picture of the speediness and of the rates, as .png
    #[arg(long, value_name = "OUT.png")]
    curve: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Frames a second where a clip does not tell.
const RATE: f64 = 10.0;

impl Speedup {
    pub(crate) fn run(&self) -> Result<()> {
        self.check()?;
        let mut video = video::open(&self.clip)?;
        let (fps, total) = (video.fps().unwrap_or(RATE), video.count()?);
        if total < 2 {
            return Err(Error::bad_input("a single frame cannot be made shorter").at(self.clip.display()));
        }
        let engine = self.common.engine()?;
        let choices = Choices { frames: self.frames, size: self.size, ..Choices::default() };
        let moments = Moments::load(&engine, &self.weights, &choices, "speed", &self.common.options()?)?;
        eprintln!("{}: {}", self.weights.display(), moments.notes());
        let curves = self.look(&moments, &mut video, total)?;
        let natural = natural_rates(&curves, total, self.threshold);
        let options = correspondence::Speedup { rate: self.rate, smoothness: self.smoothness };
        let rates = options.rates(&natural)?;
        let shown = picked(&rates);
        if let Some(path) = &self.curve {
            self.plot(path, &curves[0], &natural, &rates, fps)?;
        }
        if let Some(path) = &self.output {
            video.rewind()?;
            let frames = shown.iter().map(|&index| {
                while video.position() < index && video.skip_frame()? {}
                let missing = || Error::bad_input(format!("there is no frame {index}"));
                video.next_frame()?.ok_or_else(missing).at(video.path().display())
            });
            write::movie(path, fps, frames)?;
        }
        if self.common.json {
            let tried = curves.iter().map(|c| {
                let windows = c.places.iter().zip(&c.natural);
                let windows = windows.map(|(p, n)| json!({"frame": p, "time": p / fps, "natural": n}));
                json!({"rate": c.rate, "windows": windows.collect::<Vec<_>>()})
            });
            return output::json(&json!({
                "device": engine.describe(), "network": moments.network(), "clip": self.clip, "fps": fps,
                "frames": total, "frames_shown": shown.len(), "rate": total as f64 / shown.len() as f64,
                "curves": tried.collect::<Vec<_>>(), "natural_rates": natural, "rates": rates, "shown": shown,
            }));
        }
        let (slowest, fastest) =
            rates.iter().fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), r| (low.min(*r), high.max(*r)));
        output::print(&format!(
            "{total} frames become {}: {:.2} s become {:.2} s, at rates from {slowest:.2} to {fastest:.2}",
            shown.len(),
            total as f64 / fps,
            shown.len() as f64 / fps
        ))
    }

    fn check(&self) -> Result<()> {
        for (flag, value) in [("--rate", self.rate), ("--fastest", self.fastest)] {
            if !(value.is_finite() && (1.0..=1000.0).contains(&value)) {
                return Err(Error::usage(format!("{flag} {value}: a number from 1 to 1000")));
            }
        }
        if !(0.0..=1.0).contains(&self.threshold) {
            return Err(Error::usage(format!("--threshold {}: a number from 0 to 1", self.threshold)));
        }
        if !(self.smoothness.is_finite() && self.smoothness >= 0.0) {
            return Err(Error::usage(format!("--smoothness {}: a number of 0 or more", self.smoothness)));
        }
        if [self.frames, self.step, self.size].contains(&Some(0)) {
            return Err(Error::usage("--frames, --step and --size must be 1 or more"));
        }
        if self.output.is_none() && self.curve.is_none() && !self.common.json {
            return Err(Error::usage("--output, --curve or --json is needed: nothing would be written"));
        }
        if let Some(path) = &self.output {
            write::check_movie(path)?;
        }
        self.output.iter().chain(&self.curve).try_for_each(|path| output::check_writable(path))
    }

    /// What the network says of the clip at each rate. At its own rate a clip shorter than a window repeats its last frame;
    /// faster ones for which it is too short are left out.
    fn look(&self, moments: &Moments, video: &mut Video, total: usize) -> Result<Vec<RateCurve>> {
        let length = moments.length();
        let step = self.step.unwrap_or(length.div_ceil(2));
        let span = |rate: f64| ((length - 1) as f64 * rate).round() as usize;
        let rates = (0..).map(|i| 1.25_f64.powi(i)).take_while(|rate| *rate <= self.fastest);
        let rates: Vec<f64> = rates.take_while(|rate| *rate == 1.0 || span(*rate) < total).collect();
        if rates.len() == 1 && self.fastest >= 1.25 {
            eprintln!(
                "the clip has {total} frames, too few for a window of {length} at any faster rate; --frames takes fewer"
            );
        }
        let starts = |rate: f64| {
            let end = total.saturating_sub(span(rate) + 1);
            let mut starts: Vec<usize> = (0..=end).step_by(step).collect();
            // The clip's end is looked at, too.
            starts.extend((!end.is_multiple_of(step)).then_some(end));
            starts
        };
        let count: usize = rates.iter().map(|rate| starts(*rate).len()).sum();
        let bar = output::bar("windows", count);
        let mut before = 0;
        let curve = |rate: f64| {
            let starts = starts(rate);
            let frame = |start: usize, i: usize| (start + (i as f64 * rate).round() as usize).min(total - 1);
            let windows: Vec<Vec<usize>> =
                starts.iter().map(|start| (0..length).map(|i| frame(*start, i)).collect()).collect();
            let logits = moments.of(video, &windows, &mut |n| bar.set_position((before + n) as u64))?;
            before += windows.len();
            let middle = span(rate) as f64 / 2.0;
            let places = starts.iter().map(|start| (*start as f64 + middle).min((total - 1) as f64));
            // The logit is that of having been sped up.
            let natural = logits.f32s()?.iter().map(|x| 1.0 / (1.0 + f64::from(*x).exp()));
            Ok(RateCurve { rate, places: places.collect(), natural: natural.collect() })
        };
        let curves = rates.into_iter().map(curve).collect();
        bar.finish_and_clear();
        curves
    }

    fn plot(
        &self,
        path: &std::path::Path,
        own: &RateCurve,
        natural: &[f64],
        rates: &[f64],
        fps: f64,
    ) -> Result<()> {
        let over_time =
            |values: &[f64]| values.iter().enumerate().map(|(i, v)| [i as f64 / fps, *v]).collect();
        let windows = own.places.iter().zip(&own.natural).map(|(p, n)| [p / fps, *n]).collect();
        let picture = curves(
            &[
                Curve { name: "natural at 1x", points: windows, color: [0, 110, 220] },
                Curve { name: "natural rate", points: over_time(natural), color: [60, 170, 75] },
                Curve { name: "rate played", points: over_time(rates), color: [220, 50, 50] },
            ],
            natural.len() as f64 / fps,
        )?;
        write::png(path, &picture)
    }
}
