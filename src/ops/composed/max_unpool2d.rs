//! The inverse of 2D max pooling: that of a 3D max pooling of single frames.

use super::{as_video, of_video};
use crate::error::{At, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Door, Layout, MaxUnpool2d, max_unpool3d};

impl Graph {
    /// Adds the inverse of a 2D max pooling: `x` and `indices` (i32), both `[N, H, W, C]` as
    /// [`Graph::pool2d_with_indices`] gives them, give `[N, H', W', C]`, zero where no index points.
    ///
    /// # Errors
    /// As [`Graph::max_unpool3d`].
    pub fn max_unpool2d(&mut self, x: Value, indices: Value, attributes: &MaxUnpool2d) -> Result<Value> {
        let x = as_video(self, x, 4).at("max_unpool2d")?;
        let indices = as_video(self, indices, 4).at("max_unpool2d")?;
        let y = self.max_unpool3d(x, indices, &attributes.of_video())?;
        of_video(self, y, 4)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "max_unpool2d",
    summary: "elements put back where a max pooling found them, zeros elsewhere",
    inputs: max_unpool3d::INPUTS,
    output: Layout::Activation,
    attributes: max_unpool3d::ATTRIBUTES,
    build: |g, v, a| Ok(vec![g.max_unpool2d(v[0], v[1], &a.read()?)?]),
};
