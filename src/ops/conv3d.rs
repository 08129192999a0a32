//! 3D convolution.

use std::ops::RangeInclusive;
use std::sync::Arc;

use kinetograph_cpu::{all_finite, conv3d as fast};
use kinetograph_ref::conv3d as reference;
use serde::Deserialize;

use super::attributes::{PaddingRule, each, padding};
use super::tiling::{Tiling, Uniform, runs};
use super::winograd::{Lengths, Part, Winograd};
use super::{Door, Layout, Padding, PaddingMode, Port};
use crate::error::{At, Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Activation, Bound, ChannelAffine, Dispatch, Family, Graph, Op, Operand, Precision, Recorder, Setting,
    TensorType, Traits, Value,
};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("conv3d");
static COOPERATIVE: Kernel = kernel!("conv3d_cooperative");

/// Positions along W that an invocation of `conv3d_depthwise` computes.
const DEPTHWISE_OUTPUTS: usize = 4;

/// Attributes of a 3D convolution (cross-correlation), those of `torch.nn.functional.conv3d`. Three numbers are
/// for the axes T, H, W.
///
/// Non-finite inputs spread through the sums as IEEE arithmetic has it; zero weights times infinity are NaN.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conv3d {
    /// Steps between windows.
    #[serde(deserialize_with = "each")]
    pub stride: [usize; 3],
    /// Positions outside the input before and after each axis; see also [`Conv3d::same`] and [`Conv3d::causal`].
    #[serde(deserialize_with = "padding")]
    pub padding: Padding,
    /// What lies there. What is reflected or comes from the other end is at most the whole axis.
    pub padding_mode: PaddingMode,
    /// Steps between the taps of a window.
    #[serde(deserialize_with = "each")]
    pub dilation: [usize; 3],
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// Set by the planner when it moves an activation into the convolution.
    #[serde(skip)]
    pub activation: Activation,
    /// Set by the planner when it moves a sum into the convolution: a last input, as long as the output, is added
    /// before the activation.
    #[serde(skip)]
    pub addend: bool,
}

impl Default for Conv3d {
    fn default() -> Self {
        Conv3d {
            stride: [1; 3],
            padding: [[0; 2]; 3],
            padding_mode: PaddingMode::Constant,
            dilation: [1; 3],
            groups: 1,
            activation: Activation::Identity,
            addend: false,
        }
    }
}

impl Conv3d {
    /// Stride 1 and the same padding before and after each axis.
    pub fn padded(padding: [usize; 3]) -> Self {
        Conv3d { padding: padding.map(|p| [p; 2]), ..Conv3d::default() }
    }

    /// With so much padding that an axis gives `⌈length / stride⌉` windows, an odd position behind: TensorFlow's
    /// `SAME`, which for strides beyond 1 depends on the lengths, and PyTorch's `same`, which is for a stride of 1.
    /// `x` and `weight` are the shapes of the inputs; stride and dilation must be set before.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when one of them has not five axes.
    pub fn same(self, x: &Shape, weight: &Shape) -> Result<Self> {
        self.ruled(PaddingRule::Same, x, weight)
    }

    /// As [`Conv3d::same`], but with all padding of the axis T before it: no output sees a later frame.
    ///
    /// # Errors
    /// As [`Conv3d::same`].
    pub fn causal(self, x: &Shape, weight: &Shape) -> Result<Self> {
        self.ruled(PaddingRule::Causal, x, weight)
    }

    fn ruled(self, rule: PaddingRule, x: &Shape, weight: &Shape) -> Result<Self> {
        let [_, t, h, w, _] = x.dims("the input", "[N, T, H, W, C]")?;
        let [kt, kh, kw, _, _] = weight.dims("the weight", "[kT, kH, kW, Cin/groups, Cout]")?;
        let padding = rule.padding([t, h, w], [kt, kh, kw], self.stride, self.dilation);
        Ok(Conv3d { padding, ..self })
    }

    /// How many inputs there are without the addend.
    fn own_inputs(&self, inputs: usize) -> usize {
        inputs - usize::from(self.addend)
    }

