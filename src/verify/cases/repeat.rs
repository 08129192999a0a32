use super::{super::Fill, Case};

pub(super) fn cases() -> Vec<Case> {
    let list: [(&str, &[usize], &[usize]); 7] = [
        ("channels", &[3, 4, 5], &[1, 1, 3]),
        ("frames", &[2, 3, 4, 5], &[1, 2, 1, 1]),
        ("fours", &[2, 3, 8], &[1, 2, 3]),
        ("every-axis", &[2, 3, 5], &[3, 2, 2]),
        ("new-axes", &[3, 5], &[2, 7, 1, 3]),
        ("scalar", &[], &[67]),
        ("eight-axes", &[1, 2, 1, 3, 1, 2], &[2, 1, 3, 1, 2, 1, 2, 2]),
    ];
    let mut list: Vec<Case> = list
        .into_iter()
        .map(|(name, shape, repeats)| {
            let case = Case::new(format!("repeat/{name}"), &[shape], move |g, v| g.repeat(v[0], repeats))
                .exact_on_integers();
            if shape.is_empty() {
                // One element can only repeat itself.
                case.between(0, 1.0, 2.0).trust_constant_reference()
            } else {
                case.fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
            }
        })
        .collect();
    list.push(
        Case::new("repeat/of-integers", &[&[3, 5]], |g, v| g.repeat(v[0], &[2, 3]))
            .indices(0, -70_000..=70_000),
    );
    list
}
