//! 3D pooling.

use kinetograph_cpu::pool3d as fast;
use kinetograph_ref::pool3d as reference;
use serde::Deserialize;

use super::attributes::{Pool, each, of_thw, optional_each, padding, windows};
use super::{Door, Layout, Port, four_lanes};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Family, Graph, MaxPool, Op, Operand, Recorder, TensorType, Value};
use crate::shape::Shape;
use crate::tensor::{DType, Tensor};
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("pool3d");

/// As many neighbouring windows does an invocation of `pool3d_row` take.
const ROW: usize = 4;

/// So many invocations keep a GPU busy: with fewer, each had better take one window.
const BUSY: usize = 1 << 16;

/// Attributes of a pooling over the `N` last of the axes T, H, W, those of `torch.nn.functional.max_pool3d` and
/// `avg_pool3d` and their like for fewer axes.
///
/// With [`Pooling::ceil_mode`] a last window may hang over the padded input if it begins inside the input or the
/// padding before it; cells beyond the padded input do not count at all, so that the window is clipped. Caffe
/// pools so: C3D's published weights want `ceil_mode` without padding, its PyTorch ports `padding` `[0, 1, 1]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
// Without the bound, serde would ask for one that it cannot write with const generics.
#[serde(default, deny_unknown_fields, bound = "")]
pub struct Pooling<const N: usize> {
    /// What becomes of a window.
    pub mode: Pool,
    /// Lengths of the window, in taps.
    #[serde(deserialize_with = "each")]
    pub kernel_size: [usize; N],
    /// Steps between windows; [`Pooling::kernel_size`] if not given.
    #[serde(deserialize_with = "optional_each")]
    pub stride: Option<[usize; N]>,
    /// Cells before and after each axis, fewer than the window is long: −∞ for a maximum, zeros for a mean.
    #[serde(deserialize_with = "padding")]
    pub padding: [[usize; 2]; N],
    /// Instead of [`Pooling::padding`], TensorFlow's `SAME`: as much that there are ⌈length / stride⌉ windows, the odd
    /// cell behind. Its means leave the padding out, so they want [`Pooling::count_include_pad`] false.
    pub same: bool,
    /// Steps between the taps of a window; 1 for a mean.
    #[serde(deserialize_with = "each")]
    pub dilation: [usize; N],
    /// Whether a last window may hang over the padded input.
    pub ceil_mode: bool,
    /// For a mean: whether padding counts in the number that the sum is divided by.
    pub count_include_pad: bool,
    /// For a maximum: whether padding is zeros, as in networks brought from TensorFlow that pad before they pool.
    pub zero_pad: bool,
    /// For a maximum: whether the places of the elements are a second output. The methods of [`Graph`] set it.
    pub return_indices: bool,
}

/// A pooling of `[N, T, H, W, C]`.
pub type Pool3d = Pooling<3>;
/// A pooling of `[N, H, W, C]`.
pub type Pool2d = Pooling<2>;
/// A pooling of `[N, W, C]`.
pub type Pool1d = Pooling<1>;

impl<const N: usize> Default for Pooling<N> {
    fn default() -> Self {
        Pooling {
            mode: Pool::Max,
            kernel_size: [0; N],
            stride: None,
            padding: [[0; 2]; N],
            same: false,
            dilation: [1; N],
            ceil_mode: false,
            count_include_pad: true,
            zero_pad: false,
            return_indices: false,
        }
    }
}

impl<const N: usize> Pooling<N> {
    /// The maximum of windows that lie side by side.
    pub fn max(kernel_size: [usize; N]) -> Self {
        Pooling { kernel_size, ..Pooling::default() }
    }

    /// The mean of windows that lie side by side.
    pub fn average(kernel_size: [usize; N]) -> Self {
        Pooling { mode: Pool::Average, ..Pooling::max(kernel_size) }
    }

    /// With other steps between windows.
    #[must_use]
    pub fn stride(self, stride: [usize; N]) -> Self {
        Pooling { stride: Some(stride), ..self }
    }

    /// With the same padding before and after each axis.
    #[must_use]
    pub fn padded(self, padding: [usize; N]) -> Self {
        Pooling { padding: padding.map(|p| [p; 2]), ..self }
    }

    /// With TensorFlow's `SAME`, see [`Pooling::same`]; a mean leaves the padding out.
    #[must_use]
    pub fn same(self) -> Self {
        let count_include_pad = self.mode == Pool::Max;
        Pooling { same: true, count_include_pad, ..self }
    }

    fn steps(&self) -> [usize; N] {
        self.stride.unwrap_or(self.kernel_size)
    }

