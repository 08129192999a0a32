use super::{super::Fill, Case};
use crate::ops::Slice;

fn slice(start: &[isize], stop: &[Option<isize>], step: &[usize]) -> Slice {
    Slice {
        start: start.iter().map(|s| Some(*s)).collect(),
        stop: stop.to_vec(),
        step: step.iter().map(|s| Some(*s)).collect(),
    }
}

pub(super) fn cases() -> Vec<Case> {
    let list: [(&str, &[usize], Slice); 7] = [
        ("first-frames", &[6, 5, 4], slice(&[], &[Some(2)], &[])),
        ("last-channels", &[3, 5, 70], slice(&[0, 0, -66], &[], &[])),
        ("every-other-frame", &[2, 7, 3, 4, 5], slice(&[0, 1], &[], &[1, 2])),
        ("crop", &[2, 9, 10, 3], slice(&[0, 2, 3], &[None, Some(-2), Some(8)], &[])),
        ("one-element-an-axis", &[4, 5, 40], slice(&[-1, 2], &[None, Some(3)], &[])),
        ("beyond-the-ends", &[4, 5, 6], slice(&[-100, 1], &[Some(100), Some(9)], &[1, 100])),
        ("whole", &[3, 40], slice(&[], &[], &[])),
    ];
    list.into_iter()
        .map(|(name, shape, a)| {
            Case::new(format!("slice/{name}"), &[shape], move |g, v| g.slice(v[0], &a))
                .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
                .exact_on_integers()
        })
        .collect()
}
