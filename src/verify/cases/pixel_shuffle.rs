use super::Case;

pub(super) fn cases() -> Vec<Case> {
    let list: [(&str, &[usize], &[usize]); 4] = [
        ("pictures", &[2, 3, 5, 12], &[2, 2]),
        ("video", &[1, 2, 3, 2, 36], &[2, 3, 2]),
        ("only-width", &[1, 3, 2, 15], &[1, 3]),
        ("sound", &[2, 5, 6], &[3]),
    ];
    list.into_iter()
        .map(|(name, shape, factors)| {
            Case::new(format!("pixel_shuffle/{name}"), &[shape], move |g, v| g.pixel_shuffle(v[0], factors))
                .exact_on_integers()
        })
        .collect()
}
