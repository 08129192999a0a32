//! Flow between the frames of clips.

use std::num::NonZero;

use super::DualTvl1;
use crate::error::{Error, Result};
use crate::graph::{Engine, Graph, Plan, PlanOptions};
use crate::tensor::Tensor;
use crate::video::Frame;

/// Brightness of a frame as `[H, W]` floats from 0 to 255, rounded to whole numbers as OpenCV does.
pub fn gray(frame: &Frame) -> Vec<f32> {
    // 0.299, 0.587 and 0.114 in fourteen bits.
    let level =
        |p: &[u8]| (u32::from(p[0]) * 4899 + u32::from(p[1]) * 9617 + u32::from(p[2]) * 1868 + 8192) >> 14;
    frame.rgb().chunks_exact(3).map(|p| level(p) as f32).collect()
}

/// TV-L1 flow of frames of one size, planned once; several pairs at a time.
pub struct FlowPlan {
    plan: Plan,
    size: [usize; 2],
    pairs: usize,
}

impl FlowPlan {
    /// Plans the flow of `pairs` pairs of frames of `height`×`width` pixels at a time.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for unusable parameters, [`crate::ErrorKind::OutOfMemory`] when the device cannot
    /// hold it.
    pub fn new(
        engine: &Engine,
        [height, width]: [usize; 2],
        pairs: NonZero<usize>,
        method: &DualTvl1,
        options: &PlanOptions,
    ) -> Result<FlowPlan> {
        let mut g = Graph::new();
        let first = g.input("first", &[pairs.get(), height, width, 1])?;
        let second = g.input("second", &[pairs.get(), height, width, 1])?;
        let flow = method.add(&mut g, first, second, None)?;
        g.output("flow", flow)?;
        Ok(FlowPlan { plan: engine.plan_with(&g, options)?, size: [height, width], pairs: pairs.get() })
    }

    /// How many pairs a run takes.
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// The flows `[H, W, 2]` of up to [`FlowPlan::pairs`] pairs of frames, `[H·W]` brightnesses from 0 to 255 each.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for no or too many pairs, or frames of another size; and what running gives.
    pub fn run(&self, pairs: &[(&[f32], &[f32])]) -> Result<Vec<Tensor>> {
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
        // A pair given again fills up the last run.
        let padded = || pairs.iter().chain(std::iter::repeat(&pairs[0])).take(self.pairs);
        let join = |frames: Vec<&[f32]>| Tensor::new(&[self.pairs, h, w, 1], frames.concat());
        let first = join(padded().map(|p| p.0).collect())?;
        let second = join(padded().map(|p| p.1).collect())?;
        let outputs = self.plan.run(&[("first", first), ("second", second)])?;
        let flows = outputs["flow"].to_f32();
        let flows = flows.f32s()?.chunks_exact(h * w * 2).take(pairs.len());
        flows.map(|f| Tensor::new(&[h, w, 2], f.to_vec())).collect()
    }
}
