//! The linear layer.

use std::ops::RangeInclusive;
use std::sync::Arc;

use kinetograph_cpu::linear as fast;
use kinetograph_cpu::norm::Mode;
use kinetograph_ref::linear as reference;
use kinetograph_ref::norm as statistics;

use super::tiling::{Panels, Tiling, Uniform, runs, storing};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Activation, Bound, ChannelAffine, Dispatch, Family, Graph, MOST_TURNS, Op, Operand, Recorder, RowNorm,
    Setting, TensorType, Traits, Value,
};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("linear");
static COOPERATIVE: Kernel = kernel!("linear_cooperative");
static MOMENTS: Kernel = kernel!("linear_moments");

/// Up to this many rows the weights are shared out over invocations instead of the rows.
const FEW_ROWS: usize = 4;

/// From this many elements a row on, GPUs share a row out over a workgroup to find its moments.
const LONG: usize = 128;

/// `y = x·weight + bias` over the last axis.
///
/// Non-finite inputs spread through the sums as IEEE arithmetic has it; zero weights times infinity are NaN.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Linear {
    /// Set by the planner when it moves an activation into the layer.
    pub activation: Activation,
    /// Set by the planner when it moves a sum into the layer: a last input, as long as the output, is added before the
    /// activation.
    pub addend: bool,
    /// Set by the planner when it moves a normalisation of the input's rows into the layer, without factors and summands:
    /// those are then part of weight and bias.
    pub norm: Option<RowNorm>,
}

impl Linear {
    /// How many inputs there are without the addend.
    fn own_inputs(&self, inputs: usize) -> usize {
        inputs - usize::from(self.addend)
    }

    /// A row as the product takes it.
    fn prepared(&self, row: &[f64]) -> Vec<f64> {
        let Some(norm) = self.norm else { return row.to_vec() };
        let of = if norm.centred { statistics::layer } else { statistics::rms };
        let (centre, factor) = of(row, norm.eps.into());
        row.iter().map(|x| (x - centre) * factor).collect()
    }

    /// [`Op::bounds`] where normalised rows are rounded, relatively and absolutely, before they enter the product.
    ///
    /// With z the normalised row and B how far that is off, rounding included, `Σ B|w|` comes on top of what a sum of
    /// products no larger than `Σ (|z| + B)|w|` errs by.
    fn bound(
        &self,
        inputs: &[Tensor],
        reference: &Tensor,
        [relative, absolute]: [f64; 2],
    ) -> Result<Vec<Bound>> {
        let terms = inputs[1].shape()[0];
        let mut magnitudes: Vec<Tensor> = inputs.iter().map(Tensor::abs).collect::<Result<_>>()?;
        let plain = Linear { activation: Activation::Identity, norm: None, addend: self.addend };
        let Some(norm) = self.norm else {
            let sums = plain.reference(&magnitudes)?;
            return Ok(vec![Bound::sum(terms, &sums[0])?.activated(self.activation, reference)?]);
        };
        let factor = |squares: f64, count: usize| 1.0 / (squares / count as f64 + f64::from(norm.eps)).sqrt();
        let own = Bound::normalised(&inputs[..1], norm.centred, factor, |i| i / terms, |_| 0)?;
        let Bound::Absolute(own) = own else { return Err(Error::internal("a normalisation is not exact")) };
        let x: Vec<f64> = inputs[0].f32s()?.iter().map(|&x| f64::from(x)).collect();
        let z = x.chunks(terms).flat_map(|row| self.prepared(row)).map(f64::abs);
        let off: Vec<f64> = z.clone().zip(own).map(|(z, b)| b + relative * (z + b) + absolute).collect();
        let shape = inputs[0].shape();
        magnitudes[0] = Tensor::new(shape, z.zip(&off).map(|(z, b)| (z + b) as f32).collect::<Vec<_>>())?;
        let Bound::Absolute(mut bound) = Bound::sum(terms, &plain.reference(&magnitudes)?[0])? else {
            return Err(Error::internal("a sum is not exact"));
        };
        magnitudes[0] = Tensor::new(shape, off.iter().map(|b| *b as f32).collect::<Vec<_>>())?;
        let bare = Linear { addend: false, ..plain };
        for (bound, more) in bound.iter_mut().zip(bare.reference(&magnitudes[..2])?[0].f32s()?) {
            *bound += f64::from(*more);
        }
        Ok(vec![Bound::Absolute(bound).activated(self.activation, reference)?])
    }
}

