//! Random numbers on the host, the same as PyTorch's: a seed means here what it means there.
//!
//! PyTorch's generator on the processor is the Mersenne Twister (Matsumoto & Nishimura 1998). What it makes of its
//! words is not documented; the rules here are what `torch.rand`, `randn`, `randint` and `randperm` of PyTorch 2 are
//! seen to do. Uniform numbers, integers and permutations agree to the bit. Normal numbers do but for a few units in the
//! last place, where PyTorch's own vary with the processor's vector instructions.

use std::f64::consts::TAU;

use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tensor::{Data, Tensor};

/// Words of the generator's state.
const WORDS: usize = 624;

/// From this many elements on, normal numbers are made in blocks of as many.
const BLOCK: usize = 16;

/// From this many integers on, one is drawn from two words.
const MANY_INTEGERS: u64 = 1 << 28;

/// The longest permutation that is drawn from one word an element.
const LONGEST_PERMUTATION: usize = u32::MAX as usize / 20;

/// PyTorch's generator on the processor, as `torch.manual_seed` leaves it.
///
/// ```
/// use kinetograph::random::Generator;
/// let mut generator = Generator::new(0);
/// assert_eq!(generator.uniform(&[2])?.f32s()?, [0.49625659, 0.7682218]);
/// # Ok::<(), kinetograph::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Generator {
    state: [u32; WORDS],
    /// The next word to use.
    next: usize,
    /// The second of a pair of normal numbers, for the next call.
    kept: Option<f64>,
}

impl Generator {
    /// The generator of a seed. The low 32 bits count, as in PyTorch.
    pub fn new(seed: u64) -> Self {
        let mut state = [seed as u32; WORDS];
        for i in 1..WORDS {
            let last = state[i - 1];
            state[i] = 1_812_433_253u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(i as u32);
        }
        Generator { state, next: WORDS, kept: None }
    }

    /// Floats from 0 to 1, without 1: `torch.rand`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shape is unusable.
    pub fn uniform(&mut self, shape: &[usize]) -> Result<Tensor> {
        Tensor::from_fn(shape, |_| self.fraction())
    }

    /// Floats of mean 0 and deviation 1: `torch.randn`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shape is unusable.
    pub fn normal(&mut self, shape: &[usize]) -> Result<Tensor> {
        let count = Shape::new(shape)?.elements();
        if count < BLOCK {
            return Tensor::from_fn(shape, |_| self.one_normal() as f32);
        }
        let mut numbers: Vec<f32> = (0..count).map(|_| self.fraction()).collect();
        numbers.chunks_exact_mut(BLOCK).for_each(make_normal);
        if count % BLOCK != 0 {
            // The last block is drawn anew, over what was there.
            let last = &mut numbers[count - BLOCK..];
            last.fill_with(|| self.fraction());
            make_normal(last);
        }
        Tensor::new(shape, numbers)
    }

    /// Integers from `low` up to but without `high`: `torch.randint`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are none, or the shape is unusable.
    pub fn integers(&mut self, low: i32, high: i32, shape: &[usize]) -> Result<Tensor> {
        let range = u64::try_from(i64::from(high) - i64::from(low)).unwrap_or(0);
        if range == 0 {
            return Err(Error::bad_input(format!("no integers from low {low} to below high {high}")));
        }
        let mut one = || {
            let drawn = if range < MANY_INTEGERS { u64::from(self.word()) } else { self.two_words() };
            (i64::from(low) + (drawn % range) as i64) as i32
        };
        let data: Vec<i32> = (0..Shape::new(shape)?.elements()).map(|_| one()).collect();
        Tensor::new(shape, data)
    }

    /// The numbers from 0 to `count - 1` in random order, i32: `torch.randperm`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for none, or more than 2³²/20, which PyTorch draws in another way.
    pub fn permutation(&mut self, count: usize) -> Result<Tensor> {
        if count > LONGEST_PERMUTATION {
            return Err(Error::bad_input(format!(
                "a permutation of {count}, at most {LONGEST_PERMUTATION} are possible"
            )));
        }
        let mut numbers: Vec<i32> = (0..count as i32).collect();
        for i in 0..count.saturating_sub(1) {
            let other = self.word() as usize % (count - i);
            numbers.swap(i, i + other);
        }
        Tensor::new(&[count], Data::from(numbers))
    }

    /// From 0 to 1 in 2²⁴ steps.
    fn fraction(&mut self) -> f32 {
        (self.word() & 0xff_ffff) as f32 / (1u32 << 24) as f32
    }

    /// From 0 to 1 in 2⁵³ steps.
    fn fine_fraction(&mut self) -> f64 {
        (self.two_words() & ((1 << 53) - 1)) as f64 / (1u64 << 53) as f64
    }

    /// Box and Muller's method on one pair, of which one is kept.
    fn one_normal(&mut self) -> f64 {
        if let Some(kept) = self.kept.take() {
            return kept;
        }
        let (angle, u) = (TAU * self.fine_fraction(), self.fine_fraction());
        let radius = (-2.0 * (-u).ln_1p()).sqrt();
        self.kept = Some(radius * angle.sin());
        radius * angle.cos()
    }

    fn two_words(&mut self) -> u64 {
        let high = self.word();
        u64::from(high) << 32 | u64::from(self.word())
    }

    fn word(&mut self) -> u32 {
        if self.next == WORDS {
            self.twist();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c_5680;
        y ^= y << 15 & 0xefc6_0000;
        y ^ y >> 18
    }

    fn twist(&mut self) {
        for i in 0..WORDS {
            let joined = self.state[i] & 0x8000_0000 | self.state[(i + 1) % WORDS] & 0x7fff_ffff;
            let odd = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + 397) % WORDS] ^ joined >> 1 ^ odd;
        }
        self.next = 0;
    }
}

/// Box and Muller's method on eight pairs, eight elements apart. Radius and angle are rounded to f32 where PyTorch
/// rounds them.
fn make_normal(block: &mut [f32]) {
    let (first, second) = block.split_at_mut(BLOCK / 2);
    for (a, b) in first.iter_mut().zip(second) {
        let log = f64::from(1.0 - *a).ln() as f32;
        let radius = (-2.0 * log).sqrt();
        let angle = f64::from(TAU as f32 * *b);
        (*a, *b) = (radius * angle.cos() as f32, radius * angle.sin() as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ten-thousandth word of the seed 5489, which the C++ standard gives for `std::mt19937`.
    #[test]
    fn the_twister_is_the_standard_one() {
        let mut generator = Generator::new(5489);
        let word = (0..10_000).map(|_| generator.word()).last();
        assert_eq!(word, Some(4_123_659_995));
    }

    #[test]
    fn the_low_half_of_a_seed_counts() {
        assert_eq!(Generator::new(7).word(), Generator::new(7 | 5 << 32).word());
        assert_ne!(Generator::new(7).word(), Generator::new(8).word());
    }

    #[test]
    fn what_cannot_be_drawn_is_an_error() {
        let mut generator = Generator::new(0);
        assert!(generator.integers(3, 3, &[2]).unwrap_err().to_string().contains("below high 3"));
        assert!(generator.integers(4, 3, &[2]).is_err());
        assert!(generator.permutation(0).is_err() && generator.permutation(usize::MAX).is_err());
        assert!(generator.normal(&[0]).is_err() && generator.uniform(&[2, 0]).is_err());
    }
}
