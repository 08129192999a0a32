use super::{super::Fill, Case};

fn case(name: &str, shape: [usize; 4], side: usize) -> Case {
    Case::new(format!("median/{name}"), &[&shape], move |g, v| g.median(v[0], side))
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("five", [2, 9, 13, 2], 5),
        case("three", [1, 7, 10, 3], 3),
        case("narrow", [1, 1, 9, 1], 5),
        case("one-pixel", [3, 1, 1, 5], 3),
        case("nan", [1, 6, 7, 2], 5).fills([Fill::SomeNan]),
        case("nan-three", [1, 6, 7, 2], 3).fills([Fill::SomeNan]),
    ]
}
