//! Residual vector quantization: each codebook quantizes what the ones before left over.

use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Binary, Distance, Door, Layout, Port, VectorQuantize};

impl Graph {
    /// Adds a residual vector quantization (SoundStream, Zeghidour et al. 2021): `x` `[…, D]` is quantized by the first
    /// codebook `[K, D]`, what is left over by the second, and so on. Gives the indices `[…]`, i32, of each codebook in
    /// order, and the sum of the codes `[…, D]`.
    ///
    /// Each of the codebooks chooses as [`Graph::vector_quantize`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is no codebook or a shape does not fit.
    pub fn residual_vector_quantize(
        &mut self,
        x: Value,
        codebooks: &[Value],
        distance: Distance,
    ) -> Result<(Vec<Value>, Value)> {
        let (mut indices, mut sum, mut rest) = (Vec::new(), None, x);
        for (i, &codebook) in codebooks.iter().enumerate() {
            let (index, code) = self.vector_quantize(rest, codebook, distance)?;
            indices.push(index);
            sum = Some(match sum {
                Some(sum) => self.add(sum, code)?,
                None => code,
            });
            if i + 1 < codebooks.len() {
                rest = self.binary(rest, code, Binary::Sub)?;
            }
        }
        let none = || Error::bad_input("at least one codebook is needed");
        Ok((indices, sum.ok_or_else(none).at("residual_vector_quantize")?))
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "residual_vector_quantize",
    summary: "codebooks one after the other on what is left over: indices of each, then the sum of the codes",
    inputs: &[Port::new("input", Layout::Plain), Port::variadic("codebook", Layout::Plain)],
    output: Layout::Plain,
    attributes: "distance=euclidean (expanded, cosine)",
    build: |g, v, a| {
        let distance = a.read::<VectorQuantize>()?.distance;
        let (mut outputs, sum) = g.residual_vector_quantize(v[0], &v[1..], distance)?;
        outputs.push(sum);
        Ok(outputs)
    },
};
