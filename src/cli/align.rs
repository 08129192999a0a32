//! `kinetograph align`: which moments of two clips belong together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use kinetograph::correspondence::{self, kendalls_tau};
use kinetograph::error::At;
use kinetograph::models::Choices;
use kinetograph::prepare::Moments;
use kinetograph::video::{self, Frame, Video, write};
use kinetograph::{Engine, Error, Result, Tensor};
use serde_json::json;

use super::plot::{Canvas, INK};
use super::{Common, output};

/// Align two clips of the same action in time: each frame of the first gets the one of the second that shows the same
/// moment, by the embeddings of a network.
///
/// The network is that of temporal cycle consistency or any other that has features of frames or clips.
///
/// kinetograph align pour1.mp4 pour2.mp4 --weights tcc.safetensors --picture aligned.png --video together.gif
#[derive(Args)]
pub(crate) struct Align {
    /// The first clip: a video, an animated GIF or a folder of pictures
    first: PathBuf,
    /// The second clip
    second: PathBuf,
    /// Weights of a network that has features: tcc, resnet, s3d …
    #[arg(long)]
    weights: PathBuf,
    /// The variant of the network, if not that of the weights: see `kinetograph models`
    #[arg(long)]
    variant: Option<String>,
    /// How frames are matched
    #[arg(long, value_enum, default_value_t = Method::Dtw)]
    method: Method,
    /// Only every N-th frame of both clips
    #[arg(long, value_name = "N", default_value_t = 1)]
    every: usize,
    /// What distances are divided by, for each channel, before the softmax of the cycle and of --method soft
    #[arg(long, default_value_t = 0.1, allow_negative_numbers = true)]
    temperature: f32,
    /// Height and width of the frames that the network sees [default: what the publisher evaluates with]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// Write a picture of matched frames and, below, of all distances with the matches in red, as .png
    #[arg(long, value_name = "OUT.png")]
    picture: Option<PathBuf>,
    /// Write the first clip beside the matched frames of the second, as an animated .gif or, by ffmpeg, as an .mp4
    #[arg(long, value_name = "OUT.mp4")]
    video: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Dynamic time warping: from the first frames to the last, never backwards
    Dtw,
    /// To each frame the nearest, wherever it is
    Nearest,
    /// To each frame the mean place of the soft nearest neighbours, as the network is trained
    Soft,
}

/// Frames a second where a clip does not tell.
const RATE: f64 = 10.0;

/// A clip with the embeddings of those of its frames that are matched.
struct Clip {
    video: Video,
    fps: f64,
    frames: Vec<usize>,
    embeddings: Tensor,
}

impl Clip {
    fn new(path: &Path, every: usize, moments: &Moments) -> Result<Clip> {
        let mut video = video::open(path)?;
        let total = video.count()?;
        if total == 0 {
            return Err(Error::bad_input("no frames").at(path.display()));
        }
        let stride = moments.stride(video.fps());
        let frames: Vec<usize> = (0..total).step_by(every).collect();
        let windows: Vec<Vec<usize>> = frames.iter().map(|f| moments.around(*f, total, stride)).collect();
        let bar = output::rate_bar("frames", Some(frames.len()));
        let embeddings = moments.of(&mut video, &windows, &mut |n| bar.set_position(n as u64))?;
        bar.finish_and_clear();
        Ok(Clip { fps: video.fps().unwrap_or(RATE), video, frames, embeddings })
    }

    fn len(&self) -> usize {
        self.frames.len()
    }

    fn time(&self, i: usize) -> f64 {
        self.frames[i] as f64 / self.fps
    }

    /// Where a frame lies in the clip, from 0 to 1.
    fn phase(&self, i: usize) -> f64 {
        i as f64 / (self.len() - 1).max(1) as f64
    }

    /// Some of the frames that are matched.
    fn read(&mut self, wanted: &BTreeSet<usize>) -> Result<BTreeMap<usize, Frame>> {
        self.video.rewind()?;
        let mut found = BTreeMap::new();
        for &i in wanted {
            while self.video.position() < self.frames[i] && self.video.skip_frame()? {}
            let missing = || Error::bad_input(format!("there is no frame {}", self.frames[i]));
            let frame = self.video.next_frame()?.ok_or_else(missing).at(self.video.path().display())?;
            found.insert(i, frame);
        }
        Ok(found)
    }
}

impl Align {
    pub(crate) fn run(&self) -> Result<()> {
        self.check()?;
        let engine = self.common.engine()?;
        let choices = Choices { variant: self.variant.clone(), size: self.size, ..Choices::default() };
        let moments = Moments::load(&engine, &self.weights, &choices, "features", &self.common.options()?)?;
        eprintln!("{}: {}", self.weights.display(), moments.notes());
        let mut first = Clip::new(&self.first, self.every, &moments)?;
        let mut second = Clip::new(&self.second, self.every, &moments)?;
        let soft = correspondence::align(&engine, &first.embeddings, &second.embeddings, self.temperature)?;
        let distances = correspondence::distances(&first.embeddings, &second.embeddings)?;
        let nearest = correspondence::nearest_frames(&distances)?;
        let last = second.len() - 1;
        let matched: Vec<usize> = match self.method {
            Method::Nearest => nearest.clone(),
            Method::Soft => soft.places.f32s()?.iter().map(|p| (p.round() as usize).min(last)).collect(),
            Method::Dtw => warped(&distances)?,
        };
        if let Some(path) = &self.picture {
            write::png(path, &picture(&mut first, &mut second, &distances, &matched)?)?;
        }
        if let Some(path) = &self.video {
            self.together(path, &mut first, &mut second, &matched)?;
        }
        self.report(&engine, &moments, [&first, &second], &matched, &nearest, soft.cycle.f32s()?)
    }

