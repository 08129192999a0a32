//! `kinetograph propagate` and `kinetograph colorize`: what is known of a clip's first frame, carried to the others.

mod colors;
mod masks;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use kinetograph::correspondence::{LabelPropagation, Propagation};
use kinetograph::prepare::FrameMaps;
use kinetograph::video::{self, Frame, Video};
use kinetograph::{Engine, Error, Result, Tensor};
use serde_json::json;

use super::{Common, output};

pub(crate) use colors::Colorize;
pub(crate) use masks::Propagate;

/// Frames a second where a clip does not tell.
const RATE: f64 = 10.0;

/// The shortest side of frames that a network can be asked to see.
const SMALLEST: usize = 32;

/// What both commands take.
#[derive(Args)]
struct Carry {
    /// A video, an animated GIF or a folder of pictures
    #[arg(long)]
    input: PathBuf,
    /// Weights of a network that has maps: crw, timecycle, colorizer or resnet
    #[arg(long)]
    weights: PathBuf,
    /// The variant of the network, if not that of the weights: see `kinetograph models`
    #[arg(long)]
    variant: Option<String>,
    /// The shorter side of the frames that the network sees; maps have an eighth of it [default: what the publisher
    /// evaluates with]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// How many frames before are looked at, beside the first one
    #[arg(long, value_name = "FRAMES", default_value_t = LabelPropagation::default().context)]
    context: usize,
    /// How far away what is looked at may lie in them, in places of the maps
    #[arg(long, value_name = "PLACES", default_value_t = LabelPropagation::default().radius)]
    radius: f32,
    /// From how many places each place takes
    #[arg(long, value_name = "PLACES", default_value_t = LabelPropagation::default().top_k)]
    top_k: usize,
    /// What likenesses are divided by before the softmax that weighs them [default: 1 for the colorizer, 0.0442 for
    /// timecycle, 0.05 else]
    #[arg(long)]
    temperature: Option<f32>,
    #[command(flatten)]
    common: Common,
}

impl Carry {
    fn check(&self) -> Result<()> {
        if self.context == 0 || self.top_k == 0 {
            return Err(Error::usage("--context and --top-k must be 1 or more"));
        }
        for (flag, value) in [("--radius", Some(self.radius)), ("--temperature", self.temperature)] {
            if let Some(x) = value.filter(|x| !(x.is_finite() && *x > 0.0)) {
                return Err(Error::usage(format!("{flag} {x}: a positive number")));
            }
        }
        match self.size.filter(|s| *s < SMALLEST) {
            Some(size) => Err(Error::usage(format!("--size {size}: {SMALLEST} pixels or more"))),
            None => Ok(()),
        }
    }

    /// The clip, which must have two frames at least.
    fn open(&self) -> Result<Video> {
        let mut probe = video::open(&self.input)?;
        if !(probe.skip_frame()? && probe.skip_frame()?) {
            let text = "a single frame: there is none to carry anything to";
            return Err(Error::bad_input(text).at(self.input.display()));
        }
        video::open(&self.input)
    }

    /// A walk along the clip, in which the network sees what `look` makes of the frames.
    fn walk(&self, engine: &Engine, video: Video, look: fn(&Frame) -> Frame) -> Result<Walk> {
        let size = [video.width(), video.height()];
        let options = self.common.options()?;
        let maps =
            FrameMaps::load(engine, &self.weights, self.variant.as_deref(), size, self.size, &options)?;
        let ([height, width], [h, w, c]) = (maps.frame(), maps.shape());
        eprintln!("{}: {}", self.weights.display(), maps.notes());
        eprintln!("frames of {width}×{height}, maps of {w}×{h} places with {c} channels");
        let temperature = self.temperature.unwrap_or(match maps.network() {
            "colorizer" => 1.0,
            "timecycle" => 512f32.sqrt().recip(),
            _ => LabelPropagation::default().temperature,
        });
        let options =
            LabelPropagation { context: self.context, radius: self.radius, top_k: self.top_k, temperature };
        Ok(Walk { engine: engine.clone(), video, maps, look, options, ahead: VecDeque::new(), carried: None })
    }

    /// Tells what was done.
    fn report(&self, walk: &Walk, frames: usize, start: Instant, more: (&str, usize)) -> Result<()> {
        let seconds = start.elapsed().as_secs_f64();
        let rate = frames as f64 / seconds.max(1e-9);
        if self.common.json {
            let mut document = json!({
                "device": walk.engine.describe(), "network": walk.maps.network(), "frames": frames,
                "frames_per_second": rate,
            });
            if let Some(map) = document.as_object_mut() {
                map.insert(more.0.into(), more.1.into());
            }
            return output::json(&document);
        }
        eprintln!("{frames} frames in {seconds:.2} s, {rate:.2} a second");
        Ok(())
    }
}

/// Frames of a clip with what is carried along it.
struct Walk {
    engine: Engine,
    video: Video,
    maps: FrameMaps,
    look: fn(&Frame) -> Frame,
    options: LabelPropagation,
    /// Frames whose maps are made already.
    ahead: VecDeque<(Frame, Tensor)>,
    carried: Option<Propagation>,
}

impl Walk {
    /// Height and width of the maps.
    fn places(&self) -> [usize; 2] {
        let [h, w, _] = self.maps.shape();
        [h, w]
    }

    /// The next frame and its labels `[h, w, K]`; of the first frame those are `first`.
    fn next(&mut self, first: &Tensor) -> Result<Option<(Frame, Tensor)>> {
        if self.ahead.is_empty() {
            self.look_ahead()?;
        }
        let Some((frame, map)) = self.ahead.pop_front() else { return Ok(None) };
        let labels = match &mut self.carried {
            Some(carried) => carried.next(&map)?,
            None => {
                self.carried = Some(self.options.start(&self.engine, &map, first)?);
                first.clone()
            }
        };
        Ok(Some((frame, labels)))
    }

    /// Makes the maps of as many frames as the network takes at once.
    fn look_ahead(&mut self) -> Result<()> {
        let mut frames = Vec::new();
        while frames.len() < self.maps.frames() {
            let Some(frame) = self.video.next_frame()? else { break };
            frames.push(frame);
        }
        if !frames.is_empty() {
            let seen: Vec<Frame> = frames.iter().map(self.look).collect();
            self.ahead.extend(frames.into_iter().zip(self.maps.of(&seen)?));
        }
        Ok(())
    }
}

/// Fails where the first frame's picture has another size than the clip.
fn same_size(what: &str, [width, height]: [usize; 2], video: &Video) -> Result<()> {
    let (w, h) = (video.width(), video.height());
    if [width, height] == [w, h] {
        return Ok(());
    }
    Err(Error::bad_input(format!("the {what} is {width}x{height}, the frames of the clip are {w}x{h}")))
}
