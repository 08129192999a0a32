use super::{super::Fill, Case};
use crate::ops::Unary;

fn case(name: &str, f: Unary) -> Case {
    Case::new(format!("unary/{name}"), &[&[3, 5, 68]], move |g, v| g.unary(v[0], f))
}

pub(super) fn cases() -> Vec<Case> {
    let mut list = Vec::new();
    for f in Unary::ALL.into_iter().filter(|f| *f != Unary::Clamp { min: None, max: None }) {
        let case = case(f.function(), f);
        list.push(match f {
            Unary::Exp | Unary::Expm1 => case.fills([Fill::Integers, Fill::SomeNan, Fill::Scaled(0.1)]),
            // Half the numbers are outside the domain of these.
            Unary::Log | Unary::Sqrt | Unary::Rsqrt => {
                case.fills([Fill::Normal, Fill::About(8.0), Fill::SomeNan])
            }
            Unary::Log1p => case.fills([Fill::Scaled(0.2), Fill::About(8.0), Fill::SomeNan]),
            Unary::Sin | Unary::Cos => {
                case.fills([Fill::Normal, Fill::SomeNan, Fill::Scaled(1e3), Fill::Scaled(1e4)])
            }
            Unary::Floor | Unary::Ceil | Unary::Round | Unary::Trunc => case
                .fills([Fill::Integers, Fill::Normal, Fill::SomeNan, Fill::Scaled(30.0)])
                .exact_on_integers(),
            _ => case.fills([Fill::Integers, Fill::Normal, Fill::SomeNan]),
        });
    }
    for (name, low, high, f) in [
        ("exp-to-its-ends", -110.0, 95.0, Unary::Exp),
        ("log-about-one", 0.4, 2.2, Unary::Log),
        ("log-of-little", 1e-30, 1e-3, Unary::Log),
        ("log1p-about-zero", -0.9, 2.5, Unary::Log1p),
        ("erf-tails", -5.0, 5.0, Unary::Erf),
        ("reciprocal-of-little", 1e-4, 1e-3, Unary::Reciprocal),
        ("sin-of-much", 1e4, 6e4, Unary::Sin),
        ("cos-of-timesteps", 0.0, 1000.0, Unary::Cos),
        ("clamp-both", -2.0, 2.0, Unary::Clamp { min: Some(-0.5), max: Some(1.25) }),
        ("clamp-below", -2.0, 2.0, Unary::Clamp { min: Some(-0.5), max: None }),
        ("clamp-above", -2.0, 2.0, Unary::Clamp { min: None, max: Some(0.5) }),
        ("pow-gamma", 0.0, 1.0, Unary::Pow { exponent: 2.2 }),
        ("pow-of-negative", -3.0, 3.0, Unary::Pow { exponent: -0.3 }),
        ("pow-cube", -3.0, 3.0, Unary::Pow { exponent: 3.0 }),
        ("pow-inverse", -3.0, 3.0, Unary::Pow { exponent: -5.0 }),
        ("pow-of-much", 1e-2, 100.0, Unary::Pow { exponent: 1.7 }),
        ("pow-whole-and-large", 0.9, 1.1, Unary::Pow { exponent: 101.0 }),
        ("affine-both", -3.0, 3.0, Unary::Affine { scale: -1.7, shift: 0.3 }),
    ] {
        list.push(case(name, f).between(0, low, high).fills([Fill::Normal]));
    }
    // Infinities go through where they may.
    for f in [
        Unary::Abs,
        Unary::Exp,
        Unary::Expm1,
        Unary::Erf,
        Unary::Reciprocal,
        Unary::Sin,
        Unary::Floor,
        Unary::Round,
    ] {
        list.push(case(&format!("{}-of-infinity", f.function()), f).fills([Fill::Masked]));
    }
    list.push(
        Case::new("unary/odd-count", &[&[3, 5, 67]], |g, v| g.unary(v[0], Unary::Square)).exact_on_integers(),
    );
    list
}
