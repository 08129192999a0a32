use super::{super::Fill, Case};
use crate::ops::Distance;

pub(super) fn cases() -> Vec<Case> {
    let mut list = Vec::new();
    for distance in Distance::ALL {
        for (what, count, codes) in [("one", 1, 9), ("three", 3, 40), ("many-codes", 2, 200)] {
            let codebook = [codes, 5];
            let x = [3, 7, 5 * count];
            let shapes: Vec<&[usize]> =
                std::iter::once(&x[..]).chain(std::iter::repeat_n(&codebook[..], count)).collect();
            let name = format!("group_vector_quantize/{distance:?}-{what}").to_lowercase();
            list.push(
                Case::several(name, &shapes, move |g, v| {
                    let (mut outputs, quantized) = g.group_vector_quantize(v[0], &v[1..], distance)?;
                    outputs.push(quantized);
                    Ok(outputs)
                })
                .weights_from(1)
                .fills([Fill::Normal, Fill::Scaled(1e-3)]),
            );
        }
    }
    list
}
