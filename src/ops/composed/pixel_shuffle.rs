//! Channels into space, also called depth to space.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Door, Layout, Port};

impl Graph {
    /// Adds a shuffle of channels into space (and time): `x` `[N, H, W, C·rH·rW]` with factors `[rH, rW]` gives
    /// `[N, H·rH, W·rW, C]`, and `[N, T, H, W, C·rT·rH·rW]` with three `[N, T·rT, H·rH, W·rW, C]`. The channel
    /// `(c·rH + i)·rW + j` goes to row `i` and column `j` of channel `c`, as in `torch.nn.functional.pixel_shuffle`
    /// (Shi et al., Real-Time Single Image and Video Super-Resolution, arXiv:1609.05158). One pass: a permutation.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are not one to three factors, one for each axis between the first and
    /// the last, a factor is 0, or the channels cannot be shared out so.
    pub fn pixel_shuffle(&mut self, x: Value, factors: &[usize]) -> Result<Value> {
        let shape = self.shape(x).to_vec();
        check(&shape, factors).at("pixel_shuffle")?;
        let axes = factors.len();
        let (space, channels) = (&shape[1..=axes], shape[axes + 1]);
        let block: usize = factors.iter().product();
        if !channels.is_multiple_of(block) {
            let what = format!("{channels} channels are no multiple of {block}, the product of {factors:?}");
            return Err(Error::bad_input(what)).at("pixel_shuffle");
        }
        // [N, H, W, C, rH, rW] → [N, H, rH, W, rW, C]
        let apart = [&shape[..=axes], &[channels / block], factors].concat();
        let order = (0..axes as isize).flat_map(|a| [1 + a, 2 + axes as isize + a]);
        let order: Vec<isize> = [0].into_iter().chain(order).chain([1 + axes as isize]).collect();
        let longer = space.iter().zip(factors).map(|(n, r)| n * r);
        let joined: Vec<usize> = [shape[0]].into_iter().chain(longer).chain([channels / block]).collect();
        let x = self.view(x, &apart)?;
        let y = self.permute(x, &order)?;
        self.view(y, &joined)
    }
}

/// What both ways demand of a shape and its factors.
pub(super) fn check(shape: &[usize], factors: &[usize]) -> Result<()> {
    if !(1..=3).contains(&factors.len()) || shape.len() != factors.len() + 2 {
        return Err(Error::bad_input(format!(
            "factors {factors:?} must be one to three, one for each axis of {shape:?} between the first and the last"
        )));
    }
    match factors.iter().try_fold(1usize, |p, f| p.checked_mul(*f)) {
        None | Some(0) => Err(Error::bad_input(format!("factors {factors:?}: 1 or more is possible"))),
        Some(_) => Ok(()),
    }
}

/// One factor for all axes of space, or one for each.
pub(super) enum Factors {
    All(usize),
    Each(Vec<usize>),
}

impl Factors {
    /// The factors of a tensor of so many axes.
    pub(super) fn of(self, rank: usize) -> Vec<usize> {
        match self {
            Factors::All(factor) => vec![factor; rank.saturating_sub(2)],
            Factors::Each(factors) => factors,
        }
    }
}

impl<'de> Deserialize<'de> for Factors {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Factors, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Any {
            One(usize),
            Each(Vec<usize>),
        }
        match Any::deserialize(d) {
            Ok(Any::One(factor)) => Ok(Factors::All(factor)),
            Ok(Any::Each(factors)) => Ok(Factors::Each(factors)),
            Err(_) => Err(D::Error::custom("one number or one for each axis of space is expected")),
        }
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Upscale {
    upscale_factor: Factors,
}

impl Default for Upscale {
    fn default() -> Self {
        Upscale { upscale_factor: Factors::All(0) }
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "pixel_shuffle",
    summary: "channels into space (1D, 2D or 3D), also called depth to space",
    inputs: &[Port::new("input", Layout::Activation)],
    output: Layout::Activation,
    attributes: "upscale_factor (required)",
    build: |g, v, a| {
        let factors = a.read::<Upscale>()?.upscale_factor.of(g.shape(v[0]).rank());
        Ok(vec![g.pixel_shuffle(v[0], &factors)?])
    },
};
