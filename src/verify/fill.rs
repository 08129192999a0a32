//! What cases' inputs are filled with.

use std::fmt;
use std::ops::RangeInclusive;

use crate::error::Result;
use crate::tensor::Tensor;

/// A way to fill a tensor, seeded by the case's name and the input's number.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Fill {
    /// Integers from −4 to 4: sums of thousands of products are exact in f32, in any order.
    Integers,
    /// Normal floats of deviation 1.
    Normal,
    /// Normal floats of deviation 1 about a mean, which brings out cancellation.
    About(f32),
    /// Normal floats of deviation 1, one element in eleven NaN, and of several at least one; elsewhere in each input.
    SomeNan,
    /// Normal floats times this.
    Scaled(f32),
    /// Normal floats of deviation 1, half of the elements −∞, as a mask makes them.
    Masked,
}

impl fmt::Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fill::Integers => f.write_str("integers"),
            Fill::Normal => f.write_str("floats"),
            Fill::About(mean) => write!(f, "floats about {mean}"),
            Fill::SomeNan => f.write_str("some NaN"),
            Fill::Scaled(factor) => write!(f, "floats times {factor}"),
            Fill::Masked => f.write_str("half masked"),
        }
    }
}

impl Fill {
    /// A tensor for input `index` of the case of this name.
    pub(super) fn tensor(self, name: &str, index: usize, shape: &[usize]) -> Result<Tensor> {
        let mut next = bits(name, index);
        let elements: usize = shape.iter().product();
        // Another place for each of several inputs: a NaN in one of them alone must show.
        let place = (7 + 2 * index) % 11;
        let is_nan =
            |i: usize| i % 11 == place || (elements > 1 && elements <= place && i == index % elements);
        Tensor::from_fn(shape, |i| {
            let bits = next();
            // Twelve uniform numbers of five bits each sum to something near normal, exactly reproducible.
            let sum: u64 = (0..12).map(|k| bits >> (5 * k) & 31).sum();
            let normal = (sum as f32 - 186.0) / 32.0;
            match self {
                Fill::Integers => (bits % 9) as f32 - 4.0,
                Fill::Normal => normal,
                Fill::About(mean) => mean + normal,
                Fill::Scaled(factor) => normal * factor,
                Fill::SomeNan if is_nan(i) => f32::NAN,
                Fill::Masked if bits >> 63 == 1 => f32::NEG_INFINITY,
                Fill::SomeNan | Fill::Masked => normal,
            }
        })
    }
}

/// Indices from a range for input `index` of the case of this name.
pub(super) fn indices(
    range: &RangeInclusive<i32>,
    name: &str,
    index: usize,
    shape: &[usize],
) -> Result<Tensor> {
    let mut next = bits(name, index);
    let count = (i64::from(*range.end()) - i64::from(*range.start()) + 1) as u64;
    let elements = shape.iter().product();
    let values =
        std::iter::repeat_with(|| range.start().wrapping_add((next() % count) as i32)).take(elements);
    Tensor::new(shape, values.collect::<Vec<_>>())
}

/// Floats spread evenly from `low` to `high` for input `index` of the case of this name.
pub(super) fn between(low: f32, high: f32, name: &str, index: usize, shape: &[usize]) -> Result<Tensor> {
    let mut next = bits(name, index);
    Tensor::from_fn(shape, |_| low + (high - low) * ((next() >> 40) as f32 / (1 << 24) as f32))
}

/// SplitMix64, seeded by a case's name and an input's number.
fn bits(name: &str, index: usize) -> impl FnMut() -> u64 {
    let mut state = name.bytes().fold(0x9e37_79b9_7f4a_7c15u64 ^ index as u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
