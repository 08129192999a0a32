//! Objects of a clip's first frame, found again in the others.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use kinetograph::error::At;
use kinetograph::video::{Frame, Indexed, write};
use kinetograph::{Error, Result, Tensor};

use super::{Carry, RATE, Walk, same_size};
use crate::cli::output;

/// Find the objects of a mask of a clip's first frame in all its frames, by the likeness of a network's features.
///
/// The mask is a PNG with a palette, as DAVIS has them, or any picture in which each colour is an object; black, or the
/// palette's lowest colour that occurs, is the background. Features may be those of the contrastive random walk, of
/// TimeCycle, of tracking by colorizing or of a ResNet.
///
/// kinetograph propagate --input clip.mp4 --weights crw.pth --mask first.png --output masks/ --video tracked.gif
#[derive(Args)]
pub(crate) struct Propagate {
    /// The mask of the first frame, of the size of the clip
    #[arg(long)]
    mask: PathBuf,
    /// The folder of the masks 00000.png …, with the palette and the size of the given one
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Write the clip with its objects coloured, as an animated .gif or, by ffmpeg, as an .mp4
    #[arg(long, value_name = "OUT.mp4")]
    video: Option<PathBuf>,
    #[command(flatten)]
    carry: Carry,
}

impl Propagate {
    pub(crate) fn run(&self) -> Result<()> {
        self.check()?;
        let mask = Indexed::read(&self.mask)?;
        let video = self.carry.open()?;
        same_size("mask", [mask.width(), mask.height()], &video).at(self.mask.display())?;
        let (rate, total) = (video.fps().unwrap_or(RATE), video.frames());
        let engine = self.carry.common.engine()?;
        let mut walk = self.carry.walk(&engine, video, Frame::clone)?;
        if let Some(folder) = &self.output {
            let made = std::fs::create_dir_all(folder);
            made.map_err(|e| Error::usage(format!("the folder cannot be made: {e}"))).at(folder.display())?;
        }
        let start = Instant::now();
        let first = mask.shares(walk.places())?;
        let bar = output::rate_bar("frames", total);
        let mut count = 0;
        let mut frames = std::iter::from_fn(|| {
            let drawn = self.step(&mut walk, &mask, &first, count).transpose();
            count += usize::from(matches!(drawn, Some(Ok(_))));
            bar.set_position(count as u64);
            drawn
        });
        match &self.video {
            Some(path) => write::movie(path, rate, frames)?,
            None => frames.try_for_each(|frame| frame.map(drop))?,
        }
        bar.finish_and_clear();
        self.carry.report(&walk, count, start, ("objects", mask.objects().len() - 1))
    }

    /// Finds the objects in the next frame, writes their mask and draws them.
    fn step(&self, walk: &mut Walk, mask: &Indexed, first: &Tensor, i: usize) -> Result<Option<Frame>> {
        let Some((frame, labels)) = walk.next(first)? else { return Ok(None) };
        let found = if i == 0 { mask.clone() } else { mask.like(&labels)? };
        if let Some(folder) = &self.output {
            found.write(folder.join(format!("{i:05}.png")))?;
        }
        found.over(&frame, mask.objects()[0]).map(Some)
    }

    fn check(&self) -> Result<()> {
        self.carry.check()?;
        if self.output.is_none() && self.video.is_none() {
            return Err(Error::usage("--output or --video is needed: nothing would be written"));
        }
        if let Some(path) = &self.video {
            write::check_movie(path)?;
            output::check_writable(path)?;
        }
        match &self.output {
            Some(path) if path.exists() && !path.is_dir() => {
                Err(Error::usage("is a file; the name of a folder is needed").at(path.display()))
            }
            _ => Ok(()),
        }
    }
}
