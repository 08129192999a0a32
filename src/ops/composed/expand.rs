//! Broadcasting to a given shape.

use serde::Deserialize;

use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::attributes::axis_list;
use crate::ops::{Door, Layout, Port};

impl Graph {
    /// Adds `x`, of floats or integers, broadcast to a shape: axes are aligned at the last, an axis of length 1 repeats,
    /// and axes that `x` lacks come before its first. The result lies in memory as a whole, unlike that of
    /// `torch.expand`; where the next operator broadcasts, as [`Graph::binary`] does, nothing need be expanded.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shape of `x` does not broadcast to this one.
    pub fn expand(&mut self, x: Value, shape: &[usize]) -> Result<Value> {
        let of = self.shape(x);
        let fits = of.rank() <= shape.len();
        let fits = fits && of.iter().rev().zip(shape.iter().rev()).all(|(a, b)| a == b || *a == 1);
        if !fits {
            return Err(Error::bad_input(format!("{of} does not broadcast to shape {shape:?}"))).at("expand");
        }
        let new = shape.len() - of.rank();
        let repeats = shape.iter().enumerate().map(|(axis, &length)| match axis.checked_sub(new) {
            Some(i) if of[i] == length => 1,
            _ => length,
        });
        let repeats: Vec<usize> = repeats.collect();
        self.repeat(x, &repeats)
    }
}

/// A shape, −1 standing for the length that the axis has.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct To {
    #[serde(deserialize_with = "axis_list")]
    shape: Vec<isize>,
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "expand",
    summary: "a tensor broadcast to a shape",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "shape (required; -1 for the length that is)",
    build: |g, v, a| {
        let wanted = a.read::<To>()?.shape;
        let of = g.shape(v[0]).to_vec();
        let length = |(axis, length): (usize, &isize)| {
            let own = (axis + of.len()).checked_sub(wanted.len()).map(|i| of[i]);
            usize::try_from(*length).ok().or(own.filter(|_| *length == -1)).ok_or_else(|| {
                Error::bad_input(format!("shape {wanted:?}: {length} stands for no length of axis {axis}"))
                    .at("expand")
            })
        };
        let shape: Vec<usize> = wanted.iter().enumerate().map(length).collect::<Result<_>>()?;
        Ok(vec![g.expand(v[0], &shape)?])
    },
};
