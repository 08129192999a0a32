//! The transpose of a 3D convolution.

use std::ops::RangeInclusive;
use std::sync::Arc;

use kinetograph_ref::conv_transpose3d as reference;
use serde::Deserialize;

use super::attributes::{each, padding};
use super::tiling::{Panels, Tiling, Uniform, runs, storing};
use super::{Door, Layout, Padding, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Activation, Bound, ChannelAffine, Dispatch, Family, Graph, Op, Operand, Recorder, Setting, TensorType,
    Traits, Value,
};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("conv_transpose3d");
static COOPERATIVE: Kernel = kernel!("conv_transpose3d_cooperative");

/// The longest stride: products of two classes of taps must fit 32 bits.
const MOST_STRIDE: usize = 1 << 15;

/// Signed 32-bit coordinates must not overflow.
const MOST_LENGTH: usize = 1 << 30;

/// Attributes of a transposed 3D convolution, those of `torch.nn.functional.conv_transpose3d`. Three numbers are for the
/// axes T, H, W.
///
/// An axis of n positions and a kernel of k taps give `(n − 1)·stride + (k − 1)·dilation + 1 + output_padding` outputs, less
/// the padding. Non-finite inputs spread through the sums as IEEE arithmetic has it; zero weights times infinity are NaN.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConvTranspose3d {
    /// Steps between the outputs of neighbouring inputs.
    #[serde(deserialize_with = "each")]
    pub stride: [usize; 3],
    /// Outputs cut off before and after each axis: the padding of the convolution that this is the transpose of.
    #[serde(deserialize_with = "padding")]
    pub padding: Padding,
    /// Outputs added after each axis, fewer than stride or dilation: which of the lengths that a convolution would make
    /// one of is meant.
    #[serde(deserialize_with = "each")]
    pub output_padding: [usize; 3],
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

impl Default for ConvTranspose3d {
    fn default() -> Self {
        ConvTranspose3d {
            stride: [1; 3],
            padding: [[0; 2]; 3],
            output_padding: [0; 3],
            dilation: [1; 3],
            groups: 1,
            activation: Activation::Identity,
            addend: false,
        }
    }
}

impl Graph {
    /// Adds a transposed 3D convolution: `x` `[N, T, H, W, Cin]`, `weight` `[kT, kH, kW, Cin, Cout/groups]`, `bias` `[Cout]`
    /// give `[N, T', H', W', Cout]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other.
    pub fn conv_transpose3d(
        &mut self,
        x: Value,
        weight: Value,
        bias: Option<Value>,
        attributes: &ConvTranspose3d,
    ) -> Result<Value> {
        let inputs: Vec<Value> = [x, weight].into_iter().chain(bias).collect();
        self.push(attributes.clone(), &inputs)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "conv_transpose3d",
    summary: "the transpose of a 3D convolution, with bias",
    inputs: &[
        Port::new("input", Layout::Activation),
        Port::new("weight", Layout::ConvTransposeWeight),
        Port::optional("bias", Layout::Plain),
    ],
    output: Layout::Activation,
    attributes: "stride=1, padding=0, output_padding=0, dilation=1, groups=1",
    build: |g, v, a| Ok(vec![g.conv_transpose3d(v[0], v[1], v.get(2).copied(), &a.read()?)?]),
};

params! {
    struct ConvTranspose3dParams {
        batch: u32,
        in_c: u32,
        out_c: u32,
        group_in: u32,
        group_out: u32,
        weight_row: u32,
        weight_group: u32,
        weight_panel: u32,
        pad_0: u32,
        pad_1: u32,
        pad_2: u32,
        input_size: [u32; 4],
        output_size: [u32; 4],
        kernel: [u32; 4],
        stride: [u32; 4],
        dilation: [u32; 4],
        pad_before: [u32; 4],
        divisor: [u32; 4],
        classes: [u32; 4],
        inverse: [u32; 4],
    }
}

/// What the kernel is told of an axis: g, the greatest common divisor of stride and dilation; the number of classes of
/// taps, stride/g; the inverse of dilation/g modulo it.
fn classes(stride: usize, dilation: usize) -> [usize; 3] {
    let (mut g, mut rest) = (stride, dilation);
    while rest > 0 {
        (g, rest) = (rest, g % rest);
    }
    let classes = stride / g;
    let inverse = (0..classes).find(|i| dilation / g % classes * i % classes == 1 % classes);
    [g, classes, inverse.unwrap_or(0)]
}

/// Each group's columns in packed weights, filled up where a vec4 entry point reads them: not for many groups of few.
fn packed_columns(group_out: usize, groups: usize) -> usize {
    if group_out < 4 && groups > 1 { group_out } else { group_out.next_multiple_of(4) }
}

impl ConvTranspose3d {
    /// How many inputs there are without the addend.
    fn own_inputs(&self, inputs: usize) -> usize {
        inputs - usize::from(self.addend)
    }

