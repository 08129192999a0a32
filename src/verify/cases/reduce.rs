use super::{super::Fill, Case};
use crate::ops::{Reduce, Reduction};

/// Name, shape, axes.
type Row = (&'static str, &'static [usize], &'static [isize]);

const LONGEST: &str = "longer-than-one-walk";

const SHAPES: [Row; 12] = [
    ("last-axis", &[3, 7, 5], &[-1]),
    ("first-axis", &[5, 4, 13], &[0]),
    ("middle-axes", &[2, 3, 2, 4, 6], &[1, 2, 3]),
    ("axes-apart", &[3, 4, 2, 5], &[0, 2]),
    ("every-other-axis", &[2, 2, 3, 2, 2, 3, 2, 2], &[-1, 1, 3, 5]),
    ("long-rows", &[6, 1003], &[1]),
    ("long-columns", &[700, 9], &[0]),
    ("long-columns-of-several-blocks", &[2, 19, 17, 37], &[1, 2]),
    ("long-columns-apart", &[17, 2, 18, 35], &[0, 2]),
    ("long-apart", &[5, 30, 3, 20], &[1, 3]),
    (LONGEST, &[2, 61_001], &[1]),
    ("nothing-to-do", &[4, 1, 5], &[1]),
];

fn case(name: String, shape: &[usize], a: Reduce) -> Case {
    Case::new(format!("reduce/{name}"), &[shape], move |g, v| g.reduce(v[0], &a))
}

/// What shows this reduction of such a shape to be right.
fn fill(mode: Reduction, what: &str, case: Case) -> Case {
    let longest = what == LONGEST;
    match mode {
        // A maximum of hundreds of small integers is always the same.
        Reduction::Max | Reduction::Min => {
            let case = case.fills([Fill::Normal, Fill::About(-8.0), Fill::Scaled(1e-3)]);
            if longest { case.trust_constant_reference() } else { case }
        }
        // Tens of thousands of numbers about zero sum to little beside the bound.
        Reduction::Mean if longest => case.fills([Fill::About(8.0)]),
        Reduction::Sum if longest => case.fills([Fill::Integers, Fill::About(8.0)]).exact_on_integers(),
        Reduction::Mean | Reduction::Var | Reduction::Std => {
            case.fills([Fill::Integers, Fill::Normal, Fill::About(1000.0)])
        }
        Reduction::Sum => case.fills([Fill::Integers, Fill::Normal, Fill::About(1000.0)]).exact_on_integers(),
        // Numbers whose product neither overflows nor vanishes.
        Reduction::Prod if longest => case.between(0, 0.9995, 1.0005).fills([Fill::Normal]),
        Reduction::Prod => case.between(0, -1.1, -0.92).fills([Fill::Normal]),
        Reduction::Norm | Reduction::Logsumexp => {
            case.fills([Fill::Normal, Fill::Scaled(1e-3), Fill::About(80.0)])
        }
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut list = Vec::new();
    for mode in Reduction::ALL {
        let name = format!("{mode:?}").to_lowercase();
        let divides = matches!(mode, Reduction::Var | Reduction::Std);
        for (what, shape, dim) in SHAPES {
            // A variance of single elements is zero, and one of so many has no bound to speak of.
            let pointless =
                (divides && what == "nothing-to-do") || (mode == Reduction::Var && what == LONGEST);
            if !pointless {
                list.push(fill(mode, what, case(format!("{name}-{what}"), shape, Reduce::over(mode, dim))));
            }
        }
        let over_one = Reduce::over(mode, &[1]);
        list.push(case(format!("{name}-nan"), &[40, 5], over_one.clone()).fills([Fill::SomeNan]));
        list.push(case(format!("{name}-nan-long"), &[40, 5, 300], over_one).fills([Fill::SomeNan]));
        let all = Reduce { mode, keepdim: true, ..Reduce::default() };
        let fills =
            if mode == Reduction::Prod { vec![] } else { vec![Fill::About(8.0), Fill::About(1000.0)] };
        let all = case(format!("{name}-all"), &[2, 3, 40, 5], all);
        list.push(if fills.is_empty() { fill(mode, "all", all) } else { all.fills(fills) });
    }
    for (what, p) in [
        ("0", 0.0),
        ("1", 1.0),
        ("3", 3.0),
        ("half", 0.5),
        ("inf", f32::INFINITY),
        ("minus-inf", f32::NEG_INFINITY),
    ] {
        for (shape, dim) in [(&[3, 7, 5][..], &[1][..]), (&[6, 1003], &[1]), (&[2, 300, 9], &[1])] {
            let a = Reduce { p, ..Reduce::over(Reduction::Norm, dim) };
            let case = case(format!("norm-{what}-of-{}", shape[1]), shape, a);
            list.push(match p {
                // How many of integers are zero; of others hardly one is.
                0.0 => case.fills([Fill::Integers]).exact_on_integers(),
                f32::NEG_INFINITY => case.fills([Fill::About(8.0), Fill::About(-80.0)]),
                f32::INFINITY => case.fills([Fill::Normal, Fill::About(-80.0)]),
                _ => case,
            });
        }
    }
    for (what, correction) in [("biased", 0), ("of-five", 5)] {
        for mode in [Reduction::Var, Reduction::Std] {
            let a = Reduce { correction, ..Reduce::over(mode, &[1]) };
            let name = format!("{mode:?}-{what}").to_lowercase();
            list.push(case(name, &[6, 33], a).fills([Fill::Normal, Fill::About(1000.0)]));
        }
    }
    // Half of the elements −∞, and now and then all.
    list.push(
        case("logsumexp-masked".into(), &[50, 3], Reduce::over(Reduction::Logsumexp, &[1]))
            .fills([Fill::Masked]),
    );
    list
}
