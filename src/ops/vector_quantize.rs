//! The nearest entry of a codebook.

use std::ops::RangeInclusive;

use kinetograph_cpu::{all_finite, vector_quantize as fast};
use kinetograph_ref::vector_quantize as reference;
use serde::Deserialize;

use super::tiling::{MOST_SHARED, eights_each, sharing};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Bound, Dispatch, Family, Graph, MOST_TURNS, Op, Operand, Recorder, Setting, TensorType, UNIT_ROUNDOFF,
    Value,
};
use crate::shape::Shape;
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("vector_quantize");

/// From this many codes on, they are shared out.
const MANY_CODES: usize = 128;

/// Slices of the codes that are made so that there are more workgroups.
const MOST_SLICES: usize = 64;

/// What is smallest for the nearest code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Distance {
    /// `Σ(x − c)²`, as it stands.
    #[default]
    Euclidean,
    /// `Σc² − 2·Σxc`: the same but for what no code changes, as VQ-VAE and VQGAN compute it. It cancels where the
    /// vectors are long beside their distance.
    Expanded,
    /// Minus the product of `x` and `c`, both divided by their lengths as `torch.nn.functional.normalize` does.
    Cosine,
}

impl Distance {
    /// Every one.
    pub const ALL: [Distance; 3] = [Distance::Euclidean, Distance::Expanded, Distance::Cosine];

    fn reference(self) -> fn(&[f32], &[f32]) -> f64 {
        match self {
            Distance::Euclidean => reference::euclidean,
            Distance::Expanded => reference::expanded,
            Distance::Cosine => reference::cosine,
        }
    }

    fn fast(self) -> fast::Distance {
        match self {
            Distance::Euclidean => fast::Distance::Euclidean,
            Distance::Expanded => fast::Distance::Expanded,
            Distance::Cosine => fast::Distance::Cosine,
        }
    }

    /// How far the f32 distance of a row and a code may be off.
    fn error(self, x: &[f32], code: &[f32]) -> f64 {
        let unit = 2.0 * UNIT_ROUNDOFF;
        let sum = |f: fn(f64, f64) -> f64| -> f64 {
            x.iter().zip(code).map(|(x, c)| f(f64::from(x.abs()), f64::from(c.abs()))).sum()
        };
        let terms = (x.len() + 8) as f64;
        match self {
            Distance::Euclidean => unit * terms * reference::euclidean(x, code),
            Distance::Expanded => unit * terms * sum(|x, c| c * c + 2.0 * x * c),
            // Both lengths are sums too, and WGSL grants roots and quotients a few ULP each.
            Distance::Cosine => {
                let lengths = sum(|x, _| x * x).sqrt().max(1e-12) * sum(|_, c| c * c).sqrt().max(1e-12);
                unit * 2.0 * (terms + 8.0) * sum(|x, c| x * c) / lengths
            }
        }
    }
}

/// For every row the nearest entry of a codebook: its number, as `torch.argmin` of the distances, and itself. The
/// distances are f32 and nowhere stored.
///
/// Of codes that are equally near the first counts. As in PyTorch, a distance that is NaN is smaller than any other:
/// a row with NaN goes to code 0, and a code with NaN draws all other rows. Distances that overflow, or of infinite
/// elements, follow IEEE 754 where the device does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VectorQuantize {
    /// What is smallest for the nearest code.
    pub distance: Distance,
}