    fn reference_attributes(&self) -> reference::Conv3d {
        reference::Conv3d {
            stride: self.stride,
            padding: self.padding,
            outside: match self.padding_mode {
                PaddingMode::Constant => reference::Outside::Zeros,
                PaddingMode::Reflect => reference::Outside::Reflection,
                PaddingMode::Replicate => reference::Outside::Ends,
                PaddingMode::Circular => reference::Outside::Repetition,
            },
            dilation: self.dilation,
            groups: self.groups,
        }
    }
}

impl Graph {
    /// Adds a 3D convolution: `x` `[N, T, H, W, Cin]`, `weight` `[kT, kH, kW, Cin/groups, Cout]`, `bias` `[Cout]`
    /// give `[N, T', H', W', Cout]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other.
    pub fn conv3d(
        &mut self,
        x: Value,
        weight: Value,
        bias: Option<Value>,
        attributes: &Conv3d,
    ) -> Result<Value> {
        let inputs: Vec<Value> = [x, weight].into_iter().chain(bias).collect();
        self.push(attributes.clone(), &inputs)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "conv3d",
    summary: "3D convolution with bias",
    inputs: &[
        Port::new("input", Layout::Activation),
        Port::new("weight", Layout::ConvWeight),
        Port::optional("bias", Layout::Plain),
    ],
    output: Layout::Activation,
    attributes: "stride=1, padding=0 (same, valid, causal), padding_mode=constant (reflect, replicate, circular), \
                 dilation=1, groups=1",
    build: |g, v, a| {
        let (rule, a) = a.padding_rule()?;
        let mut attributes: Conv3d = a.read()?;
        if let Some(rule) = rule {
            attributes = attributes.ruled(rule, g.shape(v[0]), g.shape(v[1])).at("conv3d")?;
        }
        Ok(vec![g.conv3d(v[0], v[1], v.get(2).copied(), &attributes)?])
    },
};

params! {
    struct Conv3dParams {
        batch: u32,
        in_t: u32,
        in_h: u32,
        in_w: u32,
        in_c: u32,
        out_t: u32,
        out_h: u32,
        out_w: u32,
        out_c: u32,
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
        group_in: u32,
        group_out: u32,
        weight_row: u32,
        weight_group: u32,
        slices: u32,
        slice_depth: u32,
        patches_t: u32,
        patches_h: u32,
        patches_w: u32,
        first_patch_t: u32,
        patches: u32,
    }
}

/// Lengths of a convolution, which can be folded without moving anything in memory.
#[derive(Debug, Clone, Copy)]
struct Geometry {
    /// `N, T, H, W, C`.
    input: [usize; 5],
    output: [usize; 5],
    kernel: [usize; 3],
    stride: [usize; 3],
    dilation: [usize; 3],
    pad: [usize; 3],
}

impl Geometry {
    /// Lowers towards a plain matrix product: windows that lie side by side along W become channels, and a
    /// window of one position makes all positions one axis.
    fn folded(mut self, groups: usize) -> Geometry {
        let [_, _, _, w, c] = self.input;
        let side_by_side = self.kernel[2] == self.stride[2] && (self.kernel[2] == 1 || self.dilation[2] == 1);
        let k = self.kernel[2];
        if side_by_side && k > 1 && self.pad[2] == 0 && groups == 1 && self.output[3] * k == w {
            self.input[3] = w / k;
            self.input[4] = c * k;
            (self.kernel[2], self.stride[2]) = (1, 1);
        }
        let [n, t, h, w, _] = self.output;
        if self.kernel == [1; 3] && self.stride == [1; 3] && self.input[..4] == self.output[..4] {
            let flat = n * t * h * w;
            self.input = [1, 1, 1, flat, self.input[4]];
            self.output = [1, 1, 1, flat, self.output[4]];
        }
        self
    }

    fn rows(&self) -> usize {
        self.output[..4].iter().product()
    }

    /// Products of one sum.
    fn depth(&self, groups: usize) -> usize {
        self.kernel.iter().product::<usize>() * self.input[4] / groups
    }

