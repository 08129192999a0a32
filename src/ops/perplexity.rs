//! How many bins are used, in effect.

use kinetograph_ref::perplexity as reference;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Bound, Dispatch, Family, Graph, MOST_TURNS, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value,
};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("perplexity");

/// From so many bins on a row is shared out over a workgroup on GPUs.
const MANY: usize = 64;

/// `exp(−Σ p·ln(p + 10⁻¹⁰))` of the shares `p = count / Σ counts`: from 1, when one code of a codebook is used, to the
/// number of codes, when all are used alike. As the public implementations of VQ-VAE (van den Oord et al. 2017) report
/// it.
///
/// Negative counts are zero; a row without counts gives 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Perplexity;

impl Graph {
    /// Adds the perplexity of counts such as [`Graph::bincount`] gives: `[…, K]`, i32, give `[…]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the counts are no integers, or a scalar.
    pub fn perplexity(&mut self, counts: Value) -> Result<Value> {
        self.push(Perplexity, &[counts])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "perplexity",
    summary: "how many bins are used in effect, from i32 counts along the last axis",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "",
    build: |g, v, a| {
        a.none()?;
        Ok(vec![g.perplexity(v[0])?])
    },
};

params! {
    struct PerplexityParams {
        rows: u32,
        bins: u32,
    }
}

impl Op for Perplexity {
    fn name(&self) -> &'static str {
        "perplexity"
    }

    /// Floats are refused by `infer`, which says what is wanted.
    fn takes(&self, dtype: DType) -> bool {
        matches!(dtype, DType::F32 | DType::I32)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let Some((_, outer)) = inputs[0].shape.split_last() else {
            return Err(Error::bad_input("the counts must be […, K], they are a scalar"));
        };
        if inputs[0].dtype != DType::I32 {
            return Err(Error::bad_input(format!("the counts must be i32, they are {}", inputs[0].dtype)));
        }
        Ok(vec![TensorType::float(outer)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let Some((&bins, outer)) = inputs[0].shape().split_last() else {
            return Err(Error::bad_input("the counts must be […, K], they are a scalar"));
        };
        Ok(vec![Tensor::new(outer, reference::perplexity(inputs[0].i32s()?, bins))?])
    }

    /// With u the unit roundoff: a share `p` errs by 7u·p, of two conversions and a quotient; the logarithm by what its
    /// argument errs, 10u, and 3 ULP of its own, or 2⁻²¹ where the argument is ½ or more; the product rounds. The sum
    /// errs by that and by 2u(K + 8) of the magnitudes, and `exp(h)` by 3 + 2|h| ULP.
    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let bins = inputs[0].shape().last().copied().unwrap_or(1);
        let u = UNIT_ROUNDOFF;
        let rows = inputs[0].i32s()?.chunks(bins).zip(reference[0].f32s()?);
        let bound = rows.map(|(counts, &y)| {
            let total = counts.iter().map(|&c| f64::from(c.max(0))).sum::<f64>().max(1.0);
            let mut error = 0.0;
            for p in counts.iter().map(|&c| f64::from(c.max(0)) / total) {
                let log = (p + 1e-10).ln().abs();
                let own = if p >= 0.5 { 0.5f64.powi(21) } else { 6.0 * u * log };
                error += p * (own + 10.0 * u) + p * log * (9.0 + 2.0 * (bins as f64 + 8.0)) * u;
            }
            let entropy = f64::from(y).ln().abs();
            f64::from(y) * (error.exp_m1() + 2.0 * u * (3.0 + 2.0 * entropy))
        });
        Ok(vec![Bound::Absolute(bound.collect())])
    }

    /// A quotient, a sum, a logarithm and a product a bin.
    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        4 * inputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let bins = r.input(0).last().copied().unwrap_or(1);
        let rows = r.input(0).elements() / bins;
        let shared = r.traits().family == Family::Tiled && bins >= MANY;
        let (entry, groups, turns) = if shared || 2 * bins > MOST_TURNS {
            ("perplexity_tree", rows, 2 * bins.div_ceil(256) + 16)
        } else {
            ("perplexity_direct", rows.div_ceil(64), 2 * bins)
        };
        let params =
            PerplexityParams { rows: r.u32("rows", rows)?, bins: r.u32("bins", bins)?, ..Default::default() };
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .bind([Operand::Input(0), Operand::Output(0)])
                .turns(turns)
                .groups(groups as u64),
        );
        Ok(())
    }
}