impl Graph {
    /// Adds the choice of the nearest code: `x` `[…, D]` and `codebook` `[K, D]` give indices `[…]`, i32, and the
    /// codes themselves `[…, D]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes do not fit each other.
    pub fn vector_quantize(
        &mut self,
        x: Value,
        codebook: Value,
        distance: Distance,
    ) -> Result<(Value, Value)> {
        let outputs = self.push_all(VectorQuantize { distance }, &[x, codebook])?;
        Ok((outputs[0], outputs[1]))
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "vector_quantize",
    summary: "the nearest entries of a codebook: their indices, and they themselves as second output",
    inputs: &[Port::new("input", Layout::Plain), Port::new("codebook", Layout::Plain)],
    output: Layout::Plain,
    attributes: "distance=euclidean (expanded, cosine)",
    build: |g, v, a| {
        let (indices, quantized) = g.vector_quantize(v[0], v[1], a.read::<VectorQuantize>()?.distance)?;
        Ok(vec![indices, quantized])
    },
};

params! {
    struct VectorQuantizeParams {
        rows: u32,
        codes: u32,
        channels: u32,
        slice: u32,
        slices: u32,
    }
}

/// How the work is cut, but for the plainest kernel.
struct Cut {
    entry: &'static str,
    /// Workgroups along the rows.
    rows: usize,
    /// Rows that an invocation takes, where it takes some at a time.
    rows_each: usize,
    /// Codes of a slice, and how many slices there are.
    slice: usize,
    slices: usize,
    turns: usize,
}

impl Cut {
    fn new([rows, codes, channels]: [usize; 3], family: Family) -> Option<Cut> {
        let uniform = family == Family::Uniform;
        let rows_each = eights_each(rows, MOST_SHARED);
        // Codes that an invocation takes at once or its workgroup at a time, workgroups enough for any device, turns of a code.
        let (entry, groups, unit, wanted, turns) = if uniform {
            ("vector_quantize_uniform", rows.div_ceil(8 * rows_each), 32, 64, channels.div_ceil(4) + 1)
        } else {
            let code = channels / 4 + channels % 4 + 1;
            ("vector_quantize_tiled", rows.div_ceil(4), 256, 512, code)
        };
        let plain = codes.saturating_mul(channels + 1) + channels;
        if plain <= MOST_TURNS && (family == Family::Direct || codes < MANY_CODES) {
            return None;
        }
        let units = codes.div_ceil(unit);
        let most = (MOST_TURNS - 2 * MOST_SLICES) / turns.max(1);
        let slices = usize::div_ceil(wanted, groups).min(MOST_SLICES).max(units.div_ceil(most.max(1)));
        let slice = units.div_ceil(slices) * unit;
        let turns = slice / unit * turns + 8;
        Some(Cut { entry, rows: groups, rows_each, slice, slices: codes.div_ceil(slice), turns })
    }
}

/// The codes of these numbers, in the shape of `x`.
fn lookup(x: &Tensor, codebook: &Tensor, indices: &[i32]) -> Result<Tensor> {
    let channels = codebook.shape()[1];
    let codes: Vec<&[f32]> = codebook.f32s()?.chunks(channels).collect();
    let code = |i: &i32| usize::try_from(*i).ok().and_then(|i| codes.get(i).copied());
    let rows = indices.iter().map(code).collect::<Option<Vec<_>>>();
    let rows = rows.ok_or_else(|| Error::bad_input("an index beyond the codebook"))?;
    Tensor::new(x.shape(), rows.concat())
}

impl Op for VectorQuantize {
    fn name(&self) -> &'static str {
        "vector_quantize"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        2..=2
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let [codes, channels] = inputs[1].shape.dims("the codebook", "[K, D]")?;
        let Some((&last, outer)) = inputs[0].shape.split_last() else {
            return Err(Error::bad_input("the input must be […, D], it is a scalar"));
        };
        if last != channels {
            return Err(Error::bad_input(format!(
                "the input has {last} channels, the codes have {channels}"
            )));
        }
        if i32::try_from(codes).is_err() {
            return Err(Error::bad_input(format!("{codes} codes, an i32 cannot count so many")));
        }
        let indices = TensorType { shape: Shape::new(outer)?, dtype: DType::I32 };
        Ok(vec![indices, inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (x, codebook) = (&inputs[0], &inputs[1]);
        let [_, channels] = codebook.shape().dims("the codebook", "[K, D]")?;
        let distance = self.distance.reference();
        let nearest = reference::vector_quantize(x.f32s()?, codebook.f32s()?, channels, distance);
        let quantized = lookup(x, codebook, &nearest)?;
        let outer = &x.shape()[..x.shape().rank() - 1];
        Ok(vec![Tensor::new(outer, nearest)?, quantized])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (x, codebook) = (&inputs[0], &inputs[1]);
        if !all_finite(x.f32s()?) || !all_finite(codebook.f32s()?) {
            return self.reference(inputs);
        }
        let [_, channels] = codebook.shape().dims("the codebook", "[K, D]")?;
        let nearest = fast::vector_quantize(x.f32s()?, codebook.f32s()?, channels, self.distance.fast());
        let quantized = lookup(x, codebook, &nearest)?;
        let outer = &x.shape()[..x.shape().rank() - 1];
        Ok(vec![Tensor::new(outer, nearest)?, quantized])
    }

    /// Another code may be chosen if both its distance and the nearest code's may be off so far that it comes before.
    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let (x, codebook, channels) = (inputs[0].f32s()?, inputs[1].f32s()?, inputs[1].shape()[1]);
        let distance = self.distance.reference();
        let rows = x.chunks(channels).zip(reference[0].i32s()?).map(|(row, &nearest)| {
            let limits = |code: &[f32]| {
                let (d, error) = (distance(row, code), self.distance.error(row, code));
                (d - error, d + error)
            };
            let (_, most) = limits(&codebook[nearest as usize * channels..][..channels]);
            let codes = codebook.chunks(channels).enumerate();
            codes.filter(|(_, code)| limits(code).0 <= most).map(|(k, _)| k as i32).collect()
        });
        Ok(vec![Bound::Choice(rows.collect()), Bound::Exact])
    }

