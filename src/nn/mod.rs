//! Blocks made of operators, which take their weights by name in the published layout and turn it into this
//! crate's.

use crate::error::{Error, Result};
use crate::graph::{Activation, Graph, Value};
use crate::ops::Conv3d;
use crate::weights::{Weight, Weights};

/// Adds a weight to a graph.
pub fn constant(g: &mut Graph, weight: Weight) -> Value {
    match weight.into_parts() {
        (name, _, Some(tensor)) => g.constant(&name, tensor),
        (name, shape, None) => g.unknown_constant(&name, shape),
    }
}

/// A 3D convolution with the weights `weight` `[Cout, Cin/groups, kT, kH, kW]` and `bias` `[Cout]`.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when `x` is not `[N, T, H, W, Cin]` or the attributes do not fit.
pub fn conv3d(
    g: &mut Graph,
    x: Value,
    w: &Weights,
    cout: usize,
    kernel: [usize; 3],
    attributes: &Conv3d,
) -> Result<Value> {
    let [_, _, _, _, cin] = g.shape(x).dims("the input", "[N, T, H, W, C]")?;
    let [kt, kh, kw] = kernel;
    let shape = [cout, cin / attributes.groups.max(1), kt, kh, kw];
    let weight = w.take("weight", &shape)?.permute(&[2, 3, 4, 1, 0])?;
    let weight = constant(g, weight);
    let bias = constant(g, w.take("bias", &[cout])?);
    g.conv3d(x, weight, Some(bias), attributes)
}

/// [`conv3d`] and ReLU.
///
/// # Errors
/// As [`conv3d`].
pub fn conv3d_relu(
    g: &mut Graph,
    x: Value,
    w: &Weights,
    cout: usize,
    kernel: [usize; 3],
    attributes: &Conv3d,
) -> Result<Value> {
    let y = conv3d(g, x, w, cout, kernel, attributes)?;
    g.activation(y, Activation::Relu)
}

/// A linear layer over the last axis with the weights `weight` `[Out, In]` and `bias` `[Out]`.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when `x` is a scalar.
pub fn linear(g: &mut Graph, x: Value, w: &Weights, outputs: usize) -> Result<Value> {
    let inputs = *g.shape(x).last().ok_or_else(|| Error::bad_input("a linear layer of a scalar"))?;
    let weight = w.take("weight", &[outputs, inputs])?.permute(&[1, 0])?;
    let weight = constant(g, weight);
    let bias = constant(g, w.take("bias", &[outputs])?);
    g.linear(x, weight, Some(bias))
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
