//! Quantization without a learned codebook: each channel to one of a few fixed values.

use kinetograph_ref::scalar_quantize::{self as reference, Level};
use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Graph, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value};
use crate::shape::Shape;
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("scalar_quantize");

/// The most channels of finite scalar quantization, and of lookup-free quantization, whose index is an i32.
const MOST_LEVELS: usize = 8;
const MOST_BITS: usize = 31;

/// How channels become codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScalarCode {
    /// Finite scalar quantization (Mentzer et al. 2023), as its PyTorch implementations have it: with L levels,
    /// `tanh(x + atanh(o/h))·h − o`, `h = (L − 1)·(1 + 10⁻³)/2`, `o` ½ for even L and else 0, rounded half to even.
    #[default]
    Fsq,
    /// The same as the paper's own code has it: `tan` for `atanh`, and `h = (L − 1)·(1 − 10⁻³)/2`.
    FsqPaper,
    /// Lookup-free quantization (MAGVIT-v2, Yu et al. 2023): the sign, that of zero being −1.
    Lfq,
}

/// Quantization of each channel to a few fixed values. The codebook are all their combinations, and need not be stored.
///
/// A channel of finite scalar quantization becomes one of its levels, divided by half their number: −1 to 1. The index
/// counts the levels of the first channel fastest, as the paper does; of lookup-free quantization the first channel is
/// the lowest bit, as in the paper (some implementations have it as the highest). A channel that is NaN stays NaN, and
/// its row's index is −1.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScalarQuantize {
    /// How channels become codes.
    pub mode: ScalarCode,
    /// For finite scalar quantization the number of levels of each channel.
    pub levels: Vec<u32>,
}

impl ScalarQuantize {
    /// Finite scalar quantization with these levels.
    pub fn finite(levels: &[u32]) -> Self {
        ScalarQuantize { mode: ScalarCode::Fsq, levels: levels.to_vec() }
    }

    /// Lookup-free quantization.
    pub fn lookup_free() -> Self {
        ScalarQuantize { mode: ScalarCode::Lfq, levels: Vec::new() }
    }

    /// Every combination in the order of its index, `[K, D]`: a table for [`Graph::embedding`], which makes codes of
    /// indices.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] as [`Graph::scalar_quantize`], and for a codebook that is too large.
    pub fn codebook(&self, channels: usize) -> Result<Tensor> {
        let codes = self.check(channels)?;
        Shape::new(&[codes, channels])?;
        let indices: Vec<i32> = (0..codes as i32).collect();
        Tensor::new(
            &[codes, channels],
            indices.iter().flat_map(|&i| self.code(i, channels)).collect::<Vec<_>>(),
        )
    }

    /// The number of combinations, or what is wrong.
    fn check(&self, channels: usize) -> Result<usize> {
        if self.mode == ScalarCode::Lfq {
            if !self.levels.is_empty() {
                return Err(Error::bad_input("levels: lookup-free quantization has none"));
            }
            if channels == 0 || channels > MOST_BITS {
                return Err(Error::bad_input(format!(
                    "{channels} channels: 1 to {MOST_BITS} bits are possible"
                )));
            }
            return Ok(1 << channels);
        }
        if self.levels.len() != channels || channels > MOST_LEVELS {
            return Err(Error::bad_input(format!(
                "levels {:?} for {channels} channels: one for each of them is wanted, and at most {MOST_LEVELS}",
                self.levels
            )));
        }
        if let Some(level) = self.levels.iter().find(|l| **l < 2) {
            return Err(Error::bad_input(format!("levels {level}: 2 or more")));
        }
        let codes = self.levels.iter().try_fold(1u32, |n, &l| n.checked_mul(l));
        codes.filter(|n| i32::try_from(*n).is_ok()).map(|n| n as usize).ok_or_else(|| {
            Error::bad_input(format!("levels {:?}: more combinations than an i32 can count", self.levels))
        })
    }

