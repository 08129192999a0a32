//! Matrix products by strides: the host's side of `kernels/matmul.wgsl`, which other operators launch too.

use crate::error::Result;
use crate::gpu::Kernel;
use crate::graph::{Activation, Dispatch, MOST_TURNS, Operand, Recorder};
use crate::shape::MAX_RANK;
use crate::{kernel, params};

pub(super) static KERNEL: Kernel = kernel!("matmul");

/// One axis of the product: its length, and steps along it in `a`, `b` and the output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) length: usize,
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) out: usize,
}

impl Axis {
    /// Whether this axis and `inner`, the one within it, can be walked as one.
    pub(super) fn continues(&self, inner: &Axis) -> bool {
        self.length == 1
            || [(self.a, inner.a), (self.b, inner.b), (self.out, inner.out)]
                .iter()
                .all(|(outer, inner_step)| *outer == inner_step * inner.length)
    }
}

params! {
    pub(super) struct MatmulParams {
        count: u32,
        rows: u32,
        columns: u32,
        depth: u32,
        a_row: u32,
        a_depth: u32,
        b_depth: u32,
        b_column: u32,
        out_row: u32,
        out_column: u32,
        scale: f32,
        slices: u32,
        slice_depth: u32,
        first_batch: u32,
        a_at: u32,
        b_at: u32,
        out_at: u32,
        pad_0: u32,
        pad_1: u32,
        dims: [u32; MAX_RANK],
        a_steps: [u32; MAX_RANK],
        b_steps: [u32; MAX_RANK],
        out_steps: [u32; MAX_RANK],
    }
}

impl MatmulParams {
    /// Those of `count` products, whole and not scaled, from the batch axes (the outermost first), rows, columns and depth.
    pub(super) fn of(
        r: &Recorder<'_>,
        batches: &[Axis],
        [rows, columns, depth]: [&Axis; 3],
        count: usize,
    ) -> Result<MatmulParams> {
        let n = |v: usize| r.u32("length", v);
        let steps = |of: fn(&Axis) -> usize, fill| {
            r.innermost_first(&batches.iter().map(of).collect::<Vec<_>>(), fill)
        };
        Ok(MatmulParams {
            count: n(count * rows.length * columns.length)?,
            rows: n(rows.length)?,
            columns: n(columns.length)?,
            depth: n(depth.length)?,
            a_row: n(rows.a)?,
            a_depth: n(depth.a)?,
            b_depth: n(depth.b)?,
            b_column: n(columns.b)?,
            out_row: n(rows.out)?,
            out_column: n(columns.out)?,
            scale: 1.0,
            slices: 1,
            slice_depth: n(depth.length)?,
            dims: steps(|axis| axis.length, 1)?,
            a_steps: steps(|axis| axis.a, 0)?,
            b_steps: steps(|axis| axis.b, 0)?,
            out_steps: steps(|axis| axis.out, 0)?,
            ..Default::default()
        })
    }
}

/// A dispatch of `matmul_uniform` for products of rows, columns and a depth.
pub(super) fn uniform(dispatch: Dispatch, batches: usize, &[rows, columns, depth]: &[usize; 3]) -> Dispatch {
    // One product a turn is fastest, and most drivers' turns suffice for it.
    let mut steps = [1, 2, 4].into_iter().filter(|s| depth.is_multiple_of(*s));
    let step = steps.clone().find(|s| depth / s <= MOST_TURNS).or(steps.next_back()).unwrap_or(1);
    dispatch
        .tune("UNIFORM_STEP", format!("{step}u"))
        .turns(depth / step)
        .groups((batches * rows.div_ceil(32) * columns.div_ceil(16)) as u64)
}

/// Products of matrices that lie in other operators' tensors, made by `matmul_uniform`: axes by length and steps.
pub(super) struct Strided<'a> {
    /// From the outermost on.
    pub(super) batches: &'a [Axis],
    pub(super) rows: Axis,
    pub(super) columns: Axis,
    pub(super) depth: Axis,
    /// Which batches are made: the first, and how many.
    pub(super) first: usize,
    pub(super) count: usize,
    /// Where a and b begin.
    pub(super) at: [usize; 2],
    /// How many elements of a and of the output, by their steps, lie before what is there: those of batches before the first.
    pub(super) before: [usize; 2],
}

impl Strided<'_> {
    pub(super) fn dispatch(&self, r: &Recorder<'_>, operands: [Operand; 3]) -> Result<Dispatch> {
        let Strided { batches, rows, columns, depth, first, count, at, before } = self;
        let n = |v: usize| r.u32("length", v);
        let params = MatmulParams {
            first_batch: n(*first)?,
            a_at: n(at[0])?.wrapping_sub(n(before[0])?),
            b_at: n(at[1])?,
            out_at: n(before[1])?.wrapping_neg(),
            ..MatmulParams::of(r, batches, [rows, columns, depth], *count)?
        };
        let dispatch = Dispatch::new(&KERNEL, "matmul_uniform", &params);
        let dispatch = dispatch.activation(Activation::Identity).bind(operands);
        Ok(uniform(dispatch, *count, &[rows.length, columns.length, depth.length]))
    }
}