    /// The same for all of T, H, W.
    pub(super) fn of_video(&self) -> Pool3d {
        Pooling {
            mode: self.mode,
            kernel_size: of_thw(1, self.kernel_size),
            stride: Some(of_thw(1, self.steps())),
            padding: of_thw([0; 2], self.padding),
            same: self.same,
            dilation: of_thw(1, self.dilation),
            ceil_mode: self.ceil_mode,
            count_include_pad: self.count_include_pad,
            zero_pad: self.zero_pad,
            return_indices: self.return_indices,
        }
    }
}

impl Pool3d {
    /// The length of a window with the gaps between its taps.
    fn extent(&self, axis: usize) -> usize {
        self.kernel_size[axis].saturating_sub(1).saturating_mul(self.dilation[axis]).saturating_add(1)
    }

    /// The padding of an axis, with [`Pooling::same`] worked out.
    fn padding_of(&self, axis: usize, length: usize) -> [usize; 2] {
        let stride = self.steps()[axis];
        if !self.same || stride == 0 {
            return self.padding[axis];
        }
        let covered = ((length.div_ceil(stride) - 1) * stride).saturating_add(self.extent(axis));
        let total = covered.saturating_sub(length);
        [total / 2, total - total / 2]
    }

    fn reference_attributes(&self, lengths: [usize; 3]) -> reference::Pool3d {
        reference::Pool3d {
            kernel: self.kernel_size,
            stride: self.steps(),
            padding: std::array::from_fn(|a| self.padding_of(a, lengths[a])),
            dilation: self.dilation,
            ceil: self.ceil_mode,
        }
    }

    /// How many windows there are along an axis.
    fn windows(&self, axis: usize, length: usize) -> Result<usize> {
        let name = ["T", "H", "W"][axis];
        let (kernel, stride, dilation) = (self.kernel_size[axis], self.steps()[axis], self.dilation[axis]);
        let [before, after] = self.padding_of(axis, length);
        let window = self.extent(axis);
        if kernel > 0 && (before >= window || after >= window) {
            return Err(Error::bad_input(format!(
                "padding [{before}, {after}] along {name} must be less than the window of {window}"
            )));
        }
        let overhang = if self.ceil_mode { stride.saturating_sub(1) } else { 0 };
        let count =
            windows(name, length, kernel, stride, [before, after.saturating_add(overhang)], dilation)?;
        let begins_outside = self.ceil_mode && (count - 1) * stride >= length + before;
        Ok(if begins_outside { count - 1 } else { count })
    }
}

impl Graph {
    /// Adds a 3D pooling: `x` `[N, T, H, W, C]` gives `[N, T', H', W', C]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shape do not fit each other.
    pub fn pool3d(&mut self, x: Value, attributes: &Pool3d) -> Result<Value> {
        self.push(Pool3d { return_indices: false, ..attributes.clone() }, &[x])
    }

    /// Adds a 3D max pooling that also gives where each largest element lies: `x` `[N, T, H, W, C]` gives
    /// `[N, T', H', W', C]` twice, the elements and their places `(t·H + h)·W + w`, i32. Of equal elements the first
    /// counts, of several NaN the last, both as in PyTorch; a window without elements has the place −1.
    ///
    /// # Errors
    /// As [`Graph::pool3d`], and for a mean or zeros as padding, which have no place.
    pub fn pool3d_with_indices(&mut self, x: Value, attributes: &Pool3d) -> Result<(Value, Value)> {
        let outputs = self.push_all(Pool3d { return_indices: true, ..attributes.clone() }, &[x])?;
        Ok((outputs[0], outputs[1]))
    }
}

/// The names of the attributes, for people.
pub(super) const ATTRIBUTES: &str = "mode=max (average), kernel_size, stride=kernel_size, padding=0, same=false, \
                                     dilation=1, ceil_mode=false, count_include_pad=true, zero_pad=false, \
                                     return_indices=false";

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "pool3d",
    summary: "the largest or mean element of every window, and where it lies as second output if wanted",
    inputs: &[Port::new("input", Layout::Activation)],
    output: Layout::Activation,
    attributes: ATTRIBUTES,
    build: |g, v, a| {
        let a: Pool3d = a.read()?;
        if !a.return_indices {
            return Ok(vec![g.pool3d(v[0], &a)?]);
        }
        let (y, indices) = g.pool3d_with_indices(v[0], &a)?;
        Ok(vec![y, indices])
    },
};

