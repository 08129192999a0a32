use super::{super::Fill, Case};
use crate::ops::{Pool, Pool3d};

/// All negative, so that a zero in the padding shows.
const NEGATIVE: Fill = Fill::About(-8.0);

fn case(name: &str, input: [usize; 5], a: Pool3d) -> Case {
    let max = a.mode == Pool::Max;
    let case = Case::new(format!("pool3d/{name}"), &[&input], move |g, v| g.pool3d(v[0], &a));
    if max {
        case.fills([Fill::Integers, Fill::Normal, NEGATIVE, Fill::SomeNan]).exact_on_integers()
    } else {
        case.fills([Fill::Integers, Fill::Normal, Fill::About(1000.0)])
    }
}

/// Elements and places. So few integers that most windows have several largest.
fn with_indices(name: &str, input: [usize; 5], a: Pool3d) -> Case {
    Case::several(format!("pool3d/indices-{name}"), &[&input], move |g, v| {
        let (y, indices) = g.pool3d_with_indices(v[0], &a)?;
        Ok(vec![y, indices])
    })
    .fills([Fill::Integers, Fill::Normal, NEGATIVE, Fill::SomeNan, Fill::Masked])
    .exact_on_integers()
}

pub(super) fn cases() -> Vec<Case> {
    let ceil = |a: Pool3d| Pool3d { ceil_mode: true, ..a };
    let side_by_side = |mode: fn([usize; 3]) -> Pool3d, k: [usize; 3]| mode(k);
    let three = |mode: fn([usize; 3]) -> Pool3d| mode([3; 3]).stride([2; 3]).padded([1; 3]);
    let same = |a: Pool3d| Pool3d { padding: [[0, 1], [0, 1], [1, 0]], ..a };
    // A maximum over everything is always 4, or NaN.
    let floats = |c: Case| c.fills([Fill::Normal, NEGATIVE, Fill::About(1000.0)]);
    let mut list = Vec::new();
    for (mode, new) in [("max", Pool3d::max as fn([usize; 3]) -> Pool3d), ("average", Pool3d::average)] {
        let name = |what: &str| format!("{mode}-{what}");
        list.extend([
            case(&name("c3d-first"), [1, 3, 8, 10, 8], side_by_side(new, [1, 2, 2])),
            case(&name("c3d-middle"), [2, 4, 6, 8, 12], side_by_side(new, [2; 3])),
            case(&name("channels-not-of-four"), [1, 4, 6, 8, 7], side_by_side(new, [2; 3])),
            case(&name("caffe-ceil-on-seven"), [1, 2, 7, 7, 8], ceil(new([2; 3]))),
            case(&name("port-of-caffe"), [1, 2, 7, 7, 8], new([2; 3]).padded([0, 1, 1])),
            case(&name("resnet-stem"), [1, 1, 12, 13, 8], new([1, 3, 3]).stride([1, 2, 2]).padded([0, 1, 1])),
            case(&name("three-by-two"), [2, 5, 6, 7, 4], three(new)),
            case(&name("three-by-two-ceil"), [1, 6, 7, 8, 5], ceil(three(new))),
            case(&name("same-asymmetric"), [1, 4, 8, 6, 8], same(new([3; 3]).stride([2; 3]))),
            case(&name("same-stride-one"), [1, 3, 5, 4, 6], new([3; 3]).stride([1; 3]).padded([1; 3])),
            // Windows that are taken four at a time along W, with some left over.
            case(&name("neighbours"), [1, 4, 5, 7, 8], new([3; 3]).stride([1; 3]).padded([1; 3])),
            case(&name("neighbours-ceil"), [2, 5, 6, 9, 4], {
                Pool3d { padding: [[0, 1], [1, 0], [2, 3]], ..ceil(new([2, 3, 5]).stride([2, 3, 1])) }
            }),
            case(
                &name("neighbours-beyond"),
                [1, 2, 3, 2, 4],
                new([1, 2, 4]).stride([1; 3]).padded([0, 1, 2]),
            ),
            case(&name("stride-beyond-kernel"), [1, 5, 9, 11, 4], new([1, 2, 2]).stride([2, 4, 3])),
            floats(case(&name("window-is-input"), [2, 3, 4, 5, 6], side_by_side(new, [3, 4, 5]))),
            floats(case(&name("window-beyond-input-ceil"), [2, 2, 3, 4, 4], ceil(new([3, 4, 5])))),
            case(&name("ceil-asymmetric"), [1, 5, 6, 9, 4], {
                Pool3d { padding: [[0, 1], [1, 0], [2, 1]], ..ceil(new([3; 3]).stride([2, 2, 4])) }
            }),
            case(&name("causal"), [1, 5, 3, 4, 4], {
                Pool3d { padding: [[2, 0], [0; 2], [0; 2]], ..new([3, 1, 1]).stride([1; 3]) }
            }),
            case(&name("same"), [1, 5, 8, 7, 8], new([2, 3, 3]).stride([1, 2, 3]).same()),
            case(&name("one-element"), [1, 1, 1, 1, 5], side_by_side(new, [1; 3])),
        ]);
    }
    let zeros = |a: Pool3d| Pool3d { zero_pad: true, ..a };
    let inside = |a: Pool3d| Pool3d { count_include_pad: false, ..a };
    list.extend([
        case("max-dilated", [1, 5, 9, 8, 4], {
            Pool3d { dilation: [1, 2, 3], ..Pool3d::max([3, 3, 2]).stride([1, 2, 1]).padded([1; 3]) }
        }),
        case("max-dilated-ceil", [1, 6, 7, 8, 3], {
            ceil(Pool3d { dilation: [2, 2, 1], ..Pool3d::max([2, 3, 3]).stride([3, 2, 2]).padded([1; 3]) })
        }),
        case("max-zero-pad", [1, 4, 8, 6, 8], zeros(same(Pool3d::max([3; 3]).stride([2; 3])))),
        // Nearly every window of this one touches the padding.
        case("max-zero-pad-ceil", [1, 4, 5, 6, 5], zeros(ceil(three(Pool3d::max)))).fills([
            Fill::Integers,
            Fill::Normal,
            Fill::SomeNan,
        ]),
        case("max-masked", [1, 3, 6, 7, 8], Pool3d::max([1, 2, 1])).fills([Fill::Masked]),
        case("max-zero-pad-neighbours", [1, 4, 5, 6, 8], {
            zeros(Pool3d::max([3; 3]).stride([1; 3]).padded([1, 1, 1]))
        }),
        case("average-without-padding-neighbours", [1, 4, 5, 6, 8], {
            inside(Pool3d::average([3; 3]).stride([1; 3]).padded([1; 3]))
        }),
        case("average-without-padding", [1, 5, 6, 7, 8], inside(three(Pool3d::average))),
        case("average-without-padding-ceil", [1, 6, 7, 8, 3], inside(ceil(three(Pool3d::average)))),
        case("max-same-dilated-zeros", [1, 4, 8, 9, 3], {
            zeros(Pool3d { dilation: [1, 2, 1], ..Pool3d::max([3; 3]).stride([2; 3]).same() })
        })
        .fills([Fill::Integers, Fill::Normal, Fill::SomeNan]),
        case("average-i3d-head", [1, 3, 7, 7, 16], Pool3d::average([2, 7, 7]).stride([1; 3])),
        with_indices("two", [2, 4, 6, 4, 8], Pool3d::max([2; 3])),
        with_indices("odd-channels", [1, 5, 6, 7, 5], three(Pool3d::max)),
        with_indices("overlapping", [1, 3, 5, 6, 12], Pool3d::max([3; 3]).stride([1; 3]).padded([1; 3])),
        with_indices("dilated-ceil", [1, 6, 7, 8, 3], {
            ceil(Pool3d { dilation: [2, 2, 1], ..Pool3d::max([2, 3, 3]).stride([3, 2, 2]).padded([1; 3]) })
        }),
        with_indices("same", [1, 4, 7, 6, 4], Pool3d::max([3; 3]).stride([2; 3]).same()),
        // The taps of the only window are two, both in the padding.
        with_indices("no-element", [1, 1, 1, 1, 4], {
            Pool3d { dilation: [1, 1, 2], ..Pool3d::max([1, 1, 2]).padded([0, 0, 1]) }
        })
        .trust_constant_reference(),
    ]);
    list
}
