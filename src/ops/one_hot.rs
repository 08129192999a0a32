//! Rows of zeros with a one at an index.

use kinetograph_ref::one_hot as reference;
use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("one_hot");

/// For every i32 index a row of zeros with a one at its place, as floats. An index below 0 or beyond the classes gives a
/// row of zeros, where PyTorch refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OneHot {
    /// The length of a row; it must be given.
    pub num_classes: usize,
}

impl Graph {
    /// Adds rows of zeros with a one: `indices` `[…]`, i32, give `[…, classes]` of floats.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the indices are no integers or there are no classes, or too many for an i32.
    pub fn one_hot(&mut self, indices: Value, classes: usize) -> Result<Value> {
        self.push(OneHot { num_classes: classes }, &[indices])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "one_hot",
    summary: "for every i32 index a row of zeros with a one at its place",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "num_classes (required)",
    build: |g, v, a| Ok(vec![g.one_hot(v[0], a.read::<OneHot>()?.num_classes)?]),
};

params! {
    struct OneHotParams {
        count: u32,
        classes: u32,
    }
}

impl Op for OneHot {
    fn name(&self) -> &'static str {
        "one_hot"
    }

    /// Floats are refused by `infer`, which can say why.
    fn takes(&self, dtype: DType) -> bool {
        matches!(dtype, DType::F32 | DType::I32)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        if self.num_classes == 0 || i32::try_from(self.num_classes).is_err() {
            let most = i32::MAX;
            return Err(Error::bad_input(format!(
                "num_classes {}: 1 to {most} is possible",
                self.num_classes
            )));
        }
        if inputs[0].dtype != DType::I32 {
            return Err(Error::bad_input(format!("the indices must be i32, they are {}", inputs[0].dtype)));
        }
        Ok(vec![TensorType::float(&[&inputs[0].shape[..], &[self.num_classes]].concat())?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let y = reference::one_hot(inputs[0].i32s()?, self.num_classes);
        Ok(vec![Tensor::new(&[&inputs[0].shape()[..], &[self.num_classes]].concat(), y)?])
    }

    fn flops(&self, _: &[TensorType], _: &[TensorType]) -> u64 {
        0
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let count = r.output(0).elements();
        let params = OneHotParams {
            count: r.u32("elements", count)?,
            classes: r.u32("num_classes", self.num_classes)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, "one_hot_direct", &params)
                .bind([Operand::Input(0), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
