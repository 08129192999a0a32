//! Adaptive 1D pooling: an adaptive 3D pooling of single rows.

use super::{as_video, of_video};
use crate::error::{At, Result};
use crate::graph::{Graph, Value};
use crate::ops::{AdaptivePool1d, Door, Layout, Port, adaptive_pool3d};

impl Graph {
    /// Adds an adaptive 1D pooling: `x` `[N, W, C]` gives `[N, W', C]`. The reshaping around
    /// [`Graph::adaptive_pool3d`] copies nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shape do not fit each other.
    pub fn adaptive_pool1d(&mut self, x: Value, attributes: &AdaptivePool1d) -> Result<Value> {
        let x = as_video(self, x, 3).at("adaptive_pool1d")?;
        let y = self.adaptive_pool3d(x, &attributes.of_video())?;
        of_video(self, y, 3)
    }

    /// Adds an adaptive 1D max pooling that also gives where each largest element lies: see
    /// [`Graph::adaptive_pool3d_with_indices`].
    ///
    /// # Errors
    /// As [`Graph::adaptive_pool1d`], and for a mean, which has no place.
    pub fn adaptive_pool1d_with_indices(
        &mut self,
        x: Value,
        attributes: &AdaptivePool1d,
    ) -> Result<(Value, Value)> {
        let x = as_video(self, x, 3).at("adaptive_pool1d")?;
        let (y, indices) = self.adaptive_pool3d_with_indices(x, &attributes.of_video())?;
        Ok((of_video(self, y, 3)?, of_video(self, indices, 3)?))
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "adaptive_pool1d",
    summary: "the largest or mean element of so many windows, and where it lies as second output if wanted",
    inputs: &[Port::new("input", Layout::Activation)],
    output: Layout::Activation,
    attributes: adaptive_pool3d::ATTRIBUTES,
    build: |g, v, a| {
        let a: AdaptivePool1d = a.read()?;
        if !a.return_indices {
            return Ok(vec![g.adaptive_pool1d(v[0], &a)?]);
        }
        let (y, indices) = g.adaptive_pool1d_with_indices(v[0], &a)?;
        Ok(vec![y, indices])
    },
};