/// The kernels that suit the device, given whether rows of weights are vec4s.
fn family_of(traits: Traits, vectors: bool) -> Family {
    if vectors { traits.family } else { Family::Direct }
}

/// Whether rows are normalised by a dispatch of their own and not as they are loaded: an invocation of the uniform kernel
/// loads an element once for every tile of columns, and would normalise it as often.
fn normalises_before(family: Family, rows: usize) -> bool {
    family == Family::Uniform && rows > FEW_ROWS
}

/// How the kernels for adapters on a processor have the columns of packed weights.
fn panels(traits: Traits, columns: usize) -> Option<Panels> {
    (traits.family == Family::Uniform).then(|| Panels::of(columns, 1, traits))
}

/// The elements in the shape of `x` with another last axis.
fn with_columns(x: &Tensor, columns: usize, y: Vec<f32>) -> Result<Tensor> {
    let mut shape = x.shape().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = columns;
    }
    Tensor::new(&shape, y)
}

impl Graph {
    /// Adds a linear layer: `x` `[…, In]`, `weight` `[In, Out]`, `bias` `[Out]` give `[…, Out]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes do not fit each other.
    pub fn linear(&mut self, x: Value, weight: Value, bias: Option<Value>) -> Result<Value> {
        let inputs: Vec<Value> = [x, weight].into_iter().chain(bias).collect();
        self.push(Linear::default(), &inputs)
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "linear",
    summary: "y = x·weight + bias over the last axis",
    inputs: &[
        Port::new("input", Layout::Plain),
        Port::new("weight", Layout::LinearWeight),
        Port::optional("bias", Layout::Plain),
    ],
    output: Layout::Plain,
    attributes: "",
    build: |g, v, a| {
        a.none()?;
        Ok(vec![g.linear(v[0], v[1], v.get(2).copied())?])
    },
};

params! {
    struct LinearParams {
        rows: u32,
        in_c: u32,
        out_c: u32,
        weight_row: u32,
        weight_panel: u32,
        slices: u32,
        slice_depth: u32,
    }
}

params! {
    struct LinearMomentsParams {
        rows: u32,
        segments: u32,
        length: u32,
        step: u32,
        eps: f32,
    }
}

/// What finds the moments of rows, or normalises them `before`, in the first piece of scratch.
fn moments(
    r: &Recorder<'_>,
    norm: RowNorm,
    [rows, length]: [usize; 2],
    family: Family,
    before: bool,
) -> Result<Dispatch> {
    let params = LinearMomentsParams {
        rows: r.u32("rows", rows)?,
        segments: 1,
        length: r.u32("channels", length)?,
        step: 1,
        eps: norm.eps,
        ..LinearMomentsParams::default()
    };
    let (entry, groups, turns) = match family {
        _ if before => ("linear_moments_rows", rows.div_ceil(64), 3 * (length + 1)),
        Family::Tiled if length >= LONG => ("linear_moments_tree", rows, 2 * length.div_ceil(256) + 16),
        _ => ("linear_moments_direct", rows.div_ceil(64), 2 * (length + 1)),
    };
    Ok(Dispatch::new(&MOMENTS, entry, &params)
        .constant("MODE", u32::from(!norm.centred))
        .bind([Operand::Input(0), Operand::Scratch(0)])
        .turns(turns)
        .groups(groups as u64))
}

impl Op for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        let addend = usize::from(self.addend);
        2 + addend..=3 + addend
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let [rows, columns] = inputs[1].shape.dims("the weight", "[In, Out]")?;
        let Some((&last, outer)) = inputs[0].shape.split_last() else {
            return Err(Error::bad_input("the input must be […, In], it is a scalar"));
        };
        if last != rows {
            return Err(Error::bad_input(format!("the input has {last} channels, the weight takes {rows}")));
        }
        if let Some(bias) = inputs[..self.own_inputs(inputs.len())].get(2)
            && *bias.shape != [columns]
        {
            return Err(Error::bad_input(format!(
                "the bias must be [{columns}], its shape is {}",
                bias.shape
            )));
        }
        let out = TensorType::float(&[outer, &[columns]].concat())?;
        super::check_addend(self.addend, inputs, &out)?;
        Ok(vec![out])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let [rows, columns] = inputs[1].shape().dims("the weight", "[In, Out]")?;
        let (own, addend) = inputs.split_at(self.own_inputs(inputs.len()));
        let after =
            [own.get(2).map(Tensor::f32s).transpose()?, addend.first().map(Tensor::f32s).transpose()?];
        let y = reference::linear(
            inputs[0].f32s()?,
            inputs[1].f32s()?,
            after,
            [rows, columns],
            |row| self.prepared(row),
            |s| self.activation.apply(s),
        );
        Ok(vec![with_columns(&inputs[0], columns, y)?])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let [rows, columns] = inputs[1].shape().dims("the weight", "[In, Out]")?;
        let (own, addend) = inputs.split_at(self.own_inputs(inputs.len()));
        let after =
            [own.get(2).map(Tensor::f32s).transpose()?, addend.first().map(Tensor::f32s).transpose()?];
        let mode = |n: RowNorm| (if n.centred { Mode::Layer } else { Mode::Rms }, f64::from(n.eps));
        let (x, w, norm) = (inputs[0].f32s()?, inputs[1].f32s()?, self.norm.map(mode));
        let y = fast::linear(x, w, after, [rows, columns], norm, &|y| self.activation.apply_all(y));
        Ok(vec![with_columns(&inputs[0], columns, y)?])
    }

    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        self.bound(inputs, &reference[0], [0.0; 2])
    }

    /// Cooperative matrices take normalised rows in f16, 11 bits or multiples of 2⁻²⁴.
    fn bounds_in(
        &self,
        setting: &Setting<'_>,
        inputs: &[Tensor],
        reference: &[Tensor],
    ) -> Result<Vec<Bound>> {
        let [in_c, out_c] = inputs[1].shape().dims("the weight", "[In, Out]")?;
        let rows = inputs[0].shape().elements() / in_c;
        let tiled = setting.traits.family == Family::Tiled && rows > FEW_ROWS;
        let half = tiled && Tiling::of(setting.traits, 1, [rows, out_c, in_c], true).is_cooperative();
        let rounding = if half { [1.0 / 1024.0, 1.0 / f64::from(1 << 24)] } else { [0.0; 2] };
        self.bound(inputs, &reference[0], rounding)
    }

    /// The products, and of a normalisation six operations an element, three without a mean.
    fn flops(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        let own = self.norm.map_or(0, |n| if n.centred { 6 } else { 3 });
        2 * inputs[1].shape[0] as u64 * outputs[0].shape.elements() as u64
            + own * inputs[0].shape.elements() as u64
    }

    fn with_activation(&self, activation: Activation) -> Option<Arc<dyn Op>> {
        let free = self.activation == Activation::Identity;
        free.then(|| Arc::new(Linear { activation, ..self.clone() }) as Arc<dyn Op>)
    }

    fn addend(&self, inputs: usize) -> Option<usize> {
        self.addend.then(|| inputs - 1)
    }

    fn with_addend(&self) -> Option<Arc<dyn Op>> {
        let free = self.activation == Activation::Identity && !self.addend;
        free.then(|| Arc::new(Linear { addend: true, ..self.clone() }) as Arc<dyn Op>)
    }

    fn with_channel_affine(&self, inputs: &[Option<&Tensor>], affine: &ChannelAffine) -> Option<Vec<Tensor>> {
        let free = self.activation == Activation::Identity && !self.addend;
        affine.after_product(inputs, |i| i % affine.scale.len()).filter(|_| free)
    }

    fn with_row_norm(
        &self,
        inputs: &[Option<&Tensor>],
        norm: RowNorm,
        affine: &ChannelAffine,
    ) -> Option<(Arc<dyn Op>, Vec<Tensor>)> {
        // An invocation walks along a row three times.
        let short = 3 * (affine.scale.len() + 1) <= MOST_TURNS;
        let constants =
            affine.before_product(inputs).filter(|_| short && self.norm.is_none() && !self.addend)?;
        Some((Arc::new(Linear { norm: Some(norm), ..self.clone() }), constants))
    }

    /// Puts the columns of tiles together, or pads all to a multiple of four.
    fn pack(&self, index: usize, constant: &Tensor, setting: &Setting<'_>) -> Result<Option<Tensor>> {
        let columns = constant.shape().last().copied().unwrap_or(0);
        if index == 1
            && let Some(panels) = panels(setting.traits, columns)
        {
            return panels.pack(constant, columns).map(Some);
        }
        if index != 1 || columns % 4 == 0 {
            return Ok(None);
        }
        super::pad_columns(constant, columns).map(Some)
    }

    fn scratch(&self, setting: &Setting<'_>) -> Vec<u64> {
        let Setting { inputs, constant, traits } = *setting;
        let [in_c, out_c] = [inputs[1].shape[0], inputs[1].shape[1]];
        let rows = inputs[0].shape.elements() / in_c;
        let family = family_of(traits, constant[1] || out_c.is_multiple_of(4));
        let normal = if normalises_before(family, rows) { rows * in_c } else { 4 * rows };
        let slices = match family {
            Family::Tiled if rows > FEW_ROWS => Tiling::of(traits, 1, [rows, out_c, in_c], true).scratch(),
            _ => Vec::new(),
        };
        self.norm.map(|_| normal as u64).into_iter().chain(slices).collect()
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [in_c, out_c] = r.input(1).dims("the weight", "[In, Out]")?;
        let rows = r.input(0).elements() / in_c;
        let family = family_of(r.traits(), r.is_packed(1) || out_c % 4 == 0);
        let tiling = Tiling::of(r.traits(), 1, [rows, out_c, in_c], true);
        let width4 = Panels::of(out_c, 1, r.traits()).width4;
        let panels = panels(r.traits(), out_c).filter(|_| r.is_packed(1));
        let row = if r.is_packed(1) { out_c.next_multiple_of(4) } else { out_c };
        let [weight_row, weight_panel] = match (panels, family) {
            (Some(panels), _) => {
                let [row, _, panel] = panels.steps(in_c);
                [row, panel]
            }
            (None, Family::Direct) => [row, 0],
            (None, _) => [row / 4, width4],
        };
        let params = LinearParams {
            rows: r.u32("rows", rows)?,
            in_c: r.u32("channels", in_c)?,
            out_c: r.u32("channels", out_c)?,
            weight_row: r.u32("channels", weight_row)?,
            weight_panel: r.u32("channels", weight_panel)?,
            slices: r.u32("slices", tiling.slices)?,
            slice_depth: r.u32("channels", tiling.slice_depth)?,
            ..LinearParams::default()
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
        let before = self.norm.is_some() && normalises_before(family, rows);
        if let Some(norm) = self.norm {
            r.dispatch(moments(r, norm, [rows, in_c], family, before)?);
        }
        let normalised = |d: Dispatch| d.constant("NORMALISED", u32::from(self.norm.is_some() && !before));
        let factors = match (self.norm.is_some(), before) {
            (true, true) => [Operand::Scratch(0), Operand::Input(1), Operand::Absent],
            (true, false) => [Operand::Input(0), Operand::Input(1), Operand::Scratch(0)],
            (false, _) => [Operand::Input(0), Operand::Input(1), Operand::Absent],
        };
        let whole = |entry| normalised(finishing(entry, &factors));
        // What makes tiles, or slices of them, which then are added up.
        let sliced = tiling.slices > 1;
        let waiting = Operand::Scratch(usize::from(self.norm.is_some()));
        let to_slices = factors.into_iter().chain([waiting]);
        match family {
            Family::Direct => {
                let groups = (rows * out_c).div_ceil(64);
                r.dispatch(whole("linear_direct").turns(in_c).groups(groups as u64));
            }
            _ if rows <= FEW_ROWS => {
                let groups = rows * out_c.div_ceil(128);
                let dispatch =
                    storing(whole("linear_rows"), out_c).tune("UNIFORM_COLUMNS4", format!("{width4}u"));
                r.dispatch(dispatch.turns(in_c.div_ceil(8)).groups(groups as u64));
            }
            Family::Tiled => {
                let dispatch = match (tiling.is_cooperative(), sliced) {
                    (false, false) => storing(whole("linear_tiled"), out_c),
                    (false, true) => {
                        normalised(Dispatch::new(&KERNEL, "linear_tiled_slices", &params).bind(to_slices))
                    }
                    (true, false) => {
                        let whole = finishing_of(&COOPERATIVE, "linear_cooperative", &factors);
                        storing(normalised(whole), out_c)
                    }
                    (true, true) => normalised(
                        Dispatch::new(&COOPERATIVE, "linear_cooperative_slices", &params).bind(to_slices),
                    ),
                };
                r.dispatch(runs(tiling.tiles(dispatch), in_c));
                if sliced {
                    let sum = finishing("linear_tiled_sum", &[waiting, Operand::Unused, Operand::Unused]);
                    r.dispatch(tiling.sum(storing(sum, out_c)));
                }
            }
            Family::Uniform => {
                let tiles =
                    Uniform { problems: 1, rows, columns: out_c, segments: 1, length: in_c, members: 1 };
                let whole = storing(whole("linear_uniform"), out_c);
                let whole = if before { whole.tune("Source", "f32") } else { whole };
                r.dispatch(tiles.tiles(whole, r.traits()));
            }
        }
        Ok(())
    }
}
