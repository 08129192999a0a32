use super::{super::Fill, Case};
use crate::ops::Distance;

pub(super) fn cases() -> Vec<Case> {
    let shapes: [(&str, &[usize], [usize; 2]); 7] = [
        ("few-codes", &[2, 5, 8], [11, 8]),
        ("odd-channels", &[70, 13], [50, 13]),
        ("one-channel", &[37, 1], [9, 1]),
        ("one-row", &[12], [40, 12]),
        ("codes-of-no-multiple", &[3, 7, 6], [300, 6]),
        // In one invocation, more turns than some drivers make.
        ("longer-than-one-walk", &[5, 64], [2048, 64]),
        // So many small integers that most rows have several nearest codes.
        ("ties", &[41, 2], [700, 2]),
    ];
    let mut list = Vec::new();
    for distance in Distance::ALL {
        let name = format!("{distance:?}").to_lowercase();
        let new = |what: &str, x: &[usize], codebook: [usize; 2]| {
            let name = format!("vector_quantize/{name}-{what}");
            Case::several(name, &[x, &codebook], move |g, v| {
                let (indices, quantized) = g.vector_quantize(v[0], v[1], distance)?;
                Ok(vec![indices, quantized])
            })
            .weights_from(1)
        };
        for (what, x, codebook) in shapes {
            let case = new(what, x, codebook);
            list.push(match distance {
                // Of integers, cosines are roots and quotients: many codes have the same direction.
                Distance::Cosine if what == "ties" || codebook[1] == 1 => continue,
                Distance::Cosine => case.fills([Fill::Normal, Fill::Scaled(1e-3)]),
                _ => case.fills([Fill::Integers, Fill::Normal, Fill::Scaled(1e-3)]).exact_on_integers(),
            });
        }
        // A code with NaN is nearest to all rows but those with NaN, which go to the first.
        list.push(new("nan", &[40, 3], [300, 3]).fills([Fill::SomeNan]));
        // The cosine of anything with an infinite vector is NaN.
        if distance != Distance::Cosine {
            list.push(new("infinite", &[60, 2], [9, 2]).fills([Fill::Masked]));
        }
    }
    list
}
