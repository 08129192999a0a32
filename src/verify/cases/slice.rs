use super::{super::Fill, Case};
use crate::ops::Slice;

fn slice(start: &[isize], stop: &[Option<isize>], step: &[isize]) -> Slice {
    Slice {
        start: start.iter().map(|s| Some(*s)).collect(),
        stop: stop.to_vec(),
        step: step.iter().map(|s| Some(*s)).collect(),
    }
}

pub(super) fn cases() -> Vec<Case> {
    let list: [(&str, &[usize], Slice); 12] = [
        ("first-frames", &[6, 5, 4], slice(&[], &[Some(2)], &[])),
        ("last-channels", &[3, 5, 70], slice(&[0, 0, -66], &[], &[])),
        ("every-other-frame", &[2, 7, 3, 4, 5], slice(&[0, 1], &[], &[1, 2])),
        ("half-the-channels", &[2, 3, 5, 16], slice(&[0, 0, 0, 8], &[], &[])),
        ("channels-amid-fours", &[2, 3, 5, 16], slice(&[0, 0, 0, 2], &[None, None, None, Some(10)], &[])),
        ("crop", &[2, 9, 10, 3], slice(&[0, 2, 3], &[None, Some(-2), Some(8)], &[])),
        ("one-element-an-axis", &[4, 5, 40], slice(&[-1, 2], &[None, Some(3)], &[])),
        ("beyond-the-ends", &[4, 5, 6], slice(&[-100, 1], &[Some(100), Some(9)], &[1, 100])),
        ("whole", &[3, 40], slice(&[], &[], &[])),
        ("backwards", &[2, 7, 5], Slice { step: vec![None, Some(-1), Some(-3)], ..Slice::default() }),
        ("backwards-from-to", &[9, 8, 5], slice(&[7, -2], &[Some(1), Some(-7)], &[-2, -1])),
        ("backwards-beyond-the-ends", &[5, 6], slice(&[100, 3], &[Some(-100)], &[-1, -5])),
    ];
    list.into_iter()
        .map(|(name, shape, a)| {
            Case::new(format!("slice/{name}"), &[shape], move |g, v| g.slice(v[0], &a))
                .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
                .exact_on_integers()
        })
        .chain([Case::new("slice/of-integers", &[&[6, 5]], |g, v| {
            g.slice(v[0], &slice(&[1], &[], &[2, -1]))
        })
        .indices(0, -70_000..=70_000)])
        .collect()
}
