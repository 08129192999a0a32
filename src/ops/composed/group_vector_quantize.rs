//! Group vector quantization: each group of channels has a codebook of its own.

use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Distance, Door, Layout, Port, VectorQuantize};

impl Graph {
    /// Adds a quantization of groups of channels, also called product quantization: the channels of `x` `[…, D]` are
    /// split into as many equal groups as there are codebooks `[K, D / groups]`. Gives the indices `[…]`, i32, of each
    /// group in order, and the codes side by side `[…, D]`.
    ///
    /// Each of the codebooks chooses as [`Graph::vector_quantize`]. Groups that share one codebook need no more than
    /// that: a view of `x` as `[…, groups, D / groups]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is no codebook, they do not divide the channels, or a shape does not
    /// fit.
    pub fn group_vector_quantize(
        &mut self,
        x: Value,
        codebooks: &[Value],
        distance: Distance,
    ) -> Result<(Vec<Value>, Value)> {
        let groups = codebooks.len();
        let channels = self.shape(x).last().copied().unwrap_or(0);
        if groups == 0 || channels == 0 || !channels.is_multiple_of(groups) {
            return Err(Error::bad_input(format!("{groups} codebooks do not divide {channels} channels")))
                .at("group_vector_quantize");
        }
        let width = channels / groups;
        let (mut indices, mut codes) = (Vec::new(), Vec::new());
        for (i, &codebook) in codebooks.iter().enumerate() {
            let of_group = match groups {
                1 => x,
                _ => self.slice_axis(x, -1, (i * width) as isize, Some(((i + 1) * width) as isize))?,
            };
            let (index, code) = self.vector_quantize(of_group, codebook, distance)?;
            indices.push(index);
            codes.push(code);
        }
        let quantized = if groups == 1 { codes[0] } else { self.concat(&codes, -1)? };
        Ok((indices, quantized))
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "group_vector_quantize",
    summary: "a codebook for each group of channels: indices of each, then the codes side by side",
    inputs: &[Port::new("input", Layout::Plain), Port::variadic("codebook", Layout::Plain)],
    output: Layout::Plain,
    attributes: "distance=euclidean (expanded, cosine)",
    build: |g, v, a| {
        let distance = a.read::<VectorQuantize>()?.distance;
        let (mut outputs, quantized) = g.group_vector_quantize(v[0], &v[1..], distance)?;
        outputs.push(quantized);
        Ok(outputs)
    },
};
