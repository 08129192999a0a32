//! One step of a gated recurrent unit.

use std::ops::RangeInclusive;

use kinetograph_ref::gru_cell as reference;
use serde::Deserialize;

use super::gates::{Gate, GateLayout};
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Activation, Bound, Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, UNIT_ROUNDOFF, Value,
};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("gru_cell");

/// Where the reset gate of a gated recurrent unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// After the product of state and weights, as in PyTorch and cuDNN: `n = tanh(gates + r·recurrent)`.
    #[default]
    After,
    /// Before it, as Cho et al. 2014 (arXiv:1406.1078) have it: `n = tanh(gates + weights·(r·state))`.
    Before,
}

/// What the update gate of a gated recurrent unit weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Update {
    /// The state before: `(1 − z)·n + z·state`, as Cho et al. 2014 and PyTorch have it.
    #[default]
    Keep,
    /// What is new: `z·n + (1 − z)·state`, as Ballas et al. 2016 and RAFT have it.
    Replace,
}

/// One step of a gated recurrent unit (Cho et al. 2014), from the sums that its gates are made of:
///
/// ```text
/// r = σ(gates + recurrent), z = σ(gates + recurrent)
/// n = tanh(gates + r·recurrent), or tanh(gates + candidate) where the reset comes before the product
/// h = (1 − z)·n + z·state, or z·n + (1 − z)·state
/// ```
///
/// The gates lie side by side in PyTorch's order, r, z, n. Where the reset comes before, a step takes two of these:
/// one gives `r·state`, whose product with weights is the other's `candidate`.
///
/// NaN in a gate or the state makes its channel NaN; an infinite gate is open or closed. r is not looked at where there
/// is nothing for it to reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GruCell {
    /// The gates have an axis of time, the second, and this is the time to look at; none if they have not.
    pub step: Option<usize>,
    /// Where the reset gate stands.
    pub reset: Reset,
    /// What the update gate weighs.
    pub update: Update,
    /// Give `r·state` instead of the new state.
    pub reset_state: bool,
}

impl Graph {
    /// Adds one step of a GRU: `gates` `[N, …, 3·C]`, or `[N, T, …, 3·C]` of which a step is taken, give the new state
    /// `[N, …, C]`. `recurrent` holds, in this order and as far as there are any:
    ///
    /// - what the state adds to the gates, `[N, …, 3·C]`, or `[N, …, 2·C]` with [`Reset::Before`]; or without its outer
    ///   axes, the same everywhere;
    /// - the state, `[N, …, C]`; without one it is zero;
    /// - with [`Reset::Before`], and the state, the product of weights and `r·state`, `[N, …, C]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes do not fit each other or the attributes, or there is no such
    /// step.
    pub fn gru_cell(&mut self, gates: Value, recurrent: &[Value], attributes: GruCell) -> Result<Value> {
        self.push(attributes, &[&[gates], recurrent].concat())
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "gru_cell",
    summary: "one step of a GRU from the sums of its gates r, z, n",
    inputs: &[
        Port::new("gates", Layout::Plain),
        Port::optional("recurrent", Layout::Plain),
        Port::optional("state", Layout::Plain),
        Port::optional("candidate", Layout::Plain),
    ],
    output: Layout::Plain,
    attributes: "step=null (gates have no axis of time), reset=after (before), update=keep (replace), \
                 reset_state=false (true: r·state)",
    build: |g, v, a| Ok(vec![g.gru_cell(v[0], &v[1..], a.read()?)?]),
};

params! {
    struct GruCellParams {
        count: u32,
        channels: u32,
        places: u32,
        steps: u32,
        step: u32,
        recurrent_row: u32,
    }
}

impl GruCell {
    /// How many gates the recurrent part has.
    fn recurrent_gates(&self) -> usize {
        match self.reset {
            Reset::After => 3,
            Reset::Before => 2,
        }
    }

    fn elements(&self, inputs: &[Tensor]) -> Result<Vec<reference::Element>> {
        let layout = GateLayout::of(inputs[0].shape(), 3, self.step)?;
        let optional = |i: usize| inputs.get(i).map(Tensor::f32s).transpose();
        let cell = reference::GruCell {
            gates: inputs[0].f32s()?,
            recurrent: optional(1)?,
            recurrent_gates: self.recurrent_gates(),
            state: optional(2)?,
            candidate: optional(3)?,
            dims: [layout.samples, layout.steps, layout.places, layout.channels],
            step: layout.step,
        };
        Ok(cell.elements())
    }

    fn next(&self, e: &reference::Element) -> f64 {
        if self.reset_state {
            return e.reset() * e.state;
        }
        let n = match self.reset {
            Reset::After => e.new_reset_after(),
            Reset::Before => e.new_reset_before(),
        };
        let z = e.update();
        match self.update {
            Update::Keep => (1.0 - z) * n + z * e.state,
            Update::Replace => z * n + (1.0 - z) * e.state,
        }
    }

