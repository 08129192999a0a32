//! Blocks of transformers. Names are timm's: `attn.qkv`, `attn.proj`, `mlp.fc1`, `mlp.fc2`, `norm1`, `norm2`.

use super::{constant, layer_norm, linear, scope};
use crate::error::{Error, Result};
use crate::graph::{Activation, Graph, Value};
use crate::ops::{Attention, Over};
use crate::weights::{Weight, Weights};

/// Which of the projections to query, key and value have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QkvBias {
    /// All.
    #[default]
    All,
    /// Query and value. A key's would add the same to all scores of a query, which the softmax does not see.
    QueryValue,
    /// None.
    None,
}

/// The measures of a multi-head self-attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfAttention {
    /// Into how many heads the channels are divided.
    pub heads: usize,
    /// Whether the file holds one matrix `qkv.weight` `[3·C, C]` rather than `q.weight`, `k.weight` and `v.weight`.
    pub fused: bool,
    /// Which projections have a bias: `qkv.bias`, or `q.bias`, `k.bias` and `v.bias`. With [`QkvBias::QueryValue`] it
    /// is always the latter.
    pub bias: QkvBias,
    /// Which tokens attend to each other. Of several, each has an equal share of the heads, in this order, as in
    /// ViViT's factorised dot-product attention.
    pub over: Vec<Over>,
    /// How many frames the tokens are of, where `over` asks for it.
    pub frames: usize,
}

impl SelfAttention {
    /// Of all tokens to all tokens, with one matrix and all biases.
    pub fn fused(heads: usize) -> Self {
        SelfAttention { heads, fused: true, bias: QkvBias::All, over: vec![Over::All], frames: 0 }
    }

    /// As [`SelfAttention::fused`], with three matrices in the file.
    pub fn separate(heads: usize) -> Self {
        SelfAttention { fused: false, ..SelfAttention::fused(heads) }
    }

    /// With these biases.
    #[must_use]
    pub fn bias(self, bias: QkvBias) -> Self {
        SelfAttention { bias, ..self }
    }

    /// With the token axis taken as frames of places.
    #[must_use]
    pub fn over(self, over: &[Over], frames: usize) -> Self {
        SelfAttention { over: over.to_vec(), frames, ..self }
    }
}

/// Multi-head self-attention of tokens `x` `[N, tokens, C]`, with the output's projection `proj`. Query, key and value
/// come from one product, however the file holds them; nothing is transposed.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when `x` has other axes or the heads or frames do not fit.
pub fn self_attention(g: &mut Graph, x: Value, w: &Weights, a: &SelfAttention) -> Result<Value> {
    let [_, _, channels] = g.shape(x).dims("the input", "[N, tokens, C]")?;
    let ways = a.over.len();
    if ways == 0 || a.heads == 0 || !a.heads.is_multiple_of(ways) || !channels.is_multiple_of(a.heads) {
        return Err(Error::bad_input(format!(
            "{} heads must divide {channels} channels and be shared out among {ways} ways of attending",
            a.heads
        )));
    }
    let matrices = projections(w, "weight", a.fused, &[channels, channels])?;
    let biases = match a.bias {
        QkvBias::All => Some(projections(w, "bias", a.fused, &[channels])?),
        QkvBias::QueryValue => {
            let [q, v] = ["q.bias", "v.bias"].map(|name| w.take(name, &[channels]));
            Some([q?, Weight::zeros("k.bias", &[channels])?, v?])
        }
        QkvBias::None => None,
    };
    let share = channels / ways;
    let mut parts = Vec::new();
    for (i, &over) in a.over.iter().enumerate() {
        let rows = i * share..(i + 1) * share;
        let join = |all: &[Weight; 3]| {
            let parts: Result<Vec<Weight>> = all.iter().map(|one| one.rows(rows.clone())).collect();
            Weight::join(&parts?)
        };
        let matrix = join(&matrices)?.permute(&[1, 0])?;
        let bias = biases.as_ref().map(join).transpose()?;
        let qkv = g.scope("qkv", |g| {
            let matrix = constant(g, matrix);
            let bias = bias.map(|bias| constant(g, bias));
            g.linear(x, matrix, bias)
        })?;
        let frames = if over == Over::All { 0 } else { a.frames };
        let attributes = Attention::heads(a.heads / ways).over(over, frames);
        parts.push(g.attention_fused(qkv, None, &attributes)?);
    }
    let y = if let [one] = parts[..] { one } else { g.concat(&parts, -1)? };
    scope(g, w, "proj", |g, w| linear(g, y, w, channels))
}

