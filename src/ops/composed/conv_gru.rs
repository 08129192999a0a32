//! Convolutional gated recurrent units over `[N, T, H, W, C]`.

use serde::Deserialize;

use super::recurrent::{self, CONV2D};
use super::{Recurrent, RecurrentWeights};
use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::gru_cell::{GruCell, Reset, Update};
use crate::ops::{Door, Layout, Port};

/// Attributes of a convolutional GRU, see [`Graph::conv_gru`]; as they stand, those of Ballas et al. 2016.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConvGru {
    /// Where the reset gate stands.
    pub reset: Reset,
    /// What the update gate weighs.
    pub update: Update,
    /// Walk from the last frame to the first.
    pub reverse: bool,
}

impl Default for ConvGru {
    fn default() -> Self {
        ConvGru { reset: Reset::Before, update: Update::Replace, reverse: false }
    }
}

impl Graph {
    /// Adds a layer of convolutional gated recurrent units (Ballas et al. 2016, arXiv:1511.06432): a GRU whose products
    /// with weights are convolutions that keep height and width. `x` `[N, T, H, W, Cin]` gives `[N, T, H, W, C]`, and the
    /// last state, `[N, H, W, C]`. See [`GruCell`] for the formulas and for NaN.
    ///
    /// The weights are `[kH, kW, Cin, 3·C]` and, with the reset before the convolution, `[kH, kW, C, 2·C]` for r and z and
    /// `[kH, kW, C, C]` for the candidate, else `[kH, kW, C, 3·C]`; their kernels are odd. `state` has the first state,
    /// `[N, H, W, C]`; without it it is zero.
    ///
    /// The input's convolutions are made for all frames at once; each step then is a convolution and a cell, or two of
    /// both with [`Reset::Before`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes do not fit each other or a kernel is even.
    pub fn conv_gru(
        &mut self,
        x: Value,
        weights: &RecurrentWeights,
        state: Option<Value>,
        attributes: &ConvGru,
    ) -> Result<Recurrent> {
        let build = |g: &mut Graph| {
            recurrent::check_weights(g, weights, 3, attributes.reset == Reset::Before)?;
            for weight in [weights.hidden].into_iter().chain(weights.candidate) {
                recurrent::same_padding(g, weight)?;
            }
            let gates = recurrent::gates_of_frames(g, x, weights)?;
            let cell = GruCell { reset: attributes.reset, update: attributes.update, ..GruCell::default() };
            let (states, h) = super::gru::walk(g, gates, weights, state, cell, attributes.reverse, CONV2D)?;
            let output = recurrent::over_time(g, &[states])?;
            Ok(Recurrent { output, hidden: vec![h], cell: Vec::new() })
        };
        self.scope("conv_gru", build).at("conv_gru")
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "conv_gru",
    summary: "convolutional GRU over [N, T, H, W, C]: all states, and the last as second output",
    inputs: &[
        Port::new("input", Layout::Activation),
        Port::new("weight_ih", Layout::ConvWeight),
        Port::new("weight_hh", Layout::ConvWeight),
        Port::optional("weight_candidate", Layout::ConvWeight),
        Port::optional("bias", Layout::Plain),
        Port::optional("h0", Layout::Activation),
    ],
    output: Layout::Activation,
    attributes: "reset=before (after), update=replace (keep), reverse=false; with reset before, weight_hh is for r and z, \
                 and weight_candidate is needed; h0 needs a bias before it",
    build: |g, v, a| {
        let attributes: ConvGru = a.read()?;
        let (candidate, rest) = match (attributes.reset, &v[3..]) {
            (Reset::Before, [candidate, rest @ ..]) => (Some(*candidate), rest),
            (_, rest) => (None, rest),
        };
        if rest.len() > 2 {
            return Err(Error::bad_input("conv_gru: weight_candidate is for reset before"));
        }
        let weights = recurrent::frame_weights(v[1], v[2], candidate, rest.first().copied());
        let y = g.conv_gru(v[0], &weights, rest.get(1).copied(), &attributes)?;
        Ok(vec![y.output, y.hidden[0]])
    },
};