    /// The lengths as a kernel takes them.
    fn params(&self, r: &Recorder<'_>, groups: usize) -> Result<Conv3dParams> {
        let n = |v: usize| r.u32("length", v);
        let [batch, in_t, in_h, in_w, in_c] = self.input;
        let [_, out_t, out_h, out_w, out_c] = self.output;
        Ok(Conv3dParams {
            batch: n(batch)?,
            in_t: n(in_t)?,
            in_h: n(in_h)?,
            in_w: n(in_w)?,
            in_c: n(in_c)?,
            out_t: n(out_t)?,
            out_h: n(out_h)?,
            out_w: n(out_w)?,
            out_c: n(out_c)?,
            kernel_t: n(self.kernel[0])?,
            kernel_h: n(self.kernel[1])?,
            kernel_w: n(self.kernel[2])?,
            stride_t: n(self.stride[0])?,
            stride_h: n(self.stride[1])?,
            stride_w: n(self.stride[2])?,
            dilation_t: n(self.dilation[0])?,
            dilation_h: n(self.dilation[1])?,
            dilation_w: n(self.dilation[2])?,
            pad_t: n(self.pad[0])?,
            pad_h: n(self.pad[1])?,
            pad_w: n(self.pad[2])?,
            group_in: n(in_c / groups)?,
            group_out: n(out_c / groups)?,
            ..Conv3dParams::default()
        })
    }

    fn tiling(&self, groups: usize, traits: Traits) -> Tiling {
        let lengths = [self.rows(), self.output[4] / groups, self.depth(groups)];
        Tiling::of(traits, groups, lengths)
    }

    /// How many channels `conv3d_depthwise` computes at a time, if it can.
    fn depthwise(&self, groups: usize) -> Option<usize> {
        let single = self.input[4] == groups && self.output[4] == groups;
        [4, 2].into_iter().find(|w| groups.is_multiple_of(*w) && single)
    }
}

impl Conv3d {
    fn geometry(&self, x: &Shape, weight: &Shape, output: &Shape) -> Result<Geometry> {
        let [kt, kh, kw, _, _] = weight.dims("the weight", "[kT, kH, kW, Cin/groups, Cout]")?;
        let geometry = Geometry {
            input: x.dims("the input", "[N, T, H, W, C]")?,
            output: output.dims("the output", "[N, T, H, W, C]")?,
            kernel: [kt, kh, kw],
            stride: self.stride,
            dilation: self.dilation,
            pad: self.padding.map(|p| p[0]),
        };
        Ok(geometry.folded(self.groups))
    }

