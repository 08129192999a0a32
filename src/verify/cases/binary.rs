use super::{super::Fill, Case};
use crate::ops::Binary;

pub(super) fn cases() -> Vec<Case> {
    let mut list = Vec::new();
    for f in Binary::ALL {
        let name = format!("{f:?}").to_lowercase();
        let case = Case::new(format!("binary/{name}"), &[&[3, 5, 67], &[3, 5, 67]], move |g, v| {
            g.binary(v[0], v[1], f)
        });
        // Integers are often zero, which no quotient may be asked about.
        list.push(if f == Binary::Div {
            case.fills([Fill::About(8.0), Fill::SomeNan])
        } else {
            case.fills([Fill::Integers, Fill::Normal, Fill::SomeNan]).exact_on_integers()
        });
    }
    let shapes: [(&str, &[usize], &[usize]); 5] = [
        ("channels", &[2, 3, 4, 5], &[5]),
        ("per-sample", &[2, 3, 4, 5], &[2, 1, 1, 1]),
        ("both-ways", &[2, 1, 4, 1], &[3, 1, 5]),
        ("scalar", &[2, 3, 4], &[]),
        ("eight-axes", &[2, 1, 2, 1, 2, 1, 2, 1], &[1, 3, 1, 2, 1, 3, 1, 2]),
    ];
    for (name, a, b) in shapes {
        list.push(
            Case::new(format!("binary/broadcast-{name}"), &[a, b], |g, v| g.binary(v[0], v[1], Binary::Sub))
                .exact_on_integers(),
        );
    }
    list
}
