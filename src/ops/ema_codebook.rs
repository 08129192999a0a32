//! Codebooks that follow what is assigned to them.

use std::ops::RangeInclusive;

use kinetograph_ref::ema_codebook::{self as reference, Ema, Updated};
use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Bound, Dispatch, Family, Graph, MOST_TURNS, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value,
};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("ema_codebook");

/// From so many rows on GPUs share them out over a workgroup.
const MANY_ROWS: usize = 64;

/// An update of a codebook by exponential moving averages, without gradients: appendix A.1 of VQ-VAE (van den Oord et
/// al. 2017), with the Laplace smoothing of its public implementations.
///
/// With n the rows of a code, Σx their sum and K codes: `size' = decay·size + (1 − decay)·n`,
/// `sum' = decay·sum + (1 − decay)·Σx`, `code' = sum' / ((size' + eps) / (Σsize' + K·eps)·Σsize')`. Sums are made in a
/// fixed order. An index below 0 or beyond the codebook assigns its row to no code. Where no size is more than zero, the
/// codebook is a quotient by zero, as WGSL gives it.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmaCodebook {
    /// How much of the averages stays, 0 to 1.
    pub decay: f32,
    /// What is added to a code's size, so that unused codes stay finite.
    pub eps: f32,
}

impl Default for EmaCodebook {
    fn default() -> Self {
        EmaCodebook { decay: 0.99, eps: 1e-5 }
    }
}

/// What an [`EmaCodebook`] gives.
#[derive(Debug, Clone, Copy)]
pub struct EmaCodebookOutputs {
    /// The average number of rows of each code, `[K]`.
    pub sizes: Value,
    /// The average sum of the rows of each code, `[K, D]`.
    pub sums: Value,
    /// The codes, `[K, D]`.
    pub codebook: Value,
}

impl EmaCodebook {
    fn update(&self, inputs: &[Tensor]) -> Result<Updated> {
        let ema = Ema { decay: self.decay.into(), eps: self.eps.into() };
        let [x, sizes, sums] = [0, 2, 3].map(|i| inputs[i].f32s());
        Ok(reference::ema_codebook(x?, inputs[1].i32s()?, sizes?, sums?, ema))
    }
}

impl Graph {
    /// Adds an update of a codebook: rows `x` `[…, D]`, the codes `indices` `[…]`, i32, that they are assigned to, and
    /// the averages so far, `sizes` `[K]` and `sums` `[K, D]`, give the new averages and the new codebook.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes do not fit each other, the indices are no integers, or decay or
    /// eps are out of range.
    pub fn ema_codebook(
        &mut self,
        x: Value,
        indices: Value,
        [sizes, sums]: [Value; 2],
        attributes: &EmaCodebook,
    ) -> Result<EmaCodebookOutputs> {
        let outputs = self.push_all(*attributes, &[x, indices, sizes, sums])?;
        Ok(EmaCodebookOutputs { sizes: outputs[0], sums: outputs[1], codebook: outputs[2] })
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "ema_codebook",
    summary: "moving averages of the rows assigned to each code: new sizes, sums and codebook",
    inputs: &[
        Port::new("input", Layout::Plain),
        Port::new("indices", Layout::Plain),
        Port::new("sizes", Layout::Plain),
        Port::new("sums", Layout::Plain),
    ],
    output: Layout::Plain,
    attributes: "decay=0.99, eps=1e-5",
    build: |g, v, a| {
        let y = g.ema_codebook(v[0], v[1], [v[2], v[3]], &a.read()?)?;
        Ok(vec![y.sizes, y.sums, y.codebook])
    },
};

params! {
    struct EmaCodebookParams {
        rows: u32,
        codes: u32,
        channels: u32,
        blocks: u32,
        decay: f32,
        rest: f32,
        eps: f32,
    }
}

impl Op for EmaCodebook {
    fn name(&self) -> &'static str {
        "ema_codebook"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        4..=4
    }

