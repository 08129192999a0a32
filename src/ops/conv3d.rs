//! 3D convolution.

mod geometry;
mod lines;
mod record;
mod winograd;

use std::ops::RangeInclusive;
use std::sync::Arc;

use kinetograph_cpu::{all_finite, conv3d as fast};
use kinetograph_ref::conv3d as reference;
use kinetograph_ref::pool3d as pooling;
use serde::Deserialize;

use super::attributes::{PaddingRule, each, padding};
use super::{Door, Layout, Padding, PaddingMode, Port};
use crate::error::{At, Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Activation, Bound, ChannelAffine, Family, Graph, MaxPool, Op, Recorder, Setting, TensorType, Value,
};
use crate::kernel;
use crate::shape::Shape;
use crate::tensor::Tensor;

use super::tiling::Panels;
use geometry::Geometry;
use winograd::Winograd;

static KERNEL: Kernel = kernel!("conv3d");
static COOPERATIVE: Kernel = kernel!("conv3d_cooperative");

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
    /// Set by the planner when it moves a pooling into the convolution: the output is the maxima, there is no addend, and
    /// the activation rises.
    #[serde(skip)]
    pub pool: Option<MaxPool>,
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
            pool: None,
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

    /// The largest of the sums, or of what bounds them, in every window of the pooling if there is one.
    fn pooled(&self, sums: Vec<f32>, shape: [usize; 5]) -> Result<Tensor> {
        let Some(pool) = &self.pool else { return Tensor::new(&shape, sums) };
        let MaxPool { kernel, stride, before, windows } = *pool;
        // As much behind as the last window hangs over.
        let padding = std::array::from_fn(|a| {
            let end = (windows[a] - 1) * stride[a] + kernel[a];
            [before[a], end.saturating_sub(before[a] + shape[a + 1])]
        });
        let pool3d = pooling::Pool3d { kernel, stride, padding, dilation: [1; 3], ceil: false };
        let maxima = pooling::pool3d(&sums, shape, &pool3d, |window| pooling::max(window.elements) as f32);
        Tensor::new(&pool.output(shape)?.shape, maxima)
    }

    /// The lengths before pooling.
    fn convolved(&self, x: &Shape, weight: &Shape) -> Result<[usize; 5]> {
        let [n, t, h, w, _] = x.dims("the input", "[N, T, H, W, C]")?;
        let [kt, kh, kw, _, cout] = weight.dims("the weight", "[kT, kH, kW, Cin/groups, Cout]")?;
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
        Ok(out)
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

impl Conv3d {
    fn geometry(&self, x: &Shape, weight: &Shape) -> Result<Geometry> {
        let [kt, kh, kw, _, _] = weight.dims("the weight", "[kT, kH, kW, Cin/groups, Cout]")?;
        let geometry = Geometry {
            input: x.dims("the input", "[N, T, H, W, C]")?,
            output: self.convolved(x, weight)?,
            kernel: [kt, kh, kw],
            stride: self.stride,
            dilation: self.dilation,
            pad: self.padding.map(|p| p[0]),
            padding_mode: self.padding_mode,
            pool: self.pool,
            together: 1,
        };
        Ok(geometry.folded(self.groups))
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
        let [_, _, _, _, c] = inputs[0].shape.dims("the input", "[N, T, H, W, C]")?;
        let [_, _, _, group_in, cout] =
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
        let out = self.convolved(&inputs[0].shape, &inputs[1].shape)?;
        let out = match &self.pool {
            None => TensorType::float(&out)?,
            Some(pool) => pool.output(out)?,
        };
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
        Ok(vec![self.pooled(y, [x[0], out[0], out[1], out[2], w[4]])?])
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
        let (x, finish) = (inputs[0].f32s()?, |y: &mut [f32]| self.activation.apply_all(y));
        let Some(pool) = &self.pool else {
            return Ok(vec![Tensor::new(&output, fast::conv3d(x, weight, after, &conv, &finish))?]);
        };
        let MaxPool { kernel, stride, before, windows } = *pool;
        let fast = fast::MaxPool { kernel, stride, before, windows };
        let y = fast::conv3d_max_pool(x, weight, after[0], &conv, &fast, &finish);
        Ok(vec![Tensor::new(&pool.output(output)?.shape, y)?])
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
        let sums = match self.convolved(&inputs[0].shape, &inputs[1].shape) {
            Ok(lengths) => lengths.into_iter().product(),
            Err(_) => outputs[0].shape.elements(),
        };
        2 * taps as u64 * sums as u64
    }

    fn with_activation(&self, activation: Activation) -> Option<Arc<dyn Op>> {
        let free = self.activation == Activation::Identity && self.pool.is_none();
        free.then(|| Arc::new(Conv3d { activation, ..self.clone() }) as Arc<dyn Op>)
    }

    fn addend(&self, inputs: usize) -> Option<usize> {
        self.addend.then(|| inputs - 1)
    }

    fn with_addend(&self) -> Option<Arc<dyn Op>> {
        let free = self.activation == Activation::Identity && !self.addend && self.pool.is_none();
        free.then(|| Arc::new(Conv3d { addend: true, ..self.clone() }) as Arc<dyn Op>)
    }

    fn with_channel_affine(&self, inputs: &[Option<&Tensor>], affine: &ChannelAffine) -> Option<Vec<Tensor>> {
        let free = self.activation == Activation::Identity && !self.addend && self.pool.is_none();
        affine.after_product(inputs, |i| i % affine.scale.len()).filter(|_| free)
    }

    /// Windows of two, four or eight that cover whole patches where Winograd's form is possible, of which clipped ones make
    /// at most half as many sums again; not of depthwise convolutions.
    fn with_max_pool(&self, pool: &MaxPool, inputs: &[TensorType]) -> Option<Arc<dyn Op>> {
        let pooled = Conv3d { pool: Some(*pool), ..self.clone() };
        let g = pooled.geometry(&inputs[0].shape, &inputs[1].shape).ok()?;
        let free = self.pool.is_none() && !self.addend && self.activation.rises();
        let members = g.outputs() * pool.volume();
        let sums: usize = g.output[..4].iter().product();
        let single = g.input[4] == self.groups && g.output[4] == self.groups;
        let suits = [2, 4, 8].contains(&pool.volume()) && 2 * members <= 3 * sums && !single;
        let patches = self.groups > 1 || !Winograd::possible(&g) || Winograd::pools(pool);
        (free && suits && patches).then(|| Arc::new(pooled) as Arc<dyn Op>)
    }

    /// Puts the columns of a group's tiles together, or pads each group's to a multiple of four, and before that transforms
    /// the weights for Winograd's form.
    fn pack(&self, index: usize, constant: &Tensor, setting: &Setting<'_>) -> Result<Option<Tensor>> {
        if index != 1 {
            return Ok(None);
        }
        let columns = constant.shape().last().copied().unwrap_or(0) / self.groups;
        let g = self.geometry(&setting.inputs[0].shape, &setting.inputs[1].shape)?;
        if let Some(winograd) = self.winograd(&g, setting.traits, setting.constant[1]) {
            let weights = winograd.weights(constant)?;
            return match setting.traits.family {
                Family::Uniform => Panels::of(columns, 1, setting.traits).pack(&weights, columns).map(Some),
                _ => Ok(Some(weights)),
            };
        }
        let lines = self.lines(&g, setting.traits, setting.constant[1]);
        let filled = lines.map(|lines| lines.weights(constant)).transpose()?;
        let constant = filled.as_ref().unwrap_or(constant);
        if let Some(panels) = self.panels(&g, setting.traits) {
            return panels.pack(constant, columns).map(Some);
        }
        let suits = columns.is_multiple_of(4) || (columns < 4 && self.groups > 1);
        if suits && lines.is_none() {
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
        let sums = self.pooled(sums.into_iter().map(|s| s as f32).collect(), lengths.output)?;
        // Up to three additions on the way to factors, three roundings of weights, six additions of sums.
        let terms = inputs[1].shape()[0] * inputs[1].shape()[3] + 12;
        Ok(vec![Bound::sum(terms, &sums)?.activated(self.activation, &reference[0])?])
    }

    fn scratch(&self, setting: &Setting<'_>) -> Vec<u64> {
        let Setting { inputs, traits, .. } = *setting;
        if let Some((winograd, lengths)) = self.winograd_in(setting) {
            return winograd.words(&lengths).to_vec();
        }
        let Ok(g) = self.geometry(&inputs[0].shape, &inputs[1].shape) else { return Vec::new() };
        let lines = self.lines(&g, traits, setting.constant[1]);
        let mut words: Vec<u64> = lines.iter().map(|lines| lines.words(&g)).collect();
        let g = lines.map_or(g, |lines| lines.geometry(&g));
        if self.family(&g, traits.family, true) == Family::Tiled && g.depthwise(self.groups).is_none() {
            words.extend(g.tiling(self.groups, traits).scratch());
        }
        words
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        self.record_dispatches(r)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of seven elements: windows of which the first or the last is clipped, and one with a gap before the next.
    #[test]
    fn maxima_of_windows() {
        let pool = |stride, before, windows, y: &[f32]| {
            let pool = MaxPool {
                kernel: [1, 1, 2],
                stride: [1, 1, stride],
                before: [0, 0, before],
                windows: [1, 1, windows],
            };
            let conv = Conv3d { pool: Some(pool), ..Conv3d::default() };
            conv.pooled(y.to_vec(), [1, 1, 1, 7, 1]).unwrap().f32s().unwrap().to_vec()
        };
        let y = [-1.0, 3.0, 2.0, 5.0, 4.0, -6.0, -7.0];
        assert_eq!(pool(2, 0, 4, &y), [3.0, 5.0, 4.0, -7.0]);
        assert_eq!(pool(2, 1, 4, &y), [-1.0, 3.0, 5.0, -6.0]);
        assert_eq!(pool(3, 0, 2, &y), [3.0, 5.0]);
        let y = [f32::NAN, 3.0, 2.0, f32::NAN, 4.0, 0.0, 0.0];
        let got = pool(2, 0, 3, &y);
        assert!(got[0].is_nan() && got[1].is_nan() && got[2] == 4.0);
    }
}
