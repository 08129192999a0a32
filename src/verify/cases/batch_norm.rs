use super::{super::Fill, Case};
use crate::graph::Activation;
use crate::ops::BatchNorm;

/// A case with so many inputs of `[C]` besides `x`: statistics alone, weight, bias. Variances are filled as all inputs
/// are: an eps of 8 keeps the root of a negative one, a fill of about 8 or 1000 that of any.
fn case(name: &str, shape: &[usize], vectors: usize, eps: f32) -> Case {
    let channels = &shape[shape.len() - 1..];
    let shapes: Vec<&[usize]> =
        std::iter::once(shape).chain(std::iter::repeat_n(channels, vectors)).collect();
    let a = BatchNorm { eps, ..BatchNorm::default() };
    let case = Case::new(format!("batch_norm/{name}"), &shapes, move |g, v| {
        g.batch_norm(v[0], [v[1], v[2]], v.get(3).copied(), v.get(4).copied(), &a)
    });
    let case = case.weights_from(1);
    match (eps >= 8.0, vectors) {
        (true, _) => case.fills([Fill::Integers, Fill::Normal, Fill::About(8.0)]),
        // A weight of 1000 and a bias beside it would leave no digits for the rest.
        (false, 2) => case.fills([Fill::About(8.0), Fill::About(1000.0)]),
        (false, _) => case.fills([Fill::About(8.0)]),
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut list = vec![
        case("video", &[2, 3, 4, 5, 6], 4, 8.0),
        case("odd-channels", &[1, 3, 5, 7, 9], 4, 1e-5),
        case("statistics-alone", &[2, 3, 5, 7], 2, 1e-5),
        case("weight-alone", &[2, 3, 5, 7], 3, 1e-5),
        case("picture", &[2, 7, 5, 33], 4, 1e-3),
        case("rows", &[9, 100], 4, 1e-12),
        case("one-channel", &[5, 7, 1], 4, 8.0),
        case("one-place", &[130], 4, 8.0),
        case("large-eps", &[4, 5, 12], 2, 1000.0).fills([Fill::Normal, Fill::About(1000.0)]),
        case("nan", &[2, 3, 4, 25], 4, 8.0).fills([Fill::SomeNan]),
    ];
    for f in Activation::ALL.into_iter().skip(1) {
        let a = BatchNorm { eps: 8.0, ..BatchNorm::default() };
        let shapes: [&[usize]; 5] = [&[3, 5, 12], &[12], &[12], &[12], &[12]];
        let case = Case::new(format!("batch_norm/{}", f.name()), &shapes, move |g, v| {
            let y = g.batch_norm(v[0], [v[1], v[2]], Some(v[3]), Some(v[4]), &a)?;
            g.activation(y, f)
        });
        list.push(case.weights_from(1));
    }
    list
}
