//! Products of queries with embeddings of relative positions.

use std::ops::RangeInclusive;

use kinetograph_ref::relative_scores as reference;
use serde::Deserialize;

use super::attributes::each;
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("relative_scores");

/// Attributes of the products of queries with an embedding of relative positions that is decomposed into the axes
/// T, H, W, as MViTv2 has it: the bias that [`Graph::attention`] takes with a `key_grid`. Published networks take the
/// query before it is scaled.
///
/// Along an axis of q places of queries and k of keys, m the larger of the two, a query at place a and a key at place b
/// have distance `⌊a·m/q⌋ + ⌊(k − 1 − b)·m/k⌋` of 2m − 1. A table of another number of rows is resampled to 2m − 1
/// linearly, as `torch.nn.functional.interpolate` does.
///
/// NaN and infinity spread through the sums as IEEE arithmetic has it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelativeScores {
    /// Into how many heads the channels are divided.
    pub heads: usize,
    /// The grid that the last queries fill; the queries before it, such as a class token, get zeros.
    #[serde(deserialize_with = "each")]
    pub query_grid: [usize; 3],
    /// The grid of the keys.
    #[serde(deserialize_with = "each")]
    pub key_grid: [usize; 3],
}

impl RelativeScores {
    fn attributes(&self, query: &Shape) -> Result<reference::RelativeScores> {
        let [_, queries, channels] = query.dims("the query", "[N, tokens, C]")?;
        Ok(reference::RelativeScores {
            queries,
            heads: self.heads,
            width: channels / self.heads,
            query_grid: self.query_grid,
            key_grid: self.key_grid,
        })
    }
}

impl Graph {
    /// Adds the products of `query` `[N, tokens, C]` with the rows of three tables `[rows, C/heads]`, for the axes
    /// T, H, W, that its relative positions to the keys name: `[N, tokens, heads, kT + kH + kW]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other.
    pub fn relative_scores(
        &mut self,
        query: Value,
        tables: [Value; 3],
        attributes: &RelativeScores,
    ) -> Result<Value> {
        let [t, h, w] = tables;
        self.push(attributes.clone(), &[query, t, h, w])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "relative_scores",
    summary: "products of queries with embeddings of relative positions, decomposed into the axes of a grid",
    inputs: &[
        Port::new("query", Layout::Plain),
        Port::new("table_t", Layout::Plain),
        Port::new("table_h", Layout::Plain),
        Port::new("table_w", Layout::Plain),
    ],
    output: Layout::Plain,
    attributes: "heads, query_grid, key_grid (all required)",
    build: |g, v, a| Ok(vec![g.relative_scores(v[0], [v[1], v[2], v[3]], &a.read()?)?]),
};

params! {
    struct RelativeScoresParams {
        count: u32,
        queries: u32,
        heads: u32,
        width: u32,
        query_t: u32,
        query_h: u32,
        query_w: u32,
        key_t: u32,
        key_h: u32,
        key_w: u32,
        rows_t: u32,
        rows_h: u32,
        rows_w: u32,
    }
}

impl Op for RelativeScores {
    fn name(&self) -> &'static str {
        "relative_scores"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        4..=4
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        /// Distances times rows must fit 32 bits.
        const MOST: usize = 1 << 14;
        let error = |text: String| Err(Error::bad_input(text));
        let [n, tokens, channels] = inputs[0].shape.dims("the query", "[N, tokens, C]")?;
        if self.heads == 0 || channels % self.heads != 0 {
            return error(format!("heads {} must divide {channels} channels", self.heads));
        }
        for (what, grid) in [("query_grid", self.query_grid), ("key_grid", self.key_grid)] {
            if grid.iter().any(|length| !(1..=MOST).contains(length)) {
                return error(format!("{what} {grid:?}: 1 to {MOST} along each axis is possible"));
            }
        }
        if self.query_grid.iter().product::<usize>() > tokens {
            return error(format!("query_grid {:?}: {tokens} queries must fill it", self.query_grid));
        }
        let width = channels / self.heads;
        for (axis, table) in ["T", "H", "W"].into_iter().zip(&inputs[1..]) {
            let [rows, columns] = table.shape.dims("a table", "[rows, C/heads]")?;
            if columns != width || rows > 2 * MOST {
                return error(format!(
                    "the table of {axis} must be [rows, {width}], at most {} rows, it is {}",
                    2 * MOST,
                    table.shape
                ));
            }
        }
        Ok(vec![TensorType::float(&[n, tokens, self.heads, self.key_grid.iter().sum()])?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let a = self.attributes(inputs[0].shape())?;
        let tables = [inputs[1].f32s()?, inputs[2].f32s()?, inputs[3].f32s()?];
        let y = reference::relative_scores(inputs[0].f32s()?, tables, &a);
        let shape = [inputs[0].shape()[0], a.queries, a.heads, a.key_grid.iter().sum()];
        Ok(vec![Tensor::new(&shape, y)?])
    }

    /// A row that lies between two others rounds four times more.
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Bound>> {
        let magnitudes: Vec<Tensor> = inputs.iter().map(Tensor::abs).collect::<Result<_>>()?;
        let width = self.attributes(inputs[0].shape())?.width;
        Ok(vec![Bound::sum(width + 4, &self.reference(&magnitudes)?[0])?])
    }

    fn flops(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        let width = inputs[0].shape.last().map_or(0, |channels| channels / self.heads);
        2 * width as u64 * outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let a = self.attributes(r.input(0))?;
        let count = r.output(0).elements();
        let n = |v: usize| r.u32("length", v);
        let params = RelativeScoresParams {
            count: n(count)?,
            queries: n(a.queries)?,
            heads: n(a.heads)?,
            width: n(a.width)?,
            query_t: n(a.query_grid[0])?,
            query_h: n(a.query_grid[1])?,
            query_w: n(a.query_grid[2])?,
            key_t: n(a.key_grid[0])?,
            key_h: n(a.key_grid[1])?,
            key_w: n(a.key_grid[2])?,
            rows_t: n(r.input(1)[0])?,
            rows_h: n(r.input(2)[0])?,
            rows_w: n(r.input(3)[0])?,
            ..Default::default()
        };
        let operands = (0..4).map(Operand::Input).chain([Operand::Output(0)]);
        r.dispatch(
            Dispatch::new(&KERNEL, "relative_scores_direct", &params)
                .bind(operands)
                .turns(a.width)
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
