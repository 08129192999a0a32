//! Batched matrix products.

use std::ops::RangeInclusive;
use std::sync::Arc;

use kinetograph_cpu::matmul as fast;
use kinetograph_ref::matmul as reference;
use serde::Deserialize;

use super::attributes::axes;
use super::tiling::{Tiling, Uniform};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Activation, Bound, Dispatch, Family, Graph, Op, Operand, Recorder, Setting, TensorType, Traits, Value,
};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("matmul");
static COOPERATIVE: Kernel = kernel!("matmul_cooperative");

/// Matrices of fewer rows or columns would leave most of a tile empty.
const FEW: usize = 8;

/// Attributes of a batched matrix product `scale·a·b`: `torch.matmul` of tensors of two axes or more. The last two
/// axes are matrices, the axes before them batches, which are aligned at the last and repeat where one has length 1.
///
/// The axes of both sides and of the product may be taken in any order; nothing is copied for that. So the heads of
/// `[N, tokens, heads, width]` are a batch axis under `dims_a: [0, 2, 1, 3]`.
///
/// Non-finite elements spread through the sums as IEEE arithmetic has it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matmul {
    /// Whether the last two axes of `a` change places, after `dims_a`.
    pub transpose_a: bool,
    /// Whether the last two axes of `b` change places, after `dims_b`.
    pub transpose_b: bool,
    /// The order in which the axes of `a` are read: axis `i` is axis `dims_a[i]` of the tensor. None: as they lie.
    pub dims_a: Vec<isize>,
    /// The same for `b`.
    pub dims_b: Vec<isize>,
    /// The order in which the axes of the product are written: axis `i` of the output is the product's axis
    /// `dims_out[i]`. None: batches, rows, columns.
    pub dims_out: Vec<isize>,
    /// What products are multiplied by.
    pub scale: f32,
    /// Set by the planner when it moves an activation into the product.
    #[serde(skip)]
    pub activation: Activation,
}

impl Default for Matmul {
    fn default() -> Self {
        Matmul {
            transpose_a: false,
            transpose_b: false,
            dims_a: Vec::new(),
            dims_b: Vec::new(),
            dims_out: Vec::new(),
            scale: 1.0,
            activation: Activation::Identity,
        }
    }
}

/// One axis of the product: its length, and steps along it in `a`, `b` and the output.
#[derive(Debug, Clone, Copy)]
struct Axis {
    length: usize,
    a: usize,
    b: usize,
    out: usize,
}

impl Axis {
    /// Whether this axis and `inner`, the one within it, can be walked as one.
    fn continues(&self, inner: &Axis) -> bool {
        self.length == 1
            || [(self.a, inner.a), (self.b, inner.b), (self.out, inner.out)]
                .iter()
                .all(|(outer, inner_step)| *outer == inner_step * inner.length)
    }
}

/// Where everything lies.
struct Geometry {
    batches: Vec<Axis>,
    rows: Axis,
    columns: Axis,
    depth: Axis,
    output: Vec<usize>,
}

impl Geometry {
    /// Takes batch axes into the rows or columns where their steps go on in the same way, as those of a matrix that
    /// repeats do.
    fn folded(mut self) -> Geometry {
        self.batches.retain(|axis| axis.length > 1);
        while let Some(last) = self.batches.last() {
            let inner = if last.continues(&self.rows) {
                &mut self.rows
            } else if last.continues(&self.columns) {
                &mut self.columns
            } else {
                break;
            };
            inner.length *= last.length;
            self.batches.pop();
        }
        let mut merged: Vec<Axis> = Vec::new();
        for axis in self.batches.drain(..) {
            match merged.last_mut() {
                Some(outer) if outer.continues(&axis) => {
                    *outer = Axis { length: outer.length * axis.length, ..axis }
                }
                _ => merged.push(axis),
            }
        }
        self.batches = merged;
        self
    }

