use super::Case;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("prepend_tokens/class-token", &[&[3, 5, 7], &[1, 7]], |g, v| g.prepend_tokens(v[0], v[1]))
            .weights_from(1)
            .exact_on_integers(),
        Case::new("prepend_tokens/one-clip", &[&[1, 5, 7], &[2, 7]], |g, v| g.prepend_tokens(v[0], v[1]))
            .exact_on_integers(),
        Case::several("prepend_tokens/split", &[&[2, 5, 7]], |g, v| {
            let (first, rest) = g.split_tokens(v[0], 2)?;
            Ok(vec![first, rest])
        })
        .exact_on_integers(),
        Case::new("prepend_tokens/repeat-batch", &[&[2, 3, 5]], |g, v| g.repeat_batch(v[0], 4))
            .exact_on_integers(),
        Case::new("prepend_tokens/grid", &[&[2, 2, 3, 2, 5], &[1, 5]], |g, v| {
            let x = g.to_tokens(v[0])?;
            let x = g.prepend_tokens(x, v[1])?;
            let (_, x) = g.split_tokens(x, 1)?;
            g.from_tokens(x, [2, 3, 2])
        })
        .exact_on_integers(),
    ]
}
