use super::{super::Fill, Case};

pub(super) fn cases() -> Vec<Case> {
    let list: [(&str, &[usize], &[isize]); 4] = [
        ("frames", &[2, 5, 3, 4, 3], &[1]),
        ("width", &[2, 5, 7, 3], &[-2]),
        ("every-axis", &[3, 4, 5], &[0, 1, 2]),
        ("one-element", &[3, 1, 5], &[1, 2]),
    ];
    list.into_iter()
        .map(|(name, shape, dims)| {
            Case::new(format!("flip/{name}"), &[shape], move |g, v| g.flip(v[0], dims))
                .fills([Fill::Integers, Fill::SomeNan])
                .exact_on_integers()
        })
        .collect()
}