    /// The indices are integers, the others are not: `infer` tells which is which.
    fn takes(&self, dtype: DType) -> bool {
        matches!(dtype, DType::F32 | DType::I32)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let names = ["the input", "the indices", "the sizes", "the sums"];
        for (i, (name, input)) in names.iter().zip(inputs).enumerate() {
            let wanted = if i == 1 { DType::I32 } else { DType::F32 };
            if input.dtype != wanted {
                return Err(Error::bad_input(format!("{name} must be {wanted}, they are {}", input.dtype)));
            }
        }
        let [codes, channels] = inputs[3].shape.dims("the sums", "[K, D]")?;
        if *inputs[2].shape != [codes] {
            return Err(Error::bad_input(format!(
                "the sizes must be [K], here [{codes}], they are {}",
                inputs[2].shape
            )));
        }
        let rows: &[usize] = &inputs[1].shape;
        if *inputs[0].shape != [rows, &[channels]].concat() {
            return Err(Error::bad_input(format!(
                "the input must be […, D], the shape of the indices and {channels} channels, it is {}",
                inputs[0].shape
            )));
        }
        if !(0.0..=1.0).contains(&self.decay) {
            return Err(Error::bad_input(format!("decay {}: 0 to 1 is possible", self.decay)));
        }
        if !(self.eps.is_finite() && self.eps >= 0.0) {
            return Err(Error::bad_input(format!("eps {}: 0 or more is possible", self.eps)));
        }
        if i32::try_from(codes).is_err() {
            return Err(Error::bad_input(format!("{codes} codes, an i32 cannot count so many")));
        }
        Ok(vec![inputs[2].clone(), inputs[3].clone(), inputs[3].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let y = self.update(inputs)?;
        let tensor = |i: usize, y: Vec<f64>| {
            Tensor::new(inputs[i].shape(), y.into_iter().map(|y| y as f32).collect::<Vec<_>>())
        };
        Ok(vec![tensor(2, y.sizes)?, tensor(3, y.sums)?, tensor(3, y.codebook)?])
    }

    /// Each average is a sum: of a code's rows and the old average, or of all sizes. The codebook is a quotient of
    /// such, which errs by what they err relative to themselves, and by 20u of its own.
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Bound>> {
        let magnitudes: Vec<Tensor> = inputs
            .iter()
            .map(|t| if t.dtype() == DType::I32 { Ok(t.clone()) } else { t.abs() })
            .collect::<Result<_>>()?;
        let (y, most) = (self.update(inputs)?, self.update(&magnitudes)?);
        let (rows, codes) = (inputs[1].shape().elements() as f64, y.sizes.len() as f64);
        let channels = y.sums.len() / y.sizes.len();
        let unit = 2.0 * UNIT_ROUNDOFF;
        let sizes: Vec<f64> = most.sizes.iter().map(|m| 8.0 * unit * m).collect();
        let sums: Vec<f64> = most.sums.iter().map(|m| unit * (rows + 8.0) * m).collect();
        let total = y.sizes.iter().sum::<f64>();
        let total_off = unit * (codes + 8.0) * most.sizes.iter().sum::<f64>() / total.abs();
        let codebook = (0..sums.len()).map(|i| {
            let size = i / channels;
            let size_off = sizes[size] / (y.sizes[size] + f64::from(self.eps)).abs();
            // The total is in the smoothed size twice, as a factor and as a divisor.
            let relative = size_off + 2.0 * total_off + 10.0 * unit;
            let smoothed =
                (y.sizes[size] + f64::from(self.eps)) / (total + codes * f64::from(self.eps)) * total;
            let off = sums[i] / smoothed.abs();
            (y.codebook[i].abs() + off) * relative + off + f64::from(f32::MIN_POSITIVE)
        });
        let codebook = codebook.collect();
        Ok(vec![Bound::Absolute(sizes), Bound::Absolute(sums), Bound::Absolute(codebook)])
    }

    /// Each row is added once.
    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        let looks = inputs[1].shape.elements() as u64 * inputs[3].shape.elements() as u64;
        inputs[0].shape.elements() as u64 + looks
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [codes, channels] = r.input(3).dims("the sums", "[K, D]")?;
        let rows = r.input(1).elements();
        let blocks = channels.div_ceil(16);
        let shared = r.traits().family == Family::Tiled && rows >= MANY_ROWS;
        let (entry, groups, turns) = if shared || rows + codes > MOST_TURNS {
            ("ema_codebook_tiled", codes * blocks, rows.div_ceil(16) + codes.div_ceil(16) + 4)
        } else {
            ("ema_codebook_direct", (codes * channels).div_ceil(64), rows + codes)
        };
        let params = EmaCodebookParams {
            rows: r.u32("rows", rows)?,
            codes: r.u32("codes", codes)?,
            channels: r.u32("channels", channels)?,
            blocks: r.u32("channels", blocks)?,
            decay: self.decay,
            rest: (1.0 - f64::from(self.decay)) as f32,
            eps: self.eps,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .bind([0, 1, 2, 3].map(Operand::Input).into_iter().chain([0, 1, 2].map(Operand::Output)))
                .turns(turns)
                .groups(groups as u64),
        );
        Ok(())
    }
}
