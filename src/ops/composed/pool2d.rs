//! 2D pooling: a 3D pooling of single frames.

use super::{as_video, of_video};
use crate::error::{At, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Door, Layout, Pool2d, Port, pool3d};

impl Graph {
    /// Adds a 2D pooling: `x` `[N, H, W, C]` gives `[N, H', W', C]`. The reshaping around [`Graph::pool3d`] copies
    /// nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shape do not fit each other.
    pub fn pool2d(&mut self, x: Value, attributes: &Pool2d) -> Result<Value> {
        let x = as_video(self, x, 4).at("pool2d")?;
        let y = self.pool3d(x, &attributes.of_video())?;
        of_video(self, y, 4)
    }

    /// Adds a 2D max pooling that also gives where each largest element lies, `h·W + w`: see
    /// [`Graph::pool3d_with_indices`].
    ///
    /// # Errors
    /// As [`Graph::pool2d`], and for a mean or zeros as padding, which have no place.
    pub fn pool2d_with_indices(&mut self, x: Value, attributes: &Pool2d) -> Result<(Value, Value)> {
        let x = as_video(self, x, 4).at("pool2d")?;
        let (y, indices) = self.pool3d_with_indices(x, &attributes.of_video())?;
        Ok((of_video(self, y, 4)?, of_video(self, indices, 4)?))
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "pool2d",
    summary: "the largest or mean element of every window, and where it lies as second output if wanted",
    inputs: &[Port::new("input", Layout::Activation)],
    output: Layout::Activation,
    attributes: pool3d::ATTRIBUTES,
    build: |g, v, a| {
        let a: Pool2d = a.read()?;
        if !a.return_indices {
            return Ok(vec![g.pool2d(v[0], &a)?]);
        }
        let (y, indices) = g.pool2d_with_indices(v[0], &a)?;
        Ok(vec![y, indices])
    },
};
