use super::{super::Fill, Case};
use crate::ops::Attention;

fn case(name: &str, [n, queries, keys, c]: [usize; 4], bias: &[usize], a: Attention) -> Case {
    let (q, k) = ([n, queries, c], [n, keys, c]);
    let shapes: [&[usize]; 3] = [&q, &k, bias];
    let count = if bias.is_empty() { 2 } else { 3 };
    Case::new(format!("attention_probabilities/{name}"), &shapes[..count], move |g, v| {
        g.attention_probabilities(v[0], v[1], v.get(2).copied(), &a)
    })
    .fills([Fill::Normal])
}

pub(super) fn cases() -> Vec<Case> {
    let heads = Attention::heads;
    vec![
        case("self", [2, 17, 17, 24], &[], heads(3)),
        case("cross", [2, 9, 33, 16], &[2, 9, 33], heads(2)),
        case("causal", [1, 9, 12, 8], &[], Attention { causal: true, ..heads(2) }),
        case("window", [1, 12, 12, 8], &[12, 12], Attention { window: Some(2), global: 1, ..heads(2) }),
        case("masked", [1, 12, 3, 8], &[12, 3], Attention { scale: Some(0.5), ..heads(2) })
            .fills([Fill::Masked])
            .trust_constant_reference(),
        Case::new("attention_probabilities/attend", &[&[2, 3, 9, 11], &[2, 11, 24]], |g, v| {
            g.attend(v[0], v[1])
        })
        .exact_on_integers(),
    ]
}
