//! Quantiles along an axis.

use kinetograph_ref::quantile as reference;
use serde::{Deserialize, Deserializer};

use super::attributes::{around, axis};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Bound, Dispatch, Family, Graph, MOST_TURNS, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value,
};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("quantile");

/// Rows from these lengths on are shared out over a workgroup, on GPUs and on processors.
const LONG: usize = 64;
const LONG_ON_PROCESSORS: usize = 512;

/// What a quantile is that falls between two elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QuantileInterpolation {
    /// Their mean, weighted by how near it is to each.
    #[default]
    Linear,
    /// The lower.
    Lower,
    /// The higher.
    Higher,
    /// The nearer; in the middle between them the one of even rank.
    Nearest,
    /// Their mean.
    Midpoint,
}

impl QuantileInterpolation {
    /// Every one.
    pub const ALL: [QuantileInterpolation; 5] = [
        QuantileInterpolation::Linear,
        QuantileInterpolation::Lower,
        QuantileInterpolation::Higher,
        QuantileInterpolation::Nearest,
        QuantileInterpolation::Midpoint,
    ];
}

/// Quantiles along an axis or of all elements, as `torch.quantile`: the elements of rank `q·(n − 1)` in rising order,
/// found without sorting, however long the axis.
///
/// A row with NaN gives NaN. Where both neighbours are the same, infinite ones too, that is the quantile (PyTorch gives
/// NaN between infinities); between an infinite and a finite one it follows IEEE 754 where the device does.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quantile {
    /// The quantiles, each from 0 to 1. Their ranks are computed in f64.
    #[serde(deserialize_with = "one_or_many")]
    pub q: Vec<f64>,
    /// The axis; negative ones count from the last. Without one the quantiles are those of all elements.
    pub dim: Option<isize>,
    /// Whether the axis stays (without one: every axis), with length 1.
    pub keepdim: bool,
    /// What a quantile is that falls between two elements.
    pub interpolation: QuantileInterpolation,
}

/// Reads `0.5` as `[0.5]`.
fn one_or_many<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<Vec<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "one number or a list of numbers")]
    enum OneOrMany {
        One(f64),
        Many(Vec<f64>),
    }
    Ok(match OneOrMany::deserialize(d)? {
        OneOrMany::One(q) => vec![q],
        OneOrMany::Many(q) => q,
    })
}

impl Quantile {
    /// One quantile along an axis, which goes.
    pub fn along(q: f64, dim: isize) -> Self {
        Quantile { q: vec![q], dim: Some(dim), ..Quantile::default() }
    }

    fn lengths(&self, shape: &Shape) -> Result<[usize; 3]> {
        let Some(dim) = self.dim else { return Ok([1, shape.elements(), 1]) };
        Ok(around(axis(dim, shape.rank())?, shape))
    }

    fn output(&self, shape: &Shape) -> Result<Vec<usize>> {
        let gone = self.dim.map(|dim| axis(dim, shape.rank())).transpose()?;
        let of_axis = |(a, &d): (usize, &usize)| {
            let goes = gone.is_none_or(|gone| gone == a);
            if goes { self.keepdim.then_some(1) } else { Some(d) }
        };
        let kept = shape.iter().enumerate().filter_map(of_axis);
        Ok(std::iter::once(self.q.len()).chain(kept).collect())
    }

    /// The rank of the element at or below a quantile, and the weight of the next.
    fn place(&self, q: f64, length: usize) -> (usize, f64) {
        let place = q * (length - 1) as f64;
        let below = place.floor();
        let (place, weight) = match self.interpolation {
            QuantileInterpolation::Linear => (below, place - below),
            QuantileInterpolation::Lower => (below, 0.0),
            QuantileInterpolation::Higher => (place.ceil(), 0.0),
            QuantileInterpolation::Nearest => (place.round_ties_even(), 0.0),
            QuantileInterpolation::Midpoint => (below, if place == below { 0.0 } else { 0.5 }),
        };
        (place as usize, weight)
    }

