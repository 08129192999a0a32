//! The inverse of 3D max pooling.

use std::ops::RangeInclusive;

use kinetograph_ref::max_unpool3d as reference;
use serde::Deserialize;

use super::attributes::{each, of_thw, optional_each, padding};
use super::{Door, Layout, Port, four_lanes};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("max_unpool3d");

/// Attributes of the inverse of a max pooling over the `N` last of the axes T, H, W: those of the pooling, as in
/// `torch.nn.functional.max_unpool3d` and its like for fewer axes.
///
/// An element goes to the place that its index names if that lies in the window which the element was the largest of,
/// and nowhere otherwise: indices out of range do no harm, where PyTorch refuses some and scatters others. Of several
/// elements with the same place, which overlapping windows make, the last counts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
// Without the bound, serde would ask for one that it cannot write with const generics.
#[serde(default, deny_unknown_fields, bound = "")]
pub struct MaxUnpool<const N: usize> {
    /// Lengths of the windows.
    #[serde(deserialize_with = "each")]
    pub kernel_size: [usize; N],
    /// Steps between windows; [`MaxUnpool::kernel_size`] if not given.
    #[serde(deserialize_with = "optional_each")]
    pub stride: Option<[usize; N]>,
    /// Cells before and after each axis.
    #[serde(deserialize_with = "padding")]
    pub padding: [[usize; 2]; N],
    /// Lengths of the output, which are those of the pooling's input. If not given, `(length − 1)·stride + kernel_size`
    /// less the padding; given, less than a stride from that.
    #[serde(deserialize_with = "optional_each")]
    pub output_size: Option<[usize; N]>,
}

/// The inverse of a max pooling of `[N, T, H, W, C]`.
pub type MaxUnpool3d = MaxUnpool<3>;
/// The inverse of a max pooling of `[N, H, W, C]`.
pub type MaxUnpool2d = MaxUnpool<2>;
/// The inverse of a max pooling of `[N, W, C]`.
pub type MaxUnpool1d = MaxUnpool<1>;

impl<const N: usize> Default for MaxUnpool<N> {
    fn default() -> Self {
        MaxUnpool { kernel_size: [0; N], stride: None, padding: [[0; 2]; N], output_size: None }
    }
}

impl<const N: usize> MaxUnpool<N> {
    /// The inverse of a maximum of windows that lie side by side.
    pub fn of(kernel_size: [usize; N]) -> Self {
        MaxUnpool { kernel_size, ..MaxUnpool::default() }
    }

    /// With other steps between windows.
    #[must_use]
    pub fn stride(self, stride: [usize; N]) -> Self {
        MaxUnpool { stride: Some(stride), ..self }
    }

    /// With the same padding before and after each axis.
    #[must_use]
    pub fn padded(self, padding: [usize; N]) -> Self {
        MaxUnpool { padding: padding.map(|p| [p; 2]), ..self }
    }

    /// With an output of these lengths.
    #[must_use]
    pub fn output_size(self, lengths: [usize; N]) -> Self {
        MaxUnpool { output_size: Some(lengths), ..self }
    }

    fn steps(&self) -> [usize; N] {
        self.stride.unwrap_or(self.kernel_size)
    }

    /// The same for all of T, H, W.
    pub(super) fn of_video(&self) -> MaxUnpool3d {
        MaxUnpool {
            kernel_size: of_thw(1, self.kernel_size),
            stride: Some(of_thw(1, self.steps())),
            padding: of_thw([0; 2], self.padding),
            output_size: self.output_size.map(|lengths| of_thw(1, lengths)),
        }
    }
}

impl MaxUnpool3d {
    /// How long the output is along an axis of `length` windows.
    fn output(&self, axis: usize, length: usize) -> Result<usize> {
        /// Places are added up in 32 bits.
        const MOST: usize = 1 << 30;
        let name = ["T", "H", "W"][axis];
        let (kernel, stride, [before, after]) =
            (self.kernel_size[axis], self.steps()[axis], self.padding[axis]);
        for (what, value) in [("kernel", kernel), ("stride", stride)] {
            if value == 0 || value > MOST {
                return Err(Error::bad_input(format!(
                    "{what} {value} along {name}: 1 to {MOST} is possible"
                )));
            }
        }
        if before >= kernel || after >= kernel {
            return Err(Error::bad_input(format!(
                "padding [{before}, {after}] along {name} must be less than the window of {kernel}"
            )));
        }
        let padded = (length - 1).checked_mul(stride).map(|w| w + kernel).filter(|p| *p <= MOST);
        let padded = padded.ok_or_else(|| {
            Error::bad_input(format!("{length} windows along {name} with stride {stride} reach too far"))
        })?;
        let usual = padded.saturating_sub(before + after);
        let wanted = self.output_size.map_or(usual, |lengths| lengths[axis]);
        if wanted == 0 || wanted.abs_diff(usual) >= stride {
            return Err(Error::bad_input(format!(
                "output_size {wanted} along {name}: {length} windows are of a length less than the stride of {stride} \
                 from {usual}"
            )));
        }
        Ok(wanted)
    }
}

impl Graph {
    /// Adds the inverse of a 3D max pooling: `x` and `indices` (i32), both `[N, T, H, W, C]` as
    /// [`Graph::pool3d_with_indices`] gives them, give `[N, T', H', W', C]`, zero where no index points.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other, or the indices are no
    /// integers.
    pub fn max_unpool3d(&mut self, x: Value, indices: Value, attributes: &MaxUnpool3d) -> Result<Value> {
        self.push(attributes.clone(), &[x, indices])
    }
}

