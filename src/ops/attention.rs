//! Scaled-dot-product attention.

use std::ops::RangeInclusive;

use kinetograph_ref::attention as reference;
use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("attention");

/// The most channels of a head: an invocation keeps them in registers.
const MOST_WIDTH: usize = 96;

/// Fewer queries than this would leave much of a tile's workgroup idle.
const FEW_QUERIES: usize = 32;

/// Which tokens attend to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Over {
    /// All.
    #[default]
    All,
    /// Those of the same frame.
    Space,
    /// Those at the same place of all frames.
    Time,
}

/// Attributes of an attention, `softmax(scale·q·kᵀ + mask)·v` for every head:
/// `torch.nn.functional.scaled_dot_product_attention` of heads that lie side by side in the channels.
///
/// Scores are never stored. A mask of −∞ masks: the key and value there are not looked at. A query with no key left
/// gives zeros, one with a score that is NaN or +∞ gives NaN.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attention {
    /// Into how many heads the channels are divided.
    pub heads: usize,
    /// What products are multiplied by; one over the root of a head's channels if not given.
    pub scale: Option<f32>,
    /// Whether keys behind the query's position are masked.
    pub causal: bool,
    /// Which tokens attend to each other; space and time are of tokens in the order of frames, then places.
    pub over: Over,
    /// How many frames the tokens are of, for [`Over::Space`] and [`Over::Time`].
    pub frames: usize,
    /// Whether query, key and value are one tensor `[N, tokens, 3·C]`, in this order along its last axis.
    pub fused: bool,
}

/// The lengths that an attention works on.
struct Sizes {
    batch: usize,
    /// Tokens of the query.
    tokens: usize,
    /// Runs of tokens that attend to each other, of one batch element.
    sequences: usize,
    /// Of one sequence.
    queries: usize,
    keys: usize,
    channels: usize,
}

impl Attention {
    /// An attention of all tokens to all tokens.
    pub fn heads(heads: usize) -> Self {
        Attention { heads, ..Attention::default() }
    }

    /// With the token axis taken as frames of places.
    #[must_use]
    pub fn over(self, over: Over, frames: usize) -> Self {
        Attention { over, frames, ..self }
    }

    fn sizes(&self, query: &Shape, key: &Shape) -> Result<Sizes> {
        let what = if self.fused { "[N, tokens, 3·C]" } else { "[N, tokens, C]" };
        let [batch, tokens, row] = query.dims("the query", what)?;
        let [_, key_tokens, _] = key.dims("the key", what)?;
        let (sequences, queries, keys) = match self.over {
            Over::All => (1, tokens, key_tokens),
            Over::Space => (self.frames, tokens / self.frames, tokens / self.frames),
            Over::Time => (tokens / self.frames, self.frames, self.frames),
        };
        Ok(Sizes {
            batch,
            tokens,
            sequences,
            queries,
            keys,
            channels: if self.fused { row / 3 } else { row },
        })
    }

    fn scale(&self, width: usize) -> f32 {
        self.scale.unwrap_or((1.0 / (width as f64).sqrt()) as f32)
    }

    /// Numbers of the inputs that query, key, value and mask are.
    fn places(&self) -> [usize; 4] {
        if self.fused { [0, 0, 0, 1] } else { [0, 1, 2, 3] }
    }

    fn reference_attributes(&self, inputs: &[Tensor]) -> Result<reference::Attention> {
        let [q, k, ..] = self.places();
        let s = self.sizes(inputs[q].shape(), inputs[k].shape())?;
        let width = s.channels / self.heads;
        Ok(reference::Attention {
            queries: s.tokens,
            keys: inputs[k].shape()[1],
            heads: self.heads,
            width,
            fused: self.fused,
            scale: self.scale(width).into(),
            causal: self.causal,
            over: match self.over {
                Over::All => reference::Over::All,
                Over::Space => reference::Over::Space(s.tokens / self.frames),
                Over::Time => reference::Over::Time(s.tokens / self.frames),
            },
        })
    }
}

