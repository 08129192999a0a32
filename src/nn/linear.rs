//! Linear layers.

use super::constant;
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::weights::{Weight, Weights};

/// What every device binds at least: a larger matrix is cut along its outputs.
const MOST_ELEMENTS: usize = (128 << 20) / 4;

/// A linear layer over the last axis with the weights `weight` `[Out, In]` and `bias` `[Out]`.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when `x` is a scalar.
pub fn linear(g: &mut Graph, x: Value, w: &Weights, outputs: usize) -> Result<Value> {
    let inputs = *g.shape(x).last().ok_or_else(|| Error::bad_input("a linear layer of a scalar"))?;
    let weight = w.take("weight", &[outputs, inputs])?;
    let bias = w.take("bias", &[outputs])?;
    in_parts(g, x, &weight, &bias, |rows| rows.permute(&[1, 0]))
}

/// The layer with the weights `[Out, …]` that `turn` makes `[In, Out]`, in as many parts as a device needs.
fn in_parts(
    g: &mut Graph,
    x: Value,
    weight: &Weight,
    bias: &Weight,
    turn: impl Fn(Weight) -> Result<Weight>,
) -> Result<Value> {
    let (outputs, elements) = (bias.shape().elements(), weight.shape().elements());
    let parts = elements.div_ceil(MOST_ELEMENTS).max(1);
    // Kernels take four columns at a time.
    let step = outputs.div_ceil(parts).next_multiple_of(4);
    if parts == 1 || step >= outputs {
        let weight = constant(g, turn(weight.clone())?);
        let bias = constant(g, bias.clone());
        return g.linear(x, weight, Some(bias));
    }
    let mut results = Vec::new();
    for start in (0..outputs).step_by(step) {
        let rows = start..(start + step).min(outputs);
        let weight = constant(g, turn(weight.rows(rows.clone())?)?);
        let bias = constant(g, bias.rows(rows)?);
        results.push(g.linear(x, weight, Some(bias))?);
    }
    g.concat(&results, -1)
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
    let bias = w.take("bias", &[outputs])?;
    let x = g.reshape(x, &[n as isize, inputs as isize])?;
    in_parts(g, x, &weight, &bias, |rows| {
        let outputs = rows.shape().first().copied().unwrap_or(0);
        let rows = rows.reshape(&[outputs, c, t, h, width])?.permute(&[2, 3, 4, 1, 0])?;
        rows.reshape(&[inputs, outputs])
    })
}

fn matrix(g: &mut Graph, x: Value, w: &Weights, outputs: usize) -> Result<Value> {
    let inputs = *g.shape(x).last().ok_or_else(|| Error::bad_input("a linear layer of a scalar"))?;
    let weight = w.take("weight", &[outputs, inputs])?.permute(&[1, 0])?;
    Ok(constant(g, weight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Engine;
    use crate::tensor::Tensor;

    /// 34 million weights, in two parts, give what their rows give one by one.
    #[test]
    fn a_large_layer_is_cut() {
        let (inputs, outputs) = (16_384, 2_060);
        let mut g = Graph::new();
        let w = Weights::random(1);
        let x = g.input("x", &[1, inputs]).unwrap();
        let y = linear(&mut g, x, &w, outputs).unwrap();
        g.output("y", y).unwrap();
        assert_eq!(g.to_string().matches("linear").count(), 4, "{g}");
        let values = Tensor::from_fn(&[1, inputs], |i| (i % 7) as f32 - 3.0).unwrap();
        let y = Engine::cpu().plan(&g).unwrap().run(&[("x", values.clone())]).unwrap();
        let weight = w.take("weight", &[outputs, inputs]).unwrap();
        let bias = w.take("bias", &[outputs]).unwrap();
        let rows = weight.tensor().unwrap().f32s().unwrap();
        for i in [0, 1031, 1032, outputs - 1] {
            let row = rows[i * inputs..][..inputs].iter().zip(values.f32s().unwrap());
            let sum: f64 = row.map(|(a, b)| f64::from(a * b)).sum();
            let want = sum + f64::from(bias.tensor().unwrap().f32s().unwrap()[i]);
            approx::assert_abs_diff_eq!(f64::from(y["y"].f32s().unwrap()[i]), want, epsilon = 1e-4);
        }
    }
}
