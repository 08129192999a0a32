//! Gated recurrent units over `[N, T, C]`.

use serde::Deserialize;

use super::recurrent::{self, LINEAR, Product};
use super::{Direction, Recurrent, RecurrentWeights};
use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::gru_cell::{GruCell, Reset, Update};
use crate::ops::{Door, Layout, Port};

/// Attributes of a GRU, see [`Graph::gru`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gru {
    /// Which way it walks along time.
    pub direction: Direction,
    /// Where the reset gate stands.
    pub reset: Reset,
    /// What the update gate weighs.
    pub update: Update,
}

impl Graph {
    /// Adds gated recurrent units as `torch.nn.GRU` has them, without dropout, or with the reset before the product as
    /// Cho et al. 2014 have it: `x` `[N, T, Cin]` gives `[N, T, C]`, or `[N, T, 2·C]` of both directions, and the last
    /// states. See [`GruCell`] for the formulas and for NaN.
    ///
    /// `weights` has one entry for each layer or, of both directions, two: forwards and backwards. `state` has the first
    /// state, `[N, C]`, for each of them; without any they are zero.
    ///
    /// The input's products are made for all times at once; each step then is a product and a cell, or two of both with
    /// [`Reset::Before`], and its state is stored as the plan stores floats.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes or the numbers of weights and states do not fit each other.
    pub fn gru(
        &mut self,
        x: Value,
        weights: &[RecurrentWeights],
        state: &[Value],
        attributes: &Gru,
    ) -> Result<Recurrent> {
        self.scope("gru", |g| gru(g, x, weights, state, attributes)).at("gru")
    }
}

fn gru(
    g: &mut Graph,
    mut x: Value,
    weights: &[RecurrentWeights],
    state: &[Value],
    a: &Gru,
) -> Result<Recurrent> {
    g.shape(x).dims::<3>("the input", "[N, T, C]")?;
    recurrent::check_counts(weights.len(), state.len(), a.direction)?;
    let mut hidden = Vec::new();
    for (layer, of_layer) in weights.chunks(a.direction.count()).enumerate() {
        let mut states = Vec::new();
        for (d, w) in of_layer.iter().enumerate() {
            recurrent::check_weights(g, w, 3, a.reset == Reset::Before)?;
            let reverse = d == 1 || a.direction == Direction::Reverse;
            let name = format!("l{layer}{}", if reverse { "_reverse" } else { "" });
            let first = state.get(hidden.len()).copied();
            let cell = GruCell { reset: a.reset, update: a.update, ..GruCell::default() };
            let (of_direction, h) = g.scope(&name, |g| {
                let gates = g.linear(x, w.input, w.input_bias)?;
                walk(g, gates, w, first, cell, reverse, LINEAR)
            })?;
            states.push(of_direction);
            hidden.push(h);
        }
        x = recurrent::over_time(g, &states)?;
    }
    Ok(Recurrent { output: x, hidden, cell: Vec::new() })
}

/// The states of a GRU with gates `[N, T, …, 3·C]` in the order of time, and the last.
pub(super) fn walk(
    g: &mut Graph,
    gates: Value,
    weights: &RecurrentWeights,
    mut state: Option<Value>,
    cell: GruCell,
    reverse: bool,
    product: Product,
) -> Result<(Vec<Value>, Value)> {
    let mut states = Vec::new();
    for step in recurrent::times(g.shape(gates)[1], reverse) {
        let cell = GruCell { step: Some(step), ..cell };
        let next = g.scope(&format!("t{step}"), |g| {
            let Some(h) = state else {
                let bias: Vec<Value> = weights.hidden_bias.into_iter().collect();
                return g.gru_cell(gates, &bias, cell);
            };
            let recurrent = product(g, h, weights.hidden, weights.hidden_bias)?;
            let Some(candidate) = weights.candidate else {
                return g.gru_cell(gates, &[recurrent, h], cell);
            };
            let reset = g.gru_cell(gates, &[recurrent, h], GruCell { reset_state: true, ..cell })?;
            let candidate = product(g, reset, candidate, None)?;
            g.gru_cell(gates, &[recurrent, h, candidate], cell)
        })?;
        states.push(next);
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
    reset: Reset,
    update: Update,
    bias: bool,
    initial_state: bool,
}

impl Default for Flat {
    fn default() -> Self {
        let Gru { direction, reset, update } = Gru::default();
        Flat { direction, reset, update, bias: true, initial_state: false }
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "gru",
    summary: "gated recurrent units over [N, T, C]: all states, and the last as second output",
    inputs: &[Port::new("input", Layout::Plain), Port::variadic("weight", Layout::LinearWeight)],
    output: Layout::Plain,
    attributes: "direction=forward (reverse, bidirectional), reset=after (before), update=keep (replace), bias=true, \
                 initial_state=false; weights of each layer and direction: weight_ih, weight_hh, bias_ih, bias_hh, or, \
                 with reset before, weight_ih, weight_hh of r and z, weight_hh of n, bias_ih; h0 last, \
                 [layers·directions, N, C]",
    build: |g, v, a| {
        let flat: Flat = a.read()?;
        let states = usize::from(flat.initial_state);
        let (weights, first) = v[1..].split_at((v.len() - 1).saturating_sub(states));
        let before = flat.reset == Reset::Before;
        let weights = recurrent::flat_weights(weights, flat.bias, before, flat.direction.count())?;
        let state = match *first {
            [h] => recurrent::unstack(g, h, weights.len())?,
            _ => Vec::new(),
        };
        let attributes = Gru { direction: flat.direction, reset: flat.reset, update: flat.update };
        let y = g.gru(v[0], &weights, &state, &attributes)?;
        Ok(vec![y.output, recurrent::stack(g, &y.hidden)?])
    },
};
