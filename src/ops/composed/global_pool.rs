//! Global pooling: an adaptive pooling with one window.

use serde::Deserialize;

use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{AdaptivePool3d, Door, Layout, Pool, Port};

/// Attributes of a global pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct GlobalPool {
    mode: Pool,
}

impl Graph {
    /// Adds the largest or the mean element of each channel: `x` `[N, …, C]`, such as `[N, T, H, W, C]`, gives
    /// `[N, C]`. Neighbouring invocations read neighbouring channels, which [`Graph::reduce`] over axes that are not
    /// the last does not see to.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when `x` has no axis between the samples and the channels.
    pub fn global_pool(&mut self, x: Value, mode: Pool) -> Result<Value> {
        let shape = self.shape(x).clone();
        let (n, places, c) = match &shape[..] {
            [n, places @ .., c] if !places.is_empty() => (*n, places.iter().product(), *c),
            _ => {
                let text = format!("the input must be [N, …, C], three axes or more; its shape is {shape}");
                return Err(Error::bad_input(text)).at("global_pool");
            }
        };
        let one_row = self.view(x, &[n, 1, 1, places, c])?;
        let y = self.adaptive_pool3d(one_row, &AdaptivePool3d { mode, ..AdaptivePool3d::average([1; 3]) })?;
        self.view(y, &[n, c])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "global_pool",
    summary: "the largest or mean element of each channel",
    inputs: &[Port::new("input", Layout::Activation)],
    output: Layout::Plain,
    attributes: "mode=max (average)",
    build: |g, v, a| Ok(vec![g.global_pool(v[0], a.read::<GlobalPool>()?.mode)?]),
};
