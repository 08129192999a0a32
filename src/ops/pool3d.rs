//! 3D pooling.

use kinetograph_ref::pool3d as reference;
use serde::Deserialize;

use super::attributes::{each, optional_each, padding, windows};
use super::{Door, Layout, Padding, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("pool3d");

/// What becomes of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Pool {
    /// Its largest element; NaN if any is. A window with no element at all, which dilation makes possible, gives
    /// −∞.
    #[default]
    Max,
    /// The mean of its elements.
    Average,
}

/// Attributes of a 3D pooling, those of `torch.nn.functional.max_pool3d` and `avg_pool3d`. Three numbers are for
/// the axes T, H, W.
///
/// With [`Pool3d::ceil_mode`] a last window may hang over the padded input if it begins inside the input or the
/// padding before it; cells beyond the padded input do not count at all, so that the window is clipped. Caffe
/// pools so: C3D's published weights want `ceil_mode` without padding, its PyTorch ports `padding` `[0, 1, 1]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pool3d {
    /// What becomes of a window.
    pub mode: Pool,
    /// Lengths of the window, in taps.
    #[serde(deserialize_with = "each")]
    pub kernel_size: [usize; 3],
    /// Steps between windows; [`Pool3d::kernel_size`] if not given.
    #[serde(deserialize_with = "optional_each")]
    pub stride: Option<[usize; 3]>,
    /// Cells before and after each axis, fewer than the window is long: −∞ for a maximum, zeros for a mean.
    #[serde(deserialize_with = "padding")]
    pub padding: Padding,
    /// Steps between the taps of a window; 1 for a mean.
    #[serde(deserialize_with = "each")]
    pub dilation: [usize; 3],
    /// Whether a last window may hang over the padded input.
    pub ceil_mode: bool,
    /// For a mean: whether padding counts in the number that the sum is divided by.
    pub count_include_pad: bool,
    /// For a maximum: whether padding is zeros, as in networks brought from TensorFlow that pad before they pool.
    pub zero_pad: bool,
}

impl Default for Pool3d {
    fn default() -> Self {
        Pool3d {
            mode: Pool::Max,
            kernel_size: [0; 3],
            stride: None,
            padding: [[0; 2]; 3],
            dilation: [1; 3],
            ceil_mode: false,
            count_include_pad: true,
            zero_pad: false,
        }
    }
}

impl Pool3d {
    /// The maximum of windows that lie side by side.
    pub fn max(kernel_size: [usize; 3]) -> Self {
        Pool3d { kernel_size, ..Pool3d::default() }
    }

    /// The mean of windows that lie side by side.
    pub fn average(kernel_size: [usize; 3]) -> Self {
        Pool3d { mode: Pool::Average, ..Pool3d::max(kernel_size) }
    }

    /// With other steps between windows.
    #[must_use]
    pub fn stride(self, stride: [usize; 3]) -> Self {
        Pool3d { stride: Some(stride), ..self }
    }

    /// With the same padding before and after each axis.
    #[must_use]
    pub fn padded(self, padding: [usize; 3]) -> Self {
        Pool3d { padding: padding.map(|p| [p; 2]), ..self }
    }

    fn steps(&self) -> [usize; 3] {
        self.stride.unwrap_or(self.kernel_size)
    }

    fn reference_attributes(&self) -> reference::Pool3d {
        reference::Pool3d {
            kernel: self.kernel_size,
            stride: self.steps(),
            padding: self.padding,
            dilation: self.dilation,
            ceil: self.ceil_mode,
        }
    }

    /// How many windows there are along an axis.
    fn windows(&self, axis: usize, length: usize) -> Result<usize> {
        let name = ["T", "H", "W"][axis];
        let (kernel, stride, dilation) = (self.kernel_size[axis], self.steps()[axis], self.dilation[axis]);
        let [before, after] = self.padding[axis];
        let window = kernel.saturating_sub(1).saturating_mul(dilation).saturating_add(1);
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
        self.push(attributes.clone(), &[x])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "pool3d",
    summary: "the largest or mean element of every window",
    inputs: &[Port::new("input", Layout::Activation)],
    output: Layout::Activation,
    attributes: "mode=max (average), kernel_size, stride=kernel_size, padding=0, dilation=1, ceil_mode=false, \
                 count_include_pad=true, zero_pad=false",
    build: |g, v, a| Ok(vec![g.pool3d(v[0], &a.read()?)?]),
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
        let mut out = [n, 0, 0, 0, c];
        for (axis, length) in [t, h, w].into_iter().enumerate() {
            out[axis + 1] = self.windows(axis, length)?;
        }
        Ok(vec![TensorType::float(&out)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape: [usize; 5] = inputs[0].shape().dims("the input", "[N, T, H, W, C]")?;
        let p = self.reference_attributes();
        let y = reference::pool3d(inputs[0].f32s()?, shape, &p, |elements, padding| match self.mode {
            Pool::Max if self.zero_pad && padding > 0 => reference::max(&[reference::max(elements), 0.0]),
            Pool::Max => reference::max(elements),
            Pool::Average if elements.is_empty() => 0.0,
            Pool::Average => {
                let counted = if self.count_include_pad { padding } else { 0 };
                elements.iter().sum::<f64>() / (elements.len() + counted) as f64
            }
        });
        let [n, t, h, w, c] = shape;
        let out: [usize; 3] = std::array::from_fn(|a| p.output_length(a, [t, h, w][a]));
        Ok(vec![Tensor::new(&[n, out[0], out[1], out[2], c], y)?])
    }

    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Bound>> {
        if self.mode == Pool::Max {
            return Ok(vec![Bound::Exact]);
        }
        let magnitudes = self.reference(&[inputs[0].abs()?])?;
        Ok(vec![Bound::sum(self.kernel_size.iter().product(), &magnitudes[0])?])
    }

    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        let taps: usize = self.kernel_size.iter().product();
        taps as u64 * outputs[0].shape.elements() as u64
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [_, in_t, in_h, in_w, channels] = r.input(0).dims("the input", "[N, T, H, W, C]")?;
        let [_, out_t, out_h, out_w, _] = r.output(0).dims("the output", "[N, T, H, W, C]")?;
        let vectors = channels % 4 == 0 && r.traits().family != Family::Direct;
        let (entry, width) = if vectors { ("pool3d_vec4", 4) } else { ("pool3d_direct", 1) };
        let count = r.output(0).elements() / width;
        let length = [in_t, in_h, in_w];
        let taps: [usize; 3] = std::array::from_fn(|a| self.kernel_size[a].min(length[a]));
        let turns = taps[0] * (1 + taps[1] * (1 + taps[2]));
        let n = |v: usize| r.u32("length", v);
        let [[pad_t, after_t], [pad_h, after_h], [pad_w, after_w]] = self.padding;
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
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .constant("MODE", self.mode as u32)
                .constant("ZERO_PAD", u32::from(self.zero_pad))
                .constant("COUNT_PAD", u32::from(self.count_include_pad))
                .bind([Operand::Input(0), Operand::Output(0)])
                .turns(turns)
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