impl Graph {
    /// Adds an attention: `query` `[N, Lq, C]`, `key` and `value` `[N, Lk, C]` give `[N, Lq, C]`. `mask` is added to
    /// the scores; it is `[queries, keys]` of a sequence of tokens, may be `[heads, …]` and `[N, heads, …]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other.
    pub fn attention(
        &mut self,
        [query, key, value]: [Value; 3],
        mask: Option<Value>,
        attributes: &Attention,
    ) -> Result<Value> {
        let inputs: Vec<Value> = [query, key, value].into_iter().chain(mask).collect();
        self.push(Attention { fused: false, ..attributes.clone() }, &inputs)
    }

    /// Adds an attention whose query, key and value lie one after the other in the channels of `qkv`
    /// `[N, tokens, 3·C]`, as one linear layer makes them; see [`Graph::attention`].
    ///
    /// # Errors
    /// As [`Graph::attention`].
    pub fn attention_fused(
        &mut self,
        qkv: Value,
        mask: Option<Value>,
        attributes: &Attention,
    ) -> Result<Value> {
        let inputs: Vec<Value> = [qkv].into_iter().chain(mask).collect();
        self.push(Attention { fused: true, ..attributes.clone() }, &inputs)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "attention",
    summary: "scaled-dot-product attention of all tokens, or of those of a frame or a place",
    inputs: &[
        Port::new("query", Layout::Plain),
        Port::optional("key", Layout::Plain),
        Port::optional("value", Layout::Plain),
        Port::optional("mask", Layout::Plain),
    ],
    output: Layout::Plain,
    attributes: "heads (required), scale=1/√(C/heads), causal=false, over=all (space, time), frames (for space and \
                 time), fused=false (true: query is [N, tokens, 3·C], and no key and value)",
    build: |g, v, a| Ok(vec![g.push(a.read::<Attention>()?, v)?]),
};

params! {
    struct AttentionParams {
        rows: u32,
        sequences: u32,
        heads: u32,
        queries: u32,
        keys: u32,
        sequence_step: u32,
        token_step: u32,
        query_row: u32,
        key_row: u32,
        key_at: u32,
        value_at: u32,
        mask_batch: u32,
        mask_head: u32,
        scale: f32,
        nan: f32,
    }
}

impl Op for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        1..=4
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let error = |text: String| Err(Error::bad_input(text));
        let (counts, names) =
            if self.fused { (1..=2, "query, [mask]") } else { (3..=4, "query, key, value, [mask]") };
        if !counts.contains(&inputs.len()) {
            return error(format!("fused {}: the inputs are {names}, not {}", self.fused, inputs.len()));
        }
        let what = if self.fused { "[N, tokens, 3·C]" } else { "[N, tokens, C]" };
        let [batch, tokens, row] = inputs[0].shape.dims("the query", what)?;
        if self.fused && row % 3 != 0 {
            return error(format!("fused: {row} channels are not three times as many as the output's"));
        }
        let channels = if self.fused { row / 3 } else { row };
        if self.heads == 0 {
            return error("heads 0: it must be given".into());
        }
        if channels % self.heads != 0 || channels / self.heads > MOST_WIDTH {
            return error(format!(
                "heads {}: {channels} channels must be a multiple of it, at most {MOST_WIDTH} a head",
                self.heads
            ));
        }
        if !self.scale(channels / self.heads).is_finite() {
            return error(format!("scale {:?}: a finite number", self.scale));
        }
        if !self.fused {
            let [key_batch, keys, key_channels] = inputs[1].shape.dims("the key", what)?;
            if [key_batch, key_channels] != [batch, channels] {
                return error(format!(
                    "the key must be [{batch}, tokens, {channels}], it is {}",
                    inputs[1].shape
                ));
            }
            if inputs[2].shape != inputs[1].shape {
                return error(format!("the value must be as the key, it is {}", inputs[2].shape));
            }
            if self.over != Over::All && keys != tokens {
                return error(format!("over space or time there must be {tokens} keys too, not {keys}"));
            }
        }
        match (self.over, self.frames) {
            (Over::All, 0) => {}
            (Over::All, n) => return error(format!("frames {n}: it is for over space and time")),
            (_, 0) => return error("frames must be given for over space and time".into()),
            (_, n) if tokens % n != 0 => {
                return error(format!("frames {n}: {tokens} tokens must be a multiple of it"));
            }
            _ => {}
        }
        let s = self.sizes(&inputs[0].shape, &inputs[self.places()[1]].shape)?;
        if let Some(mask) = inputs.get(self.places()[3]) {
            let whole = [batch, self.heads, s.queries, s.keys];
            if !(2..=4).contains(&mask.shape.rank()) || !whole.ends_with(&mask.shape) {
                return error(format!(
                    "the mask must be {whole:?}, {:?} or {:?}, it is {}",
                    &whole[1..],
                    &whole[2..],
                    mask.shape
                ));
            }
        }
        Ok(vec![TensorType::float(&[batch, tokens, channels])?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let a = self.reference_attributes(inputs)?;
        let [q, k, v, mask] = self.places();
        let mask = inputs.get(mask).map(Tensor::f32s).transpose()?;
        let y = reference::attention(inputs[q].f32s()?, inputs[k].f32s()?, inputs[v].f32s()?, mask, &a);
        Ok(vec![Tensor::new(&[inputs[0].shape()[0], a.queries, a.heads * a.width], y)?])
    }

    /// A weight errs by its score's error, that of its exponential and those of the factors that scale it down to
    /// larger scores, of which there is one for every key whose score may be the largest so far. With relative errors
    /// up to e_j of the weights, y = Σ p_j·v_j errs by Σ p_j·|v_j − y|·(exp(e_j + ln Σ p·exp e) − 1), and the sums by
    /// as much as sums do.
    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let a = self.reference_attributes(inputs)?;
        let [q, k, v, mask] = self.places();
        let mask = inputs.get(mask).map(Tensor::f32s).transpose()?;
        let (q, k, v) = (inputs[q].f32s()?, inputs[k].f32s()?, inputs[v].f32s()?);
        let magnitudes = |x: &[f32]| x.iter().map(|x| x.abs()).collect::<Vec<f32>>();
        let (q_abs, k_abs) = (magnitudes(q), magnitudes(k));
        let unit = 2.0 * UNIT_ROUNDOFF;
        let y = reference[0].f32s()?;
        let mut bound = vec![0.0; y.len()];
        for (row, (bound, y)) in bound.chunks_mut(a.width).zip(y.chunks(a.width)).enumerate() {
            let (n, token, head) = (row / a.heads / a.queries, row / a.heads % a.queries, row % a.heads);
            let (position, keys) = a.sequence(token);
            let scores = a.scores([q, k], mask, [n, token, head]);
            let products = a.products(&q_abs, &k_abs, n, token, head);
            let added = a.added(mask, n, position, keys.len(), head);
            let weights = reference::weights(&scores);
            let seen: Vec<usize> = (0..keys.len()).filter(|&j| scores[j] != f64::NEG_INFINITY).collect();
            let own = |j: usize| unit * ((a.width + 8) as f64 * products[j].abs() + 2.0 * added[j].abs());
            let largest = seen.iter().fold(f64::NEG_INFINITY, |m, &j| m.max(scores[j]));
            let most = seen.iter().map(|&j| own(j)).fold(0.0, f64::max);
            let mut so_far = f64::NEG_INFINITY;
            let mut steps = 0.0;
            for &j in &seen {
                if scores[j] + 2.0 * most >= so_far {
                    steps += 1.0;
                }
                so_far = so_far.max(scores[j]);
            }
            let error: Vec<f64> = (0..keys.len())
                .map(|j| own(j) + most + unit * (3.0 * (steps + 1.0) + 5.0 * (largest - scores[j]).abs()))
                .collect();
            let total =
                seen.iter().map(|&j| weights[j] * error[j].exp()).filter(|x| x.is_finite()).sum::<f64>();
            let sums = unit * (2.0 * (seen.len() as f64 + 8.0) + 2.0 * steps + 3.0);
            for (d, (bound, y)) in bound.iter_mut().zip(y).enumerate() {
                *bound = f64::from(f32::MIN_POSITIVE) * seen.len() as f64;
                for &j in &seen {
                    let v = f64::from(a.channels(v, reference::Part::Value, n, keys[j], head)[d]);
                    let of_weight = (error[j] + total.ln()).exp_m1() * (v - f64::from(*y)).abs();
                    if weights[j] > 0.0 {
                        *bound += weights[j] * (of_weight + sums * v.abs());
                    }
                    *bound += f64::from(f32::MIN_POSITIVE) * v.abs();
                }
            }
        }
        Ok(vec![Bound::Absolute(bound)])
    }

