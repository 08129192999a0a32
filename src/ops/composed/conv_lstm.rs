//! Convolutional long short-term memory over `[N, T, H, W, C]`.

use serde::Deserialize;

use super::recurrent::{self, CONV2D};
use super::{Recurrent, RecurrentWeights};
use crate::error::{At, Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::{Door, Layout, Port};

/// Attributes of a convolutional LSTM, see [`Graph::conv_lstm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConvLstm {
    /// Walk from the last frame to the first.
    pub reverse: bool,
}

impl Graph {
    /// Adds a layer of convolutional long short-term memory (Shi et al. 2015, arXiv:1506.04214): an LSTM whose products
    /// with weights are convolutions that keep height and width. `x` `[N, T, H, W, Cin]` gives `[N, T, H, W, C]`, and the
    /// last state and cell, `[N, H, W, C]`. See [`Graph::lstm_cell`] for the formulas and for NaN.
    ///
    /// The weights are `[kH, kW, Cin, 4·C]` and `[kH, kW, C, 4·C]`, their kernels odd. `peephole`, the weights `Wci`, `Wcf`
    /// and `Wco` of the cell, is `[3, H, W, C]`, or `[3, C]`, the same at every place; without it there are none. `state`
    /// has the first `h` and `c`, `[N, H, W, C]`; without it they are zero.
    ///
    /// The input's convolutions are made for all frames at once; each step then is a convolution and a cell.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shapes do not fit each other or a kernel is even.
    pub fn conv_lstm(
        &mut self,
        x: Value,
        weights: &RecurrentWeights,
        peephole: Option<Value>,
        state: Option<[Value; 2]>,
        attributes: &ConvLstm,
    ) -> Result<Recurrent> {
        let build = |g: &mut Graph| {
            recurrent::check_weights(g, weights, 4, false)?;
            recurrent::same_padding(g, weights.hidden)?;
            let gates = recurrent::gates_of_frames(g, x, weights)?;
            let (states, [h, c]) =
                super::lstm::walk(g, gates, weights, peephole, state, attributes.reverse, CONV2D)?;
            let output = recurrent::over_time(g, &[states])?;
            Ok(Recurrent { output, hidden: vec![h], cell: vec![c] })
        };
        self.scope("conv_lstm", build).at("conv_lstm")
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "conv_lstm",
    summary: "convolutional LSTM over [N, T, H, W, C]: all states, and the last h and c as further outputs",
    inputs: &[
        Port::new("input", Layout::Activation),
        Port::new("weight_ih", Layout::ConvWeight),
        Port::new("weight_hh", Layout::ConvWeight),
        Port::optional("bias", Layout::Plain),
        Port::optional("h0", Layout::Activation),
        Port::optional("c0", Layout::Activation),
        Port::optional("peephole", Layout::Activation),
    ],
    output: Layout::Activation,
    attributes: "reverse=false; an optional input needs those before it",
    build: |g, v, a| {
        let weights = recurrent::frame_weights(v[1], v[2], None, v.get(3).copied());
        let state = match v {
            [_, _, _, _, h, c, ..] => Some([*h, *c]),
            [_, _, _, _, _] => return Err(Error::bad_input("conv_lstm: h0 comes with c0")),
            _ => None,
        };
        let y = g.conv_lstm(v[0], &weights, v.get(6).copied(), state, &a.read()?)?;
        Ok(vec![y.output, y.hidden[0], y.cell[0]])
    },
};
