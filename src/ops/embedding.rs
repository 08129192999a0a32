//! Rows of a table, looked up by index.

use std::ops::RangeInclusive;

use kinetograph_ref::embedding as reference;

use super::{Door, Layout, Port};
use crate::error::{At, Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("embedding");

/// The rows of a table that indices name, as `torch.nn.functional.embedding`.
///
/// What the indices are is not known when a graph is built, if they are no constant: one below 0 or beyond the table gives a row of NaN,
/// where PyTorch refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Embedding;

impl Graph {
    /// Adds a look-up: `indices` `[…]`, i32, and `table` `[K, D]` give `[…, D]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the indices are no integers, the table is no matrix of floats, or the indices
    /// are constant and one of them names no row.
    pub fn embedding(&mut self, indices: Value, table: Value) -> Result<Value> {
        self.check_indices(indices, table, 0).at("embedding")?;
        self.push(Embedding, &[indices, table])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "embedding",
    summary: "the rows of a table that i32 indices name; NaN for an index beyond it",
    inputs: &[Port::new("input", Layout::Plain), Port::new("weight", Layout::Plain)],
    output: Layout::Plain,
    attributes: "",
    build: |g, v, a| {
        a.none()?;
        Ok(vec![g.embedding(v[0], v[1])?])
    },
};

params! {
    struct EmbeddingParams {
        count: u32,
        channels: u32,
        rows: u32,
        nan: f32,
    }
}

impl Op for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        2..=2
    }

    /// The indices are integers, the table is not: `infer` tells which is which.
    fn takes(&self, dtype: DType) -> bool {
        matches!(dtype, DType::F32 | DType::I32)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let [_, channels] = inputs[1].shape.dims("the table", "[K, D]")?;
        if inputs[0].dtype != DType::I32 {
            return Err(Error::bad_input(format!("the indices must be i32, they are {}", inputs[0].dtype)));
        }
        if inputs[1].dtype != DType::F32 {
            return Err(Error::bad_input(format!("the table must be of floats, it is {}", inputs[1].dtype)));
        }
        Ok(vec![TensorType::float(&[&inputs[0].shape[..], &[channels]].concat())?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let [_, channels] = inputs[1].shape().dims("the table", "[K, D]")?;
        let y = reference::embedding(inputs[0].i32s()?, inputs[1].f32s()?, channels);
        Ok(vec![Tensor::new(&[&inputs[0].shape()[..], &[channels]].concat(), y)?])
    }

    fn flops(&self, _: &[TensorType], _: &[TensorType]) -> u64 {
        0
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [rows, channels] = r.input(1).dims("the table", "[K, D]")?;
        let count = r.output(0).elements();
        let params = EmbeddingParams {
            count: r.u32("elements", count)?,
            channels: r.u32("channels", channels)?,
            rows: r.u32("rows", rows.min(i32::MAX as usize + 1))?,
            nan: f32::NAN,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, "embedding_direct", &params)
                .bind([Operand::Input(0), Operand::Input(1), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
