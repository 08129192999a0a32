use super::{super::Fill, Case};
use crate::ops::EmaCodebook;

pub(super) fn cases() -> Vec<Case> {
    let plain = EmaCodebook::default();
    let list: [(&str, &[usize], [usize; 2], EmaCodebook); 6] = [
        ("few", &[9], [4, 3], plain),
        ("video", &[2, 2, 3, 4], [7, 5], EmaCodebook { decay: 0.8, eps: 0.1 }),
        ("many-rows", &[300], [20, 35], EmaCodebook { decay: 0.5, ..plain }),
        ("unused-codes", &[70], [90, 16], plain),
        ("forget", &[200], [3, 2], EmaCodebook { decay: 0.0, ..plain }),
        ("longer-than-one-walk", &[61_001], [3, 2], plain),
    ];
    list.into_iter()
        .map(|(name, rows, [codes, channels], a)| {
            let x = [rows, &[channels]].concat();
            let build = move |g: &mut crate::Graph, v: &[crate::Value]| {
                let y = g.ema_codebook(v[0], v[1], [v[2], v[3]], &a)?;
                Ok(vec![y.sizes, y.sums, y.codebook])
            };
            // Some rows belong to no code.
            Case::several(format!("ema_codebook/{name}"), &[&x, rows, &[codes], &[codes, channels]], build)
                .indices(1, -1..=codes as i32)
                .between(2, 0.5, 20.0)
                .fills(if rows[0] > 1000 {
                    vec![Fill::About(8.0)]
                } else {
                    vec![Fill::Integers, Fill::Normal]
                })
        })
        // A NaN in a row reaches the channel of the one code that the row belongs to.
        .chain([Case::several("ema_codebook/nan", &[&[12, 3], &[12], &[9], &[9, 3]], move |g, v| {
            let y = g.ema_codebook(v[0], v[1], [v[2], v[3]], &plain)?;
            Ok(vec![y.sizes, y.sums, y.codebook])
        })
        .indices(1, 0..=8)
        .between(2, 0.5, 20.0)
        .fills([Fill::SomeNan])])
        .collect()
}
