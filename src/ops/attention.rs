//! Scaled-dot-product attention.

use std::ops::RangeInclusive;

use kinetograph_cpu::{all_finite, attention as fast};
use kinetograph_ref::attention as reference;
use serde::Deserialize;

use super::tiling::{MOST_SHARED, eights_each, sharing};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("attention");
static LANES: Kernel = kernel!("attention_lanes");

/// The most channels of a head that an invocation keeps in registers.
const MOST_HELD: usize = 96;

/// The most channels of a head, shared out over eight invocations.
const MOST_WIDTH: usize = 512;

/// A head of so many channels is enough for eight invocations.
const LEAST_SHARED: usize = 32;

/// The most vec4s that an invocation of `attention_lanes` loads at once.
const MOST_LOADED: usize = 16;

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

/// Attributes of an attention, `softmax(scale·q·kᵀ + bias)·v` for every head:
/// `torch.nn.functional.scaled_dot_product_attention` of heads that lie side by side in the channels.
///
/// Scores are never stored. A bias of −∞ masks: the key and value there are not looked at. A query with no key left
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
    /// How many positions a query sees to each side, if not all of them: half of what Longformer calls its window.
    pub window: Option<usize>,
    /// How many of the first queries see all keys, and how many of the first keys are seen by all queries, in spite of
    /// `window`. In a Longformer the global queries, and the keys and values that they see, have projections of their
    /// own: their rows come from a second attention.
    pub global: usize,
    /// The grid `[T, H, W]` that the last keys fill, if the bias is one for each place on its axes: MViTv2's decomposed
    /// relative positions, which [`Graph::relative_scores`] makes.
    pub key_grid: Option<[usize; 3]>,
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

    fn check_bias(&self, bias: Option<&Shape>, s: &Sizes) -> Result<()> {
        let error = |text: String| Err(Error::bad_input(text));
        let Some([t, h, w]) = self.key_grid else {
            let whole = [s.batch, self.heads, s.queries, s.keys];
            return match bias {
                Some(bias) if !(2..=4).contains(&bias.rank()) || !whole.ends_with(bias) => error(format!(
                    "the bias must be {whole:?}, {:?} or {:?}, it is {bias}",
                    &whole[1..],
                    &whole[2..]
                )),
                _ => Ok(()),
            };
        };
        if self.over != Over::All {
            return error(format!("key_grid {:?}: it is for attention over all", [t, h, w]));
        }
        let places = t.checked_mul(h).and_then(|n| n.checked_mul(w)).filter(|n| (1..=s.keys).contains(n));
        if places.is_none() {
            return error(format!("key_grid {:?}: {} keys must fill it", [t, h, w], s.keys));
        }
        let wanted = [s.batch, s.queries, self.heads, t + h + w];
        match bias {
            Some(bias) if **bias == wanted => Ok(()),
            Some(bias) => error(format!("with a key_grid the bias must be {wanted:?}, it is {bias}")),
            None => error("a key_grid needs a bias".into()),
        }
    }

    fn scale(&self, width: usize) -> f32 {
        self.scale.unwrap_or((1.0 / (width as f64).sqrt()) as f32)
    }

    /// Adds the bias of a query to its products; what is −∞ there becomes −∞, whatever the product.
    fn add_bias(&self, bias: &[f32], [n, head, position]: [usize; 3], s: &Sizes, scores: &mut [f32]) {
        let Some([t, h, w]) = self.key_grid else {
            let plane = s.queries * s.keys;
            let at = (n * self.heads + head) % (bias.len() / plane) * plane + position * s.keys;
            for (score, b) in scores.iter_mut().zip(&bias[at..]) {
                *score = if *b == f32::NEG_INFINITY { *b } else { *score + b };
            }
            return;
        };
        let row = &bias[((n * s.queries + position) * self.heads + head) * (t + h + w)..];
        let first = s.keys - t * h * w;
        for (place, score) in scores[first..].iter_mut().enumerate() {
            let b = row[place / (h * w)] + row[t + place / w % h] + row[t + h + place % w];
            *score = if b == f32::NEG_INFINITY { b } else { *score + b };
        }
    }

    /// Makes the scores of keys that a query does not see −∞.
    fn mask(&self, position: usize, scores: &mut [f32]) {
        let near = |j: usize| match self.window {
            Some(reach) => position.abs_diff(j) <= reach || position < self.global || j < self.global,
            None => true,
        };
        for (j, score) in scores.iter_mut().enumerate() {
            if !near(j) || (self.causal && j > position) {
                *score = f32::NEG_INFINITY;
            }
        }
    }

    /// Numbers of the inputs that query, key, value and bias are.
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
            window: self.window.map(|reach| (reach, self.global)),
            grid: self.key_grid,
            over: match self.over {
                Over::All => reference::Over::All,
                Over::Space => reference::Over::Space(s.tokens / self.frames),
                Over::Time => reference::Over::Time(s.tokens / self.frames),
            },
        })
    }
}