    fn check(&self) -> Result<()> {
        if self.every == 0 || self.size == Some(0) {
            return Err(Error::usage("--every and --size must be 1 or more"));
        }
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(Error::usage(format!("--temperature {}: a positive number", self.temperature)));
        }
        if let Some(path) = &self.video {
            write::check_movie(path)?;
        }
        self.picture.iter().chain(&self.video).try_for_each(|path| output::check_writable(path))
    }

    /// Writes the first clip with the matched frames of the second at its right side, as high as itself.
    fn together(&self, path: &Path, first: &mut Clip, second: &mut Clip, matched: &[usize]) -> Result<()> {
        let [w, h] = [first.video.width(), first.video.height()];
        let right = (second.video.width() * h / second.video.height()).max(1);
        let bytes = w * h * 3 * first.len() + second.video.width() * second.video.height() * 3 * second.len();
        if bytes > MOST_BYTES {
            let text = format!("--video: the clips' frames need {} MB; --every takes fewer", bytes >> 20);
            return Err(Error::out_of_memory(text));
        }
        let left = first.read(&(0..first.len()).collect())?;
        let others = second.read(&matched.iter().copied().collect())?;
        let frames = matched.iter().enumerate().map(|(i, j)| {
            let mut canvas = Canvas::new(w + right, h);
            canvas.frame([0, 0, w, h], &left[&i])?;
            canvas.frame([w, 0, right, h], &others[j])?;
            canvas.finish()
        });
        write::movie(path, first.fps / self.every as f64, frames)
    }

    fn report(
        &self,
        engine: &Engine,
        moments: &Moments,
        [first, second]: [&Clip; 2],
        matched: &[usize],
        nearest: &[usize],
        cycle: &[f32],
    ) -> Result<()> {
        let tau = kendalls_tau(nearest);
        let astray =
            cycle.iter().enumerate().map(|(i, back)| (f64::from(*back) - i as f64).abs()).sum::<f64>()
                / cycle.len() as f64;
        if self.common.json {
            let clip =
                |clip: &Clip, path: &Path| json!({"clip": path, "frames": clip.len(), "fps": clip.fps});
            let method = self.method.to_possible_value().map(|v| v.get_name().to_owned());
            let frames = matched.iter().enumerate().map(|(i, &j)| {
                json!({
                    "frame": first.frames[i], "time": first.time(i), "match": second.frames[j],
                    "match_time": second.time(j), "phase": second.phase(j), "cycle": cycle[i] * self.every as f32,
                })
            });
            return output::json(&json!({
                "device": engine.describe(), "network": moments.network(), "method": method,
                "first": clip(first, &self.first), "second": clip(second, &self.second),
                "kendalls_tau": tau, "cycle_error": astray * self.every as f64,
                "frames": frames.collect::<Vec<_>>(),
            }));
        }
        output::print("  first  second   phase")?;
        for (i, &j) in matched.iter().enumerate() {
            output::print(&format!(
                "{:>6.2}s {:>6.2}s {:>6.1} %",
                first.time(i),
                second.time(j),
                100.0 * second.phase(j)
            ))?;
        }
        if let Some(tau) = tau {
            eprintln!(
                "Kendall's tau of the nearest frames: {tau:.3}; from neighbours back, {astray:.1} frames astray on average"
            );
        }
        Ok(())
    }
}

/// The frames of both clips that are held at once.
const MOST_BYTES: usize = 2 << 30;

/// The frame in the middle of those that the path gives each frame of the first clip.
fn warped(distances: &Tensor) -> Result<Vec<usize>> {
    let path = correspondence::time_warp(distances)?;
    let rows = path.chunk_by(|a, b| a.0 == b.0);
    Ok(rows.map(|row| row[(row.len() - 1) / 2].1).collect())
}

/// Matched frames one above the other, and the distances, the first clip downwards: black is near, matches are red.
fn picture(first: &mut Clip, second: &mut Clip, distances: &Tensor, matched: &[usize]) -> Result<Frame> {
    const PAIRS: usize = 8;
    const THUMB: usize = 72;
    let (t, s) = (first.len(), second.len());
    let scale = (480 / t.max(s)).clamp(1, 12);
    let pairs: Vec<usize> = (0..PAIRS.min(t)).map(|k| (2 * k + 1) * t / (2 * PAIRS.min(t))).collect();
    let left = first.read(&pairs.iter().copied().collect())?;
    let right = second.read(&pairs.iter().map(|i| matched[*i]).collect())?;
    let (width, top) = ((s * scale).max(pairs.len() * (THUMB + 4)) + 24, 2 * THUMB + 60);
    let mut canvas = Canvas::new(width, top + t * scale + 12);
    canvas.text(12, 12, "first clip above, second below", INK);
    for (k, i) in pairs.iter().enumerate() {
        let x = 12 + k * (THUMB + 4);
        canvas.frame([x, 26, THUMB, THUMB], &left[i])?;
        canvas.frame([x, 28 + THUMB, THUMB, THUMB], &right[&matched[*i]])?;
    }
    canvas.text(12, 40 + 2 * THUMB, "distances: second clip across", INK);
    let values = distances.f32s()?;
    let most = values.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    for (place, value) in values.iter().enumerate() {
        let level = (value / most * 255.0) as u8;
        canvas.fill([12 + place % s * scale, top + place / s * scale, scale, scale], [level; 3]);
    }
    for (i, j) in matched.iter().enumerate() {
        canvas.fill([12 + j * scale, top + i * scale, scale, scale], [220, 30, 30]);
    }
    canvas.finish()
}
