//! Tensors side by side along a new axis.

use serde::Deserialize;

use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::attributes::axis;
use crate::ops::{Door, Layout, Port};

impl Graph {
    /// Adds the join of equally shaped tensors, all of floats or all of integers, along a new axis, as `torch.stack`.
    /// `dim` is the axis' place in the result; a negative one counts from behind.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes differ, when there is no such axis, or no tensor at all.
    pub fn stack(&mut self, inputs: &[Value], dim: isize) -> Result<Value> {
        let Some(first) = inputs.first().map(|&x| self.shape(x).to_vec()) else {
            return Err(Error::bad_input("nothing to join")).at("stack");
        };
        let axis = axis(dim, first.len() + 1).at("stack")?;
        let mut wider = first.clone();
        wider.insert(axis, 1);
        let mut rows = Vec::new();
        for (i, &x) in inputs.iter().enumerate() {
            if **self.shape(x) != *first {
                let what = format!("input {i} is {}, input 0 is {first:?}", self.shape(x));
                return Err(Error::bad_input(what)).at("stack");
            }
            rows.push(self.view(x, &wider)?);
        }
        self.concat(&rows, axis as isize)
    }
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Along {
    dim: isize,
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "stack",
    summary: "equally shaped tensors joined along a new axis",
    inputs: &[Port::variadic("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "dim=0",
    build: |g, v, a| Ok(vec![g.stack(v, a.read::<Along>()?.dim)?]),
};
