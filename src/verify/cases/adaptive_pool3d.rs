use super::{super::Fill, Case};
use crate::ops::{AdaptivePool3d, Pool};

/// One element in eleven of `Fill::SomeNan` is NaN: with a multiple of eleven channels, all of some channels and none of
/// the others, however long the windows are.
fn case(name: &str, input: [usize; 5], a: AdaptivePool3d) -> Case {
    let mode = a.mode;
    let prefix = if mode == Pool::Max { "max" } else { "average" };
    let name = format!("adaptive_pool3d/{prefix}-{name}");
    let case = Case::new(name, &[&input], move |g, v| g.adaptive_pool3d(v[0], &a));
    if mode == Pool::Max {
        case.fills([Fill::Normal, Fill::About(-8.0), Fill::SomeNan])
    } else {
        case.fills([Fill::Integers, Fill::Normal, Fill::About(1000.0)])
    }
}

fn with_indices(name: &str, input: [usize; 5], output: [usize; 3]) -> Case {
    Case::several(format!("adaptive_pool3d/indices-{name}"), &[&input], move |g, v| {
        let (y, indices) = g.adaptive_pool3d_with_indices(v[0], &AdaptivePool3d::max(output))?;
        Ok(vec![y, indices])
    })
    .fills([Fill::Normal, Fill::SomeNan, Fill::Masked])
}

pub(super) fn cases() -> Vec<Case> {
    let mut list = Vec::new();
    for new in [AdaptivePool3d::max as fn([usize; 3]) -> AdaptivePool3d, AdaptivePool3d::average] {
        let as_is = |a: AdaptivePool3d| AdaptivePool3d { output_size: [None, Some(3), None], ..a };
        list.extend([
            case("uneven", [1, 5, 7, 9, 44], new([2, 3, 4])),
            case("odd-channels", [1, 4, 7, 6, 5], new([3, 2, 5])),
            case("more-than-cells", [1, 2, 3, 5, 4], new([3, 7, 5])),
            case("some-axes", [1, 3, 8, 4, 4], as_is(new([1; 3]))),
            case("even", [1, 4, 6, 8, 12], new([2, 3, 4])),
            // Windows that GPUs share out, with channels for a part of a tile and for several.
            case("global", [2, 3, 7, 7, 44], new([1; 3])),
            case("long-windows", [1, 9, 10, 9, 11], new([2, 2, 1])),
            case("many-channels", [1, 1, 9, 9, 528], new([1; 3])),
        ]);
    }
    // In one invocation, more turns than some drivers make.
    list.push(
        case("longer-than-one-walk", [1, 1, 250, 250, 4], AdaptivePool3d::average([1; 3]))
            .fills([Fill::About(8.0)]),
    );
    list.extend([
        with_indices("uneven", [1, 5, 7, 9, 44], [2, 3, 4]),
        with_indices("odd-channels", [1, 3, 6, 7, 11], [1, 2, 3]),
    ]);
    list
}
