//! Local response normalisation over channels.

use kinetograph_ref::local_response_norm as reference;
use serde::Deserialize;

use super::attributes::positive;
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Graph, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("local_response_norm");

/// Division of every element by `(k + alpha·mean)^beta`, the mean being that of the squares of [`size`] channels around
/// its own, those that do not exist counted as zeros: `torch.nn.functional.local_response_norm`.
///
/// Caffe's `LRN` layer across channels has the same attributes with the same meaning (`local_size` is `size`, which
/// must be odd there). AlexNet's paper and TensorFlow take the sum where the mean stands here: their `alpha` is to be
/// multiplied with `size`, and TensorFlow's `depth_radius` r is a `size` of 2r + 1.
///
/// An element is NaN if any that counts for it is. Squares that overflow make zeros, or NaN of the infinite element
/// itself, where the device follows IEEE 754.
///
/// [`size`]: LocalResponseNorm::size
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalResponseNorm {
    /// How many channels count; of an even number one more before than after.
    pub size: usize,
    /// The factor of the mean, 0 or more.
    pub alpha: f32,
    /// The exponent.
    pub beta: f32,
    /// What is added to the mean, more than 0.
    pub k: f32,
}

impl Default for LocalResponseNorm {
    fn default() -> Self {
        LocalResponseNorm { size: 0, alpha: 1e-4, beta: 0.75, k: 1.0 }
    }
}

impl Graph {
    /// Adds a local response normalisation of `x` `[…, C]` over its channels; the shape stays.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when `x` is a scalar or an attribute is out of range.
    pub fn local_response_norm(&mut self, x: Value, attributes: &LocalResponseNorm) -> Result<Value> {
        self.push(*attributes, &[x])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "local_response_norm",
    summary: "every element divided by a power of its neighbouring channels' mean square",
    inputs: &[Port::new("input", Layout::Activation)],
    output: Layout::Activation,
    attributes: "size (required), alpha=1e-4, beta=0.75, k=1",
    build: |g, v, a| Ok(vec![g.local_response_norm(v[0], &a.read()?)?]),
};

params! {
    struct LocalResponseNormParams {
        count: u32,
        channels: u32,
        before: u32,
        size: u32,
        scale: f32,
        beta: f32,
        k: f32,
    }
}

impl Op for LocalResponseNorm {
    fn name(&self) -> &'static str {
        "local_response_norm"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        /// Channels and size are added in 32 bits.
        const MOST: usize = 1 << 30;
        let channels = inputs[0].shape.last().copied();
        let channels =
            channels.ok_or_else(|| Error::bad_input("the input must be […, C], it is a scalar"))?;
        if self.size == 0 || self.size > MOST || channels > MOST {
            let size = self.size;
            return Err(Error::bad_input(format!(
                "size {size} of {channels} channels: 1 to {MOST} is possible"
            )));
        }
        positive("k", self.k)?;
        if !(self.alpha >= 0.0 && self.alpha.is_finite()) {
            return Err(Error::bad_input(format!("alpha {}: a number, 0 or more", self.alpha)));
        }
        if !self.beta.is_finite() {
            return Err(Error::bad_input(format!("beta {}: a finite number", self.beta)));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = inputs[0].shape();
        let channels = shape.last().copied().unwrap_or(1);
        let [alpha, beta, k] = [self.alpha, self.beta, self.k].map(f64::from);
        let y = reference::local_response_norm(inputs[0].f32s()?, channels, self.size, alpha, beta, k);
        Ok(vec![Tensor::new(shape, y)?])
    }

    /// The sum, all of whose terms are positive, errs by `2u(size + 10)` of itself; its logarithm by that and by the
    /// larger of 2⁻²¹ and 3 ULP, as WGSL grants; `exp2(t)` by the error of t and by 3 + 2|t| ULP. The quotient tells
    /// the logarithm.
    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let u = UNIT_ROUNDOFF;
        let beta = f64::from(self.beta);
        let pairs = inputs[0].f32s()?.iter().zip(reference[0].f32s()?);
        let bound = pairs.map(|(x, y)| {
            if *x == 0.0 {
                return 0.0;
            }
            let power = f64::from(x / y).abs().log2();
            let log = if beta == 0.0 { 0.0 } else { (power / beta).abs() };
            let log_off = 2.0 * u * (self.size + 10) as f64 / std::f64::consts::LN_2
                + (6.0 * u * log).max(1.0 / f64::from(1 << 21));
            let power_off = beta.abs() * log_off + 2.0 * u * power.abs();
            let relative = std::f64::consts::LN_2 * power_off + 2.0 * u * (4.0 + 2.0 * power.abs());
            f64::from(y.abs()) * relative + f64::from(f32::MIN_POSITIVE)
        });
        Ok(vec![Bound::Absolute(bound.collect())])
    }

    /// A square and a sum for each channel that counts, then a logarithm, a power and three products.
    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        (2 * self.size as u64 + 5) * inputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let count = r.output(0).elements();
        let channels = r.output(0).last().copied().unwrap_or(1);
        let params = LocalResponseNormParams {
            count: r.u32("elements", count)?,
            channels: r.u32("channels", channels)?,
            before: r.u32("size", self.size / 2)?,
            size: r.u32("size", self.size)?,
            scale: (f64::from(self.alpha) / self.size as f64) as f32,
            beta: self.beta,
            k: self.k,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, "local_response_norm_direct", &params)
                .bind([Operand::Input(0), Operand::Output(0)])
                .turns(self.size.min(channels))
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
