//! Softmax over one axis.

use kinetograph_cpu::softmax as fast;
use kinetograph_ref::softmax as reference;
use serde::Deserialize;

use super::attributes::axis;
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Bound, Dispatch, Family, Graph, MOST_TURNS, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value,
};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("softmax");

/// Contiguous rows from this length on are shared out over a workgroup on GPUs.
const LONG_ROW: usize = 128;

/// `exp(x/T) / Σ exp(x/T)` along one axis, or its logarithm: `torch.nn.functional.softmax` and `log_softmax`.
///
/// A row with NaN or +∞ gives NaN, as in PyTorch. A row of −∞ alone, as a mask makes, gives zeros (−∞ for the
/// logarithm), where PyTorch gives NaN.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Softmax {
    /// The axis; negative ones count from the last.
    pub dim: isize,
    /// Whether to give the logarithm.
    pub log: bool,
    /// What the inputs are divided by.
    pub temperature: f32,
}

impl Default for Softmax {
    fn default() -> Self {
        Softmax { dim: -1, log: false, temperature: 1.0 }
    }
}

impl Softmax {
    /// Lengths before, of and after the axis.
    fn lengths(&self, shape: &Shape) -> Result<[usize; 3]> {
        let axis = axis(self.dim, shape.rank())?;
        Ok([shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()])
    }
}

impl Graph {
    /// Adds a softmax along one axis of `x`, of any shape but a scalar's; the shape stays.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is no such axis or the temperature is not a positive number.
    pub fn softmax(&mut self, x: Value, attributes: &Softmax) -> Result<Value> {
        self.push(attributes.clone(), &[x])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "softmax",
    summary: "softmax or its logarithm along one axis",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "dim=-1, log=false, temperature=1",
    build: |g, v, a| Ok(vec![g.softmax(v[0], &a.read()?)?]),
};

params! {
    struct SoftmaxParams {
        rows: u32,
        length: u32,
        inner: u32,
        scale: f32,
        lowest: f32,
        nan: f32,
    }
}

impl Op for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        self.lengths(&inputs[0].shape)?;
        let usable =
            self.temperature.is_finite() && self.temperature > 0.0 && (1.0 / self.temperature).is_finite();
        if !usable {
            return Err(Error::bad_input(format!("temperature {}: a positive number", self.temperature)));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let [_, length, inner] = self.lengths(inputs[0].shape())?;
        let y = reference::softmax(inputs[0].f32s()?, [length, inner], self.temperature.into(), self.log);
        Ok(vec![Tensor::new(inputs[0].shape(), y)?])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let [_, length, inner] = self.lengths(inputs[0].shape())?;
        if inner > 1 || self.log {
            return self.reference(inputs);
        }
        let y = fast::softmax(inputs[0].f32s()?, length, self.temperature);
        Ok(vec![Tensor::new(inputs[0].shape(), y)?])
    }

    /// WGSL allows `exp(z)` an error of 3 + 2|z| ULP, `log` 3 ULP or 2⁻²¹; `z` itself comes of two roundings.
    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let [outer, length, inner] = self.lengths(inputs[0].shape())?;
        let (x, y) = (inputs[0].f32s()?, reference[0].f32s()?);
        let unit = 2.0 * UNIT_ROUNDOFF;
        let mut bound = vec![0.0; x.len()];
        for row in 0..outer * inner {
            let at = |k: usize| (row / inner * length + k) * inner + row % inner;
            let largest = (0..length).fold(f64::NEG_INFINITY, |m, k| m.max(x[at(k)].into()));
            let z: Vec<f64> =
                (0..length).map(|k| (f64::from(x[at(k)]) - largest) / f64::from(self.temperature)).collect();
            let own = |z: f64| unit * (3.0 + 5.0 * z.abs());
            let total: f64 = z.iter().map(|z| z.exp()).sum();
            let sum = z.iter().filter(|z| z.is_finite()).map(|&z| z.exp() * own(z)).sum::<f64>() / total
                + unit * (length + 8) as f64;
            for (k, z) in z.into_iter().enumerate() {
                let y = f64::from(y[at(k)].abs());
                bound[at(k)] = match (self.log, y == 0.0 || y.is_infinite()) {
                    (_, true) => f64::from(f32::MIN_POSITIVE),
                    (true, _) => sum + 0.5f64.powi(21) + unit * (3.0 * z.abs() + 4.0 * total.ln() + y),
                    (false, _) => y * (sum + own(z) + 3.0 * unit) + f64::from(f32::MIN_POSITIVE),
                };
            }
        }
        Ok(vec![Bound::Absolute(bound)])
    }

    /// A subtraction, an exponential, a sum and a quotient an element.
    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        4 * outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [outer, length, inner] = self.lengths(r.input(0))?;
        let rows = outer * inner;
        let too_long = 3 * length > MOST_TURNS;
        let tiled = too_long || (r.traits().family == Family::Tiled && inner == 1 && length >= LONG_ROW);
        let (entry, groups, turns) = if tiled {
            ("softmax_tiled", rows, 3 * length.div_ceil(256) + 16)
        } else {
            ("softmax_direct", rows.div_ceil(64), 3 * length)
        };
        let params = SoftmaxParams {
            rows: r.u32("rows", rows)?,
            length: r.u32("length", length)?,
            inner: r.u32("length", inner)?,
            scale: 1.0 / self.temperature,
            lowest: f32::NEG_INFINITY,
            nan: f32::NAN,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .constant("LOG", u32::from(self.log))
                .bind([Operand::Input(0), Operand::Output(0)])
                .turns(turns)
                .groups(groups as u64),
        );
        Ok(())
    }
}
