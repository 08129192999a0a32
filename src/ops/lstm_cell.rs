//! One step of a long short-term memory.

use std::ops::RangeInclusive;

use kinetograph_ref::lstm_cell as reference;
use serde::Deserialize;

use super::gates::{Gate, GateLayout};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Activation, Bound, Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, Value};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("lstm_cell");

/// One step of a long short-term memory (Hochreiter & Schmidhuber 1997), from the sums that its gates are made of:
///
/// ```text
/// i, f, g, o = σ, σ, tanh, σ of gates + recurrent
/// c = f·cell + i·g
/// h = o·tanh(c)
/// ```
///
/// The gates lie side by side in PyTorch's order, i, f, g, o. With peepholes (Gers & Schmidhuber 2000; Shi et al. 2015,
/// arXiv:1506.04214) `peephole[0]·cell` and `peephole[1]·cell` come to i and f, and `peephole[2]·c` to o.
///
/// NaN in a gate or the cell makes its channel's `h` and `c` NaN; an infinite gate is open or closed. Without a cell f
/// is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LstmCell {
    /// The gates have an axis of time, the second, and this is the time to look at; none if they have not.
    pub step: Option<usize>,
    /// The last input is the peepholes.
    pub peephole: bool,
}

/// What an LSTM's step reads besides the gates.
#[derive(Debug, Clone, Copy, Default)]
pub struct LstmInputs {
    /// What the state before adds to the gates, `[N, …, 4·C]`, or `[4·C]` everywhere.
    pub recurrent: Option<Value>,
    /// The cell before, `[N, …, C]`; without one it is zero. It needs something recurrent.
    pub cell: Option<Value>,
    /// Weights of the cell in i, f and o: `[3, …, C]`, or `[3, C]` everywhere.
    pub peephole: Option<Value>,
}

impl Graph {
    /// Adds one step of an LSTM: `gates` `[N, …, 4·C]`, or `[N, T, …, 4·C]` of which `step` is taken, give the state
    /// `h` and the cell `c`, `[N, …, C]`. See [`LstmCell`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes do not fit each other, there is no such step, or a cell is given
    /// without anything recurrent.
    pub fn lstm_cell(&mut self, gates: Value, step: Option<usize>, inputs: LstmInputs) -> Result<[Value; 2]> {
        let LstmInputs { recurrent, cell, peephole } = inputs;
        if recurrent.is_none() && cell.is_some() {
            return Err(Error::bad_input("lstm_cell: a cell needs something recurrent before it"));
        }
        let list: Vec<Value> = [gates].into_iter().chain(recurrent).chain(cell).chain(peephole).collect();
        let outputs = self.push_all(LstmCell { step, peephole: peephole.is_some() }, &list)?;
        Ok([outputs[0], outputs[1]])
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "lstm_cell",
    summary: "one step of an LSTM from the sums of its gates i, f, g, o: h, and c as second output",
    inputs: &[
        Port::new("gates", Layout::Plain),
        Port::optional("recurrent", Layout::Plain),
        Port::optional("cell", Layout::Plain),
        Port::optional("peephole", Layout::Plain),
    ],
    output: Layout::Plain,
    attributes: "step=null (gates have no axis of time), peephole=false (true: the last input is the peephole)",
    build: |g, v, a| g.push_all(a.read::<LstmCell>()?, v),
};

params! {
    struct LstmCellParams {
        count: u32,
        channels: u32,
        places: u32,
        steps: u32,
        step: u32,
        recurrent_row: u32,
        plane: u32,
    }
}

impl LstmCell {
    /// How many inputs there are before the peepholes.
    fn plain_inputs(&self, inputs: usize) -> usize {
        inputs - usize::from(self.peephole)
    }

    fn read<'a>(&self, inputs: &'a [Tensor]) -> Result<reference::LstmCell<'a>> {
        let layout = GateLayout::of(inputs[0].shape(), 4, self.step)?;
        let plain = self.plain_inputs(inputs.len());
        let optional = |i: usize| inputs[..plain].get(i).map(Tensor::f32s).transpose();
        Ok(reference::LstmCell {
            gates: inputs[0].f32s()?,
            recurrent: optional(1)?,
            cell: optional(2)?,
            peephole: if self.peephole { Some(inputs[plain].f32s()?) } else { None },
            dims: [layout.samples, layout.steps, layout.places, layout.channels],
            step: layout.step,
        })
    }
}

