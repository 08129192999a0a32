//! Two pictures.

use std::num::NonZero;
use std::path::Path;

use kinetograph::error::At;
use kinetograph::flow::{self, FlowPlan, Method};
use kinetograph::video::{self, Frame, write};
use kinetograph::{Error, Result, Tensor, npy};

use super::{Flow, timed};

impl Flow {
    pub(super) fn pair(&self, first: &Path, second: &Path, method: &Method) -> Result<()> {
        let (a, b) = (Picture::read(first)?, Picture::read(second)?);
        let size = |p: &Picture| format!("{}x{}", p.frame.width(), p.frame.height());
        if size(&a) != size(&b) {
            return Err(Error::bad_input(format!(
                "{} is {}, {} is {}: both must have one size",
                first.display(),
                size(&a),
                second.display(),
                size(&b)
            )));
        }
        let truth = self.truth.as_deref().map(flow::read).transpose()?;
        let initial = self.initial.as_deref().map(flow::read).transpose()?;
        let engine = self.common.engine()?;
        let (options, one) = (self.common.options()?, NonZero::<usize>::MIN);
        let size = [a.frame.height(), a.frame.width()];
        let frames = [(&a.gray[..], &b.gray[..])];
        let (motion, seconds) = match (initial, &self.initial) {
            (Some(initial), Some(path)) => {
                let plan = FlowPlan::with_initial(&engine, size, one, method, &options)?;
                timed(&plan, |plan| plan.run_from(&frames, &[initial]).at(path.display()))?
            }
            _ => timed(&FlowPlan::new(&engine, size, one, method, &options)?, |plan| plan.run(&frames))?,
        };
        let motion = motion.first().ok_or_else(|| Error::internal("a run without flow"))?;
        let measures = match (&truth, &self.truth) {
            (Some(truth), Some(path)) => Some(flow::measure(motion, truth).at(path.display())?),
            _ => None,
        };
        if let Some(path) = &self.output {
            match method {
                Method::Difference(_) => npy::write(path, motion)?,
                _ => flow::write(path, motion)?,
            }
        }
        if let Some(path) = &self.picture {
            write::png(path, &self.painted(motion, method, None)?)?;
        }
        if let Some(path) = &self.arrows {
            // Small motions are drawn longer, up to the distance between arrows.
            let longest = flow::longest([motion]).max(1e-3);
            write::png(path, &flow::arrows(&a.frame, motion, 16, (16.0 / longest).clamp(1.0, 16.0))?)?;
        }
        if let Some(path) = &self.warped {
            write::png(path, &flow::warp(&b.frame, motion)?)?;
        }
        self.report(1, seconds, measures, &engine.describe())
    }
}

/// A picture to look at and its brightness, from 0 to 255.
struct Picture {
    frame: Frame,
    gray: Vec<f32>,
}

impl Picture {
    fn read(path: &Path) -> Result<Picture> {
        let mut head = [0; 6];
        let numbers = std::fs::File::open(path)
            .and_then(|mut f| std::io::Read::read_exact(&mut f, &mut head))
            .is_ok_and(|()| head == *b"\x93NUMPY");
        if numbers {
            return Picture::from_numbers(&npy::read(path)?).at(path.display());
        }
        let mut video = video::open(path)?;
        let frame = video.next_frame()?;
        let more = video.skip_frame()?;
        match frame {
            Some(frame) if !more => Ok(Picture { gray: flow::gray(&frame), frame }),
            _ => Err(Error::bad_input(format!(
                "{}: a picture of one frame is needed; give a clip alone",
                path.display()
            ))),
        }
    }

    /// A picture from `[H, W]`, `[H, W, 1]` or `[H, W, 3]` numbers from 0 to 255.
    fn from_numbers(numbers: &Tensor) -> Result<Picture> {
        let (h, w, channels) = match **numbers.shape() {
            [h, w] => (h, w, 1),
            [h, w, c @ (1 | 3)] => (h, w, c),
            _ => {
                return Err(Error::bad_input(format!(
                    "holds numbers of shape {}; a picture is [H, W], [H, W, 1] or [H, W, 3]",
                    numbers.shape()
                )));
            }
        };
        let wide = numbers.to_f32();
        let values = wide.f32s()?;
        let pixel = |i: usize| format!("pixel ({}, {})", i / channels % w, i / channels / w);
        // Written so that NaN is refused.
        if let Some((i, x)) = values.iter().enumerate().find(|(_, x)| !(0.0..=255.0).contains(*x)) {
            return Err(Error::bad_input(format!("{} is {x}; numbers from 0 to 255 are needed", pixel(i))));
        }
        let largest = values.iter().fold(0.0, |m: f32, x| m.max(*x));
        if largest > 0.0 && largest <= 1.0 && numbers.dtype() != kinetograph::DType::U8 {
            return Err(Error::bad_input(format!(
                "its numbers go to {largest} only; brightness goes from 0 to 255, so multiply by 255"
            )));
        }
        let gray = match channels {
            1 => values.to_vec(),
            _ => values.chunks_exact(3).map(|p| 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]).collect(),
        };
        let byte = |x: f32| x.round() as u8;
        let rgb = match channels {
            1 => values.iter().flat_map(|x| [byte(*x); 3]).collect(),
            _ => values.iter().map(|x| byte(*x)).collect(),
        };
        let frame = Frame::new(w, h, rgb)?;
        // Bytes are rounded as those of other pictures.
        let gray = if numbers.dtype() == kinetograph::DType::U8 { flow::gray(&frame) } else { gray };
        Ok(Picture { frame, gray })
    }
}
