//! Parametric ReLU.

use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Binary, Door, Layout, Port};

impl Graph {
    /// Adds a parametric ReLU: `x` where `x ≥ 0`, else `weight·x`, with `x` `[…, C]` and `weight` `[C]` or `[1]`. See
    /// [`Binary::Prelu`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the weight is neither one number nor one for each channel.
    pub fn prelu(&mut self, x: Value, weight: Value) -> Result<Value> {
        let (of_x, of_weight) = (self.shape(x), self.shape(weight));
        let fits = match of_weight[..] {
            [1] => true,
            [channels] => of_x.last() == Some(&channels),
            _ => false,
        };
        if !fits {
            let what = format!(
                "the weight must be [1] or [C], one number for each channel of {of_x}, it is {of_weight}"
            );
            return Err(Error::bad_input(what)).at("prelu");
        }
        self.binary(x, weight, Binary::Prelu)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "prelu",
    summary: "the parametric ReLU, with a weight for each channel or one for all",
    inputs: &[Port::new("input", Layout::Activation), Port::new("weight", Layout::Plain)],
    output: Layout::Activation,
    attributes: "",
    build: |g, v, a| {
        a.none()?;
        Ok(vec![g.prelu(v[0], v[1])?])
    },
};
