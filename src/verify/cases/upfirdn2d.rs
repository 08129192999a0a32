use super::{super::Fill, Case};
use crate::ops::{FilterPadding, Upfirdn2d};

fn case(name: &str, x: [usize; 4], filter: &[usize], a: Upfirdn2d) -> Case {
    Case::new(format!("upfirdn2d/{name}"), &[&x, filter], move |g, v| g.upfirdn2d(v[0], v[1], &a))
        .weights_from(1)
        .exact_on_integers()
}

pub(super) fn cases() -> Vec<Case> {
    let plain = Upfirdn2d::default();
    let padded = |padding| Upfirdn2d { padding, ..plain.clone() };
    vec![
        case("blur", [2, 6, 7, 8], &[4], padded([[2, 1]; 2])),
        case("twice", [1, 5, 6, 8], &[4], Upfirdn2d { up: [2; 2], gain: 4.0, ..padded([[2, 1]; 2]) }),
        case("half", [1, 8, 9, 5], &[4], Upfirdn2d { down: [2; 2], ..padded([[1, 1]; 2]) }),
        case("matrix", [1, 7, 9, 4], &[3, 5], plain.clone()),
        case("flipped", [1, 7, 9, 3], &[3, 5], Upfirdn2d { flip_filter: true, gain: 0.5, ..plain.clone() }),
        case("crop", [1, 9, 8, 4], &[2, 3], padded([[-2, 1], [3, -3]])),
        case(
            "uneven",
            [1, 5, 6, 7],
            &[5, 4],
            Upfirdn2d { up: [3, 2], down: [2, 5], ..padded([[4, -2], [-3, 7]]) },
        ),
        case("long", [1, 6, 5, 8], &[12], Upfirdn2d { up: [2; 2], gain: 4.0, ..padded([[6, 5]; 2]) }),
        case("long-down", [2, 11, 9, 3], &[12], Upfirdn2d { down: [2; 2], ..padded([[5, 5], [6, 5]]) }),
        case(
            "reflect",
            [1, 6, 7, 8],
            &[3, 4],
            Upfirdn2d { padding_mode: FilterPadding::Reflect, ..padded([[5, 2], [1, 6]]) },
        ),
        case(
            "replicate",
            [1, 2, 3, 5],
            &[2],
            Upfirdn2d { padding_mode: FilterPadding::Replicate, ..padded([[4, 0], [0, 9]]) },
        ),
        case("one-element", [1, 1, 1, 4], &[4, 4], Upfirdn2d { up: [4; 2], ..padded([[2, 1], [1, 3]]) }),
        case("nan", [1, 6, 7, 4], &[3, 3], padded([[1, 1]; 2])).fills([Fill::SomeNan]),
    ]
}
