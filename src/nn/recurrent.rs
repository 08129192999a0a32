//! Recurrent layers.

use super::{constant, scope};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{ConvGru, Lstm, Recurrent, RecurrentWeights};
use crate::weights::Weights;

/// Layers of an LSTM over `x` `[N, T, C]` with PyTorch's weights: `weight_ih_l0` `[4·hidden, C]`, `weight_hh_l0`
/// `[4·hidden, hidden]`, `bias_ih_l0`, `bias_hh_l0` `[4·hidden]`, gates in the order i, f, g, o; then those of `l1` and on.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when `x` has other axes or there is no layer.
pub fn lstm(g: &mut Graph, x: Value, w: &Weights, hidden: usize, layers: usize) -> Result<Recurrent> {
    let [_, _, mut channels] = g.shape(x).dims("the input", "[N, T, C]")?;
    let mut weights = Vec::new();
    for layer in 0..layers {
        let mut matrix = |name: &str, inputs: usize| {
            let weight = w.take(&format!("{name}_l{layer}"), &[4 * hidden, inputs])?;
            Ok(constant(g, weight.permute(&[1, 0])?))
        };
        let (input, state) = (matrix("weight_ih", channels)?, matrix("weight_hh", hidden)?);
        let mut bias =
            |name: &str| Ok(Some(constant(g, w.take(&format!("{name}_l{layer}"), &[4 * hidden])?)));
        weights.push(RecurrentWeights {
            input,
            hidden: state,
            candidate: None,
            input_bias: bias("bias_ih")?,
            hidden_bias: bias("bias_hh")?,
        });
        channels = hidden;
    }
    g.lstm(x, &weights, &[], &Lstm::default())
}

/// The convolutional GRU of Ballas et al. 2016 (arXiv:1511.06432) over `x` `[N, T, H, W, C]`: z weighs the new state and
/// r resets the old one before its convolution. Weights: `input.weight` `[3·hidden, C, k, k]` of the gates r, z, n with
/// `input.bias`, `hidden.weight` `[2·hidden, hidden, k, k]` of r and z, `candidate.weight` `[hidden, hidden, k, k]` of n.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when `x` has other axes or the kernel is even.
pub fn conv_gru(g: &mut Graph, x: Value, w: &Weights, hidden: usize, kernel: usize) -> Result<Recurrent> {
    let [_, _, _, _, channels] = g.shape(x).dims("the input", "[N, T, H, W, C]")?;
    let mut kernels = |name: &str, gates: usize, inputs: usize| {
        scope(g, w, name, |g, w| {
            let weight = w.take("weight", &[gates * hidden, inputs, kernel, kernel])?;
            Ok(constant(g, weight.permute(&[2, 3, 1, 0])?))
        })
    };
    let input = kernels("input", 3, channels)?;
    let state = kernels("hidden", 2, hidden)?;
    let candidate = kernels("candidate", 1, hidden)?;
    let bias = constant(g, w.scope("input").take("bias", &[3 * hidden])?);
    let weights = RecurrentWeights {
        input,
        hidden: state,
        candidate: Some(candidate),
        input_bias: Some(bias),
        hidden_bias: None,
    };
    g.conv_gru(x, &weights, None, &ConvGru::default())
}
