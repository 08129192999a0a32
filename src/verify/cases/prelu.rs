use super::{super::Fill, Case};

pub(super) fn cases() -> Vec<Case> {
    let list: [(&str, &[usize], [usize; 1]); 4] = [
        ("channels", &[2, 5, 6, 8], [8]),
        ("odd-channels", &[2, 3, 4, 5, 7], [7]),
        ("one-weight", &[2, 5, 8], [1]),
        ("a-row", &[67], [67]),
    ];
    list.into_iter()
        .map(|(name, shape, weight)| {
            Case::new(format!("prelu/{name}"), &[shape, &weight], |g, v| g.prelu(v[0], v[1]))
                .weights_from(1)
                .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
                .exact_on_integers()
        })
        .collect()
}