    fn bounds_of_levels(&self) -> Vec<Level> {
        let of = |&levels: &u32| {
            let offset = if levels.is_multiple_of(2) { 0.5 } else { 0.0 };
            let stretch = if self.mode == ScalarCode::FsqPaper { 1.0 - 1e-3 } else { 1.0 + 1e-3 };
            let half = f64::from(levels - 1) * stretch / 2.0;
            let ratio = offset / half;
            let shift = if self.mode == ScalarCode::FsqPaper { ratio.tan() } else { f64::atanh(ratio) };
            Level { levels, half, shift }
        };
        self.levels.iter().map(of).collect()
    }

    /// The code of an index.
    fn code(&self, index: i32, channels: usize) -> Vec<f32> {
        let mut rest = i64::from(index);
        let value = |d: usize| {
            if self.mode == ScalarCode::Lfq {
                let bit = rest % 2;
                rest /= 2;
                return if bit == 1 { 1.0 } else { -1.0 };
            }
            let levels = i64::from(self.levels[d]);
            let q = rest % levels - levels / 2;
            rest /= levels;
            (q as f64 / (levels / 2) as f64) as f32
        };
        (0..channels).map(value).collect()
    }

    /// The codes of indices; the rows of −1 are NaN where `x` is, and else what `x` alone gives.
    fn codes(&self, x: &Tensor, indices: &[i32]) -> Result<Tensor> {
        let channels = x.shape().last().copied().unwrap_or(1);
        let levels = self.bounds_of_levels();
        let alone = |(d, &x): (usize, &f32)| match (x.is_nan(), &self.mode) {
            (true, _) => f32::NAN,
            (false, ScalarCode::Lfq) => {
                if x > 0.0 {
                    1.0
                } else {
                    -1.0
                }
            }
            (false, _) => (levels[d].bound(x).round_ties_even() / f64::from(levels[d].levels / 2)) as f32,
        };
        let rows = x.f32s()?.chunks(channels).zip(indices);
        let codes = rows.flat_map(|(row, &index)| match index {
            -1 => row.iter().enumerate().map(alone).collect(),
            _ => self.code(index, channels),
        });
        Tensor::new(x.shape(), codes.collect::<Vec<_>>())
    }

    /// For each row the indices that rounding may give. WGSL grants the hyperbolic tangent an error of 10⁻⁵, its
    /// argument errs by two roundings, and the product and the difference by one each.
    fn choices(&self, row: &[f32], nearest: i32) -> Vec<i32> {
        if nearest < 0 || self.mode == ScalarCode::Lfq {
            return vec![nearest];
        }
        let u = UNIT_ROUNDOFF;
        let (mut choices, mut basis) = (vec![0], 1);
        for (&x, level) in row.iter().zip(self.bounds_of_levels()) {
            let bounded = level.bound(x);
            let argument = 4.0 * u * (f64::from(x).abs().min(15.0) + level.shift.abs());
            let error = level.half * (1.1e-5 + argument + 6.0 * u) + 2.0 * u;
            let digit = |b: f64| b.round_ties_even() as i32 + level.levels as i32 / 2;
            let (low, high) =
                (digit(bounded - error).max(0), digit(bounded + error).min(level.levels as i32 - 1));
            choices = choices.iter().flat_map(|c| (low..=high).map(move |q| c + q * basis)).collect();
            basis *= level.levels as i32;
        }
        choices
    }
}

