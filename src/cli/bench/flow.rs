//! `kinetograph bench flow`: optical flow, several pairs at a time.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use kinetograph::flow::{self, FlowPlan};
use kinetograph::{Error, Result, video};
use serde_json::json;

use super::super::tvl1::Tvl1Flags;
use super::super::{Common, output};

/// Measure the optical flow (TV-L1) of two pictures, or of a drawn pair, after a run that warms up.
#[derive(Args)]
pub(crate) struct FlowBench {
    /// Two pictures of one size; a drawn texture that moves by 1.7 and −0.8 pixels if none are given
    #[arg(num_args = 0..=2)]
    pictures: Vec<PathBuf>,
    /// Width and height of the drawn pair
    #[arg(long, value_name = "WxH", default_value = "320x240", value_parser = size)]
    size: [usize; 2],
    /// How many pairs, all the same, are worked on at a time
    #[arg(long, value_name = "N", default_value = "1")]
    batch: NonZero<usize>,
    /// How many runs to time; the median is printed
    #[arg(long, value_name = "N", default_value = "3")]
    repeats: NonZero<usize>,
    #[command(flatten)]
    tvl1: Tvl1Flags,
    #[command(flatten)]
    common: Common,
}

/// Width and height from `320x240`, as height and width.
fn size(text: &str) -> std::result::Result<[usize; 2], String> {
    let sides = text.split_once('x').and_then(|(w, h)| Some([h.parse().ok()?, w.parse().ok()?]));
    sides.ok_or_else(|| "width and height are needed, such as 320x240".into())
}

/// A texture, moved by so many pixels along x and y.
fn drawn([height, width]: [usize; 2], [dx, dy]: [f64; 2]) -> Vec<f32> {
    let value = |i: usize| {
        let (x, y) = ((i % width) as f64 - dx, (i / width) as f64 - dy);
        let waves = (0..12).map(|k| {
            let (angle, length) = (f64::from(k) * 0.83, 5.0 + 1.7 * f64::from(k));
            ((x * angle.cos() + y * angle.sin()) * std::f64::consts::TAU / length + f64::from(k)).sin()
        });
        (127.0 + 18.0 * waves.sum::<f64>()).round().clamp(0.0, 255.0) as f32
    };
    (0..height * width).map(value).collect()
}

impl FlowBench {
    pub(super) fn run(&self) -> Result<()> {
        let (size, first, second) = self.frames()?;
        let engine = self.common.engine()?;
        let plan =
            FlowPlan::new(&engine, size, self.batch, &self.tvl1.method().into(), &self.common.options()?)?;
        let pairs = vec![(&first[..], &second[..]); self.batch.get()];
        plan.run(&pairs)?;
        let mut seconds = Vec::new();
        for _ in 0..self.repeats.get() {
            let start = Instant::now();
            plan.run(&pairs)?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        let ms = 1e3 * seconds[seconds.len() / 2] / self.batch.get() as f64;
        let [height, width] = size;
        if self.common.json {
            return output::json(&json!({
                "device": engine.describe(), "width": width, "height": height, "batch": self.batch,
                "ms_per_pair": ms,
            }));
        }
        output::print(&format!("{ms:.1} ms a pair of {width}x{height}, {} at a time", self.batch))
    }

    fn frames(&self) -> Result<([usize; 2], Vec<f32>, Vec<f32>)> {
        let [first, second] = &self.pictures[..] else {
            if !self.pictures.is_empty() {
                return Err(Error::usage("two pictures are needed, or none"));
            }
            return Ok((self.size, drawn(self.size, [0.0; 2]), drawn(self.size, [1.7, -0.8])));
        };
        let picture = |path: &PathBuf| {
            let frame = video::open(path)?.next_frame()?;
            frame.ok_or_else(|| Error::bad_input(format!("{}: no picture in it", path.display())))
        };
        let (a, b) = (picture(first)?, picture(second)?);
        if (a.width(), a.height()) != (b.width(), b.height()) {
            return Err(Error::bad_input("both pictures must have one size"));
        }
        Ok(([a.height(), a.width()], flow::gray(&a), flow::gray(&b)))
    }
}
