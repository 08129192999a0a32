use super::Case;

pub(super) fn cases() -> Vec<Case> {
    let three: [&[usize]; 3] = [&[2, 5, 3]; 3];
    [("frames", 1), ("channels", -1), ("samples", 0)]
        .into_iter()
        .map(|(name, dim)| {
            Case::new(format!("stack/{name}"), &three, move |g, v| g.stack(v, dim)).exact_on_integers()
        })
        .chain([Case::new("stack/of-integers", &[&[3], &[3]], |g, v| g.stack(v, -1))
            .indices(0, 0..=70_000)
            .indices(1, 0..=70_000)])
        .collect()
}