    /// Winograd's form, part by part: factors, a matrix product for each of them, sums.
    fn record_winograd(&self, r: &mut Recorder<'_>, g: &Geometry, w: &Winograd) -> Result<()> {
        let lengths = self.lengths(g);
        let (channels, columns) = (g.input[4], g.output[4]);
        let own = self.own_inputs(r.inputs());
        let given = |at: usize, is: bool| if is { Operand::Input(at) } else { Operand::Absent };
        let frames = |d: Dispatch| {
            let number = |n: usize| format!("{n}u");
            d.tune("PATCH_FRAMES", number(w.frames)).tune("PATCH_OUTPUTS", number(w.outputs))
        };
        for part in w.parts(&lengths) {
            let Part { samples, first_factor, factors, first_sum, sums, pad } = part;
            let patches = |r: &Recorder<'_>, in_time: usize, first: usize, count: usize| {
                let n = |v: usize| r.u32("length", v);
                Ok::<_, Error>(Conv3dParams {
                    patches_t: n(in_time)?,
                    patches_h: n(w.patches[1])?,
                    patches_w: n(w.patches[2])?,
                    first_patch_t: n(first)?,
                    patches: n(samples * count * w.plane())?,
                    ..g.params(r, 1)?
                })
            };
            let in_time = if w.frames == 1 { g.input[1] } else { w.patches[0] };
            let params = patches(r, in_time, first_factor, factors)?;
            let groups = (samples * factors * w.plane() * channels / 4).div_ceil(64) as u64;
            let input = Dispatch::new(&KERNEL, "conv3d_winograd_input", &params)
                .constant("PADDING_MODE", self.padding_mode.code())
                .bind([Operand::Input(0), Operand::Scratch(0)])
                .groups(groups);
            r.dispatch(frames(input));

            let (rows, taps) = (samples * sums * w.plane(), if w.frames == 1 { g.kernel[0] } else { 1 });
            let products = match w.frames {
                1 => Geometry {
                    input: [samples, factors, w.patches[1], w.patches[2], w.each() * channels],
                    output: [samples, sums, w.patches[1], w.patches[2], w.each() * columns],
                    kernel: [taps, 1, 1],
                    stride: [g.stride[0], 1, 1],
                    dilation: [g.dilation[0], 1, 1],
                    pad: [pad, 0, 0],
                },
                _ => Geometry {
                    input: [1, 1, 1, rows, w.each() * channels],
                    output: [1, 1, 1, rows, w.each() * columns],
                    kernel: [1; 3],
                    stride: [1; 3],
                    dilation: [1; 3],
                    pad: [0; 3],
                },
            };
            let depth = taps * channels;
            let tiling = Tiling::choose(w.each(), [rows, columns, depth], false, r.traits().tile);
            let params = Conv3dParams {
                weight_row: r.u32("length", w.each() * columns / 4)?,
                weight_group: r.u32("length", columns / 4)?,
                slices: 1,
                slice_depth: r.u32("length", depth)?,
                ..products.params(r, w.each())?
            };
            let whole = |entry| {
                Dispatch::new(&KERNEL, entry, &params)
                    .constant("HAS_BIAS", 0u32)
                    .constant("HAS_ADDEND", 0u32)
                    .constant("PADDING_MODE", self.padding_mode.code())
                    .activation(Activation::Identity)
                    .bind([
                        Operand::Scratch(0),
                        Operand::Input(1),
                        Operand::Absent,
                        Operand::Absent,
                        Operand::Scratch(1),
                    ])
            };
            r.dispatch(match r.traits().family {
                Family::Uniform => {
                    let tiles =
                        Uniform { problems: w.each(), rows, columns, segments: taps, length: channels };
                    tiles.tiles(whole("conv3d_uniform"), r.traits(), false)
                }
                _ => runs(tiling.tiles(whole("conv3d_tiled")), channels),
            });

            let params = patches(r, w.patches[0], first_sum, sums)?;
            let output = Dispatch::new(&KERNEL, "conv3d_winograd_output", &params)
                .constant("HAS_BIAS", u32::from(own > 2))
                .constant("HAS_ADDEND", u32::from(self.addend))
                .activation(self.activation)
                .bind([Operand::Scratch(1), given(2, own > 2), given(own, self.addend), Operand::Output(0)])
                .groups((rows * columns / 4).div_ceil(64) as u64);
            r.dispatch(frames(output));
        }
        Ok(())
    }

    fn lengths(&self, g: &Geometry) -> Lengths {
        let Geometry { input, output, kernel, stride, dilation, pad } = *g;
        Lengths { input, output, kernel, stride, dilation, pad, padding_mode: self.padding_mode }
    }

    /// Winograd's form, where it is to be taken. Not measured on GPUs yet, so there only where it is asked for.
    fn winograd(&self, g: &Geometry, traits: Traits, constant: bool) -> Option<Winograd> {
        let wanted = match traits.family {
            Family::Direct => false,
            Family::Tiled => traits.winograd == Some(true),
            Family::Uniform => traits.winograd != Some(false),
        };
        let possible = wanted && constant && self.groups == 1 && traits.precision == Precision::F32;
        Winograd::choose(&self.lengths(g), traits.winograd == Some(true)).filter(|_| possible)
    }

    fn winograd_in(&self, setting: &Setting<'_>) -> Option<(Winograd, Lengths)> {
        let output = self.infer(setting.inputs).ok()?;
        let g = self.geometry(&setting.inputs[0].shape, &setting.inputs[1].shape, &output[0].shape).ok()?;
        Some((self.winograd(&g, setting.traits, setting.constant[1])?, self.lengths(&g)))
    }

    /// The kernels that suit a device, given that the weight's columns come in fours or not.
    fn family(&self, g: &Geometry, family: Family, vectors: bool) -> Family {
        // A few output channels leave most of a tile empty.
        if !vectors || g.output[4] / self.groups < 4 { Family::Direct } else { family }
    }
}

