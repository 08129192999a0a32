use super::Case;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::several("split/sizes", &[&[2, 3, 12]], |g, v| g.split(v[0], &[1, 7, 4], -1))
            .exact_on_integers(),
        Case::several("split/chunks", &[&[2, 7, 5]], |g, v| g.chunk(v[0], 3, 1)).exact_on_integers(),
        Case::several("split/of-integers", &[&[5, 4]], |g, v| g.split(v[0], &[2, 3], 0)).indices(0, -9..=9),
    ]
}
