use super::{super::Fill, Case};
use crate::ops::{Cumulation, Cumulative};

pub(super) fn cases() -> Vec<Case> {
    let shapes: [(&str, &[usize], isize); 8] = [
        ("last-axis", &[3, 5, 37], -1),
        ("first-axis", &[9, 4, 5], 0),
        ("middle-axis", &[3, 11, 7], 1),
        ("long-rows", &[3, 1003], 1),
        ("pieces", &[2, 2 * 1024 + 5], 1),
        ("long-columns", &[2, 1030, 5], 1),
        ("one-element", &[7, 1], 1),
        ("longer-than-one-walk", &[1, 61_001], 1),
    ];
    let mut list = Vec::new();
    for mode in [Cumulation::Sum, Cumulation::Prod] {
        let case = |what: &str, shape: &[usize], dim| {
            let a = Cumulative { mode, dim };
            let name = format!("cumulative/{mode:?}-{what}").to_lowercase();
            Case::new(name, &[shape], move |g, v| g.cumulative(v[0], &a))
        };
        for (what, shape, dim) in shapes {
            let longest = what == "longer-than-one-walk";
            let case = case(what, shape, dim);
            list.push(match mode {
                Cumulation::Sum => {
                    let floats = if longest { Fill::About(8.0) } else { Fill::Normal };
                    case.fills([Fill::Integers, floats, Fill::About(1000.0)]).exact_on_integers()
                }
                // Numbers whose product neither overflows nor vanishes.
                _ if longest => case.between(0, 0.9995, 1.0005).fills([Fill::Normal]),
                _ => case.between(0, -1.1, -0.92).fills([Fill::Normal]),
            });
        }
        list.push(case("nan", &[9, 20], 1).fills([Fill::SomeNan]));
        list.push(case("nan-long", &[3, 300], 1).fills([Fill::SomeNan]));
    }
    list
}
