use super::{super::Fill, Case};
use crate::ops::{Pool, Pool2d};

fn case(name: &str, input: [usize; 4], a: Pool2d) -> Case {
    let exact = a.mode == Pool::Max;
    let case = Case::new(format!("pool2d/{name}"), &[&input], move |g, v| g.pool2d(v[0], &a));
    if exact { case.exact_on_integers() } else { case }
}

pub(super) fn cases() -> Vec<Case> {
    let inside = |a: Pool2d| Pool2d { count_include_pad: false, ceil_mode: true, ..a };
    vec![
        case("max-resnet-stem", [2, 13, 17, 16], Pool2d::max([3; 2]).stride([2; 2]).padded([1; 2])),
        case("max-same", [1, 9, 12, 6], Pool2d::max([3, 2]).stride([2, 3]).same()),
        case(
            "average-inception",
            [1, 9, 8, 12],
            inside(Pool2d::average([3; 2]).stride([1, 2]).padded([1; 2])),
        ),
        case("average-same", [1, 8, 9, 5], Pool2d::average([3; 2]).stride([2; 2]).same()),
        Case::several("pool2d/indices-segnet", &[&[2, 8, 9, 8]], |g, v| {
            let (y, indices) = g.pool2d_with_indices(v[0], &Pool2d::max([2; 2]))?;
            Ok(vec![y, indices])
        })
        .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
        .exact_on_integers(),
    ]
}