    fn reference_attributes(&self) -> reference::ConvTranspose3d {
        reference::ConvTranspose3d {
            stride: self.stride,
            padding: self.padding,
            output_padding: self.output_padding,
            dilation: self.dilation,
            groups: self.groups,
        }
    }

    /// The length of the output along an axis.
    fn output_length(&self, axis: usize, length: usize, kernel: usize) -> Result<usize> {
        let name = ["T", "H", "W"][axis];
        let (stride, dilation, more) = (self.stride[axis], self.dilation[axis], self.output_padding[axis]);
        for (what, value, most) in [
            ("stride", stride, MOST_STRIDE),
            ("dilation", dilation, MOST_LENGTH),
            ("kernel", kernel, MOST_LENGTH),
        ] {
            if value == 0 || value > most {
                return Err(Error::bad_input(format!(
                    "{what} {value} along {name}: 1 to {most} is possible"
                )));
            }
        }
        if more >= stride.max(dilation) {
            return Err(Error::bad_input(format!(
                "output_padding {more} along {name} must be less than stride {stride} or dilation {dilation}"
            )));
        }
        let [before, after] = self.padding[axis];
        let spread = (length - 1).checked_mul(stride);
        let window = (kernel - 1).checked_mul(dilation);
        let whole = spread.zip(window).and_then(|(s, w)| s.checked_add(w)?.checked_add(1 + more));
        let whole = whole.filter(|l| [*l, before, after].into_iter().all(|l| l <= MOST_LENGTH));
        let Some(whole) = whole else {
            return Err(Error::bad_input(format!(
                "{length} elements, stride {stride}, kernel {kernel}, dilation {dilation} and padding {:?} along {name} \
                 are too large",
                self.padding[axis]
            )));
        };
        if before + after >= whole {
            return Err(Error::bad_input(format!(
                "padding {:?} along {name} leaves nothing of {whole} outputs",
                self.padding[axis]
            )));
        }
        Ok(whole - before - after)
    }

    /// The kernels that suit a device for packed weights.
    fn family(&self, traits: Traits, group_out: usize) -> Family {
        match traits.family {
            // A few output channels leave most of a tile empty; even so the uniform one is faster, if it fits at all.
            Family::Uniform if self.groups == 1 => Family::Uniform,
            _ if group_out < 4 => Family::Direct,
            family => family,
        }
    }

