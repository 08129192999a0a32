use super::{super::Fill, Case};
use crate::ops::Sort;

pub(super) fn cases() -> Vec<Case> {
    let list: [(&str, &[usize], isize, Option<usize>); 14] = [
        ("last-axis", &[3, 5, 37], -1, None),
        ("first-axis", &[9, 4, 5], 0, None),
        ("middle-axis", &[3, 11, 7], 1, None),
        ("one-element", &[7, 1], 1, None),
        ("two-elements", &[9, 2], 1, None),
        ("long-rows", &[3, 600], 1, None),
        ("long-columns", &[2, 513, 3], 1, None),
        ("most-in-a-workgroup", &[2, 3072], 1, None),
        ("more-than-a-workgroup-sorts", &[1, 3500], 1, None),
        ("first-of-few", &[6, 17], 1, Some(5)),
        ("first-of-long-rows", &[3, 900], 1, Some(300)),
        ("few-of-many", &[2, 3300], 1, Some(10)),
        ("first-of-long-columns", &[2, 700, 3], 1, Some(1)),
        ("few-of-more-than-one-walk", &[1, 61_001], 1, Some(200)),
    ];
    let mut cases = Vec::new();
    for (what, shape, dim, k) in list {
        for descending in [false, true] {
            let a = Sort { dim, descending, k };
            let order = if descending { "falling" } else { "rising" };
            let case = Case::several(format!("sort/{what}-{order}"), &[shape], move |g, v| {
                let (values, places) = g.sort(v[0], &a)?;
                Ok(vec![values, places])
            });
            // Integers are ties, of which thousands are the same; the floats are a few thousand different numbers.
            let case = case.fills(match what {
                "one-element" => vec![Fill::Normal],
                // Every element is compared with every other by the plainest kernel.
                _ if shape.iter().any(|d| *d > 3000) => vec![Fill::Integers, Fill::SomeNan],
                _ => vec![Fill::Integers, Fill::Normal, Fill::About(1000.0), Fill::Masked, Fill::SomeNan],
            });
            // Of many the first few are the same integer, −∞ or NaN.
            let alike = what == "one-element" || k.is_some();
            cases.push(if alike { case.trust_constant_reference() } else { case });
        }
    }
    cases
}
