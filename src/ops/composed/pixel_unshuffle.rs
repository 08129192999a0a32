//! Space into channels, also called space to depth.

use serde::Deserialize;

use super::pixel_shuffle::{Factors, check};
use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Door, Layout, Port};

impl Graph {
    /// Adds the inverse of [`Graph::pixel_shuffle`]: `x` `[N, H·rH, W·rW, C]` with factors `[rH, rW]` gives
    /// `[N, H, W, C·rH·rW]`, and with three factors likewise in time and space. One pass: a permutation.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are not one to three factors, one for each axis between the first and
    /// the last, a factor is 0, or one does not divide its axis.
    pub fn pixel_unshuffle(&mut self, x: Value, factors: &[usize]) -> Result<Value> {
        let shape = self.shape(x).to_vec();
        check(&shape, factors).at("pixel_unshuffle")?;
        let axes = factors.len();
        let (space, channels) = (&shape[1..=axes], shape[axes + 1]);
        if let Some(a) = (0..axes).find(|&a| !space[a].is_multiple_of(factors[a])) {
            let what = format!("axis {} of length {} is no multiple of {}", a + 1, space[a], factors[a]);
            return Err(Error::bad_input(what)).at("pixel_unshuffle");
        }
        // [N, H, rH, W, rW, C] → [N, H, W, C, rH, rW]
        let pairs = space.iter().zip(factors).flat_map(|(n, r)| [n / r, *r]);
        let apart: Vec<usize> = [shape[0]].into_iter().chain(pairs).chain([channels]).collect();
        let places = (0..axes as isize).map(|a| 1 + 2 * a);
        let inside = (0..axes as isize).map(|a| 2 + 2 * a);
        let order: Vec<isize> =
            [0].into_iter().chain(places).chain([1 + 2 * axes as isize]).chain(inside).collect();
        let shorter = space.iter().zip(factors).map(|(n, r)| n / r);
        let deeper = channels * factors.iter().product::<usize>();
        let joined: Vec<usize> = [shape[0]].into_iter().chain(shorter).chain([deeper]).collect();
        let x = self.view(x, &apart)?;
        let y = self.permute(x, &order)?;
        self.view(y, &joined)
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Downscale {
    downscale_factor: Factors,
}

impl Default for Downscale {
    fn default() -> Self {
        Downscale { downscale_factor: Factors::All(0) }
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "pixel_unshuffle",
    summary: "space (1D, 2D or 3D) into channels, also called space to depth",
    inputs: &[Port::new("input", Layout::Activation)],
    output: Layout::Activation,
    attributes: "downscale_factor (required)",
    build: |g, v, a| {
        let factors = a.read::<Downscale>()?.downscale_factor.of(g.shape(v[0]).rank());
        Ok(vec![g.pixel_unshuffle(v[0], &factors)?])
    },
};