/// The matrices or biases of query, key and value; `shape` is that of each.
fn projections(w: &Weights, parameter: &str, fused: bool, shape: &[usize]) -> Result<[Weight; 3]> {
    if !fused {
        let [q, k, v] = ["q", "k", "v"].map(|name| w.take(&format!("{name}.{parameter}"), shape));
        return Ok([q?, k?, v?]);
    }
    let channels = shape[0];
    let mut whole = shape.to_vec();
    whole[0] *= 3;
    let all = w.take(&format!("qkv.{parameter}"), &whole)?;
    let [q, k, v] = [0, 1, 2].map(|i| all.rows(i * channels..(i + 1) * channels));
    Ok([q?, k?, v?])
}

/// The measures of a perceptron with one hidden layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mlp {
    /// Width of the hidden layer.
    pub hidden: usize,
    /// What follows it.
    pub activation: Activation,
}

/// A perceptron on every token of `x` `[…, C]`: `fc1`, an activation, `fc2`.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when `x` is a scalar.
pub fn mlp(g: &mut Graph, x: Value, w: &Weights, a: &Mlp) -> Result<Value> {
    let channels = *g.shape(x).last().ok_or_else(|| Error::bad_input("a perceptron of a scalar"))?;
    let y = scope(g, w, "fc1", |g, w| {
        let y = linear(g, x, w, a.hidden)?;
        g.activation(y, a.activation)
    })?;
    scope(g, w, "fc2", |g, w| linear(g, y, w, channels))
}

/// The measures of a transformer's block.
#[derive(Debug, Clone, PartialEq)]
pub struct TransformerBlock {
    /// The attention.
    pub attention: SelfAttention,
    /// The perceptron.
    pub mlp: Mlp,
    /// What the normalisations add to the variance.
    pub eps: f32,
}

/// A block of a vision transformer on tokens `x` `[N, tokens, C]`: `x + attn(norm1(x))`, then
/// `x + mlp(norm2(x))`.
///
/// # Errors
/// As [`self_attention`].
pub fn transformer_block(g: &mut Graph, x: Value, w: &Weights, a: &TransformerBlock) -> Result<Value> {
    let x = attention_residual(g, x, w, ["norm1", "attn"], &a.attention, a.eps)?;
    mlp_residual(g, x, w, "norm2", a)
}

/// `x + attn(norm(x))` with the weights under these names.
///
/// # Errors
/// As [`self_attention`].
pub fn attention_residual(
    g: &mut Graph,
    x: Value,
    w: &Weights,
    [norm, attention]: [&str; 2],
    a: &SelfAttention,
    eps: f32,
) -> Result<Value> {
    let y = scope(g, w, norm, |g, w| layer_norm(g, x, w, eps))?;
    let y = scope(g, w, attention, |g, w| self_attention(g, y, w, a))?;
    g.scope(attention, |g| g.add(y, x))
}

/// `x + mlp(norm(x))` with the weights under `norm` and `mlp`.
///
/// # Errors
/// As [`mlp`].
pub fn mlp_residual(g: &mut Graph, x: Value, w: &Weights, norm: &str, a: &TransformerBlock) -> Result<Value> {
    let y = scope(g, w, norm, |g, w| layer_norm(g, x, w, a.eps))?;
    let y = scope(g, w, "mlp", |g, w| mlp(g, y, w, &a.mlp))?;
    g.scope("mlp", |g| g.add(y, x))
}

/// A learned table of positions `[1, L, C]` as the rows of the first tokens, such as a class token, and the others,
/// `[first, C]` and `[L − first, C]`.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when nothing would be left on one side.
pub fn positions(w: &Weights, name: &str, [first, others, channels]: [usize; 3]) -> Result<(Weight, Weight)> {
    let all = w.take(name, &[1, first + others, channels])?.reshape(&[first + others, channels])?;
    Ok((all.rows(0..first)?, all.rows(first..first + others)?))
}
