//! The linear layer.

use std::ops::RangeInclusive;
use std::sync::Arc;

use kinetograph_cpu::linear as fast;
use kinetograph_ref::linear as reference;

use super::tiling::{Tiling, Uniform, runs};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Activation, Bound, ChannelAffine, Dispatch, Family, Graph, Op, Operand, Recorder, Setting, TensorType,
    Value,
};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("linear");
static COOPERATIVE: Kernel = kernel!("linear_cooperative");

/// Up to this many rows the weights are shared out over invocations instead of the rows.
const FEW_ROWS: usize = 4;

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
}

impl Linear {
    /// How many inputs there are without the addend.
    fn own_inputs(&self, inputs: usize) -> usize {
        inputs - usize::from(self.addend)
    }
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
        slices: u32,
        slice_depth: u32,
    }
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
        let y = reference::linear(inputs[0].f32s()?, inputs[1].f32s()?, after, [rows, columns], |s| {
            self.activation.apply(s)
        });
        Ok(vec![with_columns(&inputs[0], columns, y)?])
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let [rows, columns] = inputs[1].shape().dims("the weight", "[In, Out]")?;
        let (own, addend) = inputs.split_at(self.own_inputs(inputs.len()));
        let after =
            [own.get(2).map(Tensor::f32s).transpose()?, addend.first().map(Tensor::f32s).transpose()?];
        let y = fast::linear(inputs[0].f32s()?, inputs[1].f32s()?, after, [rows, columns], &|y| {
            self.activation.apply_all(y);
        });
        Ok(vec![with_columns(&inputs[0], columns, y)?])
    }

    fn bounds(&self, inputs: &[Tensor], reference: &[Tensor]) -> Result<Vec<Bound>> {
        let magnitudes: Vec<Tensor> = inputs.iter().map(Tensor::abs).collect::<Result<_>>()?;
        let plain = Linear { activation: Activation::Identity, ..self.clone() };
        let sums = plain.reference(&magnitudes)?;
        let terms = inputs[1].shape()[0];
        Ok(vec![Bound::sum(terms, &sums[0])?.activated(self.activation, &reference[0])?])
    }

    fn flops(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        2 * inputs[1].shape[0] as u64 * outputs[0].shape.elements() as u64
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

    /// Pads the columns to a multiple of four.
    fn pack(&self, index: usize, constant: &Tensor, _: &Setting<'_>) -> Result<Option<Tensor>> {
        let columns = constant.shape().last().copied().unwrap_or(0);
        if index != 1 || columns % 4 == 0 {
            return Ok(None);
        }
        super::pad_columns(constant, columns).map(Some)
    }

    fn scratch(&self, setting: &Setting<'_>) -> Vec<u64> {
        let Setting { inputs, traits, .. } = *setting;
        let [in_c, out_c] = [inputs[1].shape[0], inputs[1].shape[1]];
        let rows = inputs[0].shape.elements() / in_c;
        match traits.family {
            Family::Tiled if rows > FEW_ROWS => Tiling::of(traits, 1, [rows, out_c, in_c], true).scratch(),
            _ => Vec::new(),
        }
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [in_c, out_c] = r.input(1).dims("the weight", "[In, Out]")?;
        let rows = r.input(0).elements() / in_c;
        let vectors = r.is_packed(1) || out_c % 4 == 0;
        let family = if vectors { r.traits().family } else { Family::Direct };
        let tiling = Tiling::of(r.traits(), 1, [rows, out_c, in_c], true);
        let row = if r.is_packed(1) { out_c.next_multiple_of(4) } else { out_c };
        let params = LinearParams {
            rows: r.u32("rows", rows)?,
            in_c: r.u32("channels", in_c)?,
            out_c: r.u32("channels", out_c)?,
            weight_row: r.u32("channels", if family == Family::Direct { row } else { row / 4 })?,
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
        let whole = |entry| finishing(entry, &[Operand::Input(0), Operand::Input(1)]);
        // What makes tiles, or slices of them, which then are added up.
        let sliced = tiling.slices > 1;
        let to_slices = [Operand::Input(0), Operand::Input(1), Operand::Scratch(0)];
        match family {
            Family::Direct => {
                let groups = (rows * out_c).div_ceil(64);
                r.dispatch(whole("linear_direct").turns(in_c).groups(groups as u64));
            }
            _ if rows <= FEW_ROWS => {
                let groups = rows * out_c.div_ceil(128);
                r.dispatch(whole("linear_rows").turns(in_c.div_ceil(8)).groups(groups as u64));
            }
            Family::Tiled => {
                let dispatch = match (tiling.is_cooperative(), sliced) {
                    (false, false) => whole("linear_tiled"),
                    (false, true) => Dispatch::new(&KERNEL, "linear_tiled_slices", &params).bind(to_slices),
                    (true, false) => finishing_of(
                        &COOPERATIVE,
                        "linear_cooperative",
                        &[Operand::Input(0), Operand::Input(1)],
                    ),
                    (true, true) => {
                        Dispatch::new(&COOPERATIVE, "linear_cooperative_slices", &params).bind(to_slices)
                    }
                };
                r.dispatch(runs(tiling.tiles(dispatch), in_c));
                if sliced {
                    r.dispatch(tiling.sum(finishing("linear_tiled_sum", &[Operand::Scratch(0)])));
                }
            }
            Family::Uniform => {
                let tiles =
                    Uniform { problems: 1, rows, columns: out_c, segments: 1, length: in_c, members: 1 };
                r.dispatch(tiles.tiles(whole("linear_uniform"), r.traits(), false));
            }
        }
        Ok(())
    }
}
