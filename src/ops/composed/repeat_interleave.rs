//! Every element of an axis several times.

use serde::Deserialize;

use crate::error::{At, Result};
use crate::graph::{Graph, Value};
use crate::ops::attributes::axis;
use crate::ops::{Door, Layout, Port};

impl Graph {
    /// Adds `x`, of floats or integers, with every element along an axis `repeats` times in a row, as
    /// `torch.repeat_interleave`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is no such axis or `repeats` is 0.
    pub fn repeat_interleave(&mut self, x: Value, repeats: usize, dim: isize) -> Result<Value> {
        let shape = self.shape(x).to_vec();
        let axis = axis(dim, shape.len()).at("repeat_interleave")?;
        let (outer, inner) = shape.split_at(axis + 1);
        let rows = self.view(x, &[outer.iter().product(), 1, inner.iter().product()])?;
        let y = self.repeat(rows, &[1, repeats, 1])?;
        let mut joined = shape;
        joined[axis] = joined[axis].saturating_mul(repeats);
        self.view(y, &joined)
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Interleave {
    repeats: usize,
    dim: isize,
}

impl Default for Interleave {
    fn default() -> Self {
        Interleave { repeats: 1, dim: 0 }
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "repeat_interleave",
    summary: "every element along an axis several times in a row",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "repeats=1, dim=0",
    build: |g, v, a| {
        let a: Interleave = a.read()?;
        Ok(vec![g.repeat_interleave(v[0], a.repeats, a.dim)?])
    },
};