impl Op for Conv3d {
    fn name(&self) -> &'static str {
        "conv3d"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        let addend = usize::from(self.addend);
        2 + addend..=3 + addend
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let [n, t, h, w, c] = inputs[0].shape.dims("the input", "[N, T, H, W, C]")?;
        let [kt, kh, kw, group_in, cout] =
            inputs[1].shape.dims("the weight", "[kT, kH, kW, Cin/groups, Cout]")?;
        let error = |text: String| Err(Error::bad_input(text));
        if self.groups == 0 || c % self.groups != 0 || cout % self.groups != 0 {
            return error(format!("groups {} must divide {c} input and {cout} output channels", self.groups));
        }
        if c / self.groups != group_in {
            return error(format!(
                "the weight takes {group_in} channels, the input has {c} in {} groups",
                self.groups
            ));
        }
        if let Some(bias) = inputs[..self.own_inputs(inputs.len())].get(2)
            && *bias.shape != [cout]
        {
            return error(format!("the bias must be [{cout}], its shape is {}", bias.shape));
        }
        let mut out = [n, 0, 0, 0, cout];
        for (axis, (length, kernel)) in [(t, kt), (h, kh), (w, kw)].into_iter().enumerate() {
            let name = ["T", "H", "W"][axis];
            self.padding_mode.check(name, length, self.padding[axis])?;
            out[axis + 1] = super::attributes::windows(
                name,
                length,
                kernel,
                self.stride[axis],
                self.padding[axis],
                self.dilation[axis],
            )?;
        }
        let out = TensorType::float(&out)?;
        super::check_addend(self.addend, inputs, &out)?;
        Ok(vec![out])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = inputs[0].shape().dims("the input", "[N, T, H, W, C]")?;
        let w: [usize; 5] = inputs[1].shape().dims("the weight", "[kT, kH, kW, Cin/groups, Cout]")?;
        let (own, addend) = inputs.split_at(self.own_inputs(inputs.len()));
        let after =
            [own.get(2).map(Tensor::f32s).transpose()?, addend.first().map(Tensor::f32s).transpose()?];
        let c = self.reference_attributes();
        let y = reference::conv3d(inputs[0].f32s()?, x, inputs[1].f32s()?, w, after, &c, |s| {
            self.activation.apply(s)
        });
        let out: [usize; 3] = std::array::from_fn(|a| c.output_length(a, x[a + 1], w[a]));
        Ok(vec![Tensor::new(&[x[0], out[0], out[1], out[2], w[4]], y)?])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x: [usize; 5] = inputs[0].shape().dims("the input", "[N, T, H, W, C]")?;
        let [kt, kh, kw, _, columns] =
            inputs[1].shape().dims("the weight", "[kT, kH, kW, Cin/groups, Cout]")?;
        let weight = inputs[1].f32s()?;
        let padded = self.padding != Padding::default();
        if padded && self.padding_mode == PaddingMode::Constant && !all_finite(weight) {
            return self.reference(inputs);
        }
        let c = self.reference_attributes();
        let kernel = [kt, kh, kw];
        let [out_t, out_h, out_w]: [usize; 3] =
            std::array::from_fn(|a| c.output_length(a, x[a + 1], kernel[a]));
        let output = [x[0], out_t, out_h, out_w, columns];
        let conv = fast::Conv3d {
            input: x,
            output,
            kernel,
            stride: self.stride,
            before: self.padding.map(|p| p[0]),
            outside: match self.padding_mode {
                PaddingMode::Constant => fast::Outside::Zeros,
                PaddingMode::Reflect => fast::Outside::Reflection,
                PaddingMode::Replicate => fast::Outside::Ends,
                PaddingMode::Circular => fast::Outside::Repetition,
            },
            dilation: self.dilation,
            groups: self.groups,
        };
        let (own, addend) = inputs.split_at(self.own_inputs(inputs.len()));
        let after =
            [own.get(2).map(Tensor::f32s).transpose()?, addend.first().map(Tensor::f32s).transpose()?];
        let y = fast::conv3d(inputs[0].f32s()?, weight, after, &conv, &|y| self.activation.apply_all(y));
        Ok(vec![Tensor::new(&output, y)?])
    }

    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let magnitudes: Vec<Tensor> = inputs.iter().map(Tensor::abs).collect::<Result<_>>()?;
        let plain = Conv3d { activation: Activation::Identity, ..self.clone() };
        let sums = plain.reference(&magnitudes)?;
        let terms = inputs[1].shape()[..4].iter().product();
        Ok(vec![Bound::sum(terms, &sums[0])?.activated(self.activation, &reference[0])?])
    }

    fn flops(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        let taps: usize = inputs[1].shape[..4].iter().product();
        2 * taps as u64 * outputs[0].shape.elements() as u64
    }

    fn with_activation(&self, activation: Activation) -> Option<Arc<dyn Op>> {
        let free = self.activation == Activation::Identity;
        free.then(|| Arc::new(Conv3d { activation, ..self.clone() }) as Arc<dyn Op>)
    }

    fn addend(&self, inputs: usize) -> Option<usize> {
        self.addend.then(|| inputs - 1)
    }

    fn with_addend(&self) -> Option<Arc<dyn Op>> {
        let free = self.activation == Activation::Identity && !self.addend;
        free.then(|| Arc::new(Conv3d { addend: true, ..self.clone() }) as Arc<dyn Op>)
    }

    fn with_channel_affine(&self, inputs: &[Option<&Tensor>], affine: &ChannelAffine) -> Option<Vec<Tensor>> {
        let free = self.activation == Activation::Identity && !self.addend;
        affine.after_product(inputs, |i| i % affine.scale.len()).filter(|_| free)
    }

    /// Pads each group's columns to a multiple of four, or transforms the weights for Winograd's form.
    fn pack(&self, index: usize, constant: &Tensor, setting: &Setting<'_>) -> Result<Option<Tensor>> {
        if index == 1
            && let Some((winograd, _)) = self.winograd_in(setting)
        {
            return winograd.weights(constant).map(Some);
        }
        let columns = constant.shape().last().copied().unwrap_or(0) / self.groups;
        if index != 1 || columns.is_multiple_of(4) || (columns < 4 && self.groups > 1) {
            return Ok(None);
        }
        super::pad_columns(constant, columns).map(Some)
    }

    fn bounds_in(
        &self,
        setting: &Setting<'_>,
        inputs: &[Tensor],
        reference: &[Tensor],
    ) -> Result<Vec<Bound>> {
        let Some((winograd, lengths)) = self.winograd_in(setting) else {
            return self.bounds(inputs, reference);
        };
        let mut sums = winograd.magnitudes(inputs[0].f32s()?, inputs[1].f32s()?, &lengths);
        let own = self.own_inputs(inputs.len());
        if let Some(bias) = inputs[..own].get(2) {
            let bias = bias.f32s()?;
            sums.iter_mut().enumerate().for_each(|(i, s)| *s += f64::from(bias[i % bias.len()].abs()));
        }
        if let Some(addend) = inputs.get(own) {
            sums.iter_mut().zip(addend.f32s()?).for_each(|(s, x)| *s += f64::from(x.abs()));
        }
        let sums = Tensor::new(reference[0].shape(), sums.into_iter().map(|s| s as f32).collect::<Vec<_>>())?;
        // Up to three additions on the way to factors, three roundings of weights, six additions of sums.
        let terms = inputs[1].shape()[0] * inputs[1].shape()[3] + 12;
        Ok(vec![Bound::sum(terms, &sums)?.activated(self.activation, &reference[0])?])
    }

    fn scratch(&self, setting: &Setting<'_>) -> Vec<u64> {
        let Setting { inputs, traits, .. } = *setting;
        if let Some((winograd, lengths)) = self.winograd_in(setting) {
            return winograd.words(&lengths).to_vec();
        }
        let geometry = || {
            let output = self.infer(inputs).ok()?;
            self.geometry(&inputs[0].shape, &inputs[1].shape, &output[0].shape).ok()
        };
        match geometry() {
            Some(g) if g.depthwise(self.groups).is_none() => match self.family(&g, traits.family, true) {
                Family::Tiled => g.tiling(self.groups, traits).scratch(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let g = self.geometry(r.input(0), r.input(1), r.output(0))?;
        let (group_in, group_out) = (g.input[4] / self.groups, g.output[4] / self.groups);
        let (rows, depth) = (g.rows(), g.depth(self.groups));
        let taps: usize = g.kernel.iter().product();
        let family = self.family(&g, r.traits().family, r.is_packed(1) || group_out % 4 == 0);
        let depthwise = g.depthwise(self.groups).filter(|_| r.traits().family != Family::Direct);
        let tiling = g.tiling(self.groups, r.traits());
        if let Some(winograd) = self.winograd(&g, r.traits(), r.is_packed(1)) {
            return self.record_winograd(r, &g, &winograd);
        }
        // One group's columns as they lie in memory, in elements or, for vec4 entry points, in vec4s.
        let padded = if r.is_packed(1) { group_out.next_multiple_of(4) } else { group_out };
        let columns = if family == Family::Direct { padded } else { padded / 4 };
        let params = Conv3dParams {
            weight_row: r.u32("length", columns * self.groups)?,
            weight_group: r.u32("length", columns)?,
            slices: r.u32("length", tiling.slices)?,
            slice_depth: r.u32("length", tiling.slice_depth)?,
            ..g.params(r, self.groups)?
        };
        let own = self.own_inputs(r.inputs());
        let given = |at: usize, is: bool| if is { Operand::Input(at) } else { Operand::Absent };
        let (bias, addend) = (given(2, own > 2), given(own, self.addend));
        // What takes sums to outputs.
        let finishing_of = |kernel, entry, operands: &[Operand]| {
            Dispatch::new(kernel, entry, &params)
                .constant("HAS_BIAS", u32::from(own > 2))
                .constant("HAS_ADDEND", u32::from(self.addend))
                .activation(self.activation)
                .bind(operands.iter().copied().chain([bias, addend, Operand::Output(0)]))
        };
        let finishing = |entry, operands: &[Operand]| finishing_of(&KERNEL, entry, operands);
        let whole_of = |kernel, entry| {
            let dispatch = finishing_of(kernel, entry, &[Operand::Input(0), Operand::Input(1)]);
            dispatch.constant("PADDING_MODE", self.padding_mode.code())
        };
        let whole = |entry| whole_of(&KERNEL, entry);
        // Sums that are added up afterwards.
        let slices_of =
            |kernel, entry| {
                Dispatch::new(kernel, entry, &params)
                    .constant("PADDING_MODE", self.padding_mode.code())
                    .bind([Operand::Input(0), Operand::Input(1), Operand::Scratch(0)])
            };
        let sliced = tiling.slices > 1;
        match (family, depthwise) {
            (_, Some(width)) => {
                let [kt, kh, kw] = g.kernel;
                let blocks = rows / g.output[3] * g.output[3].div_ceil(DEPTHWISE_OUTPUTS);
                let groups = (blocks * self.groups / width).div_ceil(64);
                let turns = kt * (1 + kh * (1 + kw));
                let mut dispatch = whole("conv3d_depthwise").turns(turns).groups(groups as u64);
                if width == 2 {
                    dispatch =
                        dispatch.tune("WIDTH", "2u").tune("Wide", "vec2<f32>").tune("WideElem", "vec2<Elem>");
                }
                r.dispatch(dispatch);
            }
            (Family::Tiled, _) => {
                let dispatch = match (tiling.is_cooperative(), sliced) {
                    (false, false) => whole("conv3d_tiled"),
                    (false, true) => slices_of(&KERNEL, "conv3d_tiled_slices"),
                    (true, false) => whole_of(&COOPERATIVE, "conv3d_cooperative"),
                    (true, true) => slices_of(&COOPERATIVE, "conv3d_cooperative_slices"),
                };
                r.dispatch(runs(tiling.tiles(dispatch), group_in));
                if sliced {
                    r.dispatch(tiling.sum(finishing("conv3d_tiled_sum", &[Operand::Scratch(0)])));
                }
            }
            (Family::Uniform, _) => {
                let tiles = Uniform {
                    problems: self.groups,
                    rows,
                    columns: group_out,
                    segments: taps,
                    length: group_in,
                };
                r.dispatch(tiles.tiles(whole("conv3d_uniform"), r.traits(), false));
            }
            (Family::Direct, _) => {
                let dispatch = whole("conv3d_direct").turns(depth + taps);
                r.dispatch(dispatch.groups((rows * g.output[4]).div_ceil(64) as u64));
            }
        }
        Ok(())
    }
}
