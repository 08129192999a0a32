//! 1D pooling: a 3D pooling of single rows.

use super::{as_video, of_video};
use crate::error::{At, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Door, Layout, Pool1d, Port, pool3d};

impl Graph {
    /// Adds a 1D pooling: `x` `[N, W, C]` gives `[N, W', C]`. The reshaping around [`Graph::pool3d`] copies
    /// nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shape do not fit each other.
    pub fn pool1d(&mut self, x: Value, attributes: &Pool1d) -> Result<Value> {
        let x = as_video(self, x, 3).at("pool1d")?;
        let y = self.pool3d(x, &attributes.of_video())?;
        of_video(self, y, 3)
    }

    /// Adds a 1D max pooling that also gives where each largest element lies: see
    /// [`Graph::pool3d_with_indices`].
    ///
    /// # Errors
    /// As [`Graph::pool1d`], and for a mean or zeros as padding, which have no place.
    pub fn pool1d_with_indices(&mut self, x: Value, attributes: &Pool1d) -> Result<(Value, Value)> {
        let x = as_video(self, x, 3).at("pool1d")?;
        let (y, indices) = self.pool3d_with_indices(x, &attributes.of_video())?;
        Ok((of_video(self, y, 3)?, of_video(self, indices, 3)?))
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "pool1d",
    summary: "the largest or mean element of every window, and where it lies as second output if wanted",
    inputs: &[Port::new("input", Layout::Activation)],
    output: Layout::Activation,
    attributes: pool3d::ATTRIBUTES,
    build: |g, v, a| {
        let a: Pool1d = a.read()?;
        if !a.return_indices {
            return Ok(vec![g.pool1d(v[0], &a)?]);
        }
        let (y, indices) = g.pool1d_with_indices(v[0], &a)?;
        Ok(vec![y, indices])
    },
};
