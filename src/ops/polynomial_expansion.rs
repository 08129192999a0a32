//! The quadratic polynomial nearest to the neighbourhood of every pixel.

use kinetograph_ref::polynomial_expansion as reference;
use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Family, Graph, Op, Operand, Recorder, Setting, TensorType, Value};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("polynomial_expansion");

/// The quadratic polynomial nearest to the neighbourhood of every pixel, by least squares weighted with a Gaussian
/// (Farnebäck, Two-Frame Motion Estimation Based on Polynomial Expansion, 2003), with the names of OpenCV's
/// `calcOpticalFlowFarneback`. Pixels beyond the border are those on it.
///
/// NaN and infinity spread as far as the neighbourhoods reach.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolynomialExpansion {
    /// Pixels of the neighbourhood on either side of its centre.
    pub poly_n: usize,
    /// Deviation of the weights in pixels; 0 for 0.3 [`PolynomialExpansion::poly_n`].
    pub poly_sigma: f64,
}

impl Default for PolynomialExpansion {
    fn default() -> Self {
        PolynomialExpansion { poly_n: 5, poly_sigma: 1.2 }
    }
}

/// The weights along an axis, from the centre on, with a sum of 1 over both sides, and their second and fourth moments.
struct Weights {
    g: Vec<f64>,
    second: f64,
    fourth: f64,
}

impl PolynomialExpansion {
    /// The longest neighbourhood: its invocations make `(2n + 1)²` turns.
    const WIDEST: usize = 100;

    fn sigma(&self) -> f64 {
        if self.poly_sigma == 0.0 { 0.3 * self.poly_n as f64 } else { self.poly_sigma }
    }

    fn weights(&self) -> Weights {
        let raw = |k: usize| (-((k * k) as f64) / (2.0 * self.sigma() * self.sigma())).exp();
        let all: f64 = 1.0 + 2.0 * (1..=self.poly_n).map(raw).sum::<f64>();
        let g: Vec<f64> = (0..=self.poly_n).map(|k| raw(k) / all).collect();
        let moment =
            |power: i32| 2.0 * g.iter().enumerate().map(|(k, g)| (k as f64).powi(power) * g).sum::<f64>();
        Weights { second: moment(2), fourth: moment(4), g }
    }
}

