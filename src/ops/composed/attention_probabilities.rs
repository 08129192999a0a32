//! The weights of an attention, to be looked at or edited.

use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Attention, Door, Layout, Matmul, Over, Port, Softmax};
use crate::tensor::Tensor;

/// Heads side by side in the channels, read as a batch axis.
const HEADS: [isize; 4] = [0, 2, 1, 3];

impl Graph {
    /// Adds the weights that [`Graph::attention`] gives the values, `softmax(scale·q·kᵀ + bias)`: `query` `[N, Lq, C]`
    /// and `key` `[N, Lk, C]` give `[N, heads, Lq, Lk]`. [`Graph::attend`] makes of them, or of what they were edited
    /// to, what the attention gives; the attention itself never stores them.
    ///
    /// A query that sees no key has weights of zero. A key that is masked but gives NaN or +∞ as product makes its
    /// row NaN, where the attention does not look at it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other, and for attributes beyond
    /// `heads`, `scale`, `causal`, `window` and `global`.
    pub fn attention_probabilities(
        &mut self,
        query: Value,
        key: Value,
        bias: Option<Value>,
        attributes: &Attention,
    ) -> Result<Value> {
        let a = attributes;
        let at = "attention_probabilities";
        let error = |text: &str| Err(Error::bad_input(text).at(at));
        if a.over != Over::All || a.frames != 0 || a.fused || a.key_grid.is_some() {
            return error("over, frames, fused and key_grid are not for probabilities");
        }
        if a.window.is_none() && a.global > 0 {
            return error("global: it is for a window");
        }
        let q = self.split_heads(query, a.heads)?;
        let k = self.split_heads(key, a.heads)?;
        let [n, queries, heads, width] = self.shape(q).dims("the query", "[N, tokens, heads, width]")?;
        let [key_n, keys, _, key_width] = self.shape(k).dims("the key", "[N, tokens, heads, width]")?;
        if [key_n, key_width] != [n, width] {
            let text = format!("the key must be [{n}, tokens, {}], it is {}", heads * width, self.shape(key));
            return error(&text);
        }
        let whole = [n, heads, queries, keys];
        if let Some(bias) = bias
            && (!(2..=4).contains(&self.shape(bias).rank()) || !whole.ends_with(self.shape(bias)))
        {
            let text = format!("the bias must be {whole:?} or its last axes, it is {}", self.shape(bias));
            return error(&text);
        }
        let product = Matmul {
            dims_a: HEADS.to_vec(),
            dims_b: HEADS.to_vec(),
            transpose_b: true,
            scale: a.scale.unwrap_or((1.0 / (width as f64).sqrt()) as f32),
            ..Matmul::default()
        };
        let mut scores = self.matmul(q, k, &product)?;
        if let Some(bias) = bias {
            scores = self.add(scores, bias)?;
        }
        if a.causal || a.window.is_some() {
            let sees = |i: usize, j: usize| {
                let near = a.window.is_none_or(|w| i.abs_diff(j) <= w || i.min(j) < a.global);
                near && !(a.causal && j > i)
            };
            let mask = Tensor::from_fn(&[queries, keys], |e| {
                if sees(e / keys, e % keys) { 0.0 } else { f32::NEG_INFINITY }
            })?;
            let mask = self.constant("mask", mask);
            scores = self.add(scores, mask)?;
        }
        self.softmax(scores, &Softmax::default())
    }

    /// Adds the means of `value` `[N, Lk, C]` weighted with `probabilities` `[N, heads, Lq, Lk]`: `[N, Lq, C]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes do not fit each other.
    pub fn attend(&mut self, probabilities: Value, value: Value) -> Result<Value> {
        let [_, heads, _, _] =
            self.shape(probabilities).dims("the probabilities", "[N, heads, queries, keys]").at("attend")?;
        let value = self.split_heads(value, heads)?;
        let product = Matmul { dims_b: HEADS.to_vec(), dims_out: HEADS.to_vec(), ..Matmul::default() };
        let y = self.matmul(probabilities, value, &product)?;
        self.merge_heads(y)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "attention_probabilities",
    summary: "the weights of an attention: [N, heads, queries, keys]",
    inputs: &[
        Port::new("query", Layout::Plain),
        Port::new("key", Layout::Plain),
        Port::optional("bias", Layout::Plain),
    ],
    output: Layout::Plain,
    attributes: "heads (required), scale=1/√(C/heads), causal=false, window (positions to each side), global=0",
    build: |g, v, a| Ok(vec![g.attention_probabilities(v[0], v[1], v.get(2).copied(), &a.read()?)?]),
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Engine;

    /// What the probabilities weigh together is what the attention gives.
    #[test]
    fn attend_and_attention_agree() {
        let heads = Attention::heads(2);
        let tensor = |shape: &[usize], seed: usize| {
            Tensor::from_fn(shape, |i| ((i * 7 + seed * 13) % 31) as f32 / 15.0 - 1.0).unwrap()
        };
        for a in [
            heads.clone(),
            Attention { causal: true, scale: Some(0.7), ..heads.clone() },
            Attention { window: Some(1), global: 1, ..heads },
        ] {
            let mut g = Graph::new();
            let [q, k, v] = [("q", 5), ("k", 7), ("v", 7)].map(|(n, l)| g.input(n, &[2, l, 6]).unwrap());
            let bias = g.constant("bias", tensor(&[2, 5, 7], 3));
            let p = g.attention_probabilities(q, k, Some(bias), &a).unwrap();
            let composed = g.attend(p, v).unwrap();
            let fused = g.attention([q, k, v], Some(bias), &a).unwrap();
            g.output("composed", composed).unwrap();
            g.output("fused", fused).unwrap();
            let inputs = [("q", 5), ("k", 7), ("v", 7)].map(|(n, l)| (n, tensor(&[2, l, 6], l + n.len())));
            let y = Engine::reference().plan(&g).unwrap().run(&inputs).unwrap();
            let (composed, fused) = (y["composed"].f32s().unwrap(), y["fused"].f32s().unwrap());
            assert!(composed.iter().zip(fused).all(|(a, b)| (a - b).abs() < 1e-6), "{composed:?} {fused:?}");
        }
    }
}