impl Graph {
    /// Adds an attention: `query` `[N, Lq, C]`, `key` and `value` `[N, Lk, C]` give `[N, Lq, C]`. `bias` is added to
    /// the scores; it is `[queries, keys]` of a sequence of tokens, may be `[heads, …]` and `[N, heads, …]`. With a
    /// `key_grid` it is `[N, Lq, heads, T + H + W]`, and a key at a place of the grid gets the sum of three.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other.
    pub fn attention(
        &mut self,
        [query, key, value]: [Value; 3],
        bias: Option<Value>,
        attributes: &Attention,
    ) -> Result<Value> {
        let inputs: Vec<Value> = [query, key, value].into_iter().chain(bias).collect();
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
        bias: Option<Value>,
        attributes: &Attention,
    ) -> Result<Value> {
        let inputs: Vec<Value> = [qkv].into_iter().chain(bias).collect();
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
        Port::optional("bias", Layout::Plain),
    ],
    output: Layout::Plain,
    attributes: "heads (required), scale=1/√(C/heads), causal=false, window (positions to each side), global=0, \
                 key_grid ([T, H, W]), over=all (space, time), frames (for space and time), fused=false (true: query \
                 is [N, tokens, 3·C], and no key and value)",
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
        bias_batch: u32,
        bias_head: u32,
        grid_t: u32,
        grid_h: u32,
        grid_w: u32,
        window: u32,
        everyone: u32,
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
            if self.fused { (1..=2, "query, [bias]") } else { (3..=4, "query, key, value, [bias]") };
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
        if self.global > 0 && self.window.is_none() {
            return error(format!("global {}: it is for a window", self.global));
        }
        self.check_bias(inputs.get(self.places()[3]).map(|bias| &bias.shape), &s)?;
        Ok(vec![TensorType::float(&[batch, tokens, channels])?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let a = self.reference_attributes(inputs)?;
        let [q, k, v, bias] = self.places();
        let bias = inputs.get(bias).map(Tensor::f32s).transpose()?;
        let y = reference::attention(inputs[q].f32s()?, inputs[k].f32s()?, inputs[v].f32s()?, bias, &a);
        Ok(vec![Tensor::new(&[inputs[0].shape()[0], a.queries, a.heads * a.width], y)?])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let [q, k, v, bias] = self.places();
        let s = self.sizes(inputs[q].shape(), inputs[k].shape())?;
        let bias = inputs.get(bias).map(Tensor::f32s).transpose()?;
        let (q, k, v) = (inputs[q].f32s()?, inputs[k].f32s()?, inputs[v].f32s()?);
        // A key that is masked brings nothing, but zero times infinity is NaN.
        if !all_finite(v) {
            return self.reference(inputs);
        }
        let width = s.channels / self.heads;
        let (row, at) = if self.fused { (3 * s.channels, s.channels) } else { (s.channels, 0) };
        let key_tokens = k.len() / row / s.batch;
        let of = |sequence: usize, length: usize| -> Vec<usize> {
            let (n, i) = (sequence / s.sequences, sequence % s.sequences);
            match self.over {
                Over::All => (n * length..(n + 1) * length).collect(),
                Over::Space => (sequence * length..(sequence + 1) * length).collect(),
                Over::Time => (0..length).map(|t| n * key_tokens + t * s.sequences + i).collect(),
            }
        };
        let sequences = (0..s.batch * s.sequences).map(|i| [of(i, s.queries), of(i, s.keys)]).collect();
        let a = fast::Attention {
            sequences,
            heads: self.heads,
            width,
            steps: [row; 3],
            starts: [0, at, 2 * at],
            scale: self.scale(width),
        };
        let y = fast::attention([q, k, v], &a, &|sequence, head, position, scores| {
            let n = sequence / s.sequences;
            if let Some(bias) = bias {
                self.add_bias(bias, [n, head, position], &s, scores);
            }
            if self.causal || self.window.is_some() {
                self.mask(position, scores);
            }
        });
        Ok(vec![Tensor::new(&[s.batch, s.tokens, s.channels], y)?])
    }

    /// A score errs as its product does, whose magnitudes `|q|·|k|` bound, and by what is added.
    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let a = self.reference_attributes(inputs)?;
        let [q, k, v, bias] = self.places();
        let bias = inputs.get(bias).map(Tensor::f32s).transpose()?;
        let (q, k, v) = (inputs[q].f32s()?, inputs[k].f32s()?, inputs[v].f32s()?);
        let magnitudes = |x: &[f32]| x.iter().map(|x| x.abs()).collect::<Vec<f32>>();
        let (q_abs, k_abs, bias_abs) = (magnitudes(q), magnitudes(k), bias.map(magnitudes));
        let unit = 2.0 * UNIT_ROUNDOFF;
        let mut bound = Vec::new();
        for (row, y) in reference[0].f32s()?.chunks(a.width).enumerate() {
            let (n, token, head) = (row / a.heads / a.queries, row / a.heads % a.queries, row % a.heads);
            let (position, keys) = a.sequence(token);
            let scores = a.scores([q, k], bias, [n, token, head]);
            let products = a.products(&q_abs, &k_abs, n, token, head);
            let added = a.added(bias_abs.as_deref(), n, position, keys.len(), head);
            let own = |(p, a_): (&f64, &f64)| unit * ((a.width + 8) as f64 * p.abs() + 4.0 * a_.abs());
            let errors: Vec<f64> = products.iter().zip(&added).map(own).collect();
            let values: Vec<&[f32]> =
                keys.iter().map(|&j| a.channels(v, reference::Part::Value, n, j, head)).collect();
            bound.extend(Bound::attention_row(&scores, &errors, &values, y));
        }
        Ok(vec![Bound::Absolute(bound)])
    }

