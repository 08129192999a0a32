//! Integers as floats, and floats as integers.

use kinetograph_ref::cast as reference;
use serde::Deserialize;

use super::attributes::any_element;
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Graph, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("cast");

/// A tensor as the other of the two element types. Integers beyond 2²⁴ are rounded (in f16 storage those beyond 2048, and
/// beyond 65,504 they are infinite). Floats lose what is behind the point; those beyond all integers become the smallest
/// or the largest, NaN becomes 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cast {
    /// What it becomes.
    pub to: Kind,
}

/// The two element types of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Floats.
    #[default]
    Float,
    /// 32-bit integers.
    Int,
}

impl Cast {
    fn dtype(&self) -> DType {
        match self.to {
            Kind::Float => DType::F32,
            Kind::Int => DType::I32,
        }
    }
}

impl Graph {
    /// Adds `x` as floats or integers, see [`Cast`]. What is of the type already is given back as it is, without a node.
    ///
    /// # Errors
    /// None but those of [`Graph::push`].
    pub fn cast(&mut self, x: Value, to: Kind) -> Result<Value> {
        let cast = Cast { to };
        if self.ty(x).dtype == cast.dtype() { Ok(x) } else { self.push(cast, &[x]) }
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "cast",
    summary: "integers as floats, or floats as integers, towards zero",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "to=float (int)",
    build: |g, v, a| Ok(vec![g.cast(v[0], a.read::<Cast>()?.to)?]),
};

params! {
    struct CastParams {
        count: u32,
    }
}

impl Op for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }

    fn takes(&self, dtype: DType) -> bool {
        any_element(dtype)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        if inputs[0].dtype == self.dtype() {
            return Err(Error::bad_input(format!("the input is {} already", self.dtype())));
        }
        Ok(vec![TensorType { shape: inputs[0].shape.clone(), dtype: self.dtype() }])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = inputs[0].shape();
        Ok(vec![match (inputs[0].dtype(), self.to) {
            (DType::I32, Kind::Float) => Tensor::new(shape, reference::to_floats(inputs[0].i32s()?))?,
            (DType::F32, Kind::Int) => Tensor::new(shape, reference::to_integers(inputs[0].f32s()?))?,
            _ => inputs[0].clone(),
        }])
    }

    /// Where f32 is too narrow, WGSL may round up or down.
    fn bounds(&self, _: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        Ok(vec![match self.to {
            Kind::Float => {
                let off = |y: &f32| {
                    if y.abs() > 16_777_216.0 { 2.0 * UNIT_ROUNDOFF * f64::from(y.abs()) } else { 0.0 }
                };
                Bound::Absolute(reference[0].f32s()?.iter().map(off).collect())
            }
            Kind::Int => Bound::Exact,
        }])
    }

    fn flops(&self, _: &[TensorType], _: &[TensorType]) -> u64 {
        0
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let count = r.output(0).elements();
        let params = CastParams { count: r.u32("elements", count)?, ..Default::default() };
        let entry = match self.to {
            Kind::Float => "cast_to_floats",
            Kind::Int => "cast_to_integers",
        };
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .bind([Operand::Input(0), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
