//! What recurrent networks share: their weights, the walk's ends, and how states become a sequence.

use serde::Deserialize;

use super::Conv2d;
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};

/// The weights of one direction of one layer of a recurrent network, `k` gates side by side in PyTorch's order: i, f, g,
/// o of an LSTM, r, z, n of a GRU. Convolutional ones have `[kH, kW]` before the axes given here.
#[derive(Debug, Clone, Copy)]
pub struct RecurrentWeights {
    /// From the input to the gates, `[Cin, k·C]`.
    pub input: Value,
    /// From the state to the gates, `[C, k·C]`; `[C, 2·C]`, for r and z, where a GRU resets the state before this product.
    pub hidden: Value,
    /// From the state that was reset before to n, `[C, C]`.
    pub candidate: Option<Value>,
    /// `[k·C]`, added to the product with `input`.
    pub input_bias: Option<Value>,
    /// `[k·C]`, added to the product with `hidden`.
    pub hidden_bias: Option<Value>,
}

/// Which way a recurrent network walks along time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the first step to the last.
    #[default]
    Forward,
    /// From the last step to the first.
    Reverse,
    /// Both ways, each with weights of its own; their states stand side by side.
    Bidirectional,
}

impl Direction {
    /// How many there are.
    pub fn count(self) -> usize {
        if self == Direction::Bidirectional { 2 } else { 1 }
    }
}

/// What a recurrent network gives.
#[derive(Debug, Clone)]
pub struct Recurrent {
    /// The states of the last layer at every time, `[N, T, …, C]`, or `[N, T, 2·C]` of both directions.
    pub output: Value,
    /// The last state of each layer and direction, `[N, …, C]`. Backwards, this is the one of the first time.
    pub hidden: Vec<Value>,
    /// The last cell of each layer and direction of an LSTM.
    pub cell: Vec<Value>,
}

/// The product of a state and weights, with a bias.
pub(super) type Product = fn(&mut Graph, state: Value, weight: Value, bias: Option<Value>) -> Result<Value>;

/// A linear layer.
pub(super) const LINEAR: Product = |g, state, weight, bias| g.linear(state, weight, bias);

/// A convolution that keeps height and width.
pub(super) const CONV2D: Product = |g, state, weight, bias| {
    let padding = same_padding(g, weight)?;
    g.conv2d(state, weight, bias, &Conv2d { padding, ..Conv2d::default() })
};

/// What keeps height and width under a kernel `[kH, kW, Cin, Cout]`.
pub(super) fn same_padding(g: &Graph, weight: Value) -> Result<[[usize; 2]; 2]> {
    let [kh, kw, _, _] = g.shape(weight).dims("the weight", "[kH, kW, Cin, Cout]")?;
    if kh % 2 == 0 || kw % 2 == 0 {
        return Err(Error::bad_input(format!(
            "a kernel of {kh} by {kw}: odd ones alone keep height and width"
        )));
    }
    Ok([[kh / 2; 2], [kw / 2; 2]])
}

/// The gates of every frame, `[N, T, H, W, k·C]`, of `x` `[N, T, H, W, Cin]`.
pub(super) fn gates_of_frames(g: &mut Graph, x: Value, weights: &RecurrentWeights) -> Result<Value> {
    let [n, t, h, w, c] = g.shape(x).dims("the input", "[N, T, H, W, C]")?;
    let frames = g.view(x, &[n * t, h, w, c])?;
    let gates = CONV2D(g, frames, weights.input, weights.input_bias)?;
    let width = g.shape(gates)[3];
    g.view(gates, &[n, t, h, w, width])
}

/// That weights fit the `count` gates which the input's give: a first step without a state leaves the others alone.
pub(super) fn check_weights(g: &Graph, weights: &RecurrentWeights, count: usize, before: bool) -> Result<()> {
    let shape = g.shape(weights.input);
    let width = shape.last().copied().unwrap_or(0);
    if width % count != 0 {
        return Err(Error::bad_input(format!(
            "the input's weight gives {width} channels, no multiple of {count} gates"
        )));
    }
    let channels = width / count;
    let recurrent = if before { count - 1 } else { count };
    let check = |what: &str, value: Value, inner: &[usize]| {
        let found = g.shape(value);
        let end = found.rank().saturating_sub(inner.len());
        if found.rank() != shape.rank().saturating_sub(2) + inner.len() || found[end..] != *inner {
            return Err(Error::bad_input(format!(
                "{what} must end in {inner:?} beside an input's of {shape}, its shape is {found}"
            )));
        }
        Ok(())
    };
    check("the hidden weight", weights.hidden, &[channels, recurrent * channels])?;
    if let Some(bias) = weights.hidden_bias
        && **g.shape(bias) != [width]
    {
        return Err(Error::bad_input(format!(
            "the hidden bias must be [{width}], its shape is {}",
            g.shape(bias)
        )));
    }
    match weights.candidate {
        Some(candidate) if before => check("the candidate's weight", candidate, &[channels, channels])?,
        Some(_) => {
            return Err(Error::bad_input("a candidate's weight is for a GRU that resets before the product"));
        }
        None if before => {
            return Err(Error::bad_input("a reset before the product needs the candidate's weight"));
        }
        None => {}
    }
    if before && weights.hidden_bias.is_some() {
        return Err(Error::bad_input("with a reset before the product the input's bias is the only one"));
    }
    Ok(())
}

