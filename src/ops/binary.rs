//! Element-wise functions of two tensors.

use std::ops::RangeInclusive;

use kinetograph_ref::binary as reference;
use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Graph, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("binary");

/// An element-wise function of two tensors, with broadcasting as in PyTorch: axes are aligned at the last, an
/// axis of length 1 repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Binary {
    /// `a + b`.
    #[default]
    Add,
    /// `a − b`.
    Sub,
    /// `a · b`.
    Mul,
    /// `a / b`. Division by zero follows IEEE arithmetic where the device does; WGSL does not promise it.
    Div,
    /// The larger; NaN if either is.
    Maximum,
    /// The smaller; NaN if either is.
    Minimum,
}

impl Binary {
    /// Every function.
    pub const ALL: [Binary; 6] =
        [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Maximum, Binary::Minimum];
}

impl Graph {
    /// Adds an element-wise function of two tensors whose shapes broadcast.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when they do not.
    pub fn binary(&mut self, a: Value, b: Value, function: Binary) -> Result<Value> {
        self.push(function, &[a, b])
    }

    /// Adds `a + b`, see [`Graph::binary`].
    ///
    /// # Errors
    /// As [`Graph::binary`].
    pub fn add(&mut self, a: Value, b: Value) -> Result<Value> {
        self.binary(a, b, Binary::Add)
    }
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Named {
    function: Binary,
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "binary",
    summary: "an element-wise function of two tensors, with broadcasting",
    inputs: &[Port::new("input", Layout::Plain), Port::new("other", Layout::Plain)],
    output: Layout::Plain,
    attributes: "function=add (sub, mul, div, maximum, minimum)",
    build: |g, v, a| Ok(vec![g.binary(v[0], v[1], a.read::<Named>()?.function)?]),
};

params! {
    struct BinaryParams {
        count: u32,
        same: u32,
        pad: u32,
        dims: [u32; MAX_RANK],
        a_steps: [u32; MAX_RANK],
        b_steps: [u32; MAX_RANK],
    }
}

/// The broadcast shape of two, or why there is none.
fn broadcast(a: &Shape, b: &Shape) -> Result<Shape> {
    let rank = a.rank().max(b.rank());
    let length = |s: &Shape, axis: usize| (axis + s.rank()).checked_sub(rank).map_or(1, |i| s[i]);
    let dims: Result<Vec<usize>> = (0..rank)
        .map(|axis| match (length(a, axis), length(b, axis)) {
            (x, y) if x == y || y == 1 => Ok(x),
            (1, y) => Ok(y),
            (x, y) => Err(Error::bad_input(format!(
                "axis {axis} of the broadcast has length {x} on one side and {y} on the other"
            ))),
        })
        .collect();
    Shape::new(&dims?)
}

/// Steps of a tensor along the axes of a shape that it broadcasts to.
fn steps(of: &Shape, to: &Shape) -> Vec<usize> {
    let missing = to.rank() - of.rank();
    let strides = of.strides();
    (0..to.rank())
        .map(|axis| match axis.checked_sub(missing) {
            Some(i) if of[i] > 1 => strides[i],
            _ => 0,
        })
        .collect()
}

impl Op for Binary {
    fn name(&self) -> &'static str {
        "binary"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        2..=2
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let shape = broadcast(&inputs[0].shape, &inputs[1].shape)?;
        Ok(vec![TensorType::float(&shape)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (a, b) = (&inputs[0], &inputs[1]);
        let shape = broadcast(a.shape(), b.shape())?;
        let f: fn(f64, f64) -> f64 = match self {
            Binary::Add => |a, b| a + b,
            Binary::Sub => |a, b| a - b,
            Binary::Mul => |a, b| a * b,
            Binary::Div => |a, b| a / b,
            Binary::Maximum => reference::max,
            Binary::Minimum => reference::min,
        };
        let (a_steps, b_steps) = (steps(a.shape(), &shape), steps(b.shape(), &shape));
        let y = reference::binary(a.f32s()?, &a_steps, b.f32s()?, &b_steps, &shape, f);
        Ok(vec![Tensor::new(&shape, y)?])
    }

    fn bounds(&self, _: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        Ok(vec![match self {
            Binary::Maximum | Binary::Minimum => Bound::Exact,
            // WGSL allows 2.5 ULP for a quotient, and one for the others.
            Binary::Div => Bound::relative(&reference[0], 6.0 * UNIT_ROUNDOFF, 0.0)?,
            _ => Bound::relative(&reference[0], 2.0 * UNIT_ROUNDOFF, 0.0)?,
        }])
    }

    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        outputs[0].shape.elements() as u64
    }

    fn is_sum(&self) -> bool {
        *self == Binary::Add
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let shape = r.output(0).clone();
        let count = shape.elements();
        let params = BinaryParams {
            count: r.u32("elements", count)?,
            same: u32::from(r.input(0) == r.input(1)),
            dims: r.innermost_first(&shape, 1)?,
            a_steps: r.innermost_first(&steps(r.input(0), &shape), 0)?,
            b_steps: r.innermost_first(&steps(r.input(1), &shape), 0)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, "binary_direct", &params)
                .constant("MODE", *self as u32)
                .bind([Operand::Input(0), Operand::Input(1), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