    fn lengths(&self) -> [usize; 3] {
        [self.rows.length, self.columns.length, self.depth.length]
    }

    fn batch(&self) -> usize {
        self.batches.iter().map(|axis| axis.length).product()
    }

    /// Whether tiles would be mostly empty.
    fn few(&self) -> bool {
        self.rows.length < FEW || self.columns.length < FEW
    }

    fn tiling(&self, traits: Traits) -> Tiling {
        Tiling::of(traits, self.batch(), self.lengths(), true)
    }

    /// Whether `inner` of a side is contiguous and all other steps, and its length, are multiples of four, so that
    /// four elements can be read at once.
    fn in_fours(&self, inner: &Axis, other: &Axis, step: fn(&Axis) -> usize) -> bool {
        step(inner) == 1
            && inner.length.is_multiple_of(4)
            && self.batches.iter().chain([other]).all(|axis| step(axis).is_multiple_of(4))
    }
}

/// The order in which the axes of a side are read.
fn order(name: &str, dims: &[isize], rank: usize, transpose: bool) -> Result<Vec<usize>> {
    let mut order = if dims.is_empty() { (0..rank).collect() } else { axes(dims, rank)? };
    if order.len() != rank {
        return Err(Error::bad_input(format!("{name} {dims:?} must name each of the {rank} axes once")));
    }
    if transpose {
        order.swap(rank - 2, rank - 1);
    }
    Ok(order)
}

impl Matmul {
    fn orders(&self, a: &Shape, b: &Shape) -> Result<[Vec<usize>; 3]> {
        for (name, shape) in [("a", a), ("b", b)] {
            if shape.rank() < 2 {
                return Err(Error::bad_input(format!(
                    "{name} must have two axes or more, its shape is {shape}"
                )));
            }
        }
        Ok([
            order("dims_a", &self.dims_a, a.rank(), self.transpose_a)?,
            order("dims_b", &self.dims_b, b.rank(), self.transpose_b)?,
            order("dims_out", &self.dims_out, a.rank().max(b.rank()), false)?,
        ])
    }

    fn geometry(&self, a: &Shape, b: &Shape) -> Result<Geometry> {
        let [a_order, b_order, out_order] = self.orders(a, b)?;
        // Lengths and steps in the order in which they are read.
        let side = |shape: &Shape, order: &[usize]| -> Vec<(usize, usize)> {
            let strides = shape.strides();
            order.iter().map(|&axis| (shape[axis], strides[axis])).collect()
        };
        let (a, b) = (side(a, &a_order), side(b, &b_order));
        let (a_batch, [rows, a_depth]) = a.split_at(a.len() - 2) else {
            return Err(Error::internal("a matrix of other than two axes"));
        };
        let (b_batch, [b_depth, columns]) = b.split_at(b.len() - 2) else {
            return Err(Error::internal("a matrix of other than two axes"));
        };
        if a_depth.0 != b_depth.0 {
            return Err(Error::bad_input(format!(
                "the matrices of a are {} × {}, those of b {} × {}: the inner lengths must agree",
                rows.0, a_depth.0, b_depth.0, columns.0
            )));
        }
        let count = a_batch.len().max(b_batch.len());
        let length = |axes: &[(usize, usize)], i: usize| match (i + axes.len()).checked_sub(count) {
            Some(own) => axes[own],
            None => (1, 0),
        };
        let mut batches = Vec::new();
        for i in 0..count {
            let ((a, a_step), (b, b_step)) = (length(a_batch, i), length(b_batch, i));
            if a != b && a != 1 && b != 1 {
                return Err(Error::bad_input(format!(
                    "batch axis {i} has length {a} in a and {b} in b: equal lengths or 1 are possible"
                )));
            }
            let step = |own: usize, step: usize| if own == 1 { 0 } else { step };
            batches.push(Axis { length: a.max(b), a: step(a, a_step), b: step(b, b_step), out: 0 });
        }
        let mut rows = Axis { length: rows.0, a: rows.1, b: 0, out: 0 };
        let mut columns = Axis { length: columns.0, a: 0, b: columns.1, out: 0 };
        let lengths: Vec<usize> =
            batches.iter().map(|axis| axis.length).chain([rows.length, columns.length]).collect();
        let output: Vec<usize> = out_order.iter().map(|&axis| lengths[axis]).collect();
        for (&axis, stride) in out_order.iter().zip(Shape::new(&output)?.strides()) {
            let of = match axis.checked_sub(count) {
                None => &mut batches[axis],
                Some(0) => &mut rows,
                Some(_) => &mut columns,
            };
            of.out = stride;
        }
        let depth = Axis { length: a_depth.0, a: a_depth.1, b: b_depth.1, out: 0 };
        Ok(Geometry { batches, rows, columns, depth, output })
    }
}

