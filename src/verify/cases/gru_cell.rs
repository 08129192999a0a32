use super::{super::Fill, Case};
use crate::ops::{GruCell, Reset, Update};

/// The shapes of gates, of what is recurrent, of the state and of the candidate, as far as there are any.
fn case(name: &str, shapes: &[&[usize]], a: GruCell) -> Case {
    Case::new(format!("gru_cell/{name}"), shapes, move |g, v| g.gru_cell(v[0], &v[1..], a)).fills([
        Fill::Normal,
        Fill::SomeNan,
        Fill::Scaled(20.0),
    ])
}

pub(super) fn cases() -> Vec<Case> {
    let after = GruCell::default();
    let before = GruCell { reset: Reset::Before, ..after };
    let at = |step: usize, a: GruCell| GruCell { step: Some(step), ..a };
    let replace = |a: GruCell| GruCell { update: Update::Replace, ..a };
    let reset_state = |a: GruCell| GruCell { reset_state: true, ..a };
    vec![
        case("after", &[&[5, 48], &[5, 48], &[5, 16]], after),
        case("after-odd-replace", &[&[5, 21], &[5, 21], &[5, 7]], replace(after)),
        case("after-first-step", &[&[3, 4, 24]], at(0, after)),
        case("after-first-step-bias", &[&[3, 4, 15], &[15]], at(3, after)),
        case("after-bias-and-state", &[&[3, 24], &[24], &[3, 8]], after),
        case("after-frames", &[&[2, 3, 4, 5, 24], &[2, 4, 5, 24], &[2, 4, 5, 8]], at(2, after)),
        case("after-reset-state", &[&[2, 3, 15], &[2, 15], &[2, 5]], reset_state(at(1, after))),
        case("before", &[&[5, 48], &[5, 32], &[5, 16], &[5, 16]], before),
        case("before-odd-replace", &[&[5, 21], &[5, 14], &[5, 7], &[5, 7]], replace(before)),
        case("before-first-step", &[&[3, 4, 24]], replace(at(1, before))),
        case("before-first-step-bias", &[&[3, 4, 9], &[6]], at(1, before)),
        case("before-reset-state", &[&[2, 3, 24], &[2, 16], &[2, 8]], reset_state(at(2, before))),
        case("before-reset-state-odd", &[&[7, 9], &[7, 6], &[7, 3]], reset_state(before)),
        case(
            "before-frames",
            &[&[2, 3, 4, 5, 9], &[2, 4, 5, 6], &[2, 4, 5, 3], &[2, 4, 5, 3]],
            at(1, replace(before)),
        ),
        case("one-sample-one-channel", &[&[1, 3], &[1, 3], &[1, 1]], after).fills([Fill::Normal]),
    ]
}
