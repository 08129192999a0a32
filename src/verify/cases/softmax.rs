use super::{super::Fill, Case};
use crate::ops::Softmax;

fn case(name: &str, shape: &[usize], a: Softmax) -> Case {
    Case::new(format!("softmax/{name}"), &[shape], move |g, v| g.softmax(v[0], &a)).fills([
        Fill::Normal,
        Fill::Scaled(30.0),
        Fill::About(1000.0),
        Fill::About(-1000.0),
    ])
}

pub(super) fn cases() -> Vec<Case> {
    let along = |dim| Softmax { dim, ..Softmax::default() };
    let log = |a| Softmax { log: true, ..a };
    let with_nan = |c: Case| c.fills([Fill::SomeNan]);
    let masked = |c: Case| c.fills([Fill::Masked]);
    vec![
        case("last-axis", &[3, 5, 37], along(-1)),
        case("first-axis", &[9, 4, 5], along(0)),
        case("middle-axis", &[3, 11, 7], along(1)),
        case("long-rows", &[5, 1000], along(-1)),
        case("rows-of-a-workgroup-and-one", &[3, 257], along(-1)),
        case("longer-than-one-walk", &[2, 20_001], along(-1)),
        case("longer-than-one-walk-across", &[1, 20_001, 2], along(1)),
        case("logarithm", &[4, 33], log(along(-1))),
        case("logarithm-long-rows", &[4, 600], log(along(-1))),
        case("logarithm-middle-axis", &[3, 11, 7], log(along(1))),
        case("temperature", &[4, 33], Softmax { temperature: 0.07, ..along(-1) })
            .fills([Fill::Normal, Fill::About(1000.0)]),
        case("temperature-long-rows", &[4, 300], Softmax { temperature: 3.0, ..along(-1) }),
        case("one-element", &[7, 1], along(-1)).trust_constant_reference(),
        // Rows of three are often −∞ alone.
        masked(case("masked", &[50, 3], along(-1))),
        masked(case("masked-logarithm", &[50, 3], log(along(-1)))),
        masked(case("masked-long-rows", &[4, 300], along(-1))),
        with_nan(case("nan", &[40, 5], along(-1))),
        with_nan(case("nan-across", &[5, 40], along(0))),
        with_nan(case("nan-logarithm", &[40, 5], log(along(-1)))),
        with_nan(case("nan-long-rows", &[4, 300], along(-1))).trust_constant_reference(),
    ]
}
