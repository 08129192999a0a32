//! The same elements in another shape: a view, which has no kernel and no cases.

use serde::Deserialize;

use super::attributes::axis_list;
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::graph::{Graph, Op, Recorder, TensorType, Value};
use crate::shape::Shape;
use crate::tensor::{DType, Tensor};

/// The same elements in another shape, as `torch.reshape`. Costs nothing: the output is the input's memory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reshape {
    /// The lengths of the axes; one may be −1, which stands for what is left.
    #[serde(deserialize_with = "axis_list")]
    pub shape: Vec<isize>,
}

impl Reshape {
    fn output(&self, from: &Shape) -> Result<Vec<usize>> {
        let error =
            |what: &str| Err(Error::bad_input(format!("shape {:?} {what}; the input is {from}", self.shape)));
        let mut inferred = None;
        let mut known = 1usize;
        let mut dims = Vec::new();
        for (axis, &length) in self.shape.iter().enumerate() {
            match usize::try_from(length) {
                Ok(length) => {
                    known = known.saturating_mul(length);
                    dims.push(length);
                }
                Err(_) if length == -1 && inferred.is_none() => {
                    inferred = Some(axis);
                    dims.push(1);
                }
                Err(_) if length == -1 => return error("has more than one -1"),
                Err(_) => return error("has a negative length"),
            }
        }
        let elements = from.elements();
        if let Some(axis) = inferred
            && known > 0
            && elements.is_multiple_of(known)
        {
            dims[axis] = elements / known;
            known = elements;
        }
        if known != elements {
            return error("has another number of elements");
        }
        Ok(dims)
    }
}

impl Graph {
    /// Adds a view of `x` in another shape; one length may be −1, which stands for what is left.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the number of elements differs.
    pub fn reshape(&mut self, x: Value, shape: &[isize]) -> Result<Value> {
        self.push(Reshape { shape: shape.to_vec() }, &[x])
    }

    /// [`Graph::reshape`] to lengths known already; a shape that is the same adds no node.
    ///
    /// # Errors
    /// As [`Graph::reshape`].
    pub fn view(&mut self, x: Value, shape: &[usize]) -> Result<Value> {
        if **self.shape(x) == *shape {
            return Ok(x);
        }
        let shape: Option<Vec<isize>> = shape.iter().map(|&n| isize::try_from(n).ok()).collect();
        self.reshape(x, &shape.ok_or_else(|| Error::bad_input("a length beyond 2^63"))?)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "reshape",
    summary: "the same elements in another shape",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "shape",
    build: |g, v, a| Ok(vec![g.reshape(v[0], &a.read::<Reshape>()?.shape)?]),
};

impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn takes(&self, _: DType) -> bool {
        true
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let shape = Shape::new(&self.output(&inputs[0].shape)?)?;
        Ok(vec![TensorType { shape, dtype: inputs[0].dtype }])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(vec![inputs[0].reshape(&self.output(inputs[0].shape())?)?])
    }

    fn flops(&self, _: &[TensorType], _: &[TensorType]) -> u64 {
        0
    }

    fn bytes(&self, _: &[TensorType], _: &[TensorType]) -> u64 {
        0
    }

    fn is_view(&self) -> bool {
        true
    }

    fn record(&self, _: &mut Recorder<'_>) -> Result<()> {
        Ok(())
    }
}
