//! The straight-through output of a quantizer.

use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Binary, Door, Layout, Port};

impl Graph {
    /// Adds `x + (quantized − x)`, what a quantizer with straight-through gradients (van den Oord et al. 2017) gives on
    /// the way forward: `quantized` but for two roundings, which published networks have made since they were trained.
    /// Both are of one shape. Where `x` is infinite or NaN, so is the result.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes differ.
    pub fn straight_through(&mut self, x: Value, quantized: Value) -> Result<Value> {
        if self.shape(x) != self.shape(quantized) {
            let (a, b) = (self.shape(x), self.shape(quantized));
            return Err(Error::bad_input(format!(
                "the input is {a}, the quantized {b}: one shape is wanted"
            )))
            .at("straight_through");
        }
        let gap = self.binary(quantized, x, Binary::Sub)?;
        self.add(x, gap)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "straight_through",
    summary: "input + (quantized - input), a quantizer's output as straight-through training has it",
    inputs: &[Port::new("input", Layout::Plain), Port::new("quantized", Layout::Plain)],
    output: Layout::Plain,
    attributes: "",
    build: |g, v, a| {
        a.none()?;
        Ok(vec![g.straight_through(v[0], v[1])?])
    },
};
