//! Padding: more elements before and after each axis.

use kinetograph_ref::pad as reference;
use serde::Deserialize;

use super::{Door, Layout, PaddingMode, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("pad");

/// The most elements along a padded axis: signed 32-bit coordinates must not overflow.
const MOST: usize = 1 << 30;

/// The largest magnitude up to which every integer is a float.
const MOST_INTEGER: f32 = (1 << 24) as f32;

/// More elements before and after each axis, as `torch.nn.functional.pad`, but with an entry `[before, after]` an axis
/// from the first on, as in [`crate::ops::Slice`], where PyTorch counts from the last; axes without an entry stay as
/// they are. A clip `[N, T, H, W, C]` is padded in time by `[[0, 0], [2, 0]]`.
///
/// Elements are moved, not computed with: NaN and infinities stay.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pad {
    /// Elements before and after each axis.
    pub padding: Vec<[usize; 2]>,
    /// What they are.
    pub mode: PaddingMode,
    /// The constant of [`PaddingMode::Constant`]: any float, for i32 tensors an integer of up to 2²⁴.
    pub value: f32,
}

impl Pad {
    /// With zeros.
    pub fn zeros(padding: &[[usize; 2]]) -> Self {
        Pad { padding: padding.to_vec(), ..Pad::default() }
    }

    /// With another mode.
    #[must_use]
    pub fn mode(self, mode: PaddingMode) -> Self {
        Pad { mode, ..self }
    }

    fn output(&self, input: &Shape) -> Result<Shape> {
        let (entries, rank) = (self.padding.len(), input.rank());
        if entries > rank {
            return Err(Error::bad_input(format!("padding has {entries} entries for {rank} axes")));
        }
        let mut dims = input.to_vec();
        for (axis, (length, &padding)) in dims.iter_mut().zip(&self.padding).enumerate() {
            self.mode.check(&axis.to_string(), *length, padding)?;
            let padded = length.checked_add(padding[0]).and_then(|l| l.checked_add(padding[1]));
            *length = padded.filter(|l| *l <= MOST || padding == [0; 2]).ok_or_else(|| {
                Error::bad_input(format!("padding {padding:?} along axis {axis} makes it longer than {MOST}"))
            })?;
        }
        Shape::new(&dims)
    }
}

impl Graph {
    /// Adds `x`, of floats or i32, with more elements before and after its axes, see [`Pad`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there are more entries than axes, when an axis is too short to be reflected
    /// or taken from its other end, or when `value` is given to a mode that has no use for it.
    pub fn pad(&mut self, x: Value, attributes: &Pad) -> Result<Value> {
        self.push(attributes.clone(), &[x])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "pad",
    summary: "more elements before and after each axis",
    inputs: &[Port::new("input", Layout::Plain)],
    output: Layout::Plain,
    attributes: "padding=[[0, 0], …], mode=constant (reflect, replicate, circular), value=0",
    build: |g, v, a| Ok(vec![g.pad(v[0], &a.read()?)?]),
};

params! {
    struct PadParams {
        count: u32,
        value: f32,
        pad_0: u32,
        dims: [u32; MAX_RANK],
        lengths: [u32; MAX_RANK],
        before: [u32; MAX_RANK],
    }
}

impl Op for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn takes(&self, dtype: DType) -> bool {
        matches!(dtype, DType::F32 | DType::I32)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        if self.mode != PaddingMode::Constant && self.value != 0.0 {
            return Err(Error::bad_input(format!("value {} is for mode constant", self.value)));
        }
        let integer = self.value.fract() == 0.0 && self.value.abs() <= MOST_INTEGER;
        if inputs[0].dtype == DType::I32 && !integer {
            return Err(Error::bad_input(format!(
                "value {}: an i32 tensor takes an integer of up to {MOST_INTEGER}",
                self.value
            )));
        }
        Ok(vec![TensorType { shape: self.output(&inputs[0].shape)?, dtype: inputs[0].dtype }])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let mode = match self.mode {
            PaddingMode::Constant => reference::Mode::Constant,
            PaddingMode::Reflect => reference::Mode::Reflect,
            PaddingMode::Replicate => reference::Mode::Replicate,
            PaddingMode::Circular => reference::Mode::Circular,
        };
        let (x, dims) = (&inputs[0], inputs[0].shape());
        let shape = self.output(dims)?;
        Ok(vec![if x.dtype() == DType::I32 {
            Tensor::new(&shape, reference::pad(x.i32s()?, dims, &self.padding, mode, self.value as i32))?
        } else {
            Tensor::new(&shape, reference::pad(x.f32s()?, dims, &self.padding, mode, self.value))?
        }])
    }

    fn flops(&self, _: &[TensorType], _: &[TensorType]) -> u64 {
        0
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let (mut dims, mut lengths) = (r.output(0).to_vec(), r.input(0).to_vec());
        let mut before: Vec<usize> = self.padding.iter().map(|p| p[0]).collect();
        before.resize(dims.len(), 0);
        let (mut entry, mut count) = ("pad_direct", r.output(0).elements());
        if r.traits().family != Family::Direct
            && let (Some(dim), Some(length)) = (dims.last_mut(), lengths.last_mut())
            && dim == length
            && *dim % 4 == 0
        {
            (*dim, *length) = (*dim / 4, *length / 4);
            (entry, count) = ("pad_vec4", count / 4);
        }
        let params = PadParams {
            count: r.u32("elements", count)?,
            value: self.value,
            dims: r.innermost_first(&dims, 1)?,
            lengths: r.innermost_first(&lengths, 1)?,
            before: r.innermost_first(&before, 0)?,
            ..Default::default()
        };
        let mut dispatch = Dispatch::new(&KERNEL, entry, &params)
            .constant("MODE", self.mode.code())
            .bind([Operand::Input(0), Operand::Output(0)])
            .groups(count.div_ceil(64) as u64);
        if r.dtype(0) == DType::I32 {
            dispatch = dispatch.tune("Elem", "i32");
        }
        r.dispatch(dispatch);
        Ok(())
    }
}
