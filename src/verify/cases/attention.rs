use super::{super::Fill, Case};
use crate::ops::attention::{Attention, Over};

/// Query `[n, queries, c]`, key and value `[n, keys, c]`, and a mask unless its shape is empty.
fn case(name: &str, [n, queries, keys, c]: [usize; 4], mask: &[usize], a: Attention) -> Case {
    let (q, k) = ([n, queries, c], [n, keys, c]);
    let shapes: [&[usize]; 4] = [&q, &k, &k, mask];
    let count = if mask.is_empty() { 3 } else { 4 };
    Case::new(format!("attention/{name}"), &shapes[..count], move |g, v| {
        g.attention([v[0], v[1], v[2]], v.get(3).copied(), &a)
    })
    .fills([Fill::Normal, Fill::Integers])
}

fn fused(name: &str, [n, tokens, c]: [usize; 3], a: Attention) -> Case {
    Case::new(format!("attention/{name}"), &[&[n, tokens, 3 * c]], move |g, v| {
        g.attention_fused(v[0], None, &a)
    })
    .fills([Fill::Normal])
}

pub(super) fn cases() -> Vec<Case> {
    let heads = Attention::heads;
    let causal = |a| Attention { causal: true, ..a };
    let window = |a, reach, global| Attention { window: Some(reach), global, ..a };
    let grid = |a, key_grid| Attention { key_grid: Some(key_grid), ..a };
    vec![
        case("self", [2, 37, 37, 24], &[], heads(3)),
        case("cross", [2, 70, 11, 16], &[], heads(2)),
        case("odd-width", [1, 33, 9, 14], &[], heads(2)),
        case("one-channel", [2, 9, 7, 3], &[], heads(3)),
        case("one-key", [2, 35, 1, 12], &[], heads(2)),
        case("one-query", [1, 1, 50, 8], &[], heads(1)),
        case("wide", [1, 33, 35, 192], &[], heads(2)),
        case("wider", [2, 9, 35, 2 * 100], &[], heads(2)),
        case("widest", [1, 11, 19, 512], &[], heads(1)),
        case("wide-one-query", [1, 1, 40, 130], &[], heads(1)),
        case("wide-causal", [1, 19, 37, 97], &[19, 37], causal(heads(1))),
        case("wide-saturated", [1, 20, 20, 128], &[], heads(1)).fills([Fill::Scaled(10.0)]),
        case("wide-nan", [1, 20, 20, 2 * 100], &[], causal(heads(2)))
            .fills([Fill::SomeNan])
            .trust_constant_reference(),
        case("wide-masked", [1, 34, 3, 99], &[34, 3], heads(1))
            .fills([Fill::Masked])
            .trust_constant_reference(),
        fused("wide-time", [1, 9 * 2, 112], heads(1).over(Over::Time, 9)),
        // Few queries of wide heads, which eight invocations share.
        fused("time-shared", [2, 8 * 5, 64], heads(2).over(Over::Time, 8)),
        fused("time-shared-causal", [1, 13 * 3, 96], causal(heads(1).over(Over::Time, 13))),
        case("shared", [2, 9, 37, 2 * 50], &[9, 37], heads(2)),
        case("shared-odd", [1, 3, 21, 3 * 33], &[], heads(3)),
        case("shared-window", [1, 30, 70, 40], &[], causal(window(heads(1), 4, 1))),
        case("shared-grid", [1, 7, 19, 2 * 36], &[1, 7, 2, 8], grid(heads(2), [2, 3, 3])),
        case("shared-nan", [1, 20, 20, 2 * 48], &[], causal(heads(2)))
            .fills([Fill::SomeNan])
            .trust_constant_reference(),
        case("shared-masked", [1, 30, 3, 36], &[30, 3], heads(1))
            .fills([Fill::Masked])
            .trust_constant_reference(),
        case("shared-saturated", [1, 20, 20, 64], &[], heads(1)).fills([Fill::Scaled(10.0)]),
        case("long-keys", [1, 65, 700, 16], &[], heads(2)),
        case("scale", [1, 40, 40, 16], &[], Attention { scale: Some(0.02), ..heads(2) }),
        case("saturated", [1, 40, 20, 8], &[], heads(1)).fills([Fill::Scaled(30.0)]),
        case("causal", [1, 70, 70, 8], &[], causal(heads(1))),
        case("causal-more-queries", [1, 70, 40, 8], &[], causal(heads(2))),
        case("causal-more-keys", [1, 40, 70, 8], &[], causal(heads(2))),
        case("nan-causal", [3, 5, 5, 2], &[], causal(heads(1))).fills([Fill::SomeNan]),
        case("mask", [2, 34, 9, 8], &[34, 9], heads(2)),
        case("mask-of-heads", [2, 34, 9, 8], &[2, 34, 9], heads(2)),
        case("mask-of-all", [2, 34, 9, 8], &[2, 2, 34, 9], causal(heads(2))),
        Case::new("attention/fused-mask", &[&[2, 40, 24], &[40, 40]], |g, v| {
            g.attention_fused(v[0], Some(v[1]), &Attention::heads(2))
        })
        .fills([Fill::Normal]),
        case("window", [1, 150, 150, 8], &[], window(heads(1), 9, 0)),
        case("window-and-global", [2, 140, 140, 8], &[], window(heads(2), 5, 3)),
        case("window-of-one", [1, 40, 40, 8], &[40, 40], window(heads(2), 0, 1)),
        case("window-causal", [1, 140, 140, 8], &[], causal(window(heads(1), 7, 1))),
        case("window-beyond-all", [1, 37, 70, 8], &[], window(heads(1), usize::MAX, 0)),
        // Queries behind the last key by more than the window have none.
        case("window-without-keys", [1, 70, 20, 8], &[], window(heads(1), 9, 0)),
        case("wide-window", [1, 70, 70, 100], &[], window(heads(1), 4, 1)),
        case("grid", [2, 37, 13, 16], &[2, 37, 2, 7], grid(heads(2), [2, 2, 3])),
        case("grid-of-all-keys", [1, 40, 30, 12], &[1, 40, 1, 10], grid(heads(1), [5, 3, 2])),
        case("grid-of-one", [1, 5, 2, 4], &[1, 5, 1, 3], grid(heads(1), [1, 1, 1])),
        case("wide-grid", [1, 17, 19, 2 * 100], &[1, 17, 2, 8], grid(heads(2), [2, 3, 3])),
        case("masked", [1, 34, 3, 2], &[34, 3], heads(1)).fills([Fill::Masked]).trust_constant_reference(),
        fused("fused", [2, 37, 16], heads(2)),
        fused("space", [2, 4 * 35, 16], heads(2).over(Over::Space, 4)),
        fused("time", [2, 8 * 5, 16], heads(2).over(Over::Time, 8)),
        fused("time-causal", [1, 34 * 2, 8], causal(heads(1).over(Over::Time, 34))),
        case("space-mask", [1, 6, 6, 8], &[2, 3, 3], heads(2).over(Over::Space, 2)),
        case("time-mask", [1, 6, 6, 8], &[2, 2, 2], heads(2).over(Over::Time, 2)),
    ]
}