    fn after_choice(&self, inputs: &[Tensor], choice: &Tensor) -> Result<Vec<Tensor>> {
        Ok(vec![choice.clone(), lookup(&inputs[0], &inputs[1], choice.i32s()?)?])
    }

    /// Two or three operations an element of the matrix of distances, a multiply-add being two.
    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        let each = if self.distance == Distance::Euclidean { 3 } else { 2 };
        each * inputs[0].shape.elements() as u64 * inputs[1].shape[0] as u64
    }

    fn scratch(&self, setting: &Setting<'_>) -> Vec<u64> {
        let Setting { inputs, traits, .. } = *setting;
        let [codes, channels] = [inputs[1].shape[0], inputs[1].shape[1]];
        let rows = inputs[0].shape.elements() / channels;
        match Cut::new([rows, codes, channels], traits.family) {
            Some(cut) => vec![codes as u64, 2 * rows as u64 * cut.slices as u64],
            None => Vec::new(),
        }
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [codes, channels] = r.input(1).dims("the codebook", "[K, D]")?;
        let rows = r.input(0).elements() / channels;
        let cut = Cut::new([rows, codes, channels], r.traits().family);
        let params = VectorQuantizeParams {
            rows: r.u32("rows", rows)?,
            codes: r.u32("codes", codes)?,
            channels: r.u32("channels", channels)?,
            slice: r.u32("codes", cut.as_ref().map_or(codes, |c| c.slice))?,
            slices: r.u32("slices", cut.as_ref().map_or(1, |c| c.slices))?,
            ..Default::default()
        };
        let launch = |entry| Dispatch::new(&KERNEL, entry, &params);
        use Operand::{Input, Output, Scratch};
        let Some(cut) = cut else {
            r.dispatch(
                launch("vector_quantize_direct")
                    .constant("DISTANCE", self.distance as u32)
                    .bind([Input(0), Input(1), Output(0), Output(1)])
                    .turns(codes * (channels + 1) + channels)
                    .groups(rows.div_ceil(64) as u64),
            );
            return Ok(());
        };
        r.dispatch(
            launch("vector_quantize_squares")
                .bind([Input(1), Scratch(0)])
                .turns(channels)
                .groups(codes.div_ceil(64) as u64),
        );
        let mut nearest = launch(cut.entry)
            .constant("DISTANCE", self.distance as u32)
            .bind([Input(0), Input(1), Scratch(0), Scratch(1)])
            .turns(cut.turns)
            .groups(cut.rows as u64 * cut.slices as u64);
        if r.traits().family == Family::Uniform {
            nearest = sharing(nearest, r.traits()).tune("QUANTIZED", format!("{}u", cut.rows_each));
            if channels.is_multiple_of(4) {
                nearest = nearest.tune("Part", "vec4<Elem>").tune("PART", "4u");
            }
        }
        r.dispatch(nearest);
        r.dispatch(
            launch("vector_quantize_choose")
                .bind([Input(1), Scratch(1), Output(0), Output(1)])
                .turns(cut.slices + channels.div_ceil(64))
                .groups(rows as u64),
        );
        Ok(())
    }
}
