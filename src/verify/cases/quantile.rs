use super::{super::Fill, Case};
use crate::ops::{Quantile, QuantileInterpolation};

fn case(name: String, shape: &[usize], a: Quantile) -> Case {
    Case::new(format!("quantile/{name}"), &[shape], move |g, v| g.quantile(v[0], &a)).fills([
        Fill::Normal,
        Fill::About(1000.0),
        Fill::Scaled(1e-3),
        Fill::SomeNan,
    ])
}

pub(super) fn cases() -> Vec<Case> {
    let shapes: [(&str, &[usize], Option<isize>); 8] = [
        ("last-axis", &[3, 7, 5], Some(-1)),
        ("first-axis", &[10, 4, 5], Some(0)),
        ("long-rows", &[5, 700], Some(1)),
        ("long-columns", &[2, 600, 3], Some(1)),
        ("all", &[3, 5, 3], None),
        ("all-of-many", &[3, 50, 9], None),
        ("one-element", &[7, 1], Some(1)),
        ("longer-than-one-walk", &[2, 5001], Some(-1)),
    ];
    let mut list = Vec::new();
    for (what, shape, dim) in shapes {
        for keepdim in [false, true] {
            let a = Quantile { q: vec![0.0, 0.31, 0.5, 0.995, 1.0], dim, keepdim, ..Quantile::default() };
            let case = case(format!("{what}{}", if keepdim { "-kept" } else { "" }), shape, a);
            // With one row, NaN in it makes NaN of everything; with long ones in every row.
            let all_nan = dim.is_none() || shape.iter().any(|d| *d > 500);
            list.push(if all_nan { case.trust_constant_reference() } else { case });
        }
    }
    for interpolation in QuantileInterpolation::ALL {
        let name = format!("{interpolation:?}").to_lowercase();
        // 0.125 lies in the middle between two of five elements.
        let a = Quantile { interpolation, dim: Some(1), q: vec![0.125, 0.3, 0.375, 0.75], keepdim: false };
        list.push(case(name.clone(), &[9, 5], a.clone()));
        list.push(case(format!("{name}-long"), &[3, 601], a.clone()).fills([Fill::Integers, Fill::Normal]));
        list.push(case(format!("{name}-columns"), &[3, 90, 4], a).fills([Fill::Integers, Fill::Normal]));
    }
    // Half of the elements −∞: only their ranks, for between them and a number lies nothing.
    let lower = Quantile { interpolation: QuantileInterpolation::Lower, ..Quantile::along(0.6, 1) };
    list.push(case("masked".into(), &[50, 5], lower).fills([Fill::Masked]));
    list
}
