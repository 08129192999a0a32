//! Motion between the frames of clips.

use std::num::NonZero;

use super::{Method, components, is_known};
use crate::error::{Error, Result};
use crate::graph::{Engine, Graph, Plan, PlanOptions};
use crate::tensor::Tensor;
use crate::video::Frame;

/// Brightness of a frame as `[H, W]` floats from 0 to 255, rounded to whole numbers as OpenCV does.
pub fn gray(frame: &Frame) -> Vec<f32> {
    // 0.299, 0.587 and 0.114 in fifteen bits.
    let level = |p: &[u8]| {
        let [r, g, b] = [p[0], p[1], p[2]].map(u32::from);
        (r * 9798 + g * 19235 + b * 3735 + 16384) >> 15
    };
    frame.rgb().chunks_exact(3).map(|p| level(p) as f32).collect()
}

/// Motion between frames of one size, planned once; several pairs at a time.
pub struct FlowPlan {
    plan: Plan,
    size: [usize; 2],
    pairs: usize,
    channels: usize,
    takes_initial: bool,
}

impl FlowPlan {
    /// Plans the motion between `pairs` pairs of frames of `height`×`width` pixels at a time.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for unusable parameters, [`crate::ErrorKind::OutOfMemory`] when the device cannot
    /// hold it.
    pub fn new(
        engine: &Engine,
        size: [usize; 2],
        pairs: NonZero<usize>,
        method: &Method,
        options: &PlanOptions,
    ) -> Result<FlowPlan> {
        FlowPlan::plan(engine, size, pairs, method, false, options)
    }

    /// The same where each pair has a flow to begin with, for [`FlowPlan::run_from`].
    ///
    /// # Errors
    /// Those of [`FlowPlan::new`], and [`crate::ErrorKind::BadInput`] when the method begins with no flow.
    pub fn with_initial(
        engine: &Engine,
        size: [usize; 2],
        pairs: NonZero<usize>,
        method: &Method,
        options: &PlanOptions,
    ) -> Result<FlowPlan> {
        FlowPlan::plan(engine, size, pairs, method, true, options)
    }

    fn plan(
        engine: &Engine,
        [height, width]: [usize; 2],
        pairs: NonZero<usize>,
        method: &Method,
        takes_initial: bool,
        options: &PlanOptions,
    ) -> Result<FlowPlan> {
        let mut g = Graph::new();
        let first = g.input("first", &[pairs.get(), height, width, 1])?;
        let second = g.input("second", &[pairs.get(), height, width, 1])?;
        let initial = match takes_initial {
            true => Some(g.input("initial", &[pairs.get(), height, width, 2])?),
            false => None,
        };
        let motion = method.add(&mut g, first, second, initial)?;
        g.output("motion", motion)?;
        Ok(FlowPlan {
            plan: engine.plan_with(&g, options)?,
            size: [height, width],
            pairs: pairs.get(),
            channels: method.channels(),
            takes_initial,
        })
    }

    /// How many pairs a run takes.
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// The flows `[H, W, 2]` (differences `[H, W, 1]`) of up to [`FlowPlan::pairs`] pairs of frames, `[H·W]`
    /// brightnesses from 0 to 255 each.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for no or too many pairs, frames of another size, or a plan that wants initial
    /// flows; and what running gives.
    pub fn run(&self, pairs: &[(&[f32], &[f32])]) -> Result<Vec<Tensor>> {
        if self.takes_initial {
            return Err(Error::bad_input("planned with initial flows: they must be given"));
        }
        self.execute(pairs, None)
    }

    /// The flows `[H, W, 2]` of up to [`FlowPlan::pairs`] pairs of frames, each found from an initial flow
    /// `[H, W, 2]` of known numbers.
    ///
    /// # Errors
    /// Those of [`FlowPlan::run`], and [`crate::ErrorKind::BadInput`] for initial flows of another number or size, with
    /// unknown or infinite motion, or when none were planned.
    pub fn run_from(&self, pairs: &[(&[f32], &[f32])], initial: &[Tensor]) -> Result<Vec<Tensor>> {
        if !self.takes_initial {
            return Err(Error::bad_input("planned without initial flows"));
        }
        if initial.len() != pairs.len() {
            return Err(Error::bad_input(format!(
                "{} initial flows for {} pairs of frames",
                initial.len(),
                pairs.len()
            )));
        }
        let mut flows = Vec::with_capacity(initial.len());
        for flow in initial {
            let (size, values) = components(flow)?;
            if size != self.size {
                let ([h, w], [height, width]) = (size, self.size);
                return Err(Error::bad_input(format!(
                    "an initial flow of {w}x{h}, the frames are {width}x{height}"
                )));
            }
            if !is_known(values) {
                return Err(Error::bad_input("an initial flow must be known in every pixel"));
            }
            flows.push(values);
        }
        self.execute(pairs, Some(&flows))
    }

    fn execute(&self, pairs: &[(&[f32], &[f32])], initial: Option<&[&[f32]]>) -> Result<Vec<Tensor>> {
        let [h, w] = self.size;
        if pairs.is_empty() || pairs.len() > self.pairs {
            return Err(Error::bad_input(format!(
                "{} pairs of frames, 1 to {} are possible",
                pairs.len(),
                self.pairs
            )));
        }
        if let Some((a, b)) = pairs.iter().find(|(a, b)| a.len() != h * w || b.len() != h * w) {
            return Err(Error::bad_input(format!(
                "frames of {} and {} pixels instead of {w}x{h}",
                a.len(),
                b.len()
            )));
        }
        // The first again fills up the last run.
        let join = |parts: Vec<&[f32]>, channels: usize| {
            let padded: Vec<&[f32]> =
                parts.iter().copied().chain(std::iter::repeat(parts[0])).take(self.pairs).collect();
            Tensor::new(&[self.pairs, h, w, channels], padded.concat())
        };
        let mut inputs = vec![
            ("first", join(pairs.iter().map(|p| p.0).collect(), 1)?),
            ("second", join(pairs.iter().map(|p| p.1).collect(), 1)?),
        ];
        if let Some(initial) = initial {
            inputs.push(("initial", join(initial.to_vec(), 2)?));
        }
        let outputs = self.plan.run(&inputs)?;
        let motion = outputs["motion"].to_f32();
        let motion = motion.f32s()?.chunks_exact(h * w * self.channels).take(pairs.len());
        motion.map(|m| Tensor::new(&[h, w, self.channels], m.to_vec())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cv2.cvtColor` of OpenCV 5.0; the weights in fourteen bits, as older versions had them, give other levels.
    #[test]
    fn brightness_is_that_of_opencv() {
        let rgb = [227, 146, 166, 12, 145, 7, 208, 73, 4, 203, 185, 72, 255, 255, 255, 0, 0, 0];
        let frame = Frame::new(6, 1, rgb.to_vec()).unwrap();
        assert_eq!(gray(&frame), [172.0, 90.0, 106.0, 178.0, 255.0, 0.0]);
    }
}
