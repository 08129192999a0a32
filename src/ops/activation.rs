//! Activations as an operator of their own. The planner moves them into the operator before, where it can.

use std::sync::Arc;

use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Activation, Bound, Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("activation");

/// An [`Activation`] on every element. NaN stays NaN; a product of zero and infinity within the formula is NaN too.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivationOp(pub Activation);

impl Graph {
    /// Adds an activation on every element of `x`, of any shape.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when a parameter of it makes no sense.
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
    negative_slope: Option<f32>,
    alpha: Option<f32>,
    beta: Option<f32>,
    threshold: Option<f32>,
    min_val: Option<f32>,
    max_val: Option<f32>,
}

impl Default for Named {
    fn default() -> Self {
        Named {
            function: "relu".into(),
            negative_slope: None,
            alpha: None,
            beta: None,
            threshold: None,
            min_val: None,
            max_val: None,
        }
    }
}

impl Named {
    /// The function with those parameters that are given, all of which must be its own.
    fn activation(mut self) -> Result<Activation> {
        let activation = match Activation::from_name(&self.function)? {
            Activation::LeakyRelu { slope } => {
                Activation::LeakyRelu { slope: self.negative_slope.take().unwrap_or(slope) }
            }
            Activation::HardTanh { min, max } => Activation::HardTanh {
                min: self.min_val.take().unwrap_or(min),
                max: self.max_val.take().unwrap_or(max),
            },
            Activation::Elu { alpha } => Activation::Elu { alpha: self.alpha.take().unwrap_or(alpha) },
            Activation::Softplus { beta, threshold } => Activation::Softplus {
                beta: self.beta.take().unwrap_or(beta),
                threshold: self.threshold.take().unwrap_or(threshold),
            },
            other => other,
        };
        let left = [
            ("negative_slope", self.negative_slope),
            ("alpha", self.alpha),
            ("beta", self.beta),
            ("threshold", self.threshold),
            ("min_val", self.min_val),
            ("max_val", self.max_val),
        ];
        match left.iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) => Err(Error::bad_input(format!("{} has no parameter {name}", self.function))),
            None => Ok(activation),
        }
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "activation",
    summary: "an element-wise activation",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "function=relu (identity, leaky_relu, sigmoid, tanh, silu, gelu, gelu_tanh, quick_gelu, relu6, \
                 hard_tanh, hard_sigmoid, hard_swish, elu, softplus, log_sigmoid, mish); leaky_relu: \
                 negative_slope=0.01; hard_tanh: min_val=-1, max_val=1; elu: alpha=1; softplus: beta=1, threshold=20",
    build: |g, v, a| Ok(vec![g.activation(v[0], a.read::<Named>()?.activation()?)?]),
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
        self.0.check()?;
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let y: Vec<f32> = inputs[0].f32s()?.iter().map(|&x| self.0.apply(x.into()) as f32).collect();
        Ok(vec![Tensor::new(inputs[0].shape(), y)?])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(vec![Tensor::new(inputs[0].shape(), self.0.of_all(inputs[0].f32s()?))?])
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
        let wide = r.traits().family != Family::Direct && count.is_multiple_of(4);
        let (entry, count) = if wide { ("activation_vec4", count / 4) } else { ("activation_direct", count) };
        let params = ActivationParams { count: r.u32("elements", count)?, ..Default::default() };
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .activation(self.0)
                .bind([Operand::Input(0), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
