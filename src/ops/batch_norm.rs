//! Batch normalisation with running statistics.

use std::ops::RangeInclusive;
use std::sync::Arc;

use kinetograph_cpu::batch_norm as fast;
use kinetograph_ref::batch_norm as reference;
use serde::Deserialize;

use super::attributes::positive;
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Activation, Bound, ChannelAffine, Dispatch, Graph, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF,
    Value,
};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("batch_norm");

/// `(x − mean) / √(variance + eps) · weight + bias` with the running statistics of each channel:
/// `torch.nn.functional.batch_norm` with `training=False`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchNorm {
    /// What keeps the quotient finite.
    pub eps: f32,
    /// Set by the planner when it moves an activation into the operator.
    #[serde(skip)]
    pub activation: Activation,
}

impl Default for BatchNorm {
    fn default() -> Self {
        BatchNorm { eps: 1e-5, activation: Activation::Identity }
    }
}

impl Graph {
    /// Adds a batch normalisation of `x` `[…, C]` with `mean` and `variance` `[C]`, then `weight` and `bias` `[C]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when a shape does not fit, when there is a bias without a weight, or when `eps`
    /// is not positive.
    pub fn batch_norm(
        &mut self,
        x: Value,
        [mean, variance]: [Value; 2],
        weight: Option<Value>,
        bias: Option<Value>,
        attributes: &BatchNorm,
    ) -> Result<Value> {
        let inputs = super::with_affine("batch_norm", &[x, mean, variance], weight, bias)?;
        self.push(attributes.clone(), &inputs)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "batch_norm",
    summary: "batch normalisation with running statistics",
    inputs: &[
        Port::new("input", Layout::Activation),
        Port::new("running_mean", Layout::Plain),
        Port::new("running_var", Layout::Plain),
        Port::optional("weight", Layout::Plain),
        Port::optional("bias", Layout::Plain),
    ],
    output: Layout::Activation,
    attributes: "eps=1e-5",
    build: |g, v, a| {
        let (weight, bias) = (v.get(3).copied(), v.get(4).copied());
        Ok(vec![g.batch_norm(v[0], [v[1], v[2]], weight, bias, &a.read()?)?])
    },
};

params! {
    struct BatchNormParams {
        count: u32,
        channels: u32,
        eps: f32,
    }
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        3..=5
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let Some(&channels) = inputs[0].shape.last() else {
            return Err(Error::bad_input("the input must be […, C], it is a scalar"));
        };
        positive("eps", self.eps)?;
        for (input, what) in inputs[1..].iter().zip(["running mean", "running variance", "weight", "bias"]) {
            if *input.shape != [channels] {
                return Err(Error::bad_input(format!(
                    "the {what} must be [{channels}], its shape is {}",
                    input.shape
                )));
            }
        }
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let optional = |i: usize| inputs.get(i).map(Tensor::f32s).transpose();
        let y = reference::batch_norm(
            inputs[0].f32s()?,
            [inputs[1].f32s()?, inputs[2].f32s()?],
            self.eps.into(),
            [optional(3)?, optional(4)?],
            |y| self.activation.apply(y),
        );
        Ok(vec![Tensor::new(inputs[0].shape(), y)?])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let optional = |i: usize| inputs.get(i).map(Tensor::f32s).transpose();
        let y = fast::batch_norm(
            inputs[0].f32s()?,
            [inputs[1].f32s()?, inputs[2].f32s()?],
            self.eps.into(),
            [optional(3)?, optional(4)?],
            &|y| self.activation.apply_all(y),
        );
        Ok(vec![Tensor::new(inputs[0].shape(), y)?])
    }

    /// With u the unit roundoff, the difference, the sum with eps (halved by the root) and the two products err by
    /// 2u each at most, the root by 2 ULP, 4u: 11u of `|z·weight|` in all, 12u with what is of second order. The bias
    /// adds 2u of the result.
    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let (x, mean, variance) = (inputs[0].f32s()?, inputs[1].f32s()?, inputs[2].f32s()?);
        let optional = |i: usize| inputs.get(i).map(Tensor::f32s).transpose();
        let (weight, bias) = (optional(3)?, optional(4)?);
        let one = |(i, x): (usize, &f32)| {
            let c = i % mean.len();
            let z =
                (f64::from(*x) - f64::from(mean[c])) / (f64::from(variance[c]) + f64::from(self.eps)).sqrt();
            let product = (z * weight.map_or(1.0, |w| f64::from(w[c]))).abs();
            let sum = product + bias.map_or(0.0, |b| f64::from(b[c].abs()));
            UNIT_ROUNDOFF * (12.0 * product + 2.0 * sum) + f64::from(f32::MIN_POSITIVE)
        };
        let bound = Bound::Absolute(x.iter().enumerate().map(one).collect());
        Ok(vec![bound.activated(self.activation, &reference[0])?])
    }

    /// A difference, a sum, a root and a product an element, then weight and bias.
    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        (inputs.len() as u64 + 1) * inputs[0].shape.elements() as u64
    }

    fn with_activation(&self, activation: Activation) -> Option<Arc<dyn Op>> {
        let free = self.activation == Activation::Identity;
        free.then(|| Arc::new(BatchNorm { activation, ..self.clone() }) as Arc<dyn Op>)
    }

    fn as_channel_affine(&self, inputs: &[Option<&Tensor>]) -> Option<ChannelAffine> {
        if self.activation != Activation::Identity {
            return None;
        }
        let constants: Option<Vec<&[f32]>> =
            inputs[1..].iter().map(|t| t.and_then(|t| t.f32s().ok())).collect();
        let constants = constants?;
        let (mean, variance) = (constants[0], constants[1]);
        let (weight, bias) = (constants.get(2), constants.get(3));
        let scale = |(c, v): (usize, &f32)| {
            weight.map_or(1.0, |w| f64::from(w[c])) / (f64::from(*v) + f64::from(self.eps)).sqrt()
        };
        let scale: Vec<f64> = variance.iter().enumerate().map(scale).collect();
        let shift = scale
            .iter()
            .enumerate()
            .map(|(c, k)| bias.map_or(0.0, |b| f64::from(b[c])) - f64::from(mean[c]) * k);
        let shift = shift.collect();
        Some(ChannelAffine { scale, shift })
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let count = r.output(0).elements();
        let params = BatchNormParams {
            count: r.u32("elements", count)?,
            channels: r.u32("channels", r.input(1).elements())?,
            eps: self.eps,
            ..Default::default()
        };
        let given = |i: usize| if r.inputs() > i { Operand::Input(i) } else { Operand::Absent };
        let dispatch = Dispatch::new(&KERNEL, "batch_norm_direct", &params)
            .constant("HAS_WEIGHT", u32::from(r.inputs() > 3))
            .constant("HAS_BIAS", u32::from(r.inputs() > 4))
            .activation(self.activation)
            .bind([
                Operand::Input(0),
                Operand::Input(1),
                Operand::Input(2),
                given(3),
                given(4),
                Operand::Output(0),
            ])
            .groups(count.div_ceil(64) as u64);
        r.dispatch(dispatch);
        Ok(())
    }
}
