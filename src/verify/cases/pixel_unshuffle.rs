use super::Case;

pub(super) fn cases() -> Vec<Case> {
    let list: [(&str, &[usize], &[usize]); 4] = [
        ("pictures", &[2, 6, 10, 3], &[2, 2]),
        ("video", &[1, 4, 9, 4, 3], &[2, 3, 2]),
        ("only-width", &[1, 3, 6, 5], &[1, 3]),
        ("sound", &[2, 15, 2], &[3]),
    ];
    list.into_iter()
        .map(|(name, shape, factors)| {
            Case::new(format!("pixel_unshuffle/{name}"), &[shape], move |g, v| {
                g.pixel_unshuffle(v[0], factors)
            })
            .exact_on_integers()
        })
        .collect()
}
