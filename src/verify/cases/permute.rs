use super::{super::Fill, Case};

pub(super) fn cases() -> Vec<Case> {
    let list: [(&str, &[usize], &[isize]); 7] = [
        ("transpose", &[33, 20], &[1, 0]),
        ("channels-last", &[2, 3, 4, 5, 6], &[0, 2, 3, 4, 1]),
        ("channels-first", &[2, 4, 5, 6, 3], &[0, -1, 1, 2, 3]),
        ("heads", &[2, 7, 4, 8], &[0, 2, 1, 3]),
        ("reversed", &[2, 3, 4, 5], &[3, 2, 1, 0]),
        ("same-order", &[3, 4, 5], &[0, 1, 2]),
        ("eight-axes", &[2, 3, 1, 2, 3, 2, 1, 2], &[7, 0, 6, 1, 5, 2, 4, 3]),
    ];
    list.into_iter()
        .map(|(name, shape, dims)| {
            Case::new(format!("permute/{name}"), &[shape], move |g, v| g.permute(v[0], dims))
                .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
                .exact_on_integers()
        })
        .chain([Case::new("permute/of-integers", &[&[3, 4, 5]], |g, v| g.permute(v[0], &[2, 0, 1]))
            .indices(0, -70_000..=70_000)])
        .collect()
}
