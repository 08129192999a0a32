use super::{super::Fill, Case};
use crate::ops::{Direction, Lstm, RecurrentWeights};

/// An LSTM of one layer or two over `[N, T, Cin]`, its weights and biases after the input.
fn case(name: &str, [n, t, i, c]: [usize; 4], layers: usize, direction: Direction, initial: bool) -> Case {
    let directions = direction.count();
    let mut shapes = vec![vec![n, t, i]];
    for layer in 0..layers {
        let width = if layer == 0 { i } else { c * directions };
        for _ in 0..directions {
            shapes.extend([vec![width, 4 * c], vec![c, 4 * c], vec![4 * c], vec![4 * c]]);
        }
    }
    let weights = shapes.len() - 1;
    if initial {
        shapes.extend(std::iter::repeat_n(vec![n, c], weights / 2));
    }
    let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    Case::several(format!("lstm/{name}"), &shapes, move |g, v| {
        let (flat, first) = v[1..].split_at(weights);
        let weights: Vec<RecurrentWeights> = flat
            .chunks(4)
            .map(|w| RecurrentWeights {
                input: w[0],
                hidden: w[1],
                candidate: None,
                input_bias: Some(w[2]),
                hidden_bias: Some(w[3]),
            })
            .collect();
        let state: Vec<_> = first.chunks(2).map(|s| [s[0], s[1]]).collect();
        let y = g.lstm(v[0], &weights, &state, &Lstm { direction })?;
        Ok([vec![y.output], y.hidden, y.cell].concat())
    })
    .weights_from(1)
    .fills([Fill::Normal])
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("plain", [2, 3, 5, 8], 1, Direction::Forward, false),
        case("state", [5, 2, 8, 7], 1, Direction::Forward, true),
        case("reverse-one-sample", [1, 3, 6, 5], 1, Direction::Reverse, true),
        case("both-two-layers", [2, 2, 5, 3], 2, Direction::Bidirectional, true),
        case("one-step", [3, 1, 5, 4], 1, Direction::Forward, false),
    ]
}
