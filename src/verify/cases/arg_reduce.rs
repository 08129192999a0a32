use super::{super::Fill, Case};
use crate::ops::{ArgReduce, Extreme};

pub(super) fn cases() -> Vec<Case> {
    let shapes: [(&str, &[usize], Option<isize>); 8] = [
        ("last-axis", &[3, 5, 37], Some(-1)),
        ("first-axis", &[9, 4, 5], Some(0)),
        ("middle-axis", &[3, 11, 7], Some(1)),
        ("long-rows", &[7, 1003], Some(1)),
        ("long-columns", &[2, 300, 9], Some(-2)),
        ("all", &[3, 5, 7], None),
        ("all-of-many", &[3, 50, 9], None),
        ("longer-than-one-walk", &[2, 61_001], Some(1)),
    ];
    let mut list = Vec::new();
    for mode in [Extreme::Max, Extreme::Min] {
        for (what, shape, dim) in shapes {
            for keepdim in [false, true] {
                let a = ArgReduce { mode, dim, keepdim };
                let name = format!("{mode:?}-{what}{}", if keepdim { "-kept" } else { "" }).to_lowercase();
                list.push(
                    Case::new(format!("arg_reduce/{name}"), &[shape], move |g, v| g.arg_reduce(v[0], &a))
                        .fills([Fill::Integers, Fill::Normal, Fill::About(1000.0), Fill::SomeNan]),
                );
            }
        }
        // Rows in which several are −∞, and infinity stands against the finite.
        let a = ArgReduce::along(mode, 1);
        let name = format!("arg_reduce/{mode:?}-masked").to_lowercase();
        list.push(Case::new(name, &[&[50, 4]], move |g, v| g.arg_reduce(v[0], &a)).fills([Fill::Masked]));
    }
    list
}
