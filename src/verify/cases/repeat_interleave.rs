use super::Case;

pub(super) fn cases() -> Vec<Case> {
    let list: [(&str, &[usize], usize, isize); 3] = [
        ("frames", &[2, 3, 4, 5], 2, 1),
        ("channels", &[3, 5], 3, -1),
        ("samples", &[2, 1, 2, 1, 3, 1, 2, 1], 4, 0),
    ];
    list.into_iter()
        .map(|(name, shape, repeats, dim)| {
            Case::new(format!("repeat_interleave/{name}"), &[shape], move |g, v| {
                g.repeat_interleave(v[0], repeats, dim)
            })
            .exact_on_integers()
        })
        .collect()
}
