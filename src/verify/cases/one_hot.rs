use super::Case;

pub(super) fn cases() -> Vec<Case> {
    let list: [(&str, &[usize], usize); 4] = [
        ("tokens", &[2, 7], 4),
        ("one-class", &[40], 1),
        ("one-index", &[], 3),
        ("many-classes", &[3, 2], 67),
    ];
    list.into_iter()
        .map(|(name, shape, classes)| {
            let most = if name == "one-index" { 0 } else { classes as i32 };
            let case = Case::new(format!("one_hot/{name}"), &[shape], move |g, v| g.one_hot(v[0], classes))
                .indices(0, -1..=most)
                .exact_on_integers();
            // Most of it is zeros.
            case.trust_constant_reference()
        })
        .collect()
}
