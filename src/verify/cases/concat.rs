use super::{super::Fill, Case};

pub(super) fn cases() -> Vec<Case> {
    let one: [&[usize]; 1] = [&[3, 4, 5]];
    let two: [&[usize]; 2] = [&[2, 3, 4, 5], &[2, 3, 4, 7]];
    let five: [&[usize]; 5] = [&[2, 3, 5], &[2, 1, 5], &[2, 4, 5], &[2, 1, 5], &[2, 70, 5]];
    let outer: [&[usize]; 3] = [&[2, 33], &[1, 33], &[4, 33]];
    let fours: [&[usize]; 3] = [&[2, 3, 5, 4], &[2, 3, 5, 7], &[2, 3, 5, 1]];
    let lists: [(&str, &[&[usize]], isize); 7] = [
        ("channels", &two, -1),
        ("some-of-fours", &fours, -1),
        ("all-of-fours", &[&[3, 5, 8], &[3, 5, 12]], 2),
        ("outermost", &outer, 0),
        ("middle-of-five", &five, 1),
        ("one-input", &one, 1),
        ("vectors", &[&[5], &[67]], 0),
    ];
    lists
        .into_iter()
        .map(|(name, shapes, dim)| {
            Case::new(format!("concat/{name}"), shapes, move |g, v| g.concat(v, dim))
                .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
                .exact_on_integers()
        })
        .chain([Case::new("concat/the-same-twice", &[&[3, 5]], |g, v| g.concat(&[v[0], v[0]], 1))
            .exact_on_integers()])
        .chain([Case::new("concat/of-integers", &[&[3, 5], &[3, 2]], |g, v| g.concat(v, 1))
            .indices(0, -70_000..=70_000)
            .indices(1, -70_000..=70_000)])
        .collect()
}