    /// The most taps that reach one output.
    fn most_taps(&self, kernel: [usize; 3]) -> usize {
        (0..3).map(|a| kernel[a].div_ceil(classes(self.stride[a], self.dilation[a])[1])).product()
    }
}

impl Op for ConvTranspose3d {
    fn name(&self) -> &'static str {
        "conv_transpose3d"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        let addend = usize::from(self.addend);
        2 + addend..=3 + addend
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let [n, t, h, w, c] = inputs[0].shape.dims("the input", "[N, T, H, W, C]")?;
        let [kt, kh, kw, cin, group_out] =
            inputs[1].shape.dims("the weight", "[kT, kH, kW, Cin, Cout/groups]")?;
        let error = |text: String| Err(Error::bad_input(text));
        if c != cin {
            return error(format!("the weight takes {cin} channels, the input has {c}"));
        }
        if self.groups == 0 || c % self.groups != 0 {
            return error(format!("groups {} must divide {c} input channels", self.groups));
        }
        if self.stride.iter().try_fold(1, |n: usize, s| n.checked_mul(*s)).is_none_or(|n| n > MOST_LENGTH) {
            return error(format!("stride {:?}: the product may be {MOST_LENGTH} at most", self.stride));
        }
        let cout = group_out.saturating_mul(self.groups);
        if let Some(bias) = inputs[..self.own_inputs(inputs.len())].get(2)
            && *bias.shape != [cout]
        {
            return error(format!("the bias must be [{cout}], its shape is {}", bias.shape));
        }
        let mut out = [n, 0, 0, 0, cout];
        for (axis, (length, kernel)) in [(t, kt), (h, kh), (w, kw)].into_iter().enumerate() {
            out[axis + 1] = self.output_length(axis, length, kernel)?;
        }
        let out = TensorType::float(&out)?;
        super::check_addend(self.addend, inputs, &out)?;
        Ok(vec![out])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = inputs[0].shape().dims("the input", "[N, T, H, W, C]")?;
        let w: [usize; 5] = inputs[1].shape().dims("the weight", "[kT, kH, kW, Cin, Cout/groups]")?;
        let (own, addend) = inputs.split_at(self.own_inputs(inputs.len()));
        let after =
            [own.get(2).map(Tensor::f32s).transpose()?, addend.first().map(Tensor::f32s).transpose()?];
        let c = self.reference_attributes();
        let y = reference::conv_transpose3d(inputs[0].f32s()?, x, inputs[1].f32s()?, w, after, &c, |s| {
            self.activation.apply(s)
        });
        let out: [usize; 3] = std::array::from_fn(|a| c.output_length(a, x[a + 1], w[a]));
        Ok(vec![Tensor::new(&[x[0], out[0], out[1], out[2], w[4] * self.groups], y)?])
    }

    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let magnitudes: Vec<Tensor> = inputs.iter().map(Tensor::abs).collect::<Result<_>>()?;
        let plain = ConvTranspose3d { activation: Activation::Identity, ..self.clone() };
        let sums = plain.reference(&magnitudes)?;
        let [kt, kh, kw, cin, _] = inputs[1].shape().dims("the weight", "[kT, kH, kW, Cin, Cout/groups]")?;
        let terms = self.most_taps([kt, kh, kw]) * cin / self.groups;
        Ok(vec![Bound::sum(terms, &sums[0])?.activated(self.activation, &reference[0])?])
    }

    /// A multiply-add for every input, tap and output channel of its group, those that are cut off too.
    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        let [kt, kh, kw, _, group_out] = inputs[1].shape[..] else { return 0 };
        2 * (kt * kh * kw * group_out) as u64 * inputs[0].shape.elements() as u64
    }

    fn with_activation(&self, activation: Activation) -> Option<Arc<dyn Op>> {
        let free = self.activation == Activation::Identity;
        free.then(|| Arc::new(ConvTranspose3d { activation, ..self.clone() }) as Arc<dyn Op>)
    }

    fn addend(&self, inputs: usize) -> Option<usize> {
        self.addend.then(|| inputs - 1)
    }

    fn with_addend(&self) -> Option<Arc<dyn Op>> {
        let free = self.activation == Activation::Identity && !self.addend;
        free.then(|| Arc::new(ConvTranspose3d { addend: true, ..self.clone() }) as Arc<dyn Op>)
    }

    fn with_channel_affine(&self, inputs: &[Option<&Tensor>], affine: &ChannelAffine) -> Option<Vec<Tensor>> {
        let free = self.activation == Activation::Identity && !self.addend;
        let [.., cin, group_out] = inputs.get(1).copied().flatten()?.shape()[..] else { return None };
        let channel = |i: usize| i / group_out % cin / (cin / self.groups) * group_out + i % group_out;
        affine.after_product(inputs, channel).filter(|_| free)
    }

    /// Puts the taps of each class triple together, the groups' columns side by side, and fills these up to a multiple
    /// of four, or puts those of tiles together.
    fn pack(&self, index: usize, constant: &Tensor, setting: &Setting<'_>) -> Result<Option<Tensor>> {
        if index != 1 {
            return Ok(None);
        }
        let [kt, kh, kw, cin, group_out] =
            constant.shape().dims("the weight", "[kT, kH, kW, Cin, Cout/groups]")?;
        let [ct, ch, cw] = std::array::from_fn(|a| classes(self.stride[a], self.dilation[a])[1]);
        let (group_in, columns) = (cin / self.groups, packed_columns(group_out, self.groups));
        let weights = constant.f32s()?;
        let mut data = Vec::with_capacity(weights.len() / group_out * columns);
        let of_class = |classes: usize, kernel: usize| {
            (0..classes).map(move |c| (c..kernel).step_by(classes)).collect::<Vec<_>>()
        };
        for (a, b, d) in triples(&of_class(ct, kt), &of_class(ch, kh), &of_class(cw, kw)) {
            let tap = (a * kh + b) * kw + d;
            for i in 0..group_in {
                for group in 0..self.groups {
                    let row = tap * cin + group * group_in + i;
                    data.extend_from_slice(&weights[row * group_out..][..group_out]);
                    data.extend(std::iter::repeat_n(0.0, columns - group_out));
                }
            }
        }
        let packed = Tensor::new(&[kt * kh * kw, group_in, self.groups * columns], data)?;
        match self.family(setting.traits, group_out) {
            Family::Uniform => Panels::of(group_out, 1, setting.traits).pack(&packed, columns).map(Some),
            _ => Ok(Some(packed)),
        }
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [kt, kh, kw, _, group_out] = r.input(1).dims("the weight", "[kT, kH, kW, Cin, Cout/groups]")?;
        let [n, in_t, in_h, in_w, in_c] = r.input(0).dims("the input", "[N, T, H, W, C]")?;
        let [_, out_t, out_h, out_w, out_c] = r.output(0).dims("the output", "[N, T, H, W, C]")?;
        let group_in = in_c / self.groups;
        let output = [out_t, out_h, out_w];
        let phases: usize = self.stride.iter().product();
        let rows: usize = n * (0..3).map(|a| output[a].div_ceil(self.stride[a])).product::<usize>();
        let taps = self.most_taps([kt, kh, kw]);
        let family = if r.is_packed(1) { self.family(r.traits(), group_out) } else { Family::Direct };
        let tiling = Tiling::of(r.traits(), phases * self.groups, [rows, group_out, taps * group_in], false);
        let (kernel, entry) = match family {
            Family::Tiled if tiling.is_cooperative() => (&COOPERATIVE, "conv_transpose3d_cooperative"),
            Family::Tiled => (&KERNEL, "conv_transpose3d_tiled"),
            Family::Uniform => (&KERNEL, "conv_transpose3d_uniform"),
            Family::Direct => (&KERNEL, "conv_transpose3d_direct"),
        };
        let columns = packed_columns(group_out, self.groups);
        let [weight_row, weight_group, weight_panel] = match family {
            _ if !r.is_packed(1) => [group_out, group_out, 0],
            Family::Direct => [columns * self.groups, columns, 0],
            Family::Tiled => [columns / 4 * self.groups, columns / 4, 0],
            Family::Uniform => Panels::of(group_out, 1, r.traits()).steps(kt * kh * kw * group_in),
        };
        let number = |v: usize| r.u32("length", v);
        let axes = |v: [usize; 3]| Ok::<_, Error>([number(v[0])?, number(v[1])?, number(v[2])?, 0]);
        let of_axes: [[usize; 3]; 3] = std::array::from_fn(|a| classes(self.stride[a], self.dilation[a]));
        let params = ConvTranspose3dParams {
            batch: number(n)?,
            in_c: number(in_c)?,
            out_c: number(out_c)?,
            group_in: number(group_in)?,
            group_out: number(group_out)?,
            weight_row: number(weight_row)?,
            weight_group: number(weight_group)?,
            weight_panel: number(weight_panel)?,
            input_size: axes([in_t, in_h, in_w])?,
            output_size: axes(output)?,
            kernel: axes([kt, kh, kw])?,
            stride: axes(self.stride)?,
            dilation: axes(self.dilation)?,
            pad_before: axes(self.padding.map(|p| p[0]))?,
            divisor: axes(of_axes.map(|c| c[0]))?,
            classes: axes(of_axes.map(|c| c[1]))?,
            inverse: axes(of_axes.map(|c| c[2]))?,
            ..Default::default()
        };
        let own = self.own_inputs(r.inputs());
        let given = |at: usize, is: bool| if is { Operand::Input(at) } else { Operand::Absent };
        let dispatch = Dispatch::new(kernel, entry, &params)
            .constant("HAS_BIAS", u32::from(own > 2))
            .constant("HAS_ADDEND", u32::from(self.addend))
            .constant("PACKED", u32::from(r.is_packed(1)))
            .activation(self.activation)
            .bind([
                Operand::Input(0),
                Operand::Input(1),
                given(2, own > 2),
                given(own, self.addend),
                Operand::Output(0),
            ]);
        r.dispatch(match family {
            Family::Tiled => runs(tiling.tiles(storing(dispatch, group_out)), group_in),
            Family::Uniform => {
                let tiles = Uniform {
                    problems: phases * self.groups,
                    rows,
                    columns: group_out,
                    segments: taps,
                    length: group_in,
                    members: 1,
                };
                tiles.tiles(storing(dispatch, group_out), r.traits())
            }
            Family::Direct => {
                let groups = r.output(0).elements().div_ceil(64);
                dispatch.turns(taps * (group_in + 1)).groups(groups as u64)
            }
        });
        Ok(())
    }
}

