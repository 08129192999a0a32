use super::{super::Fill, Case};
use crate::ops::{LstmCell, LstmInputs};

/// The shapes of gates, of what is recurrent, of the cell and of the peephole, empty for none.
fn case(name: &str, shapes: [&[usize]; 4], step: Option<usize>) -> Case {
    let given: Vec<&[usize]> = shapes.into_iter().filter(|s| !s.is_empty()).collect();
    let peephole = !shapes[3].is_empty();
    Case::several(format!("lstm_cell/{name}"), &given, move |g, v| g.push_all(LstmCell { step, peephole }, v))
        .fills([Fill::Normal, Fill::SomeNan, Fill::Scaled(20.0)])
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("plain", [&[5, 4 * 16], &[5, 4 * 16], &[5, 16], &[]], None),
        case("odd-channels", [&[5, 4 * 7], &[5, 4 * 7], &[5, 7], &[]], None),
        case("first-step", [&[3, 4, 4 * 12], &[], &[], &[]], Some(0)),
        case("first-step-bias", [&[3, 4, 4 * 12], &[4 * 12], &[], &[]], Some(3)),
        case("bias-and-cell", [&[3, 4 * 5], &[4 * 5], &[3, 5], &[]], None),
        case("one-sample-one-channel", [&[1, 1, 4], &[1, 4], &[1, 1], &[]], Some(0)).fills([Fill::Normal]),
        case("frames", [&[2, 3, 4, 5, 4 * 8], &[2, 4, 5, 4 * 8], &[2, 4, 5, 8], &[]], Some(1)),
        case("frames-odd", [&[2, 3, 4, 5, 4 * 3], &[2, 4, 5, 4 * 3], &[2, 4, 5, 3], &[]], Some(2)),
        case(
            "peephole-of-places",
            [&[2, 3, 4, 5, 4 * 8], &[2, 4, 5, 4 * 8], &[2, 4, 5, 8], &[3, 4, 5, 8]],
            Some(1),
        ),
        case("peephole-of-channels", [&[2, 3, 5, 4 * 3], &[2, 5, 4 * 3], &[2, 5, 3], &[3, 3]], Some(1)),
        case("peephole-first-step", [&[2, 3, 5, 4 * 8], &[], &[], &[3, 8]], Some(0)),
        case("peephole-first-step-bias", [&[2, 5, 4 * 3], &[12], &[], &[3, 5, 3]], None),
        Case::several("lstm_cell/infinite", &[&[9, 4 * 4]], |g, v| {
            Ok(g.lstm_cell(v[0], None, LstmInputs::default())?.into())
        })
        .fills([Fill::Masked]),
    ]
}
