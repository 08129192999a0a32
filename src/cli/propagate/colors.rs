//! Colours of a clip's first frame, copied to the others.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use kinetograph::error::At;
use kinetograph::video::{self, Frame, from_lab, lab, write};
use kinetograph::{Error, Result};

use super::{Carry, RATE, same_size};
use crate::cli::output;

/// The largest a or b of a picture that counts as grey: what coding adds to one.
const GREY: f32 = 4.0;

/// Colour a grey clip by a coloured picture of its first frame, whose colours are copied along the likeness of a network's
/// features.
///
/// Of the clip the lightness alone is used. The network is that of tracking by colorizing or any other that has maps.
///
/// kinetograph colorize --input gray.mp4 --weights colorizer.pth --reference first.png --output colored.gif
#[derive(Args)]
pub(crate) struct Colorize {
    /// The first frame in colours, of the size of the clip
    #[arg(long)]
    reference: PathBuf,
    /// The coloured clip: an animated .gif or, by ffmpeg, an .mp4
    #[arg(long, short, value_name = "OUT.mp4")]
    output: PathBuf,
    #[command(flatten)]
    carry: Carry,
}

impl Colorize {
    pub(crate) fn run(&self) -> Result<()> {
        self.carry.check()?;
        write::check_movie(&self.output)?;
        output::check_writable(&self.output)?;
        let reference = video::open(&self.reference)?.next_frame()?;
        let reference =
            reference.ok_or_else(|| Error::bad_input("no picture").at(self.reference.display()))?;
        if lab(&reference).chunks_exact(3).all(|p| p[1].abs().max(p[2].abs()) < GREY) {
            return Err(Error::bad_input("has no colours to copy").at(self.reference.display()));
        }
        let video = self.carry.open()?;
        same_size("reference", [reference.width(), reference.height()], &video)
            .at(self.reference.display())?;
        let (rate, total) = (video.fps().unwrap_or(RATE), video.frames());
        let engine = self.carry.common.engine()?;
        let mut walk = self.carry.walk(&engine, video, Frame::uncolored)?;
        let start = Instant::now();
        let first = reference.colors(walk.places())?;
        let bar = output::rate_bar("frames", total);
        let mut count = 0;
        let frames = std::iter::from_fn(|| {
            let next = walk.next(&first).transpose()?;
            count += 1;
            bar.inc(1);
            Some(next.and_then(|(frame, colors)| from_lab(&frame, &colors)))
        });
        write::movie(&self.output, rate, frames)?;
        bar.finish_and_clear();
        self.carry.report(&walk, count, start, ("places", walk.places().iter().product()))
    }
}
