use super::{super::Fill, Case};
use crate::ops::PolynomialExpansion;

fn case(name: &str, [n, h, w]: [usize; 3], poly_n: usize, poly_sigma: f64) -> Case {
    let a = PolynomialExpansion { poly_n, poly_sigma };
    Case::new(format!("polynomial_expansion/{name}"), &[&[n, h, w, 1]], move |g, v| {
        g.polynomial_expansion(v[0], &a)
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("five", [2, 13, 9], 5, 1.2),
        case("seven", [1, 17, 23], 7, 1.5),
        case("one", [1, 5, 6], 1, 0.7),
        case("default-sigma", [1, 7, 8], 3, 0.0),
        case("bright", [1, 9, 11], 5, 1.1).fills([Fill::About(128.0)]),
        case("one-pixel", [3, 1, 1], 2, 0.9).fills([Fill::Scaled(100.0)]).trust_constant_reference(),
        case("one-row", [1, 1, 19], 2, 1.0),
        case("nan", [1, 9, 12], 1, 0.8).fills([Fill::SomeNan]),
    ]
}
