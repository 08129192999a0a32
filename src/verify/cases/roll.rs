use super::{super::Fill, Case};

/// Name, shape, shifts, axes.
type Row = (&'static str, &'static [usize], &'static [isize], &'static [isize]);

pub(super) fn cases() -> Vec<Case> {
    let list: [Row; 7] = [
        ("window", &[1, 4, 6, 7, 5], &[-2, -3, -3], &[1, 2, 3]),
        ("window-of-fours", &[1, 4, 6, 7, 8], &[-2, -3, -3], &[1, 2, 3]),
        ("fours-moved", &[3, 8], &[1], &[1]),
        ("forwards", &[7, 5], &[2], &[0]),
        ("round-and-round", &[3, 4, 5], &[11, -9], &[-1, 0]),
        ("nowhere", &[3, 4], &[0, 8], &[0, 1]),
        ("eight-axes", &[2, 3, 1, 2, 3, 2, 1, 2], &[1, 1, 1, 1, -1, -1, 5, 1], &[0, 1, 2, 3, 4, 5, 6, 7]),
    ];
    list.into_iter()
        .map(|(name, shape, shifts, dims)| {
            Case::new(format!("roll/{name}"), &[shape], move |g, v| g.roll(v[0], shifts, dims))
                .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
                .exact_on_integers()
        })
        .chain([Case::new("roll/of-integers", &[&[3, 5]], |g, v| g.roll(v[0], &[1], &[1]))
            .indices(0, -70_000..=70_000)])
        .collect()
}