/// The names of the attributes, for people.
pub(super) const ATTRIBUTES: &str =
    "kernel_size, stride=kernel_size, padding=0, output_size=(length - 1) * stride + kernel_size - padding";

/// The inputs, for the command line.
pub(super) const INPUTS: &[Port] =
    &[Port::new("input", Layout::Activation), Port::new("indices", Layout::Activation)];

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "max_unpool3d",
    summary: "elements put back where a max pooling found them, zeros elsewhere",
    inputs: INPUTS,
    output: Layout::Activation,
    attributes: ATTRIBUTES,
    build: |g, v, a| Ok(vec![g.max_unpool3d(v[0], v[1], &a.read()?)?]),
};

params! {
    struct MaxUnpool3dParams {
        count: u32,
        channels: u32,
        in_t: u32,
        in_h: u32,
        in_w: u32,
        out_t: u32,
        out_h: u32,
        out_w: u32,
        kernel_t: u32,
        kernel_h: u32,
        kernel_w: u32,
        stride_t: u32,
        stride_h: u32,
        stride_w: u32,
        pad_t: u32,
        pad_h: u32,
        pad_w: u32,
    }
}

impl Op for MaxUnpool3d {
    fn name(&self) -> &'static str {
        "max_unpool3d"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        2..=2
    }

    /// The elements are floats, the indices are not: `infer` tells which is which.
    fn takes(&self, dtype: DType) -> bool {
        matches!(dtype, DType::F32 | DType::I32)
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let [n, t, h, w, c] = inputs[0].shape.dims("the input", "[N, T, H, W, C]")?;
        if inputs[1].shape != inputs[0].shape {
            return Err(Error::bad_input(format!(
                "the indices must have the input's shape {}, theirs is {}",
                inputs[0].shape, inputs[1].shape
            )));
        }
        if self.kernel_size == [0; 3] {
            return Err(Error::bad_input("kernel_size must be given"));
        }
        let [t, h, w] = [self.output(0, t)?, self.output(1, h)?, self.output(2, w)?];
        let output = TensorType::float(&[n, t, h, w, c])?;
        if i32::try_from(t * h * w).is_err() {
            return Err(Error::bad_input("the output's T·H·W does not fit an i32"));
        }
        if inputs[0].dtype != DType::F32 {
            return Err(Error::bad_input(format!("the input must be of floats, it is {}", inputs[0].dtype)));
        }
        if inputs[1].dtype != DType::I32 {
            return Err(Error::bad_input(format!("the indices must be i32, they are {}", inputs[1].dtype)));
        }
        Ok(vec![output])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape: [usize; 5] = inputs[0].shape().dims("the input", "[N, T, H, W, C]")?;
        let [n, t, h, w, c] = shape;
        let p = reference::MaxUnpool3d {
            kernel: self.kernel_size,
            stride: self.steps(),
            before: self.padding.map(|p| p[0]),
        };
        let output = [self.output(0, t)?, self.output(1, h)?, self.output(2, w)?];
        let y = reference::max_unpool3d(inputs[0].f32s()?, inputs[1].i32s()?, shape, output, &p);
        Ok(vec![Tensor::new(&[n, output[0], output[1], output[2], c], y)?])
    }

    fn flops(&self, _: &[TensorType], _: &[TensorType]) -> u64 {
        0
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [_, in_t, in_h, in_w, channels] = r.input(0).dims("the input", "[N, T, H, W, C]")?;
        let [_, out_t, out_h, out_w, _] = r.output(0).dims("the output", "[N, T, H, W, C]")?;
        let vectors = channels % 4 == 0 && r.traits().family != Family::Direct;
        let width = if vectors { 4 } else { 1 };
        let count = r.output(0).elements() / width;
        let steps = self.steps();
        let length = [in_t, in_h, in_w];
        let covering: [usize; 3] =
            std::array::from_fn(|a| self.kernel_size[a].div_ceil(steps[a]).min(length[a]));
        let n = |v: usize| r.u32("length", v);
        let params = MaxUnpool3dParams {
            count: n(count)?,
            channels: n(channels / width)?,
            in_t: n(in_t)?,
            in_h: n(in_h)?,
            in_w: n(in_w)?,
            out_t: n(out_t)?,
            out_h: n(out_h)?,
            out_w: n(out_w)?,
            kernel_t: n(self.kernel_size[0])?,
            kernel_h: n(self.kernel_size[1])?,
            kernel_w: n(self.kernel_size[2])?,
            stride_t: n(steps[0])?,
            stride_h: n(steps[1])?,
            stride_w: n(steps[2])?,
            pad_t: n(self.padding[0][0])?,
            pad_h: n(self.padding[1][0])?,
            pad_w: n(self.padding[2][0])?,
            ..Default::default()
        };
        let dispatch = Dispatch::new(&KERNEL, "max_unpool3d_direct", &params)
            .bind([Operand::Input(0), Operand::Input(1), Operand::Output(0)])
            .turns(covering[0] * (1 + covering[1] * (1 + covering[2])))
            .groups(count.div_ceil(64) as u64);
        r.dispatch(if vectors { four_lanes(dispatch) } else { dispatch });
        Ok(())
    }
}
