//! Adaptive 2D pooling: an adaptive 3D pooling of single frames.

use super::{as_video, of_video};
use crate::error::{At, Result};
use crate::graph::{Graph, Value};
use crate::ops::{AdaptivePool2d, Door, Layout, Port, adaptive_pool3d};

impl Graph {
    /// Adds an adaptive 2D pooling: `x` `[N, H, W, C]` gives `[N, H', W', C]`. The reshaping around
    /// [`Graph::adaptive_pool3d`] copies nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shape do not fit each other.
    pub fn adaptive_pool2d(&mut self, x: Value, attributes: &AdaptivePool2d) -> Result<Value> {
        let x = as_video(self, x, 4).at("adaptive_pool2d")?;
        let y = self.adaptive_pool3d(x, &attributes.of_video())?;
        of_video(self, y, 4)
    }

    /// Adds an adaptive 2D max pooling that also gives where each largest element lies: see
    /// [`Graph::adaptive_pool3d_with_indices`].
    ///
    /// # Errors
    /// As [`Graph::adaptive_pool2d`], and for a mean, which has no place.
    pub fn adaptive_pool2d_with_indices(
        &mut self,
        x: Value,
        attributes: &AdaptivePool2d,
    ) -> Result<(Value, Value)> {
        let x = as_video(self, x, 4).at("adaptive_pool2d")?;
        let (y, indices) = self.adaptive_pool3d_with_indices(x, &attributes.of_video())?;
        Ok((of_video(self, y, 4)?, of_video(self, indices, 4)?))
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "adaptive_pool2d",
    summary: "the largest or mean element of so many windows, and where it lies as second output if wanted",
    inputs: &[Port::new("input", Layout::Activation)],
    output: Layout::Activation,
    attributes: adaptive_pool3d::ATTRIBUTES,
    build: |g, v, a| {
        let a: AdaptivePool2d = a.read()?;
        if !a.return_indices {
            return Ok(vec![g.adaptive_pool2d(v[0], &a)?]);
        }
        let (y, indices) = g.adaptive_pool2d_with_indices(v[0], &a)?;
        Ok(vec![y, indices])
    },
};
