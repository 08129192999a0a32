use super::{super::Fill, Case};
use crate::ops::LocalResponseNorm;

pub(super) fn cases() -> Vec<Case> {
    let of = |size: usize| LocalResponseNorm { size, ..LocalResponseNorm::default() };
    let strong = |size: usize| LocalResponseNorm { alpha: 2.0, ..of(size) };
    let list: [(&str, &[usize], LocalResponseNorm); 8] = [
        ("alexnet", &[1, 5, 6, 96], of(5)),
        ("paper", &[1, 4, 5, 24], LocalResponseNorm { alpha: 5e-4, k: 2.0, ..of(5) }),
        ("even-size", &[2, 3, 3, 4, 10], strong(4)),
        ("more-than-channels", &[7, 5], strong(13)),
        ("one-channel", &[9, 11, 1], strong(3)),
        ("size-one", &[3, 4, 9], LocalResponseNorm { k: 0.25, ..strong(1) }),
        ("root", &[6, 17], LocalResponseNorm { beta: 0.5, k: 1e-3, ..strong(3) }),
        ("negative-power", &[6, 17], LocalResponseNorm { beta: -1.5, ..strong(3) }),
    ];
    list.into_iter()
        .map(|(name, shape, a)| {
            Case::new(format!("local_response_norm/{name}"), &[shape], move |g, v| {
                g.local_response_norm(v[0], &a)
            })
            .fills([Fill::Integers, Fill::Normal, Fill::Scaled(30.0), Fill::SomeNan])
        })
        .collect()
}