/// That there are weights for each layer and direction, and states for all of them or none.
pub(super) fn check_counts(weights: usize, states: usize, direction: Direction) -> Result<()> {
    let directions = direction.count();
    if weights == 0 || !weights.is_multiple_of(directions) {
        return Err(Error::bad_input(format!(
            "weights of {weights} layers and directions, a multiple of {directions} is possible"
        )));
    }
    if states != 0 && states != weights {
        return Err(Error::bad_input(format!(
            "initial states of {states} layers and directions, there are {weights}"
        )));
    }
    Ok(())
}

/// The times of a walk in order.
pub(super) fn times(length: usize, reverse: bool) -> Box<dyn Iterator<Item = usize>> {
    if reverse { Box::new((0..length).rev()) } else { Box::new(0..length) }
}

/// Lays states `[N, …, C]`, of each direction in the order of time, out as `[N, T, …, C]`, directions side by side. Both
/// may not have axes between.
pub(super) fn over_time(g: &mut Graph, directions: &[Vec<Value>]) -> Result<Value> {
    let steps = directions[0].len();
    let shape = g.shape(directions[0][0]).clone();
    let row: usize = shape[1..].iter().product();
    let mut parts = Vec::new();
    for step in 0..steps {
        for states in directions {
            parts.push(g.view(states[step], &[shape[0], row])?);
        }
    }
    let joined = if parts.len() == 1 { parts[0] } else { g.concat(&parts, 1)? };
    let mut out = [&[shape[0], steps], &shape[1..]].concat();
    if let Some(last) = out.last_mut() {
        *last *= directions.len();
    }
    g.view(joined, &out)
}

/// The weights of every layer and direction from a list in PyTorch's order: of each the input's, the hidden, the
/// candidate's with `before`, and the biases.
pub(super) fn flat_weights(
    list: &[Value],
    bias: bool,
    before: bool,
    directions: usize,
) -> Result<Vec<RecurrentWeights>> {
    let biases = match (bias, before) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => 2,
    };
    let each = 2 + usize::from(before) + biases;
    if list.is_empty() || !list.len().is_multiple_of(each * directions) {
        return Err(Error::bad_input(format!(
            "{} weights and biases: {each} are needed for each layer{}",
            list.len(),
            if directions > 1 { " and direction" } else { "" }
        )));
    }
    let of_one = |w: &[Value]| {
        let biases = &w[2 + usize::from(before)..];
        RecurrentWeights {
            input: w[0],
            hidden: w[1],
            candidate: before.then(|| w[2]),
            input_bias: biases.first().copied(),
            hidden_bias: biases.get(1).copied(),
        }
    };
    Ok(list.chunks(each).map(of_one).collect())
}

/// The weights of a convolutional layer with the bias of its input's product.
pub(super) fn frame_weights(
    input: Value,
    hidden: Value,
    candidate: Option<Value>,
    bias: Option<Value>,
) -> RecurrentWeights {
    RecurrentWeights { input, hidden, candidate, input_bias: bias, hidden_bias: None }
}

/// The states of each layer and direction, `[N, C]`, from `[layers·directions, N, C]`.
pub(super) fn unstack(g: &mut Graph, states: Value, count: usize) -> Result<Vec<Value>> {
    let [given, n, c] = g.shape(states).dims("an initial state", "[layers·directions, N, C]")?;
    if given != count {
        return Err(Error::bad_input(format!(
            "an initial state of {given} layers and directions, there are {count}"
        )));
    }
    let one = |k: usize| {
        let state =
            if count == 1 { states } else { g.slice_axis(states, 0, k as isize, Some(k as isize + 1))? };
        g.view(state, &[n, c])
    };
    (0..count).map(one).collect()
}

/// `[layers·directions, N, C]` from the state of each.
pub(super) fn stack(g: &mut Graph, states: &[Value]) -> Result<Value> {
    let shape = g.shape(states[0]).clone();
    let mut whole = [&[1], &shape[..]].concat();
    let parts = states.iter().map(|s| g.view(*s, &whole)).collect::<Result<Vec<_>>>()?;
    if parts.len() == 1 {
        return Ok(parts[0]);
    }
    let joined = g.concat(&parts, 0)?;
    whole[0] = parts.len();
    g.view(joined, &whole)
}
