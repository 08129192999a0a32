use super::{super::Fill, Case};
use crate::ops::{ConvGru, RecurrentWeights, Reset, Update};

/// `[N, T, H, W, Cin]` and C.
fn case(name: &str, x: [usize; 5], c: usize, a: ConvGru, initial: bool) -> Case {
    let [n, _, h, w, i] = x;
    let before = a.reset == Reset::Before;
    let mut shapes: Vec<Vec<usize>> = vec![x.into(), vec![3, 5, i, 3 * c], vec![3 * c]];
    if before {
        shapes.extend([vec![3, 3, c, 2 * c], vec![5, 1, c, c]]);
    } else {
        shapes.extend([vec![3, 3, c, 3 * c], vec![3 * c]]);
    }
    if initial {
        shapes.push(vec![n, h, w, c]);
    }
    let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    Case::several(format!("conv_gru/{name}"), &shapes, move |g, v| {
        let weights = RecurrentWeights {
            input: v[1],
            input_bias: Some(v[2]),
            hidden: v[3],
            candidate: before.then(|| v[4]),
            hidden_bias: (!before).then(|| v[4]),
        };
        let y = g.conv_gru(v[0], &weights, v.get(5).copied(), &a)?;
        Ok([vec![y.output], y.hidden].concat())
    })
    .weights_from(1)
    .fills([Fill::Normal])
}

pub(super) fn cases() -> Vec<Case> {
    let plain = ConvGru::default();
    let after = ConvGru { reset: Reset::After, update: Update::Keep, ..plain };
    vec![
        case("plain", [2, 3, 4, 5, 3], 8, plain, false),
        case("state-reverse", [1, 3, 4, 5, 3], 3, ConvGru { reverse: true, ..plain }, true),
        case("after", [2, 2, 3, 5, 4], 4, after, false),
    ]
}
