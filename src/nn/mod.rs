//! Blocks made of operators, which take their weights by name in the published layout and turn it into this
//! crate's.

mod attention;
mod bottleneck;
mod convolution;
mod linear;
mod non_local;
mod norm;
mod recurrent;

use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::weights::{Weight, Weights};

pub use attention::{
    Mlp, QkvBias, SelfAttention, TransformerBlock, attention_residual, mlp, mlp_residual, positions,
    self_attention, transformer_block,
};
pub use bottleneck::{Bottleneck, bottleneck};
pub use convolution::{Conv, conv3d, conv3d_norm, conv3d_relu, conv3d_unbiased};
pub use linear::{linear, linear_flattened, linear_unbiased};
pub use non_local::{Affinity, NonLocalStyle, non_local};
pub use norm::{batch_norm, layer_norm};
pub use recurrent::{conv_gru, lstm};

/// Adds a weight to a graph.
pub fn constant(g: &mut Graph, weight: Weight) -> Value {
    match weight.into_parts() {
        (name, _, Some(tensor)) => g.constant(&name, tensor),
        (name, shape, None) => g.unknown_constant(&name, shape),
    }
}

/// Takes the weights of layers that a file holds but that are not run, by building them apart on an input of this shape.
///
/// # Errors
/// Those of `build`.
pub fn left_out<T>(shape: &[usize], build: impl FnOnce(&mut Graph, Value) -> Result<T>) -> Result<()> {
    let mut apart = Graph::new();
    let x = apart.input("left_out", shape)?;
    build(&mut apart, x).map(drop)
}

/// Builds a part of a network whose nodes and weights have names that begin with `name`.
///
/// # Errors
/// Those of `build`, with `name` before them.
pub fn scope<T>(
    g: &mut Graph,
    w: &Weights,
    name: impl AsRef<str>,
    build: impl FnOnce(&mut Graph, &Weights) -> Result<T>,
) -> Result<T> {
    let name = name.as_ref();
    g.scope(name, |g| build(g, &w.scope(name)))
}
