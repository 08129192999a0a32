//! Gated linear units.

use kinetograph_ref::gated as reference;
use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Activation, Bound, Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value,
};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("gated");

/// What is applied to the gate, by the names of Shazeer, GLU Variants Improve Transformer (arXiv:2002.05202).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Gate {
    /// The sigmoid.
    #[default]
    Glu,
    /// The GELU, with erf.
    Geglu,
    /// The tanh approximation of the GELU.
    #[serde(rename = "geglu_tanh")]
    GegluTanh,
    /// The SiLU.
    Swiglu,
    /// The ReLU.
    Reglu,
}

impl Gate {
    /// Every one.
    pub const ALL: [Gate; 5] = [Gate::Glu, Gate::Geglu, Gate::GegluTanh, Gate::Swiglu, Gate::Reglu];

    fn activation(self) -> Activation {
        match self {
            Gate::Glu => Activation::Sigmoid,
            Gate::Geglu => Activation::Gelu,
            Gate::GegluTanh => Activation::GeluTanh,
            Gate::Swiglu => Activation::Silu,
            Gate::Reglu => Activation::Relu,
        }
    }
}

/// A gated linear unit: of each row, one half of the channels times an activation of the other half. NaN in either half
/// gives NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gated {
    /// What is applied to the gate.
    pub mode: Gate,
    /// Whether the gate is the first half; in `torch.nn.functional.glu` and in diffusers it is the second.
    pub gate_first: bool,
}

impl Gated {
    /// The number of channels of the output.
    fn channels(&self, shape: &[usize]) -> Result<usize> {
        match shape.last() {
            Some(both) if both.is_multiple_of(2) => Ok(both / 2),
            Some(both) => Err(Error::bad_input(format!("{both} channels have no halves"))),
            None => Err(Error::bad_input("the input must be […, 2·D], it is a scalar")),
        }
    }

    fn output(&self, shape: &[usize]) -> Result<Vec<usize>> {
        let mut dims = shape.to_vec();
        let channels = self.channels(shape)?;
        if let Some(last) = dims.last_mut() {
            *last = channels;
        }
        Ok(dims)
    }
}

impl Graph {
    /// Adds a gated linear unit: `x` `[…, 2·D]` gives `[…, D]`. One pass, no slices.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when `x` is a scalar or its last axis has no halves.
    pub fn gated(&mut self, x: Value, attributes: &Gated) -> Result<Value> {
        self.push(*attributes, &[x])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "gated",
    summary: "a gated linear unit: one half of the last axis times an activation of the other",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "mode=glu (geglu, geglu_tanh, swiglu, reglu), gate_first=false",
    build: |g, v, a| Ok(vec![g.gated(v[0], &a.read()?)?]),
};

params! {
    struct GatedParams {
        count: u32,
        channels: u32,
        value: u32,
        gate: u32,
    }
}

impl Op for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::float(&self.output(&inputs[0].shape)?)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = inputs[0].shape();
        let activation = self.mode.activation();
        let f = |gate| activation.apply(gate);
        let y = reference::gated(inputs[0].f32s()?, self.channels(shape)?, self.gate_first, f);
        Ok(vec![Tensor::new(&self.output(shape)?, y)?])
    }

    /// The activation's own error times the other half, and the product's.
    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let (_, relative, absolute) = self.mode.activation().error();
        let channels = self.channels(inputs[0].shape())?;
        let value = if self.gate_first { channels } else { 0 };
        let rows = inputs[0].f32s()?.chunks(2 * channels);
        let values = rows.flat_map(|row| &row[value..value + channels]);
        let bound = values.zip(reference[0].f32s()?).map(|(x, y)| {
            let product = (relative + 2.0 * UNIT_ROUNDOFF) * f64::from(y.abs());
            product + (1.0 + 2.0 * UNIT_ROUNDOFF) * absolute * f64::from(x.abs())
        });
        Ok(vec![Bound::Absolute(bound.collect())])
    }

    /// The product and the activation.
    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        2 * outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let (mut count, mut channels) = (r.output(0).elements(), self.channels(r.input(0))?);
        let wide = r.traits().family != Family::Direct && channels.is_multiple_of(4);
        let entry = if wide { "gated_vec4" } else { "gated_direct" };
        if wide {
            (count, channels) = (count / 4, channels / 4);
        }
        let channels = r.u32("channels", channels)?;
        let (value, gate) = if self.gate_first { (channels, 0) } else { (0, channels) };
        let params =
            GatedParams { count: r.u32("elements", count)?, channels, value, gate, ..Default::default() };
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .activation(self.mode.activation())
                .bind([Operand::Input(0), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
