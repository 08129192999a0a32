//! The non-local block's attention.

use serde::Deserialize;

use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Attention, Door, Layout, Matmul, Port};

/// How a non-local block weighs positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Weighting {
    /// `softmax(scale·θφᵀ)·g`, the embedded Gaussian.
    #[default]
    Softmax,
    /// `scale·θφᵀ·g`, the dot product.
    DotProduct,
}

/// Attributes of the attention within a non-local block (Wang et al., Non-local Neural Networks, arXiv 1711.07971),
/// which has no heads.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NonLocal {
    /// How positions are weighed.
    pub mode: Weighting,
    /// What products are multiplied by. If not given, one over the root of the channels for a softmax, as PySlowFast
    /// has it (others have 1), and one over the number of keys for dot products.
    pub scale: Option<f32>,
}

impl Graph {
    /// Adds the attention of a non-local block: `theta` `[N, Lq, C]`, `phi` and `g` `[N, Lk, C]` give `[N, Lq, C]`.
    /// Pooling of `phi` and `g` comes before it.
    ///
    /// Without a softmax nothing stands between the two products: `θ·(φᵀg)` is made, with a matrix of C × C instead of
    /// one of Lq × Lk, and `g` may have channels of its own.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes do not fit each other, and for a softmax of more channels than a
    /// head may have.
    pub fn non_local(&mut self, [theta, phi, g]: [Value; 3], attributes: &NonLocal) -> Result<Value> {
        let [n, _, channels] = self.shape(theta).dims("theta", "[N, tokens, C]").at("non_local")?;
        let [phi_n, keys, phi_channels] = self.shape(phi).dims("phi", "[N, tokens, C]").at("non_local")?;
        let [g_n, g_keys, _] = self.shape(g).dims("g", "[N, tokens, C]").at("non_local")?;
        let error = |text: String| Err(Error::bad_input(text).at("non_local"));
        if [phi_n, phi_channels] != [n, channels] {
            return error(format!("phi must be [{n}, tokens, {channels}], it is {}", self.shape(phi)));
        }
        if [g_n, g_keys] != [n, keys] {
            return error(format!("g must be [{n}, {keys}, C], it is {}", self.shape(g)));
        }
        match attributes.mode {
            Weighting::Softmax => {
                let attributes = Attention { scale: attributes.scale, ..Attention::heads(1) };
                self.attention([theta, phi, g], None, &attributes)
            }
            Weighting::DotProduct => {
                let scale = attributes.scale.unwrap_or((1.0 / keys as f64) as f32);
                let within = Matmul { transpose_a: true, scale, ..Matmul::default() };
                let within = self.matmul(phi, g, &within)?;
                self.matmul(theta, within, &Matmul::default())
            }
        }
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "non_local",
    summary: "the attention of a non-local block, with a softmax or without",
    inputs: &[
        Port::new("theta", Layout::Plain),
        Port::new("phi", Layout::Plain),
        Port::new("g", Layout::Plain),
    ],
    output: Layout::Plain,
    attributes: "mode=softmax (dot_product), scale=1/√C (1/keys for dot_product)",
    build: |g, v, a| Ok(vec![g.non_local([v[0], v[1], v[2]], &a.read()?)?]),
};
