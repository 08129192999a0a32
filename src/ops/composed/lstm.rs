//! Long short-term memory over `[N, T, C]`.

use serde::Deserialize;

use super::recurrent::{self, LINEAR, Product};
use super::{Direction, Recurrent, RecurrentWeights};
use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::lstm_cell::LstmInputs;
use crate::ops::{Door, Layout, Port};

/// Attributes of an LSTM, see [`Graph::lstm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lstm {
    /// Which way it walks along time.
    pub direction: Direction,
}

impl Graph {
    /// Adds a long short-term memory as `torch.nn.LSTM` has it, without dropout and projection: `x` `[N, T, Cin]` gives
    /// `[N, T, C]`, or `[N, T, 2·C]` of both directions, and the last states and cells. See
    /// [`Graph::lstm_cell`] for the formulas and for NaN.
    ///
    /// `weights` has one entry for each layer or, of both directions, two: forwards and backwards. `state` has the first
    /// `h` and `c`, `[N, C]`, for each of them; without any they are zero.
    ///
    /// The input's products are made for all times at once; each step then is a product and a cell, and its state is
    /// stored as the plan stores floats.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes or the numbers of weights and states do not fit each other.
    pub fn lstm(
        &mut self,
        x: Value,
        weights: &[RecurrentWeights],
        state: &[[Value; 2]],
        attributes: &Lstm,
    ) -> Result<Recurrent> {
        self.scope("lstm", |g| lstm(g, x, weights, state, attributes.direction)).at("lstm")
    }
}

fn lstm(
    g: &mut Graph,
    mut x: Value,
    weights: &[RecurrentWeights],
    state: &[[Value; 2]],
    direction: Direction,
) -> Result<Recurrent> {
    g.shape(x).dims::<3>("the input", "[N, T, C]")?;
    recurrent::check_counts(weights.len(), state.len(), direction)?;
    let (mut hidden, mut cell) = (Vec::new(), Vec::new());
    for (layer, of_layer) in weights.chunks(direction.count()).enumerate() {
        let mut states = Vec::new();
        for (d, w) in of_layer.iter().enumerate() {
            recurrent::check_weights(g, w, 4, false)?;
            let reverse = d == 1 || direction == Direction::Reverse;
            let name = format!("l{layer}{}", if reverse { "_reverse" } else { "" });
            let first = state.get(hidden.len()).copied();
            let (of_direction, [h, c]) = g.scope(&name, |g| {
                let gates = g.linear(x, w.input, w.input_bias)?;
                walk(g, gates, w, None, first, reverse, LINEAR)
            })?;
            states.push(of_direction);
            hidden.push(h);
            cell.push(c);
        }
        x = recurrent::over_time(g, &states)?;
    }
    Ok(Recurrent { output: x, hidden, cell })
}

/// The states of an LSTM with gates `[N, T, …, 4·C]` in the order of time, and the last state and cell.
pub(super) fn walk(
    g: &mut Graph,
    gates: Value,
    weights: &RecurrentWeights,
    peephole: Option<Value>,
    mut state: Option<[Value; 2]>,
    reverse: bool,
    product: Product,
) -> Result<(Vec<Value>, [Value; 2])> {
    let mut states = Vec::new();
    for step in recurrent::times(g.shape(gates)[1], reverse) {
        let next = g.scope(&format!("t{step}"), |g| {
            let (recurrent, cell) = match state {
                Some([h, c]) => (Some(product(g, h, weights.hidden, weights.hidden_bias)?), Some(c)),
                None => (weights.hidden_bias, None),
            };
            g.lstm_cell(gates, Some(step), LstmInputs { recurrent, cell, peephole })
        })?;
        states.push(next[0]);
        state = Some(next);
    }
    if reverse {
        states.reverse();
    }
    let last = state.ok_or_else(|| Error::bad_input("no step to walk"))?;
    Ok((states, last))
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Flat {
    direction: Direction,
    bias: bool,
    initial_state: bool,
}

impl Default for Flat {
    fn default() -> Self {
        Flat { direction: Direction::Forward, bias: true, initial_state: false }
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "lstm",
    summary: "long short-term memory over [N, T, C]: all states, and the last h and c as further outputs",
    inputs: &[Port::new("input", Layout::Plain), Port::variadic("weight", Layout::LinearWeight)],
    output: Layout::Plain,
    attributes: "direction=forward (reverse, bidirectional), bias=true, initial_state=false; weights of each layer and \
                 direction: weight_ih, weight_hh, bias_ih, bias_hh; h0 and c0 last, [layers·directions, N, C]",
    build: |g, v, a| {
        let flat: Flat = a.read()?;
        let states = if flat.initial_state { 2 } else { 0 };
        let (weights, first) = v[1..].split_at((v.len() - 1).saturating_sub(states));
        let weights = recurrent::flat_weights(weights, flat.bias, false, flat.direction.count())?;
        let mut state = Vec::new();
        if let [h, c] = *first {
            let h = recurrent::unstack(g, h, weights.len())?;
            let c = recurrent::unstack(g, c, weights.len())?;
            state = h.into_iter().zip(c).map(|(h, c)| [h, c]).collect();
        }
        let y = g.lstm(v[0], &weights, &state, &Lstm { direction: flat.direction })?;
        Ok(vec![y.output, recurrent::stack(g, &y.hidden)?, recurrent::stack(g, &y.cell)?])
    },
};