    /// Two products and a few operations on the scores, masked ones counted too.
    fn flops(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        let keys = self.sizes(&inputs[0].shape, &inputs[self.places()[1]].shape).map_or(0, |s| s.keys);
        4 * keys as u64 * outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [q, k, v, mask] = self.places();
        let s = self.sizes(r.input(q), r.input(k))?;
        let width = s.channels / self.heads;
        let chunks = width.div_ceil(4);
        // Keys and values of a tile take up to 16 KiB.
        let tile = [32, 16, 8].into_iter().find(|t| t * chunks <= 512).unwrap_or(8);
        let problems = s.batch * s.sequences * self.heads;
        let (entry, groups, turns) = match r.traits().family {
            Family::Tiled if s.queries >= FEW_QUERIES => (
                "attention_tiled",
                problems * s.queries.div_ceil(64),
                s.keys.div_ceil(tile) * (1 + tile + (tile * chunks).div_ceil(64)),
            ),
            Family::Uniform => ("attention_uniform", problems * s.queries.div_ceil(8), s.keys),
            _ => ("attention_direct", (problems * s.queries).div_ceil(64), s.keys),
        };
        let has_mask = r.inputs() > mask;
        let plane = s.queries * s.keys;
        let rank = if has_mask { r.input(mask).rank() } else { 0 };
        let n = |what: &str, v: usize| r.u32(what, v);
        let places = s.tokens / s.sequences;
        let (sequence_step, token_step) = match self.over {
            Over::All => (0, 1),
            Over::Space => (places, 1),
            Over::Time => (1, s.sequences),
        };
        let row = if self.fused { 3 * s.channels } else { s.channels };
        let offset = if self.fused { s.channels } else { 0 };
        let params = AttentionParams {
            rows: n("queries", problems * s.queries)?,
            sequences: n("sequences", s.sequences)?,
            heads: n("heads", self.heads)?,
            queries: n("queries", s.queries)?,
            keys: n("keys", s.keys)?,
            sequence_step: n("step", sequence_step)?,
            token_step: n("step", token_step)?,
            query_row: n("channels", row)?,
            key_row: n("channels", row)?,
            key_at: n("channels", offset)?,
            value_at: n("channels", 2 * offset)?,
            mask_batch: n("mask", if rank == 4 { self.heads * plane } else { 0 })?,
            mask_head: n("mask", if rank >= 3 { plane } else { 0 })?,
            scale: self.scale(width),
            nan: f32::NAN,
            ..Default::default()
        };
        let mut dispatch = Dispatch::new(&KERNEL, entry, &params)
            .tune("HEAD_DIM", format!("{width}u"))
            .tune("CHUNKS", format!("{chunks}u"))
            .constant("HAS_MASK", u32::from(has_mask))
            .constant("CAUSAL", u32::from(self.causal))
            .bind([
                Operand::Input(q),
                Operand::Input(k),
                Operand::Input(v),
                if has_mask { Operand::Input(mask) } else { Operand::Absent },
                Operand::Output(0),
            ])
            .turns(turns)
            .groups(groups as u64);
        if entry == "attention_tiled" {
            dispatch = dispatch.tune("TILE", format!("{tile}u"));
        }
        r.dispatch(dispatch);
        Ok(())
    }
}
