//! Activations as an operator of their own. The planner moves them into the operator before, where it can.

use std::sync::Arc;

use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::Result;
use crate::gpu::Kernel;
use crate::graph::{Activation, Bound, Dispatch, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("activation");

/// An [`Activation`] on every element.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivationOp(pub Activation);

impl Graph {
    /// Adds an activation on every element of `x`, of any shape.
    ///
    /// # Errors
    /// When `x` is of another graph.
    pub fn activation(&mut self, x: Value, activation: Activation) -> Result<Value> {
        self.push(ActivationOp(activation), &[x])
    }

    /// Adds `max(x, 0)`.
    ///
    /// # Errors
    /// As [`Graph::activation`].
    pub fn relu(&mut self, x: Value) -> Result<Value> {
        self.activation(x, Activation::Relu)
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Named {
    function: String,
    negative_slope: f32,
}

impl Default for Named {
    fn default() -> Self {
        Named { function: "relu".into(), negative_slope: 0.01 }
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "activation",
    summary: "an element-wise activation",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "function=relu (identity, leaky_relu, sigmoid, tanh, silu, gelu, gelu_tanh, quick_gelu), \
                 negative_slope=0.01",
    build: |g, v, a| {
        let named: Named = a.read()?;
        Ok(vec![g.activation(v[0], Activation::from_name(&named.function, named.negative_slope)?)?])
    },
};

params! {
    struct ActivationParams {
        count: u32,
    }
}

impl Op for ActivationOp {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let y: Vec<f32> = inputs[0].f32s()?.iter().map(|&x| self.0.apply(x.into()) as f32).collect();
        Ok(vec![Tensor::new(inputs[0].shape(), y)?])
    }

    fn bounds(&self, _: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        Ok(vec![Bound::Exact.activated(self.0, &reference[0])?])
    }

    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        outputs[0].shape.elements() as u64
    }

    fn as_activation(&self) -> Option<Activation> {
        Some(self.0)
    }

    /// Two activations are one only if one of them does nothing.
    fn with_activation(&self, activation: Activation) -> Option<Arc<dyn Op>> {
        (self.0 == Activation::Identity).then(|| Arc::new(ActivationOp(activation)) as Arc<dyn Op>)
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let count = r.output(0).elements();
        let params = ActivationParams { count: r.u32("elements", count)?, ..Default::default() };
        r.dispatch(
            Dispatch::new(&KERNEL, "activation_direct", &params)
                .activation(self.0)
                .bind([Operand::Input(0), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