    /// How far the new state may be off: each gate by its sum's rounding, stretched, and the activation's own error;
    /// then what products and sums make of that.
    fn error(&self, e: &reference::Element) -> f64 {
        let gate = |f: Activation, sum: Gate| Gate::of(f, sum.value, sum.off);
        let recurrent = |k: usize| Gate::exact(e.recurrent.map_or(0.0, |r| r[k]));
        let of_state = |k: usize| Gate::exact(e.gates[k]).plus(recurrent(k));
        let r = gate(Activation::Sigmoid, of_state(0));
        let state = Gate::exact(e.state);
        if self.reset_state {
            return r.times(state).off;
        }
        let from_state = match self.reset {
            Reset::After if e.recurrent.is_some() => r.times(recurrent(2)),
            Reset::After => Gate::exact(0.0),
            Reset::Before => Gate::exact(e.candidate),
        };
        let n = gate(Activation::Tanh, Gate::exact(e.gates[2]).plus(from_state));
        let z = gate(Activation::Sigmoid, of_state(1));
        // first + z·(second − first): an error of `first` counts 1 − z times.
        let (first, second) = match self.update {
            Update::Keep => (n, state),
            Update::Replace => (state, n),
        };
        let gap = Gate { value: second.value - first.value, off: 0.0 };
        let unit = 2.0 * UNIT_ROUNDOFF;
        let rounded = unit * (gap.value.abs() + first.off + second.off);
        let stepped = z.times(Gate { off: rounded, ..gap });
        let of_parts =
            (1.0 - z.value).abs() * first.off + z.value * second.off + z.off * (first.off + second.off);
        let value = first.value + stepped.value;
        stepped.off + of_parts + unit * (value.abs() + stepped.off + of_parts)
    }
}

impl Op for GruCell {
    fn name(&self) -> &'static str {
        "gru_cell"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        if self.reset_state { 3..=3 } else { 1..=4 }
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let layout = GateLayout::of(&inputs[0].shape, 3, self.step)?;
        if let Some(recurrent) = inputs.get(1) {
            layout.check_gates("what is recurrent", &recurrent.shape, self.recurrent_gates())?;
        }
        if let Some(state) = inputs.get(2) {
            layout.check_state("the state", &state.shape)?;
        }
        match (self.reset, inputs.get(3)) {
            (Reset::After, Some(_)) => {
                return Err(Error::bad_input("a candidate is for reset before; after, the gates have it"));
            }
            (Reset::Before, None) if inputs.len() == 3 && !self.reset_state => {
                return Err(Error::bad_input("with reset before, a state comes with a candidate"));
            }
            (_, Some(candidate)) => layout.check_state("the candidate", &candidate.shape)?,
            _ => {}
        }
        Ok(vec![TensorType::float(&layout.state)?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let layout = GateLayout::of(inputs[0].shape(), 3, self.step)?;
        let elements = self.elements(inputs)?;
        Ok(vec![Tensor::from_fn(&layout.state, |i| self.next(&elements[i]) as f32)?])
    }

    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Bound>> {
        let elements = self.elements(inputs)?;
        Ok(vec![Bound::Absolute(elements.iter().map(|e| self.error(e)).collect())])
    }

    /// Activations, sums and products of an element, each as one.
    fn flops(&self, _: &[TensorType], outputs: &[TensorType]) -> u64 {
        let each = if self.reset_state { 3 } else { 10 };
        each * outputs[0].shape.elements() as u64
    }

    /// One step of the gates.
    fn bytes(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        let gates = if self.reset_state { 1 } else { 3 };
        let others: u64 = inputs[1..].iter().chain(outputs).map(TensorType::bytes).sum();
        gates * outputs[0].bytes() + others
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let layout = GateLayout::of(r.input(0), 3, self.step)?;
        let vectors = layout.channels % 4 == 0 && r.traits().family != Family::Direct;
        let (entry, width) = if vectors { ("gru_cell_vec4", 4) } else { ("gru_cell_direct", 1) };
        let count = r.output(0).elements() / width;
        let channels = layout.channels / width;
        let shared = r.inputs() > 1 && r.input(1).rank() == 1;
        let row = if shared { 0 } else { self.recurrent_gates() * channels };
        let params = GruCellParams {
            count: r.u32("elements", count)?,
            channels: r.u32("channels", channels)?,
            places: r.u32("places", layout.places)?,
            steps: r.u32("steps", layout.steps)?,
            step: r.u32("step", layout.step)?,
            recurrent_row: r.u32("channels", row)?,
            ..Default::default()
        };
        let reset = if self.reset_state { 2 } else { self.reset as u32 };
        let optional = |i: usize| if i < r.inputs() { Operand::Input(i) } else { Operand::Absent };
        r.dispatch(
            Dispatch::new(&KERNEL, entry, &params)
                .constant("RESET", reset)
                .constant("UPDATE", self.update as u32)
                .constant("HAS_RECURRENT", u32::from(r.inputs() > 1))
                .constant("HAS_STATE", u32::from(r.inputs() > 2))
                .constant("HAS_CANDIDATE", u32::from(r.inputs() > 3))
                .bind([Operand::Input(0), optional(1), optional(2), optional(3), Operand::Output(0)])
                .groups(count.div_ceil(64) as u64),
        );
        Ok(())
    }
}
