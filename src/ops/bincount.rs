//! How often indices occur.

use kinetograph_ref::bincount as reference;
use serde::Deserialize;

use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Family, Graph, MOST_TURNS, Op, Operand, Recorder, TensorType, Value};
use crate::shape::Shape;
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("bincount");

/// Up to so many indices a bin counts alone.
const FEW: usize = 256;

/// How often each number below `bins` occurs among indices, as `torch.bincount`: how a codebook is used.
///
/// What the indices are is not known when a graph is built: one below 0 or beyond the bins is not counted, where
/// PyTorch refuses it or makes room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bincount {
    /// How many numbers are counted.
    pub bins: usize,
}

impl Graph {
    /// Adds counts: `indices` `[…]`, i32, give `[bins]`, i32.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the indices are no integers or there are no bins.
    pub fn bincount(&mut self, indices: Value, bins: usize) -> Result<Value> {
        self.push(Bincount { bins }, &[indices])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "bincount",
    summary: "how often each number below `bins` occurs among i32 indices; others are not counted",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "bins (required)",
    build: |g, v, a| Ok(vec![g.bincount(v[0], a.read::<Bincount>()?.bins)?]),
};

params! {
    struct BincountParams {
        count: u32,
        bins: u32,
    }
}

impl Op for Bincount {
    fn name(&self) -> &'static str {
        "bincount"
    }

    /// Floats are refused by `infer`, which says what is wanted.
    fn takes(&self, dtype: DType) -> bool {
        matches!(dtype, DType::F32 | DType::I32)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        if inputs[0].dtype != DType::I32 {
            return Err(Error::bad_input(format!("the indices must be i32, they are {}", inputs[0].dtype)));
        }
        if self.bins == 0 || i32::try_from(self.bins).is_err() {
            return Err(Error::bad_input(format!("bins {}: 1 to {}, it must be given", self.bins, i32::MAX)));
        }
        if i32::try_from(inputs[0].shape.elements()).is_err() {
            return Err(Error::bad_input("more indices than an i32 can count"));
        }
        Ok(vec![TensorType { shape: Shape::new(&[self.bins])?, dtype: DType::I32 }])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(vec![Tensor::new(&[self.bins], reference::bincount(inputs[0].i32s()?, self.bins))?])
    }

    /// Every 1024 bins look at every index.
    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        inputs[0].shape.elements() as u64 * self.bins.div_ceil(1024) as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let count = r.input(0).elements();
        let direct = r.traits().family == Family::Direct || count <= FEW;
        let (entry, groups, turns) = if direct && count <= MOST_TURNS {
            ("bincount_direct", self.bins.div_ceil(64), count)
        } else {
            ("bincount_tiled", self.bins.div_ceil(1024), count.div_ceil(256) + 8)
        };
        let params = BincountParams {
            count: r.u32("indices", count)?,
            bins: r.u32("bins", self.bins)?,
            ..Default::default()
        };
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .bind([Operand::Input(0), Operand::Output(0)])
                .turns(turns)
                .groups(groups as u64),
        );
        Ok(())
    }
}