    /// Two products and a few operations on the scores. Those outside the window are not counted, other masked ones are.
    fn flops(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        let sizes = self.sizes(&inputs[0].shape, &inputs[self.places()[1]].shape);
        let Ok(Sizes { queries, keys, .. }) = sizes else { return 0 };
        let seen = |q: usize| match self.window {
            Some(reach) if q >= self.global => {
                let near = q.saturating_sub(reach)..q.saturating_add(reach).saturating_add(1).min(keys);
                near.len() + self.global.min(near.start)
            }
            _ => keys,
        };
        let pairs: usize = (0..queries).map(seen).sum();
        4 * (outputs[0].shape.elements() / queries.max(1)) as u64 * pairs as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [q, k, v, bias] = self.places();
        let s = self.sizes(r.input(q), r.input(k))?;
        let width = s.channels / self.heads;
        let chunks = width.div_ceil(4);
        // Keys and values of a tile, and what is known of its keys, take up to 16 KiB.
        let tile = [32, 28, 24, 20, 16].into_iter().find(|t| t * (2 * chunks + 1) <= 1024).unwrap_or(8);
        let problems = s.batch * s.sequences * self.heads;
        let shared = eights_each(s.queries, MOST_SHARED);
        let few = s.queries < FEW_QUERIES && width >= LEAST_SHARED;
        let shares = r.traits().family == Family::Tiled && r.traits().subgroups;
        let (entry, groups, turns) = match r.traits().family {
            _ if shares && (few || width > MOST_HELD) => {
                ("attention_lanes", problems * s.queries.div_ceil(8), s.keys.div_ceil(8) * 17)
            }
            _ if width > MOST_HELD => {
                ("attention_wide", problems * s.queries.div_ceil(8), s.keys.div_ceil(16) * 33)
            }
            Family::Tiled if s.queries >= FEW_QUERIES => (
                "attention_tiled",
                problems * s.queries.div_ceil(64),
                s.keys.div_ceil(tile) * (1 + tile + (tile * chunks).div_ceil(64)),
            ),
            Family::Uniform => {
                ("attention_uniform", problems * s.queries.div_ceil(8 * shared), s.keys.div_ceil(4) + 1)
            }
            _ => ("attention_direct", (problems * s.queries).div_ceil(64), s.keys),
        };
        let has_bias = r.inputs() > bias;
        let plane = s.queries * s.keys;
        let rank = if has_bias { r.input(bias).rank() } else { 0 };
        let n = |what: &str, v: usize| r.u32(what, v);
        let places = s.tokens / s.sequences;
        let (sequence_step, token_step) = match self.over {
            Over::All => (0, 1),
            Over::Space => (places, 1),
            Over::Time => (1, s.sequences),
        };
        let row = if self.fused { 3 * s.channels } else { s.channels };
        let offset = if self.fused { s.channels } else { 0 };
        let [grid_t, grid_h, grid_w] = self.key_grid.unwrap_or([0; 3]);
        // Beyond all positions a window is all there is.
        let most = s.queries.max(s.keys);
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
            bias_batch: n("bias", if rank == 4 { self.heads * plane } else { 0 })?,
            bias_head: n("bias", if rank >= 3 { plane } else { 0 })?,
            grid_t: n("grid", grid_t)?,
            grid_h: n("grid", grid_h)?,
            grid_w: n("grid", grid_w)?,
            window: n("window", self.window.unwrap_or(0).min(most))?,
            everyone: n("global", self.global.min(most))?,
            scale: self.scale(width),
            nan: f32::NAN,
            ..Default::default()
        };
        let (kernel, held) = match entry {
            "attention_lanes" => (&LANES, chunks.div_ceil(8)),
            "attention_wide" => (&KERNEL, chunks.div_ceil(8)),
            _ => (&KERNEL, chunks),
        };
        let bias_kind: u32 = match (has_bias, self.key_grid) {
            (false, _) => 0,
            (true, None) => 1,
            (true, Some(_)) => 2,
        };
        let mut dispatch = Dispatch::new(kernel, entry, &params)
            .tune("HEAD_DIM", format!("{width}u"))
            .tune("HELD", format!("{held}u"))
            .tune("HELD_LOADS", format!("{}u", held.div_ceil(8)))
            .constant("BIAS", bias_kind)
            .constant("CAUSAL", u32::from(self.causal))
            .constant("WINDOWED", u32::from(self.window.is_some()))
            .bind([
                Operand::Input(q),
                Operand::Input(k),
                Operand::Input(v),
                if has_bias { Operand::Input(bias) } else { Operand::Absent },
                Operand::Output(0),
            ])
            .turns(turns)
            .groups(groups as u64);
        match entry {
            "attention_tiled" => dispatch = dispatch.tune("TILE", format!("{tile}u")),
            "attention_lanes" => {
                let together = [8, 4, 2].into_iter().find(|t| t * held <= MOST_LOADED).unwrap_or(1);
                dispatch = dispatch.tune("TOGETHER", format!("{together}u"));
            }
            "attention_uniform" => {
                dispatch = sharing(dispatch, r.traits()).tune("QUERIES", format!("{shared}u"));
            }
            _ => {}
        }
        if width.is_multiple_of(4) && r.traits().family != Family::Direct {
            dispatch = dispatch.tune("Part", "vec4<Elem>").tune("PART", "4u");
        }
        r.dispatch(dispatch);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of five tokens with a reach of one, of which the first sees all and is seen by all, 5 + 3 + 4 + 4 + 3 pairs meet.
    #[test]
    fn pairs_outside_the_window_are_not_counted() {
        let flops = |attention: Attention| {
            let mut g = Graph::new();
            let x = g.input("x", &[2, 5, 8]).unwrap();
            g.attention([x; 3], None, &attention).unwrap();
            g.flops()
        };
        assert_eq!(flops(Attention { window: Some(1), global: 1, ..Attention::heads(2) }), 2 * 4 * 8 * 19);
        assert_eq!(flops(Attention::heads(2)), 2 * 4 * 8 * 25);
    }
}
