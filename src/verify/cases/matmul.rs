use super::{super::Fill, Case};
use crate::graph::Activation;
use crate::ops::Matmul;

fn case(name: &str, a: &[usize], b: &[usize], attributes: Matmul) -> Case {
    Case::new(format!("matmul/{name}"), &[a, b], move |g, v| g.matmul(v[0], v[1], &attributes))
        .exact_on_integers()
}

pub(super) fn cases() -> Vec<Case> {
    let plain = Matmul::default();
    let transposed = |transpose_a, transpose_b| Matmul { transpose_a, transpose_b, ..Matmul::default() };
    let dims = |a: &[isize], b: &[isize], out: &[isize]| Matmul {
        dims_a: a.to_vec(),
        dims_b: b.to_vec(),
        dims_out: out.to_vec(),
        ..Matmul::default()
    };
    let mut list = vec![
        case("matrices", &[70, 37], &[37, 67], plain.clone()),
        case("transpose-a", &[21, 35], &[21, 18], transposed(true, false)),
        case("transpose-b", &[66, 19], &[33, 19], transposed(false, true)),
        case("transpose-both", &[20, 9], &[17, 20], transposed(true, true)),
        case("batches", &[3, 9, 16], &[3, 16, 20], plain.clone()),
        case("one-matrix-for-all", &[2, 3, 9, 8], &[8, 12], plain.clone()),
        case("one-matrix-of-all", &[11, 8], &[2, 3, 8, 12], plain.clone()),
        case("batches-repeat", &[2, 1, 9, 8], &[3, 8, 10], plain.clone()),
        case("both-repeat", &[4, 1, 9, 6], &[1, 3, 6, 8], plain.clone()),
        case("one-row", &[5, 1, 33], &[5, 33, 12], plain.clone()),
        case("one-column", &[5, 12, 33], &[5, 33, 1], plain.clone()),
        case("one-product", &[3, 9, 1], &[3, 1, 10], plain.clone()),
        case("deep", &[9, 3000], &[3000, 8], plain.clone()),
        case("slices-batches", &[3, 20, 515], &[3, 515, 21], plain.clone()),
        case("slices-transpose-both", &[1200, 36], &[28, 1200], transposed(true, true)).in_every_tile(),
        case("tiles-batches", &[2, 150, 70], &[2, 70, 140], plain.clone()).in_every_tile(),
        case("tiles-transpose-b", &[150, 72], &[140, 72], transposed(false, true)).in_every_tile(),
        case("fours", &[2, 40, 24], &[2, 24, 36], plain.clone()),
        case("scale", &[9, 12], &[12, 8], Matmul { scale: 0.125, ..plain.clone() }),
        // Heads that lie side by side in the channels: scores, and their product with the values.
        case(
            "heads",
            &[2, 10, 3, 8],
            &[2, 13, 3, 8],
            Matmul { transpose_b: true, ..dims(&[0, 2, 1, 3], &[0, 2, 1, 3], &[]) },
        ),
        case("heads-merged", &[2, 3, 10, 13], &[2, 13, 3, 8], dims(&[], &[0, 2, 1, 3], &[0, 2, 1, 3])),
        case("any-order", &[8, 2, 9, 3], &[3, 10, 2, 9], dims(&[1, 3, 0, -2], &[2, 0, 3, 1], &[3, 0, 2, 1])),
        case("nan", &[9, 3], &[3, 8], plain.clone()).fills([Fill::SomeNan]),
        // Most sums are infinite or NaN, and what bounds them is too.
        case("infinite", &[40, 2], &[2, 9], plain.clone()).fills([Fill::Masked]).trust_constant_reference(),
    ];
    for f in [Activation::Relu, Activation::Gelu] {
        let name = format!("matmul/{}", f.name());
        list.push(Case::new(name, &[&[2, 9, 12], &[2, 12, 10]], move |g, v| {
            let y = g.matmul(v[0], v[1], &Matmul::default())?;
            g.activation(y, f)
        }));
    }
    list
}
