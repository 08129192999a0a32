//! Sums and products of what came so far along an axis.

use kinetograph_ref::cumulative as reference;
use serde::Deserialize;

use super::attributes::{around, axis};
use super::{Door, Layout, Port};
use crate::error::Result;
use crate::gpu::Kernel;
use crate::graph::{
    Bound, Dispatch, Family, Graph, MOST_TURNS, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value,
};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("cumulative");

/// Rows from this length on are shared out over a workgroup on GPUs, if they are contiguous or too few to keep the
/// device busy.
const LONG: usize = 256;
const FEW_ROWS: usize = 4096;

/// What becomes of the elements so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cumulation {
    /// Their sum.
    #[default]
    Sum,
    /// Their product. A product of some of them must not overflow either.
    Prod,
}

/// For each element the sum or product of the elements up to it along an axis, as `torch.cumsum` and `torch.cumprod`.
/// NaN makes NaN of all that follows; infinities follow IEEE 754 where the device does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cumulative {
    /// What becomes of the elements so far.
    pub mode: Cumulation,
    /// The axis; negative ones count from the last.
    pub dim: isize,
}

impl Default for Cumulative {
    fn default() -> Self {
        Cumulative { mode: Cumulation::Sum, dim: -1 }
    }
}

impl Graph {
    /// Adds sums or products of what came so far along an axis of `x`, of any shape but a scalar's; the shape stays.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is no such axis.
    pub fn cumulative(&mut self, x: Value, attributes: &Cumulative) -> Result<Value> {
        self.push(*attributes, &[x])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "cumulative",
    summary: "sums or products of the elements so far along an axis",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "mode=sum (prod), dim=-1",
    build: |g, v, a| Ok(vec![g.cumulative(v[0], &a.read()?)?]),
};

params! {
    struct CumulativeParams {
        count: u32,
        length: u32,
        inner: u32,
    }
}

impl Op for Cumulative {
    fn name(&self) -> &'static str {
        "cumulative"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        axis(self.dim, inputs[0].shape.rank())?;
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = inputs[0].shape();
        let [_, length, inner] = around(axis(self.dim, shape.rank())?, shape);
        let x = inputs[0].f32s()?;
        let y = match self.mode {
            Cumulation::Sum => reference::cumulative(x, [length, inner], 0.0, |a, b| a + b),
            Cumulation::Prod => reference::cumulative(x, [length, inner], 1.0, |a, b| a * b),
        };
        Ok(vec![Tensor::new(shape, y.into_iter().map(|y| y as f32).collect::<Vec<_>>())?])
    }

    /// Of k elements, with u the unit roundoff: a sum errs by `2u(k + 8)` of their magnitudes, whatever the order; each
    /// of k products rounds, or is flushed to zero before it meets the others.
    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let shape = inputs[0].shape();
        let [_, length, inner] = around(axis(self.dim, shape.rank())?, shape);
        let (x, y) = (inputs[0].f32s()?, reference[0].f32s()?);
        let terms = |i: usize| (i / inner % length + 1) as f64;
        let unit = 2.0 * UNIT_ROUNDOFF;
        let bound = match self.mode {
            Cumulation::Sum => {
                let magnitudes = reference::cumulative(x, [length, inner], 0.0, |a, b| a + b.abs());
                magnitudes.iter().enumerate().map(|(i, m)| unit * (terms(i) + 8.0) * m).collect()
            }
            Cumulation::Prod => {
                let others = reference::cumulative(x, [length, inner], 1.0, |a, b| a * b.abs().max(1.0));
                let flushed = |i: usize| terms(i) * f64::from(f32::MIN_POSITIVE) * others[i];
                let rounded = |i: usize| (terms(i) * unit.ln_1p()).exp_m1() * f64::from(y[i].abs());
                (0..y.len()).map(|i| rounded(i) + flushed(i)).collect()
            }
        };
        Ok(vec![Bound::Absolute(bound)])
    }

    /// An operation an element.
    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [outer, length, inner] = around(axis(self.dim, r.input(0).rank())?, r.input(0));
        let rows = outer * inner;
        let shared = r.traits().family == Family::Tiled && length >= LONG && (inner == 1 || rows < FEW_ROWS);
        let (entry, groups, turns) = if shared || length > MOST_TURNS {
            ("cumulative_tiled", rows, 9 * length.div_ceil(1024))
        } else {
            ("cumulative_direct", rows.div_ceil(64), length)
        };
        let params = CumulativeParams {
            count: r.u32("rows", rows)?,
            length: r.u32("length", length)?,
            inner: r.u32("length", inner)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .constant("MODE", self.mode as u32)
                .bind([Operand::Input(0), Operand::Output(0)])
                .turns(turns)
                .groups(groups as u64),
        );
        Ok(())
    }
}
