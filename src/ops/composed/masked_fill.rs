//! A value where a mask is set.

use serde::Deserialize;

use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Door, Layout, Port};
use crate::tensor::{DType, Tensor};

impl Graph {
    /// Adds `x`, of floats or integers, with `value` in the place of elements whose mask is not 0, as
    /// `torch.masked_fill`. The mask, of floats or integers, broadcasts with `x`; the value may be infinite.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes do not broadcast, or the value is no integer where `x` is of some.
    pub fn masked_fill(&mut self, x: Value, mask: Value, value: f32) -> Result<Value> {
        let tensor = match self.ty(x).dtype {
            DType::I32 if f64::from(value as i32) != f64::from(value) => {
                return Err(Error::bad_input(format!("value {value} is no i32"))).at("masked_fill");
            }
            DType::I32 => Tensor::new(&[], vec![value as i32])?,
            _ => Tensor::new(&[], vec![value])?,
        };
        let value = self.constant("masked_fill/value", tensor);
        self.select(mask, value, x)
    }
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Fill {
    value: f32,
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "masked_fill",
    summary: "a value where a mask is not 0",
    inputs: &[Port::new("input", Layout::Plain), Port::new("mask", Layout::Plain)],
    output: Layout::Plain,
    attributes: "value=0",
    build: |g, v, a| Ok(vec![g.masked_fill(v[0], v[1], a.read::<Fill>()?.value)?]),
};
