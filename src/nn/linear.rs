//! Linear layers.

use super::constant;
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::weights::Weights;

/// A linear layer over the last axis with the weights `weight` `[Out, In]` and `bias` `[Out]`.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when `x` is a scalar.
pub fn linear(g: &mut Graph, x: Value, w: &Weights, outputs: usize) -> Result<Value> {
    let weight = matrix(g, x, w, outputs)?;
    let bias = constant(g, w.take("bias", &[outputs])?);
    g.linear(x, weight, Some(bias))
}

/// A linear layer over the last axis with the weights `weight` `[Out, In]` alone.
///
/// # Errors
/// As [`linear`].
pub fn linear_unbiased(g: &mut Graph, x: Value, w: &Weights, outputs: usize) -> Result<Value> {
    let weight = matrix(g, x, w, outputs)?;
    g.linear(x, weight, None)
}

/// Flattens `x` `[N, T, H, W, C]` and adds a linear layer `[N, Out]` whose published weights `[Out, C·T·H·W]`
/// follow PyTorch's flattening of `[N, C, T, H, W]`: their columns are put in this crate's order.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when `x` has other axes.
pub fn linear_flattened(g: &mut Graph, x: Value, w: &Weights, outputs: usize) -> Result<Value> {
    let [n, t, h, width, c] = g.shape(x).dims("the input", "[N, T, H, W, C]")?;
    let inputs = t * h * width * c;
    let weight = w.take("weight", &[outputs, inputs])?;
    let weight = weight.reshape(&[outputs, c, t, h, width])?.permute(&[2, 3, 4, 1, 0])?;
    let weight = constant(g, weight.reshape(&[inputs, outputs])?);
    let bias = constant(g, w.take("bias", &[outputs])?);
    let x = g.reshape(x, &[n as isize, inputs as isize])?;
    g.linear(x, weight, Some(bias))
}

fn matrix(g: &mut Graph, x: Value, w: &Weights, outputs: usize) -> Result<Value> {
    let inputs = *g.shape(x).last().ok_or_else(|| Error::bad_input("a linear layer of a scalar"))?;
    let weight = w.take("weight", &[outputs, inputs])?.permute(&[1, 0])?;
    Ok(constant(g, weight))
}