/// How far `h` and `c` may be off: each gate by its sum's rounding, stretched, and the activation's own error; then
/// what products and sums make of that.
fn errors(e: &reference::Element) -> [f64; 2] {
    let cell = Gate::exact(e.cell.unwrap_or(0.0));
    let [pi, pf, po] = e.peephole.map(Gate::exact);
    let gate = |k: usize, f: Activation, seen: Gate| {
        let sum = Gate::exact(e.gates[k]).plus(Gate::exact(e.recurrent[k])).plus(seen);
        Gate::of(f, sum.value, sum.off)
    };
    let i = gate(0, Activation::Sigmoid, pi.times(cell));
    let g = gate(2, Activation::Tanh, Gate::exact(0.0));
    let mut c = i.times(g);
    if e.cell.is_some() {
        c = c.plus(gate(1, Activation::Sigmoid, pf.times(cell)).times(cell));
    }
    let o = gate(3, Activation::Sigmoid, po.times(c));
    let h = o.times(Gate::of(Activation::Tanh, c.value, c.off));
    [h.off, c.off]
}

impl Op for LstmCell {
    fn name(&self) -> &'static str {
        "lstm_cell"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        if self.peephole { 2..=4 } else { 1..=3 }
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let layout = GateLayout::of(&inputs[0].shape, 4, self.step)?;
        let plain = self.plain_inputs(inputs.len());
        if plain > 1 {
            layout.check_gates("what is recurrent", &inputs[1].shape, 4)?;
        }
        if plain > 2 {
            layout.check_state("the cell", &inputs[2].shape)?;
        }
        if self.peephole {
            let shape = &inputs[plain].shape;
            let fits = |rest: &[usize]| shape.first() == Some(&3) && shape[1..] == *rest;
            if !fits(&layout.state[1..]) && !fits(&[layout.channels]) {
                return Err(Error::bad_input(format!(
                    "the peephole must be [3, {c}], or 3 before the lengths {:?}, its shape is {shape}",
                    &layout.state[1..],
                    c = layout.channels,
                )));
            }
        }
        Ok(vec![TensorType::float(&layout.state)?, TensorType::float(&layout.state)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let layout = GateLayout::of(inputs[0].shape(), 4, self.step)?;
        let next: Vec<[f64; 2]> =
            self.read(inputs)?.elements().iter().map(reference::Element::next).collect();
        [0, 1].iter().map(|&k| Tensor::from_fn(&layout.state, |i| next[i][k] as f32)).collect()
    }

    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Bound>> {
        let off: Vec<[f64; 2]> = self.read(inputs)?.elements().iter().map(errors).collect();
        Ok([0, 1].map(|k| Bound::Absolute(off.iter().map(|o| o[k]).collect())).into())
    }

    /// Five activations, three products and a sum of an element, and what other inputs add, each as one.
    fn flops(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        let peepholes = if self.peephole { 6 } else { 0 };
        let recurrent = if self.plain_inputs(inputs.len()) > 1 { 4 } else { 0 };
        (9 + peepholes + recurrent) * outputs[0].shape.elements() as u64
    }

    /// One step of the gates.
    fn bytes(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        let others: u64 = inputs[1..].iter().chain(outputs).map(TensorType::bytes).sum();
        4 * outputs[0].bytes() + others
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let layout = GateLayout::of(r.input(0), 4, self.step)?;
        let plain = self.plain_inputs(r.inputs());
        let vectors = layout.channels % 4 == 0 && r.traits().family != Family::Direct;
        let (entry, width) = if vectors { ("lstm_cell_vec4", 4) } else { ("lstm_cell_direct", 1) };
        let count = r.output(0).elements() / width;
        let channels = layout.channels / width;
        let shared = plain > 1 && r.input(1).rank() == 1;
        let plane = if self.peephole { r.input(plain).elements() / 3 / width } else { 1 };
        let params = LstmCellParams {
            count: r.u32("elements", count)?,
            channels: r.u32("channels", channels)?,
            places: r.u32("places", layout.places)?,
            steps: r.u32("steps", layout.steps)?,
            step: r.u32("step", layout.step)?,
            recurrent_row: if shared { 0 } else { r.u32("channels", 4 * channels)? },
            plane: r.u32("elements", plane)?,
            ..Default::default()
        };
        let optional = |i: usize| if i < plain { Operand::Input(i) } else { Operand::Absent };
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .constant("HAS_RECURRENT", u32::from(plain > 1))
                .constant("HAS_CELL", u32::from(plain > 2))
                .constant("HAS_PEEPHOLE", u32::from(self.peephole))
                .bind([
                    Operand::Input(0),
                    optional(1),
                    optional(2),
                    if self.peephole { Operand::Input(plain) } else { Operand::Absent },
                    Operand::Output(0),
                    Operand::Output(1),
                ])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
