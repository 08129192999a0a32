use super::{super::Fill, Case};
use crate::ops::{Direction, Gru, RecurrentWeights, Reset, Update};

/// A GRU of one layer or two over `[N, T, Cin]`, its weights and biases after the input.
fn case(name: &str, [n, t, i, c]: [usize; 4], layers: usize, a: Gru, initial: bool) -> Case {
    let directions = a.direction.count();
    let before = a.reset == Reset::Before;
    let mut shapes = vec![vec![n, t, i]];
    for layer in 0..layers {
        let width = if layer == 0 { i } else { c * directions };
        for _ in 0..directions {
            shapes.push(vec![width, 3 * c]);
            shapes.push(vec![3 * c]);
            if before {
                shapes.extend([vec![c, 2 * c], vec![c, c]]);
            } else {
                shapes.extend([vec![c, 3 * c], vec![3 * c]]);
            }
        }
    }
    let weights = shapes.len() - 1;
    if initial {
        shapes.extend(std::iter::repeat_n(vec![n, c], weights / 4));
    }
    let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    Case::several(format!("gru/{name}"), &shapes, move |g, v| {
        let (flat, state) = v[1..].split_at(weights);
        let weights: Vec<RecurrentWeights> = flat
            .chunks(4)
            .map(|w| RecurrentWeights {
                input: w[0],
                input_bias: Some(w[1]),
                hidden: w[2],
                candidate: before.then(|| w[3]),
                hidden_bias: (!before).then(|| w[3]),
            })
            .collect();
        let y = g.gru(v[0], &weights, state, &a)?;
        Ok([vec![y.output], y.hidden].concat())
    })
    .weights_from(1)
    .fills([Fill::Normal])
}

pub(super) fn cases() -> Vec<Case> {
    let plain = Gru::default();
    let before = Gru { reset: Reset::Before, ..plain };
    vec![
        case("plain", [2, 3, 5, 8], 1, plain, false),
        case("before", [2, 3, 5, 8], 1, before, false),
        case("before-state-replace", [5, 2, 8, 7], 1, Gru { update: Update::Replace, ..before }, true),
        case("reverse-one-sample", [1, 3, 6, 5], 1, Gru { direction: Direction::Reverse, ..plain }, true),
        case("both-two-layers", [2, 2, 5, 3], 2, Gru { direction: Direction::Bidirectional, ..plain }, true),
        case("one-step", [3, 1, 5, 4], 1, before, false),
    ]
}
