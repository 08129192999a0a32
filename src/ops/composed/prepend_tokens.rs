//! Tokens before others, such as a class token, and other arrangements of tokens.

use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Door, Layout, Port};
use crate::shape::Shape;
use crate::tensor::Tensor;

impl Graph {
    /// Adds `tokens` `[K, C]`, the same for the whole batch, before those of `x` `[N, L, C]`: `[N, K + L, C]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes do not fit each other.
    pub fn prepend_tokens(&mut self, x: Value, tokens: Value) -> Result<Value> {
        let at = "prepend_tokens";
        let [n, _, channels] = self.shape(x).dims("the input", "[N, tokens, C]").at(at)?;
        let [count, of_tokens] = self.shape(tokens).dims("the tokens", "[K, C]").at(at)?;
        if of_tokens != channels {
            let text = format!("the tokens have {of_tokens} channels, the input {channels}");
            return Err(Error::bad_input(text).at(at));
        }
        let first = self.view(tokens, &[1, count, channels])?;
        let first = self.repeat_batch(first, n)?;
        self.concat(&[first, x], 1)
    }

    /// Adds the first `count` tokens of `x` `[N, L, C]` and the others: `[N, count, C]` and `[N, L − count, C]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when `x` has other axes or nothing would be left on one side.
    pub fn split_tokens(&mut self, x: Value, count: usize) -> Result<(Value, Value)> {
        let [_, tokens, _] = self.shape(x).dims("the input", "[N, tokens, C]").at("split_tokens")?;
        let at = isize::try_from(count).ok().filter(|_| (1..tokens).contains(&count));
        let Some(at) = at else {
            let text = format!("the first {count} of {tokens} tokens: some must be on each side");
            return Err(Error::bad_input(text).at("split_tokens"));
        };
        Ok((self.slice_axis(x, 1, 0, Some(at))?, self.slice_axis(x, 1, at, None)?))
    }

    /// Adds each element of the batch of `x` `[N, …]` `times` times in a row: `[N·times, …]`, as
    /// `torch.repeat_interleave`; a class token for every frame of its clip.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when `x` is a scalar or `times` is 0.
    pub fn repeat_batch(&mut self, x: Value, times: usize) -> Result<Value> {
        let Some((&n, rest)) = self.shape(x).split_first() else {
            return Err(Error::bad_input("a scalar has no batch").at("repeat_batch"));
        };
        if times == 1 {
            return Ok(x);
        }
        let rest = rest.to_vec();
        let row = rest.iter().product();
        Shape::new(&[n, times, row]).at("repeat_batch")?;
        let indices: Option<Vec<i32>> = (0..n * times).map(|i| i32::try_from(i / times).ok()).collect();
        let indices = indices.ok_or_else(|| Error::bad_input("a batch beyond 2^31").at("repeat_batch"))?;
        let indices = self.constant("repeats", Tensor::new(&[n * times], indices)?);
        let table = self.view(x, &[n, row])?;
        let y = self.embedding(indices, table)?;
        self.view(y, &[&[n * times], &rest[..]].concat())
    }

    /// A view of tokens `[N, tokens, C]` as `[N, tokens, heads, C/heads]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when `x` has other axes or the heads do not divide the channels.
    pub fn split_heads(&mut self, x: Value, heads: usize) -> Result<Value> {
        let [n, tokens, channels] = self.shape(x).dims("the input", "[N, tokens, C]").at("split_heads")?;
        if heads == 0 || channels % heads != 0 {
            let text = format!("heads {heads} must divide {channels} channels");
            return Err(Error::bad_input(text).at("split_heads"));
        }
        self.view(x, &[n, tokens, heads, channels / heads])
    }

    /// A view of `[N, tokens, heads, width]` as `[N, tokens, heads·width]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when `x` has other axes.
    pub fn merge_heads(&mut self, x: Value) -> Result<Value> {
        let [n, tokens, heads, width] =
            self.shape(x).dims("the input", "[N, tokens, heads, width]").at("merge_heads")?;
        self.view(x, &[n, tokens, heads * width])
    }

    /// A view of `[N, T, H, W, C]` as tokens `[N, T·H·W, C]`, frame by frame.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when `x` has other axes.
    pub fn to_tokens(&mut self, x: Value) -> Result<Value> {
        let [n, t, h, w, c] = self.shape(x).dims("the input", "[N, T, H, W, C]").at("to_tokens")?;
        self.view(x, &[n, t * h * w, c])
    }

    /// A view of tokens `[N, T·H·W, C]` as `[N, T, H, W, C]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when `x` has other axes or another number of tokens.
    pub fn from_tokens(&mut self, x: Value, [t, h, w]: [usize; 3]) -> Result<Value> {
        let [n, _, c] = self.shape(x).dims("the input", "[N, tokens, C]").at("from_tokens")?;
        self.view(x, &[n, t, h, w, c])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "prepend_tokens",
    summary: "tokens [K, C] before those of [N, L, C], the same for the whole batch",
    inputs: &[Port::new("input", Layout::Plain), Port::new("tokens", Layout::Plain)],
    output: Layout::Plain,
    attributes: "",
    build: |g, v, a| {
        a.none()?;
        Ok(vec![g.prepend_tokens(v[0], v[1])?])
    },
};
