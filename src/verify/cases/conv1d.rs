use super::Case;
use crate::ops::{Conv1d, PaddingMode};

fn case(name: &str, x: [usize; 3], w: [usize; 3], a: Conv1d) -> Case {
    Case::new(format!("conv1d/{name}"), &[&x, &w, &[w[2]]], move |g, v| g.conv1d(v[0], v[1], Some(v[2]), &a))
        .weights_from(1)
        .exact_on_integers()
}

pub(super) fn cases() -> Vec<Case> {
    let plain = Conv1d::default();
    vec![
        case("stride", [2, 41, 6], [5, 6, 12], Conv1d { stride: [3], padding: [[1, 2]], ..plain.clone() }),
        case("causal", [2, 19, 8], [3, 8, 8], Conv1d { dilation: [4], padding: [[8, 0]], ..plain.clone() }),
        case("reflect", [1, 13, 5], [7, 5, 7], {
            Conv1d { padding: [[3, 3]], padding_mode: PaddingMode::Reflect, ..plain.clone() }
        }),
        case("depthwise", [2, 23, 16], [5, 1, 16], Conv1d { groups: 16, padding: [[2, 2]], ..plain.clone() }),
        case("pointwise", [3, 11, 20], [1, 20, 24], plain),
    ]
}