impl Graph {
    /// Adds a quantization of each channel: `x` `[…, D]` gives indices `[…]`, i32, and codes `[…, D]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the levels are not one for each of at most eight channels (for lookup-free
    /// quantization: none, and at most 31 channels), one is less than 2, or an i32 cannot count their combinations.
    pub fn scalar_quantize(&mut self, x: Value, attributes: &ScalarQuantize) -> Result<(Value, Value)> {
        let outputs = self.push_all(attributes.clone(), &[x])?;
        Ok((outputs[0], outputs[1]))
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "scalar_quantize",
    summary: "each channel to one of a few fixed values: indices, and codes as second output",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "mode=fsq (fsq_paper, lfq), levels (required but for lfq)",
    build: |g, v, a| {
        let (indices, codes) = g.scalar_quantize(v[0], &a.read()?)?;
        Ok(vec![indices, codes])
    },
};

params! {
    struct ScalarQuantizeParams {
        rows: u32,
        channels: u32,
        nan: f32,
        levels: [u32; MOST_LEVELS],
        halves: [f32; MOST_LEVELS],
        shifts: [f32; MOST_LEVELS],
    }
}

impl Op for ScalarQuantize {
    fn name(&self) -> &'static str {
        "scalar_quantize"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let Some((&channels, outer)) = inputs[0].shape.split_last() else {
            return Err(Error::bad_input("the input must be […, D], it is a scalar"));
        };
        self.check(channels)?;
        Ok(vec![TensorType { shape: Shape::new(outer)?, dtype: DType::I32 }, inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        let Some((&channels, outer)) = x.shape().split_last() else {
            return Err(Error::bad_input("the input must be […, D], it is a scalar"));
        };
        let indices = match self.mode {
            ScalarCode::Lfq => reference::lookup_free(x.f32s()?, channels),
            _ => reference::finite(x.f32s()?, &self.bounds_of_levels()),
        };
        let codes = self.codes(x, &indices)?;
        Ok(vec![Tensor::new(outer, indices)?, codes])
    }

    /// A neighbouring level may be taken where what is rounded lies so near to the middle between them that its error
    /// decides. A code is a quotient, to which WGSL grants 2.5 ULP.
    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let channels = inputs[0].shape().last().copied().unwrap_or(1);
        let rows = inputs[0].f32s()?.chunks(channels).zip(reference[0].i32s()?);
        let choices = rows.map(|(row, &nearest)| self.choices(row, nearest)).collect();
        let quotient = Bound::relative(&reference[1], 6.0 * UNIT_ROUNDOFF, 0.0)?;
        Ok(vec![Bound::Choice(choices), if self.mode == ScalarCode::Lfq { Bound::Exact } else { quotient }])
    }

    fn after_choice(&self, inputs: &[Tensor], choice: &Tensor) -> Result<Vec<Tensor>> {
        Ok(vec![choice.clone(), self.codes(&inputs[0], choice.i32s()?)?])
    }

    /// A hyperbolic tangent, sums, products and a rounding a channel, or a comparison.
    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        let each = if self.mode == ScalarCode::Lfq { 1 } else { 6 };
        each * inputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let channels = r.input(0).last().copied().unwrap_or(1);
        let rows = r.input(0).elements() / channels;
        let mut params = ScalarQuantizeParams {
            rows: r.u32("rows", rows)?,
            channels: r.u32("channels", channels)?,
            nan: f32::NAN,
            ..Default::default()
        };
        for (i, level) in self.bounds_of_levels().iter().enumerate() {
            params.levels[i] = level.levels;
            params.halves[i] = level.half as f32;
            params.shifts[i] = level.shift as f32;
        }
        r.dispatch(
            Dispatch::new(&KERNEL, "scalar_quantize_direct", &params)
                .constant("FINITE", u32::from(self.mode != ScalarCode::Lfq))
                .bind([Operand::Input(0), Operand::Output(0), Operand::Output(1)])
                .turns(channels)
                .groups(rows.div_ceil(64) as u64),
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Indices lead back to the codes through the codebook, of which most are used.
    #[test]
    fn the_codebook_holds_every_code() {
        // Every combination of sixteen values of three channels.
        let value = |i: usize| ((i / 3) >> (4 * (i % 3)) & 15) as f32 * 0.35 - 2.6;
        let x = Tensor::from_fn(&[4096, 3], value).unwrap();
        let paper = ScalarQuantize { mode: ScalarCode::FsqPaper, levels: vec![4, 3, 2] };
        for a in [ScalarQuantize::finite(&[8, 5, 4]), paper, ScalarQuantize::lookup_free()] {
            let y = a.reference(std::slice::from_ref(&x)).unwrap();
            let table = a.codebook(3).unwrap();
            let rows: Vec<&[f32]> = table.f32s().unwrap().chunks(3).collect();
            for (index, code) in y[0].i32s().unwrap().iter().zip(y[1].f32s().unwrap().chunks(3)) {
                assert_eq!(rows[*index as usize], code);
            }
            let mut used = y[0].i32s().unwrap().to_vec();
            used.sort_unstable();
            used.dedup();
            assert!(2 * used.len() > rows.len(), "{} of {}", used.len(), rows.len());
        }
    }
}