    /// A row of the reference for each quantile.
    fn rows(&self, x: &Tensor) -> Result<Vec<Vec<f32>>> {
        let [_, length, inner] = self.lengths(x.shape())?;
        let data = x.f32s()?;
        let of = |q: &f64| {
            let (rank, weight) = self.place(*q, length);
            reference::quantile(data, [length, inner], rank, weight)
        };
        Ok(self.q.iter().map(of).collect())
    }
}

impl Graph {
    /// Adds quantiles along an axis of `x`, or of all of it: `[Q, …]`, a leading axis for the quantiles, then the axes
    /// of `x` without the one, which stays with length 1 with [`Quantile::keepdim`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is no such axis, no quantile, or one that is not from 0 to 1.
    pub fn quantile(&mut self, x: Value, attributes: &Quantile) -> Result<Value> {
        self.push(attributes.clone(), &[x])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "quantile",
    summary: "quantiles along an axis or of all elements; the output's first axis is that of the quantiles",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "q (required, one or a list), dim=null (of all), keepdim=false, \
                 interpolation=linear (lower, higher, nearest, midpoint)",
    build: |g, v, a| Ok(vec![g.quantile(v[0], &a.read()?)?]),
};

params! {
    struct QuantileParams {
        count: u32,
        length: u32,
        inner: u32,
        offset: u32,
        rank: u32,
        weight: f32,
        nan: f32,
    }
}

impl Op for Quantile {
    fn name(&self) -> &'static str {
        "quantile"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        if self.q.is_empty() {
            return Err(Error::bad_input("q: at least one quantile must be given"));
        }
        if let Some(q) = self.q.iter().find(|q| !(0.0..=1.0).contains(*q)) {
            return Err(Error::bad_input(format!("q {q}: 0 to 1 is possible")));
        }
        Ok(vec![TensorType::float(&self.output(&inputs[0].shape)?)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let y = self.rows(&inputs[0])?.concat();
        Ok(vec![Tensor::new(&self.output(inputs[0].shape())?, y)?])
    }

    /// `lo + w·(hi − lo)`: the difference, the weight and the product round, which is 2u each of at most `|lo| + |hi|`,
    /// then the sum; from the other end the weight rounds once more.
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Bound>> {
        if !matches!(self.interpolation, QuantileInterpolation::Linear | QuantileInterpolation::Midpoint) {
            return Ok(vec![Bound::Exact]);
        }
        let at = |interpolation| Quantile { interpolation, ..self.clone() }.rows(&inputs[0]);
        let (lo, hi) =
            (at(QuantileInterpolation::Lower)?.concat(), at(QuantileInterpolation::Higher)?.concat());
        let magnitudes = lo.iter().zip(hi).map(|(lo, hi)| f64::from(lo.abs()) + f64::from(hi.abs()));
        Ok(vec![Bound::Absolute(magnitudes.map(|m| 10.0 * UNIT_ROUNDOFF * m).collect())])
    }

    /// Five walks, a comparison an element, for each quantile.
    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        5 * inputs[0].shape.elements() as u64 * self.q.len() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [outer, length, inner] = self.lengths(r.input(0))?;
        let count = outer * inner;
        let direct = 33 * length;
        let long = match r.traits().family {
            Family::Direct => false,
            Family::Tiled => length >= LONG,
            Family::Uniform => length >= LONG_ON_PROCESSORS,
        };
        let (entry, groups, turns) = if long || direct > MOST_TURNS {
            ("quantile_tiled", count, 5 * length.div_ceil(256) + 64)
        } else {
            ("quantile_direct", count.div_ceil(64), direct)
        };
        for (i, q) in self.q.iter().enumerate() {
            let (rank, weight) = self.place(*q, length);
            let params = QuantileParams {
                count: r.u32("elements", count)?,
                length: r.u32("length", length)?,
                inner: r.u32("length", inner)?,
                offset: r.u32("elements", i * count)?,
                rank: r.u32("rank", rank)?,
                weight: weight as f32,
                nan: f32::NAN,
                ..Default::default()
            };
            r.dispatch(
                Dispatch::new(&KERNEL, entry, &params)
                    .bind([Operand::Input(0), Operand::Output(0)])
                    .turns(turns)
                    .groups(groups as u64),
            );
        }
        Ok(())
    }
}
