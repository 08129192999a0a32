use super::{super::Fill, Case};

pub(super) fn cases() -> Vec<Case> {
    let list: [(&str, &[usize], &[usize]); 4] = [
        ("channels", &[2, 3, 1], &[2, 3, 5]),
        ("new-axes", &[4, 1, 5], &[2, 3, 4, 3, 5]),
        ("both-ends", &[1, 4, 1], &[3, 4, 5]),
        ("the-same", &[3, 4], &[3, 4]),
    ];
    list.into_iter()
        .map(|(name, shape, to)| {
            Case::new(format!("expand/{name}"), &[shape], move |g, v| g.expand(v[0], to))
                .fills([Fill::Integers, Fill::SomeNan])
                .exact_on_integers()
        })
        .collect()
}