params! {
    struct Pool3dParams {
        count: u32,
        in_t: u32,
        in_h: u32,
        in_w: u32,
        in_c: u32,
        out_t: u32,
        out_h: u32,
        out_w: u32,
        kernel_t: u32,
        kernel_h: u32,
        kernel_w: u32,
        stride_t: u32,
        stride_h: u32,
        stride_w: u32,
        dilation_t: u32,
        dilation_h: u32,
        dilation_w: u32,
        pad_t: u32,
        pad_h: u32,
        pad_w: u32,
        padded_t: u32,
        padded_h: u32,
        padded_w: u32,
        start: f32,
    }
}

impl Op for Pool3d {
    fn name(&self) -> &'static str {
        "pool3d"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let [n, t, h, w, c] = inputs[0].shape.dims("the input", "[N, T, H, W, C]")?;
        let error = |text: &str| Err(Error::bad_input(text));
        if self.kernel_size == [0; 3] {
            return error("kernel_size must be given");
        }
        if self.mode == Pool::Average && self.dilation != [1; 3] {
            return error("dilation must be 1 for mode average");
        }
        if self.mode == Pool::Average && self.zero_pad {
            return error("zero_pad is for mode max; see count_include_pad");
        }
        if self.mode == Pool::Max && !self.count_include_pad {
            return error("count_include_pad is for mode average; see zero_pad");
        }
        if self.same && self.padding != [[0; 2]; 3] {
            return error("padding must be 0 with same");
        }
        if self.return_indices && (self.mode == Pool::Average || self.zero_pad) {
            return error(
                "return_indices is for mode max without zero_pad: a mean and padding have no place",
            );
        }
        if self.return_indices && i32::try_from(t * h * w).is_err() {
            return error("return_indices: T·H·W does not fit an i32");
        }
        let mut out = [n, 0, 0, 0, c];
        for (axis, length) in [t, h, w].into_iter().enumerate() {
            out[axis + 1] = self.windows(axis, length)?;
        }
        let mut outputs = vec![TensorType::float(&out)?];
        if self.return_indices {
            outputs.push(TensorType { shape: Shape::new(&out)?, dtype: DType::I32 });
        }
        Ok(outputs)
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape: [usize; 5] = inputs[0].shape().dims("the input", "[N, T, H, W, C]")?;
        let [n, t, h, w, c] = shape;
        let p = self.reference_attributes([t, h, w]);
        let out: [usize; 3] = std::array::from_fn(|a| p.output_length(a, [t, h, w][a]));
        let out = [n, out[0], out[1], out[2], c];
        let x = inputs[0].f32s()?;
        let y = reference::pool3d(x, shape, &p, |window| {
            let (elements, padding) = (window.elements, window.padding);
            let y = match self.mode {
                Pool::Max if self.zero_pad && padding > 0 => reference::max(&[reference::max(elements), 0.0]),
                Pool::Max => reference::max(elements),
                Pool::Average if elements.is_empty() => 0.0,
                Pool::Average => {
                    let counted = if self.count_include_pad { padding } else { 0 };
                    elements.iter().sum::<f64>() / (elements.len() + counted) as f64
                }
            };
            y as f32
        });
        let mut outputs = vec![Tensor::new(&out, y)?];
        if self.return_indices {
            let places = reference::pool3d(x, shape, &p, |window| {
                reference::argmax(window.elements).map_or(-1, |i| window.places[i] as i32)
            });
            outputs.push(Tensor::new(&out, places)?);
        }
        Ok(outputs)
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        if self.return_indices {
            return self.reference(inputs);
        }
        let input: [usize; 5] = inputs[0].shape().dims("the input", "[N, T, H, W, C]")?;
        let [n, t, h, w, c] = input;
        let p = self.reference_attributes([t, h, w]);
        let out: [usize; 3] = std::array::from_fn(|a| p.output_length(a, [t, h, w][a]));
        let output = [n, out[0], out[1], out[2], c];
        let p = fast::Pool3d {
            input,
            output,
            kernel: p.kernel,
            stride: p.stride,
            padding: p.padding,
            dilation: p.dilation,
            mode: match self.mode {
                Pool::Max => fast::Mode::Max { zero: self.zero_pad },
                Pool::Average => fast::Mode::Average { padding: self.count_include_pad },
            },
        };
        Ok(vec![Tensor::new(&output, fast::pool3d(inputs[0].f32s()?, &p))?])
    }

    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        if self.mode == Pool::Max {
            return Ok(vec![Bound::Exact; reference.len()]);
        }
        let magnitudes = self.reference(&[inputs[0].abs()?])?;
        Ok(vec![Bound::sum(self.kernel_size.iter().product(), &magnitudes[0])?])
    }

    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        let taps: usize = self.kernel_size.iter().product();
        taps as u64 * outputs[0].shape.elements() as u64
    }

    fn as_max_pool(&self, input: &TensorType) -> Option<MaxPool> {
        let [_, t, h, w, _] = input.shape.dims("the input", "[N, T, H, W, C]").ok()?;
        let lengths = [t, h, w];
        let stride = self.steps();
        let apart = (0..3).all(|a| stride[a] >= self.kernel_size[a]);
        let plain = self.mode == Pool::Max && self.dilation == [1; 3] && !self.zero_pad;
        if !plain || !apart || self.return_indices {
            return None;
        }
        let mut windows = [0; 3];
        for (axis, windows) in windows.iter_mut().enumerate() {
            *windows = self.windows(axis, lengths[axis]).ok()?;
        }
        let before = std::array::from_fn(|a| self.padding_of(a, lengths[a])[0]);
        Some(MaxPool { kernel: self.kernel_size, stride, before, windows })
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [_, in_t, in_h, in_w, channels] = r.input(0).dims("the input", "[N, T, H, W, C]")?;
        let [_, out_t, out_h, out_w, _] = r.output(0).dims("the output", "[N, T, H, W, C]")?;
        let vectors = channels % 4 == 0 && r.traits().family != Family::Direct;
        let width = if vectors { 4 } else { 1 };
        let length = [in_t, in_h, in_w];
        let taps: [usize; 3] = std::array::from_fn(|a| self.kernel_size[a].min(length[a]));
        let cells = r.output(0).elements() / width;
        // Columns of one element are no dearer to take again than to share.
        let in_common = self.steps()[2] == 1 && self.dilation[2] == 1 && taps[2] > 1 && taps[0] * taps[1] > 1;
        let enough = r.traits().family == Family::Uniform || cells / ROW >= BUSY;
        let row = vectors && in_common && enough && !self.return_indices;
        let (count, turns) = if row {
            let columns = (self.kernel_size[2] + ROW - 1).min(in_w);
            (cells / out_w * out_w.div_ceil(ROW), columns * (1 + taps[0] * (1 + taps[1])))
        } else {
            (cells, taps[0] * (1 + taps[1] * (1 + taps[2])))
        };
        let n = |v: usize| r.u32("length", v);
        let [[pad_t, after_t], [pad_h, after_h], [pad_w, after_w]] =
            std::array::from_fn(|a| self.padding_of(a, length[a]));
        let [stride_t, stride_h, stride_w] = self.steps();
        let params = Pool3dParams {
            count: n(count)?,
            in_t: n(in_t)?,
            in_h: n(in_h)?,
            in_w: n(in_w)?,
            in_c: n(channels / width)?,
            out_t: n(out_t)?,
            out_h: n(out_h)?,
            out_w: n(out_w)?,
            kernel_t: n(self.kernel_size[0])?,
            kernel_h: n(self.kernel_size[1])?,
            kernel_w: n(self.kernel_size[2])?,
            stride_t: n(stride_t)?,
            stride_h: n(stride_h)?,
            stride_w: n(stride_w)?,
            dilation_t: n(self.dilation[0])?,
            dilation_h: n(self.dilation[1])?,
            dilation_w: n(self.dilation[2])?,
            pad_t: n(pad_t)?,
            pad_h: n(pad_h)?,
            pad_w: n(pad_w)?,
            padded_t: n(pad_t + in_t + after_t)?,
            padded_h: n(pad_h + in_h + after_h)?,
            padded_w: n(pad_w + in_w + after_w)?,
            start: if self.mode == Pool::Max { f32::NEG_INFINITY } else { 0.0 },
            ..Default::default()
        };
        let (entry, outputs) = if self.return_indices {
            ("pool3d_indices", vec![Operand::Output(0), Operand::Output(1)])
        } else {
            (if row { "pool3d_row" } else { "pool3d_direct" }, vec![Operand::Output(0)])
        };
        let mut dispatch = Dispatch::new(&KERNEL, entry, &params)
            .bind(std::iter::once(Operand::Input(0)).chain(outputs))
            .turns(turns)
            .groups(count.div_ceil(64) as u64);
        if !self.return_indices {
            dispatch = dispatch
                .constant("MODE", self.mode as u32)
                .constant("ZERO_PAD", u32::from(self.zero_pad))
                .constant("COUNT_PAD", u32::from(self.count_include_pad));
        }
        r.dispatch(if vectors { four_lanes(dispatch) } else { dispatch });
        Ok(())
    }
}
