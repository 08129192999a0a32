//! A tensor in parts along an axis.

use serde::Deserialize;

use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::attributes::axis;
use crate::ops::{Door, Layout, Port};

impl Graph {
    /// Adds the parts of `x`, of floats or integers, that are `sizes` long along an axis and together all of it, as
    /// `torch.split`: a slice each.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is no such axis, a size is 0, or the sizes are not the axis together.
    pub fn split(&mut self, x: Value, sizes: &[usize], dim: isize) -> Result<Vec<Value>> {
        let shape = self.shape(x);
        let length = shape[axis(dim, shape.rank()).at("split")?];
        let whole = sizes.iter().try_fold(0usize, |sum, size| sum.checked_add(*size));
        if sizes.contains(&0) || whole != Some(length) {
            let what = format!(
                "sizes {sizes:?} must be 1 or more each and {length} together, the length of dim {dim}"
            );
            return Err(Error::bad_input(what)).at("split");
        }
        let mut start = 0;
        let mut parts = Vec::new();
        for &size in sizes {
            let stop = start + size as isize;
            parts.push(self.slice_axis(x, dim, start, Some(stop))?);
            start = stop;
        }
        Ok(parts)
    }

    /// Adds the parts of `x` in so many chunks along an axis, as `torch.chunk`: equally long but for the last, and fewer
    /// where the length does not suffice.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is no such axis or `chunks` is 0.
    pub fn chunk(&mut self, x: Value, chunks: usize, dim: isize) -> Result<Vec<Value>> {
        let shape = self.shape(x);
        let length = shape[axis(dim, shape.rank()).at("chunk")?];
        if chunks == 0 {
            return Err(Error::bad_input("chunks 0: 1 or more is possible")).at("chunk");
        }
        let size = length.div_ceil(chunks);
        let sizes: Vec<usize> = (0..length).step_by(size).map(|start| size.min(length - start)).collect();
        self.split(x, &sizes, dim)
    }
}

/// Sizes or a number of chunks.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Parts {
    sizes: Vec<usize>,
    chunks: Option<usize>,
    dim: isize,
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "split",
    summary: "the parts of a tensor along an axis, as several outputs",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "sizes=[…] or chunks, dim=0",
    build: |g, v, a| {
        let a: Parts = a.read()?;
        match a.chunks {
            Some(_) if !a.sizes.is_empty() => {
                Err(Error::bad_input("split: either sizes or chunks, not both"))
            }
            Some(chunks) => g.chunk(v[0], chunks, a.dim),
            None => g.split(v[0], &a.sizes, a.dim),
        }
    },
};
