//! Normalisations.

use super::constant;
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{BatchNorm, Norm, NormMode};
use crate::weights::Weights;

/// Batch normalisation of `x` `[…, C]` with the weights `weight`, `bias`, `running_mean` and `running_var` `[C]`.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when `x` is a scalar or `eps` is not positive.
pub fn batch_norm(g: &mut Graph, x: Value, w: &Weights, eps: f32) -> Result<Value> {
    let c = channels(g, x)?;
    let mut take = |name| Ok(constant(g, w.take(name, &[c])?));
    let (weight, bias) = (take("weight")?, take("bias")?);
    let statistics = [take("running_mean")?, take("running_var")?];
    g.batch_norm(x, statistics, Some(weight), Some(bias), &BatchNorm { eps, ..BatchNorm::default() })
}

/// Layer normalisation of `x` `[…, C]` over its last axis with the weights `weight` and `bias` `[C]`.
///
/// # Errors
/// As [`batch_norm`].
pub fn layer_norm(g: &mut Graph, x: Value, w: &Weights, eps: f32) -> Result<Value> {
    let c = channels(g, x)?;
    let mut take = |name| Ok(constant(g, w.take(name, &[c])?));
    let (weight, bias) = (take("weight")?, take("bias")?);
    let norm = Norm { eps: Some(eps), ..Norm::over(NormMode::Layer, &[-1]) };
    g.norm(x, Some(weight), Some(bias), &norm)
}

fn channels(g: &Graph, x: Value) -> Result<usize> {
    g.shape(x).last().copied().ok_or_else(|| Error::bad_input("a normalisation of a scalar"))
}
