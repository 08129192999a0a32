use super::{super::Fill, Case};
use crate::ops::{BlurPool, FilterPadding};

pub(super) fn cases() -> Vec<Case> {
    let plain = BlurPool::default();
    let list: [(&str, &[usize], BlurPool); 5] = [
        ("three", &[2, 7, 9, 8], plain.clone()),
        ("five", &[1, 9, 8, 3], BlurPool { kernel_size: 5, ..plain.clone() }),
        ("four", &[1, 6, 5, 5], BlurPool { kernel_size: 4, ..plain.clone() }),
        (
            "seven-zeros",
            &[1, 8, 9, 4],
            BlurPool { kernel_size: 7, padding_mode: FilterPadding::Zeros, ..plain.clone() },
        ),
        (
            "stride-one",
            &[1, 3, 70, 1],
            BlurPool { stride: [1, 2], padding_mode: FilterPadding::Replicate, ..plain },
        ),
    ];
    list.into_iter()
        .map(|(name, shape, a)| {
            Case::new(format!("blur_pool/{name}"), &[shape], move |g, v| g.blur_pool(v[0], &a))
                .fills([Fill::Integers, Fill::Normal, Fill::About(100.0)])
                .exact_on_integers()
        })
        .collect()
}
