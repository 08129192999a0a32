use super::{super::Fill, Case};

pub(super) fn cases() -> Vec<Case> {
    let list: [(&str, [&[usize]; 3]); 5] = [
        ("same", [&[3, 5, 67], &[3, 5, 67], &[3, 5, 67]]),
        ("mask", [&[3, 5, 1], &[3, 5, 7], &[7]]),
        ("scalars", [&[3, 5, 7], &[], &[1]]),
        ("every-way", [&[2, 1, 1, 5], &[1, 3, 1, 5], &[4, 1]]),
        ("eight-axes", [&[2, 1, 2, 1, 2, 1, 2, 1], &[1, 3, 1, 2, 1, 3, 1, 2], &[1; 8]]),
    ];
    let mut list: Vec<Case> = list
        .into_iter()
        .map(|(name, shapes)| {
            Case::new(format!("select/{name}"), &shapes, |g, v| g.select(v[0], v[1], v[2]))
                .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
                .exact_on_integers()
        })
        .collect();
    let three: [&[usize]; 3] = [&[3, 40]; 3];
    list.push(
        Case::new("select/integer-condition", &three, |g, v| g.select(v[0], v[1], v[2])).indices(0, 0..=1),
    );
    list.push(
        Case::new("select/of-integers", &three, |g, v| g.select(v[0], v[1], v[2]))
            .indices(1, 0..=70_000)
            .indices(2, -70_000..=0),
    );
    list.push(
        Case::new("select/all-integers", &three, |g, v| g.select(v[0], v[1], v[2]))
            .indices(0, 0..=2)
            .indices(1, 0..=70_000)
            .indices(2, -70_000..=0),
    );
    list
}
