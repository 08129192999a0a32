use super::{super::Fill, Case};
use crate::ops::{Reduce, Reduction};

pub(super) fn cases() -> Vec<Case> {
    let shapes: [(&str, &[usize], &[isize]); 10] = [
        ("last-axis", &[3, 7, 5], &[-1]),
        ("first-axis", &[5, 4, 13], &[0]),
        ("middle-axes", &[2, 3, 2, 4, 6], &[1, 2, 3]),
        ("axes-apart", &[3, 4, 2, 5], &[0, 2]),
        ("every-other-axis", &[2, 2, 3, 2, 2, 3, 2, 2], &[-1, 1, 3, 5]),
        ("long-rows", &[6, 1003], &[1]),
        ("long-columns", &[700, 9], &[0]),
        ("long-apart", &[5, 30, 3, 20], &[1, 3]),
        ("longer-than-one-walk", &[2, 61_001], &[1]),
        ("nothing-to-do", &[4, 1, 5], &[1]),
    ];
    let mut list = Vec::new();
    for mode in Reduction::ALL {
        let name = format!("{mode:?}").to_lowercase();
        for (what, shape, dim) in shapes {
            let a = Reduce::over(mode, dim);
            let case = Case::new(format!("reduce/{name}-{what}"), &[shape], move |g, v| g.reduce(v[0], &a));
            list.push(match mode {
                // A maximum of hundreds of small integers is always the same.
                Reduction::Max | Reduction::Min => {
                    let case = case.fills([Fill::Normal, Fill::About(-8.0), Fill::Scaled(1e-3)]);
                    if what == "longer-than-one-walk" { case.trust_constant_reference() } else { case }
                }
                // Tens of thousands of numbers about zero sum to little beside the bound.
                Reduction::Mean if what == "longer-than-one-walk" => case.fills([Fill::About(8.0)]),
                Reduction::Sum if what == "longer-than-one-walk" => {
                    case.fills([Fill::Integers, Fill::About(8.0)]).exact_on_integers()
                }
                Reduction::Mean => case.fills([Fill::Integers, Fill::Normal, Fill::About(1000.0)]),
                Reduction::Sum => {
                    case.fills([Fill::Integers, Fill::Normal, Fill::About(1000.0)]).exact_on_integers()
                }
            });
        }
        let a = Reduce::over(mode, &[1]);
        list.push(
            Case::new(format!("reduce/{name}-nan"), &[&[40, 5]], move |g, v| g.reduce(v[0], &a))
                .fills([Fill::SomeNan]),
        );
        let a = Reduce { mode, dim: vec![], keepdim: true };
        list.push(
            Case::new(format!("reduce/{name}-all"), &[&[2, 3, 40, 5]], move |g, v| g.reduce(v[0], &a))
                .fills([Fill::About(8.0), Fill::About(1000.0)]),
        );
    }
    list
}
