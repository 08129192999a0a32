//! The frames of a clip, a few pairs at a time.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::num::NonZero;
use std::path::Path;

use kinetograph::error::At;
use kinetograph::flow::{self, FlowPlan, Method};
use kinetograph::video::{self, Frame, Video, write};
use kinetograph::{Engine, Error, ErrorKind, Result, Tensor, npy};

use super::{Flow, timed};
use crate::cli::output;

/// Pairs at a time where the memory suffices.
const BATCH: usize = 8;

impl Flow {
    pub(super) fn clip(&self, path: &Path, method: &Method) -> Result<()> {
        let mut frames = Strided { video: video::open(path)?, stride: self.stride, begun: false };
        let total = frames.video.frames().map(|n| n.div_ceil(self.stride).saturating_sub(1));
        let mut last = frames.gray()?.ok_or_else(|| Error::internal("a video without a frame"))?;
        let Some(mut next) = frames.gray()? else {
            return Err(Error::bad_input(format!(
                "{}: one frame at a stride of {}, flow needs two",
                path.display(),
                self.stride
            )));
        };
        let size = [frames.video.height(), frames.video.width()];
        let engine = self.common.engine()?;
        let plan = self.clip_plan(&engine, size, total, method)?;
        if let Some(folder) = &self.output {
            let made = std::fs::create_dir_all(folder);
            made.map_err(|e| Error::usage(format!("the folder cannot be made: {e}"))).at(folder.display())?;
        }
        let mut kept = match &self.video {
            Some(out) => Some(Kept::new(out)?),
            None => None,
        };
        let bar = output::rate_bar("pairs", total);
        let (mut count, mut seconds, mut longest) = (0, 0.0, 0f32);
        let mut ended = false;
        while !ended {
            let mut batch = vec![last, next];
            while batch.len() <= plan.pairs() {
                match frames.gray()? {
                    Some(frame) => batch.push(frame),
                    None => break,
                }
            }
            let pairs: Vec<(&[f32], &[f32])> = batch.windows(2).map(|w| (&w[0][..], &w[1][..])).collect();
            let (motions, took) = timed(&plan, |plan| plan.run(&pairs))?;
            seconds += took;
            for motion in &motions {
                if let Some(folder) = &self.output {
                    let name = folder.join(format!("flow_{count:05}.{}", self.format()));
                    match method {
                        Method::Difference(_) => npy::write(name, motion)?,
                        _ => flow::write(name, motion)?,
                    }
                }
                if let Some(kept) = &mut kept {
                    longest = longest.max(flow::longest([motion]));
                    kept.push(motion)?;
                }
                count += 1;
            }
            bar.set_position(count as u64);
            last = batch.pop().unwrap_or_default();
            next = Vec::new();
            match frames.gray()? {
                Some(frame) => next = frame,
                None => ended = true,
            }
        }
        bar.finish_and_clear();
        if let (Some(out), Some(kept)) = (&self.video, kept) {
            let rate = frames.video.fps().unwrap_or(10.0) / self.stride as f64;
            let flows = kept.read([size[0], size[1], method.channels()])?;
            let longest = if matches!(method, Method::Difference(_)) { 255.0 } else { longest.max(1e-3) };
            let mut frames = Strided { video: video::open(path)?, stride: self.stride, begun: false };
            let bar = output::rate_bar("frames written", Some(count));
            let beside = flows.map(|motion| {
                let frame = frames.frame()?.ok_or_else(|| Error::bad_input("the clip has become shorter"))?;
                bar.inc(1);
                side_by_side(&frame, &self.painted(&motion?, method, Some(longest))?)
            });
            write::movie(out, rate, beside)?;
            bar.finish_and_clear();
        }
        self.report(count, seconds, None, &engine.describe())
    }

    /// A plan for as many pairs at a time as were asked for; if nobody asked, as the memory holds.
    fn clip_plan(
        &self,
        engine: &Engine,
        size: [usize; 2],
        total: Option<usize>,
        method: &Method,
    ) -> Result<FlowPlan> {
        let most = self.batch.unwrap_or(BATCH).min(total.unwrap_or(usize::MAX)).max(1);
        let mut batch = NonZero::new(most).unwrap_or(NonZero::<usize>::MIN);
        loop {
            match FlowPlan::new(engine, size, batch, method, &self.common.options()?) {
                Err(e) if e.kind() == ErrorKind::OutOfMemory && self.batch.is_none() && batch.get() > 1 => {
                    batch = NonZero::new(batch.get() / 2).unwrap_or(NonZero::<usize>::MIN);
                }
                other => return other,
            }
        }
    }
}

/// Every so-many-th frame of a clip.
struct Strided {
    video: Video,
    stride: usize,
    begun: bool,
}

impl Strided {
    fn frame(&mut self) -> Result<Option<Frame>> {
        if self.begun {
            for _ in 1..self.stride {
                if !self.video.skip_frame()? {
                    return Ok(None);
                }
            }
        }
        self.begun = true;
        self.video.next_frame()
    }

    fn gray(&mut self) -> Result<Option<Vec<f32>>> {
        Ok(self.frame()?.map(|frame| flow::gray(&frame)))
    }
}

/// Flows on disk until the longest motion of all is known, which colours them; beside what is made of them, because
/// there is room.
struct Kept(BufWriter<File>);

impl Kept {
    fn new(beside: &Path) -> Result<Kept> {
        let folder = beside.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::tempfile_in(folder);
        let file = file.map_err(|e| Error::usage(format!("takes no files: {}", e.kind())));
        Ok(Kept(BufWriter::new(file.at(folder.display())?)))
    }

    fn push(&mut self, motion: &Tensor) -> Result<()> {
        self.0.write_all(motion.bytes()).map_err(full)
    }

    /// The tensors again, in the order in which they came.
    fn read(self, shape: [usize; 3]) -> Result<impl Iterator<Item = Result<Tensor>>> {
        let mut file = self.0.into_inner().map_err(|e| full(e.into_error()))?;
        file.rewind().map_err(full)?;
        let mut file = BufReader::new(file);
        let mut bytes = vec![0; shape.iter().product::<usize>() * 4];
        Ok(std::iter::from_fn(move || match file.read_exact(&mut bytes) {
            Ok(()) => {
                let words = bytes.chunks_exact(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
                Some(Tensor::new(&shape, words.collect::<Vec<f32>>()))
            }
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => None,
            Err(e) => Some(Err(full(e))),
        }))
    }
}

fn full(e: std::io::Error) -> Error {
    Error::usage(format!("the flows cannot be kept on disk: {e}"))
}

pub(in crate::cli) fn side_by_side(left: &Frame, right: &Frame) -> Result<Frame> {
    let row = left.width() * 3;
    let rows = left.rgb().chunks_exact(row).zip(right.rgb().chunks_exact(row));
    Frame::new(left.width() * 2, left.height(), rows.flat_map(|(a, b)| [a, b].concat()).collect())
}