impl Graph {
    /// Adds a batched matrix product: `a` `[…, M, K]` and `b` `[…, K, N]` give `[…, M, N]`, axes being taken in the
    /// order that the attributes say.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other.
    pub fn matmul(&mut self, a: Value, b: Value, attributes: &Matmul) -> Result<Value> {
        self.push(attributes.clone(), &[a, b])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "matmul",
    summary: "a batched matrix product, of axes in any order",
    inputs: &[Port::new("a", Layout::Plain), Port::new("b", Layout::Plain)],
    output: Layout::Plain,
    attributes: "transpose_a=false, transpose_b=false, dims_a=[0, 1, …], dims_b, dims_out, scale=1",
    build: |g, v, a| Ok(vec![g.matmul(v[0], v[1], &a.read()?)?]),
};

params! {
    struct MatmulParams {
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
    fn of(
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

impl Op for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        2..=2
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        if !self.scale.is_finite() {
            return Err(Error::bad_input(format!("scale {}: a finite number", self.scale)));
        }
        let geometry = self.geometry(&inputs[0].shape, &inputs[1].shape)?;
        Ok(vec![TensorType::float(&geometry.output)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (a, b) = (&inputs[0], &inputs[1]);
        let [a_order, b_order, out_order] = self.orders(a.shape(), b.shape())?;
        let a = reference::Side { data: a.f32s()?, shape: a.shape(), order: &a_order };
        let b = reference::Side { data: b.f32s()?, shape: b.shape(), order: &b_order };
        let (shape, y) = reference::matmul(a, b, self.scale.into(), &out_order, |s| self.activation.apply(s));
        Ok(vec![Tensor::new(&shape, y)?])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (a, b) = (&inputs[0], &inputs[1]);
        let output = self.geometry(a.shape(), b.shape())?.output;
        let g = self.geometry(a.shape(), b.shape())?.folded();
        let axis = |x: &Axis| fast::Axis { length: x.length, a: x.a, b: x.b, out: x.out };
        let batches: Vec<_> = g.batches.iter().map(axis).collect();
        let axes = [axis(&g.rows), axis(&g.columns), axis(&g.depth)];
        let y = fast::matmul([a.f32s()?, b.f32s()?], &batches, axes, self.scale, &|y| {
            self.activation.apply_all(y);
        });
        Ok(vec![Tensor::new(&output, y)?])
    }

    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let magnitudes: Vec<Tensor> = inputs.iter().map(Tensor::abs).collect::<Result<_>>()?;
        let plain = Matmul { activation: Activation::Identity, ..self.clone() };
        let sums = plain.reference(&magnitudes)?;
        let depth = self.geometry(inputs[0].shape(), inputs[1].shape())?.depth.length;
        Ok(vec![Bound::sum(depth, &sums[0])?.activated(self.activation, &reference[0])?])
    }

    fn flops(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        let depth = self.geometry(&inputs[0].shape, &inputs[1].shape).map_or(0, |g| g.depth.length);
        2 * depth as u64 * outputs[0].shape.elements() as u64
    }

    fn with_activation(&self, activation: Activation) -> Option<Arc<dyn Op>> {
        let free = self.activation == Activation::Identity;
        free.then(|| Arc::new(Matmul { activation, ..self.clone() }) as Arc<dyn Op>)
    }

    fn scratch(&self, setting: &Setting<'_>) -> Vec<u64> {
        let Setting { inputs, traits, .. } = *setting;
        let geometry = self.geometry(&inputs[0].shape, &inputs[1].shape).map(Geometry::folded);
        match (traits.family, geometry) {
            (Family::Tiled, Ok(g)) if !g.few() => g.tiling(traits).scratch(),
            _ => Vec::new(),
        }
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let g = self.geometry(r.input(0), r.input(1))?.folded();
        let Geometry { batches, rows, columns, depth, .. } = &g;
        let tiling = g.tiling(r.traits());
        let params = MatmulParams {
            scale: self.scale,
            slices: r.u32("length", tiling.slices)?,
            slice_depth: r.u32("length", tiling.slice_depth)?,
            ..MatmulParams::of(r, batches, [rows, columns, depth], g.batch())?
        };
        let whole_of = |kernel, entry| {
            let operands = [Operand::Input(0), Operand::Input(1), Operand::Output(0)];
            Dispatch::new(kernel, entry, &params).activation(self.activation).bind(operands)
        };
        let whole = |entry| whole_of(&KERNEL, entry);
        let slices_of = |kernel, entry| {
            let operands = [Operand::Input(0), Operand::Input(1), Operand::Scratch(0)];
            Dispatch::new(kernel, entry, &params).bind(operands)
        };
        let tiled = |mut dispatch: Dispatch| {
            if !g.in_fours(depth, rows, |axis| axis.a) {
                dispatch = dispatch.tune("A_RUN", "1u").tune("ARun", "Elem").tune("WideA", "f32");
            }
            if !g.in_fours(columns, depth, |axis| axis.b) {
                dispatch = dispatch.tune("B_RUN", "1u").tune("BRun", "Elem").tune("WideB", "f32");
            }
            tiling.tiles(dispatch).constant("B_ALONG_DEPTH", u32::from(depth.b < columns.b))
        };
        match r.traits().family {
            Family::Tiled if !g.few() => {
                let sliced = tiling.slices > 1;
                r.dispatch(tiled(match (tiling.is_cooperative(), sliced) {
                    (false, false) => whole("matmul_tiled"),
                    (false, true) => slices_of(&KERNEL, "matmul_tiled_slices"),
                    (true, false) => whole_of(&COOPERATIVE, "matmul_cooperative"),
                    (true, true) => slices_of(&COOPERATIVE, "matmul_cooperative_slices"),
                }));
                if sliced {
                    let sum = Dispatch::new(&KERNEL, "matmul_tiled_sum", &params).activation(self.activation);
                    r.dispatch(tiling.sum(sum.bind([Operand::Scratch(0), Operand::Output(0)])));
                }
            }
            Family::Uniform if !g.few() => {
                let across = g.in_fours(columns, depth, |axis| axis.b);
                let deep = !across && g.in_fours(depth, columns, |axis| axis.b);
                let mut dispatch = whole("matmul_uniform").constant("B_DEEP", u32::from(deep));
                if !across && !deep {
                    dispatch = dispatch.tune("B_RUN", "1u").tune("BRun", "Elem").tune("WideB", "f32");
                }
                let [rows, columns, length] = g.lengths();
                let tiles = Uniform { problems: g.batch(), rows, columns, segments: 1, length, members: 1 };
                r.dispatch(tiles.tiles(dispatch, r.traits()));
            }
            _ => {
                let groups = r.output(0).elements().div_ceil(64);
                r.dispatch(whole("matmul_direct").turns(depth.length).groups(groups as u64));
            }
        }
        Ok(())
    }
}
