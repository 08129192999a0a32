use super::{super::Fill, Case};
use crate::ops::{ConvLstm, RecurrentWeights};

/// `[N, T, H, W, Cin]` and C; the peephole's shape, empty for none.
fn case(name: &str, x: [usize; 5], c: usize, peephole: &[usize], initial: bool, reverse: bool) -> Case {
    let [n, _, h, w, i] = x;
    let mut shapes: Vec<Vec<usize>> = vec![x.into(), vec![3, 5, i, 4 * c], vec![3, 3, c, 4 * c], vec![4 * c]];
    let has_peephole = !peephole.is_empty();
    if has_peephole {
        shapes.push(peephole.to_vec());
    }
    if initial {
        shapes.extend([vec![n, h, w, c], vec![n, h, w, c]]);
    }
    let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    Case::several(format!("conv_lstm/{name}"), &shapes, move |g, v| {
        let weights = RecurrentWeights {
            input: v[1],
            hidden: v[2],
            candidate: None,
            input_bias: Some(v[3]),
            hidden_bias: None,
        };
        let peephole = has_peephole.then(|| v[4]);
        let state = initial.then(|| [v[v.len() - 2], v[v.len() - 1]]);
        let y = g.conv_lstm(v[0], &weights, peephole, state, &ConvLstm { reverse })?;
        Ok([vec![y.output], y.hidden, y.cell].concat())
    })
    .weights_from(1)
    .fills([Fill::Normal])
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("plain", [2, 3, 4, 5, 3], 8, &[], false, false),
        case("peephole", [1, 3, 4, 5, 3], 4, &[3, 4, 5, 4], false, false),
        case("peephole-of-channels-reverse", [2, 2, 3, 5, 4], 3, &[3, 3], true, true),
    ]
}