/// A class of taps of an axis.
type Class = std::iter::StepBy<std::ops::Range<usize>>;

/// The taps of three axes, class triple by class triple.
fn triples(t: &[Class], h: &[Class], w: &[Class]) -> Vec<(usize, usize, usize)> {
    let mut all = Vec::new();
    for t in t {
        for h in h {
            for w in w {
                for a in t.clone() {
                    for b in h.clone() {
                        all.extend(w.clone().map(|d| (a, b, d)));
                    }
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Precision;

    /// The class that the kernel takes is that of the taps that reach an output.
    #[test]
    fn classes_are_those_of_the_taps_that_reach() {
        for stride in 1..=12 {
            for dilation in 1..=12 {
                let [g, classes, inverse] = classes(stride, dilation);
                for place in 0..stride {
                    let reaching: Vec<usize> = (0..40).filter(|k| k * dilation % stride == place).collect();
                    let class = place / g % classes * inverse % classes;
                    let taken: Vec<usize> =
                        (0..40).filter(|k| place % g == 0 && k % classes == class).collect();
                    assert_eq!(reaching, taken, "stride {stride}, dilation {dilation}, place {place}");
                }
            }
        }
    }

    #[test]
    fn packing_puts_classes_together() {
        let weight = Tensor::from_fn(&[1, 1, 5, 1, 1], |i| i as f32).unwrap();
        let pack = |stride, dilation| {
            let c =
                ConvTranspose3d { stride: [1, 1, stride], dilation: [1, 1, dilation], ..Default::default() };
            let traits = Traits::new(Family::Tiled, Precision::F32);
            let setting = Setting { inputs: &[], constant: &[], traits };
            let packed = c.pack(1, &weight, &setting).unwrap().unwrap();
            // The one column is filled up to four.
            packed.f32s().unwrap().iter().copied().step_by(4).collect::<Vec<_>>()
        };
        assert_eq!(pack(2, 1), [0.0, 2.0, 4.0, 1.0, 3.0]);
        assert_eq!(pack(6, 4), [0.0, 3.0, 1.0, 4.0, 2.0]);
        assert_eq!(pack(2, 2), [0.0, 1.0, 2.0, 3.0, 4.0]);
    }
}