impl Graph {
    /// Adds the polynomials nearest to the neighbourhoods of the pixels of `x` `[N, H, W, 1]`: `[N, H, W, 5]`, the
    /// coefficients of y, x, y², x² and xy, measured from the pixel.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when `x` has other axes or the attributes are unusable.
    pub fn polynomial_expansion(&mut self, x: Value, attributes: &PolynomialExpansion) -> Result<Value> {
        self.push(*attributes, &[x])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "polynomial_expansion",
    summary: "the quadratic polynomial nearest to the neighbourhood of every pixel: coefficients of y, x, y², x², xy",
    inputs: &[Port::new("input", Layout::Activation)],
    output: Layout::Activation,
    attributes: "poly_n=5, poly_sigma=1.2 (0: 0.3 poly_n)",
    build: |g, v, a| Ok(vec![g.polynomial_expansion(v[0], &a.read()?)?]),
};

params! {
    struct PolynomialExpansionParams {
        count: u32,
        height: u32,
        width: u32,
        reach: u32,
        linear: f32,
        mixed: f32,
        square: f32,
        second: f32,
    }
}

const AXES: &str = "[N, H, W, 1]";

impl Op for PolynomialExpansion {
    fn name(&self) -> &'static str {
        "polynomial_expansion"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let [n, h, w, c] = inputs[0].shape.dims("the input", AXES)?;
        if c != 1 {
            return Err(Error::bad_input(format!("the input must be {AXES}, it has {c} channels")));
        }
        if !(1..=PolynomialExpansion::WIDEST).contains(&self.poly_n) {
            return Err(Error::bad_input(format!(
                "poly_n {}: 1 to {} is possible",
                self.poly_n,
                PolynomialExpansion::WIDEST
            )));
        }
        if !(self.poly_sigma >= 0.0 && self.poly_sigma.is_finite()) {
            return Err(Error::bad_input(format!("poly_sigma {}: 0 or a positive number", self.poly_sigma)));
        }
        // Weights that all but vanish beside the centre, or that are all alike at a neighbourhood of one, leave the
        // squares unknown.
        let Weights { second, fourth, .. } = self.weights();
        if second < 1e-6 || fourth - second * second < 1e-6 {
            return Err(Error::bad_input(format!(
                "poly_sigma {} leaves too little weight beside the centre",
                self.poly_sigma
            )));
        }
        Ok(vec![TensorType::float(&[n, h, w, 5])?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let [n, h, w, _] = inputs[0].shape().dims("the input", AXES)?;
        let x = inputs[0].f32s()?;
        let y = reference::polynomial_expansion(x, [n, h, w], self.poly_n, self.sigma());
        Ok(vec![Tensor::new(&[n, h, w, 5], y)?])
    }

    /// Sums with a term for each neighbour, of which those of the squares are differences of two; the weights' own
    /// rounding and the factors are the further operations.
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Bound>> {
        let [n, h, w, _] = inputs[0].shape().dims("the input", AXES)?;
        let x = inputs[0].f32s()?;
        let Weights { g, second, fourth } = self.weights();
        let reach = self.poly_n;
        let mut magnitudes = Vec::with_capacity(x.len() * 5);
        for i in 0..n * h * w {
            let (column, row, picture) = (i % w, i / w % h, i / (w * h));
            let mut sums = [0.0; 5];
            for a in 0..=2 * reach {
                for b in 0..=2 * reach {
                    let y_near = (row + a).saturating_sub(reach).min(h - 1);
                    let x_near = (column + b).saturating_sub(reach).min(w - 1);
                    let (down, across) = (a.abs_diff(reach), b.abs_diff(reach));
                    let value = f64::from(x[(picture * h + y_near) * w + x_near]).abs() * g[down] * g[across];
                    let (down, across) = (down as f64, across as f64);
                    let variance = fourth - second * second;
                    let terms = [
                        down / second,
                        across / second,
                        (down * down + second) / variance,
                        (across * across + second) / variance,
                        down * across / (second * second),
                    ];
                    for (sum, t) in sums.iter_mut().zip(terms) {
                        *sum += value * t;
                    }
                }
            }
            magnitudes.extend(sums.map(|s| s as f32));
        }
        let magnitudes = Tensor::new(&[n, h, w, 5], magnitudes)?;
        Ok(vec![Bound::sum((2 * reach + 1).pow(2), &magnitudes)?])
    }

    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        // Three sums along columns, six along rows.
        inputs[0].shape.elements() as u64 * (2 * 9 * (2 * self.poly_n as u64 + 1) + 9)
    }

    fn scratch(&self, setting: &Setting<'_>) -> Vec<u64> {
        let Setting { inputs, traits, .. } = *setting;
        match traits.family {
            Family::Direct => Vec::new(),
            _ => vec![3 * inputs[0].shape.elements() as u64],
        }
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [_, height, width, _] = r.input(0).dims("the input", AXES)?;
        let count = r.input(0).elements();
        let Weights { g, second, fourth } = self.weights();
        let params = PolynomialExpansionParams {
            count: r.u32("pixels", count)?,
            height: r.u32("height", height)?,
            width: r.u32("width", width)?,
            reach: r.u32("poly_n", self.poly_n)?,
            linear: (1.0 / second) as f32,
            mixed: (1.0 / (second * second)) as f32,
            square: (1.0 / (fourth - second * second)) as f32,
            second: second as f32,
            ..Default::default()
        };
        let table: Vec<u32> = g
            .iter()
            .enumerate()
            .flat_map(|(k, g)| [0, 1, 2].map(|power| ((k as f64).powi(power) * g) as f32))
            .map(f32::to_bits)
            .collect();
        let taps = 2 * self.poly_n + 1;
        let launch = |entry, turns, operands: [Operand; 3]| {
            Dispatch::new(&KERNEL, entry, &params)
                .bind(operands)
                .table(table.clone())
                .turns(turns)
                .groups(count.div_ceil(64) as u64)
        };
        use Operand::{Input, Output, Scratch, Table};
        if r.traits().family == Family::Direct {
            let operands = [Input(0), Table, Output(0)];
            r.dispatch(launch("polynomial_expansion_direct", taps * (1 + taps), operands));
        } else {
            r.dispatch(launch("polynomial_expansion_columns", taps, [Input(0), Table, Scratch(0)]));
            r.dispatch(launch("polynomial_expansion_rows", taps, [Scratch(0), Table, Output(0)]));
        }
        Ok(())
    }
}
