//! Random numbers made on the device.

use std::ops::RangeInclusive;

use kinetograph_ref::random as reference;
use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Graph, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value};
use crate::shape::Shape;
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("random");

/// What random numbers are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Distribution {
    /// Floats from 0 to 1, multiples of 2⁻²⁴, 1 not among them. Storage as f16 rounds: one in 4096 then is 1.
    #[default]
    Uniform,
    /// Floats of mean 0 and deviation 1, none beyond ±6.7 (Box & Muller 1958).
    Normal,
    /// Integers from `low` up to but without `high`; of n of them each is drawn with a chance that differs from 1/n by
    /// less than 2⁻³².
    Integers,
}

/// Random numbers of a counter-based generator, Philox 4x32-10 (Salmon et al. 2011): element `i` is made of the words
/// of counter `offset + i/4` under the key `seed`, and of nothing else. Uniform numbers and integers have the same bits
/// on every device, and those of PyTorch's `torch._philox_uniform_` and, of 32 bits, `torch._philox_randint_`; normal
/// numbers are within a few units in the last place of each other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Random {
    /// The lengths of the axes.
    pub shape: Vec<usize>,
    /// What the numbers are drawn from.
    pub distribution: Distribution,
    /// Numbers of different seeds have nothing in common.
    pub seed: u64,
    /// The first counter. A tensor of `n` elements uses up `n/4` of them, rounded up: the next of the same seed must
    /// begin after those.
    pub offset: u64,
    /// The smallest integer; 0 if not given. For [`Distribution::Integers`] alone, as `high`.
    pub low: Option<i32>,
    /// One more than the largest integer.
    pub high: Option<i32>,
}

impl Random {
    /// Numbers of seed 0.
    pub fn new(shape: &[usize], distribution: Distribution) -> Self {
        Random { shape: shape.to_vec(), distribution, ..Random::default() }
    }

    /// The smallest integer and how many there are.
    fn range(&self) -> Result<(i32, u32)> {
        if self.distribution != Distribution::Integers {
            return match (self.low, self.high) {
                (None, None) => Ok((0, 1)),
                _ => Err(Error::bad_input("low and high are for distribution integers")),
            };
        }
        let low = self.low.unwrap_or(0);
        let high =
            self.high.ok_or_else(|| Error::bad_input("high must be given for distribution integers"))?;
        match u32::try_from(i64::from(high) - i64::from(low)) {
            Ok(range) if range > 0 => Ok((low, range)),
            _ => Err(Error::bad_input(format!("no integers from low {low} to below high {high}"))),
        }
    }

    fn dtype(&self) -> DType {
        if self.distribution == Distribution::Integers { DType::I32 } else { DType::F32 }
    }
}

impl Graph {
    /// Adds random numbers, see [`Random`]. With a `key`, `[4]`, i32, its words are used instead of the attributes
    /// `seed` and `offset`: the low and the high one of each. A program that counts its runs in the last of them draws
    /// numbers that have nothing in common each time, from one plan.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shape is unusable, low and high do not fit the distribution or each
    /// other, or the key is another tensor.
    pub fn random(&mut self, key: Option<Value>, attributes: &Random) -> Result<Value> {
        self.push(attributes.clone(), key.as_slice())
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "random",
    summary: "random numbers of a seed; a key [4] of i32 stands for the words of seed and offset",
    inputs: &[Port::optional("key", Layout::Plain)],
    output: Layout::Plain,
    attributes: "shape (required), distribution=uniform (normal, integers), seed=0, offset=0, low=0, high",
    build: |g, v, a| Ok(vec![g.random(v.first().copied(), &a.read()?)?]),
};

params! {
    struct RandomParams {
        count: u32,
        seed_low: u32,
        seed_high: u32,
        offset_low: u32,
        offset_high: u32,
        low: i32,
        range: u32,
    }
}

impl Op for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        0..=1
    }

    /// The key is of integers.
    fn takes(&self, dtype: DType) -> bool {
        matches!(dtype, DType::F32 | DType::I32)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        if let Some(key) = inputs.first()
            && (key.dtype != DType::I32 || *key.shape != [4])
        {
            return Err(Error::bad_input(format!(
                "the key must be [4] of i32, it is {} of {}",
                key.shape, key.dtype
            )));
        }
        if self.shape.is_empty() {
            return Err(Error::bad_input("shape must be given"));
        }
        self.range()?;
        Ok(vec![TensorType { shape: Shape::new(&self.shape)?, dtype: self.dtype() }])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = Shape::new(&self.shape)?;
        let (mut seed, mut offset) = (self.seed, self.offset);
        if let Some(key) = inputs.first() {
            let words: Vec<u64> = key.i32s()?.iter().map(|w| u64::from(w.cast_unsigned())).collect();
            (seed, offset) = (words[0] | words[1] << 32, words[2] | words[3] << 32);
        }
        let count = shape.elements();
        let words = reference::words(seed, offset, count.next_multiple_of(2));
        Ok(vec![match self.distribution {
            Distribution::Uniform => Tensor::from_fn(&shape, |i| reference::uniform(words[i]))?,
            Distribution::Normal => {
                Tensor::from_fn(&shape, |i| reference::normals([words[i & !1], words[i | 1]])[i & 1] as f32)?
            }
            Distribution::Integers => {
                let (low, range) = self.range()?;
                let drawn = words[..count].iter().map(|&w| reference::integer(w, low, range));
                Tensor::new(&shape, drawn.collect::<Vec<_>>())?
            }
        }])
    }

    /// With ε twice the unit roundoff, by which every operation may be off, and three ε for a quotient: the logarithm is
    /// off by 6ε of its series and 1.5ε of the power of two, which at worst, where they cancel to half, is 10ε of it; the
    /// root halves that and is itself off by 5ε; cosine and sine are off by 3ε, and the product by one more. Where a
    /// cosine or sine is zero the reference, which has a rounded 2π, is not.
    fn bounds(&self, _: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        Ok(vec![match self.distribution {
            Distribution::Normal => Bound::relative(&reference[0], 15.0 * 2.0 * UNIT_ROUNDOFF, 1e-12)?,
            _ => Bound::Exact,
        }])
    }

    /// The ten rounds of a block and what is made of it, about 50 operations an element.
    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        50 * outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let count = r.output(0).elements();
        let (low, range) = self.range()?;
        let params = RandomParams {
            count: r.u32("elements", count)?,
            seed_low: self.seed as u32,
            seed_high: (self.seed >> 32) as u32,
            offset_low: self.offset as u32,
            offset_high: (self.offset >> 32) as u32,
            low,
            range,
            ..Default::default()
        };
        let integers = self.distribution == Distribution::Integers;
        let mut dispatch =
            Dispatch::new(&KERNEL, if integers { "random_integers" } else { "random_floats" }, &params)
                .constant("HAS_KEY", u32::from(r.inputs() > 0))
                .bind([if r.inputs() > 0 { Operand::Input(0) } else { Operand::Absent }, Operand::Output(0)])
                .groups(count.div_ceil(256) as u64);
        if !integers {
            dispatch = dispatch.constant("MODE", self.distribution as u32);
        }
        r.dispatch(dispatch);
        Ok(())
    }
}
