//! Axes in reverse.

use serde::Deserialize;

use crate::error::{At, Result};
use crate::graph::{Graph, Value};
use crate::ops::attributes::{axes, axis_list};
use crate::ops::{Door, Layout, Port, Slice};

impl Graph {
    /// Adds `x`, of floats or integers, with its elements along these axes in reverse order: a [`Slice`] with steps of
    /// −1.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when an axis does not exist or is named twice.
    pub fn flip(&mut self, x: Value, dims: &[isize]) -> Result<Value> {
        let rank = self.shape(x).rank();
        let mut step = vec![None; rank];
        for axis in axes(dims, rank).at("flip")? {
            step[axis] = Some(-1);
        }
        self.slice(x, &Slice { step, ..Slice::default() })
    }
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Along {
    #[serde(deserialize_with = "axis_list")]
    dims: Vec<isize>,
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "flip",
    summary: "the elements along axes in reverse order",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "dims=[]",
    build: |g, v, a| Ok(vec![g.flip(v[0], &a.read::<Along>()?.dims)?]),
};
