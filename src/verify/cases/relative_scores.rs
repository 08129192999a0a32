use super::{super::Fill, Case};
use crate::ops::{Attention, RelativeScores};

/// `before` tokens before the grid of queries, two heads of five channels, tables of these numbers of rows.
fn case(name: &str, before: usize, q: [usize; 3], k: [usize; 3], rows: [usize; 3]) -> Case {
    let a = RelativeScores { heads: 2, query_grid: q, key_grid: k };
    let x = [2, before + q.iter().product::<usize>(), 10];
    let [t, h, w] = rows.map(|rows| [rows, 5]);
    Case::new(format!("relative_scores/{name}"), &[&x, &t, &h, &w], move |g, v| {
        g.relative_scores(v[0], [v[1], v[2], v[3]], &a)
    })
    .weights_from(1)
}

/// Tables as long as the larger of two grids wants them.
fn rows(q: [usize; 3], k: [usize; 3]) -> [usize; 3] {
    std::array::from_fn(|a| 2 * q[a].max(k[a]) - 1)
}

pub(super) fn cases() -> Vec<Case> {
    let fitting = |name, before, q, k| case(name, before, q, k, rows(q, k)).exact_on_integers();
    vec![
        fitting("same-grid", 1, [2, 3, 4], [2, 3, 4]),
        fitting("keys-pooled", 1, [2, 4, 6], [2, 2, 3]),
        fitting("queries-pooled", 1, [2, 2, 3], [4, 4, 9]),
        fitting("uneven-ratios", 1, [3, 5, 4], [2, 3, 7]),
        fitting("no-token-before", 0, [2, 3, 2], [1, 3, 2]),
        fitting("several-tokens-before", 3, [1, 1, 2], [1, 1, 1]),
        case("tables-resampled", 1, [2, 3, 4], [2, 3, 2], [7, 3, 15]),
        case("table-of-one-row", 1, [2, 3, 4], [2, 3, 2], [1, 1, 2]),
        case("nan", 1, [2, 2, 2], [2, 3, 3], [3, 9, 5]).fills([Fill::SomeNan]).trust_constant_reference(),
        // With the attention that it is for: queries of a finer grid than the keys.
        Case::new(
            "relative_scores/attention",
            &[&[2, 13, 16], &[2, 5, 16], &[3, 8], &[3, 8], &[5, 8]],
            |g, v| {
                let a = RelativeScores { heads: 2, query_grid: [2, 2, 3], key_grid: [2, 2, 1] };
                let bias = g.relative_scores(v[0], [v[2], v[3], v[4]], &a)?;
                let a = Attention { key_grid: Some(a.key_grid), ..Attention::heads(2) };
                g.attention([v[0], v[1], v[1]], Some(bias), &a)
            },
        )
        .fills([Fill::Normal]),
    ]
}
