use super::{super::Fill, Case};
use crate::ops::{MaxUnpool3d, Pool3d};

/// What a pooling found, put back. With windows of more than four elements, or in an output that they do not fill, most
/// is zero.
fn case(name: &str, input: [usize; 5], pool: Pool3d) -> Case {
    let a = MaxUnpool3d {
        kernel_size: pool.kernel_size,
        stride: pool.stride,
        padding: pool.padding,
        output_size: Some([input[1], input[2], input[3]]),
    };
    Case::new(format!("max_unpool3d/{name}"), &[&input], move |g, v| {
        let (y, indices) = g.pool3d_with_indices(v[0], &pool)?;
        g.max_unpool3d(y, indices, &a)
    })
    .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
    .exact_on_integers()
}

pub(super) fn cases() -> Vec<Case> {
    let overlapping = Pool3d::max([3; 3]).stride([2; 3]).padded([1; 3]);
    vec![
        case("frames", [2, 3, 6, 8, 8], Pool3d::max([1, 2, 2])),
        case("odd-channels", [1, 2, 6, 7, 5], Pool3d::max([1, 2, 2])).trust_constant_reference(),
        case("overlapping", [1, 5, 7, 6, 4], overlapping.clone()).trust_constant_reference(),
        case("overlapping-ceil", [1, 6, 7, 8, 3], Pool3d { ceil_mode: true, ..overlapping })
            .trust_constant_reference(),
        case("stride-one", [1, 3, 5, 6, 8], Pool3d::max([2; 3]).stride([1; 3])).trust_constant_reference(),
        case("asymmetric", [1, 4, 6, 5, 4], {
            Pool3d { padding: [[1, 0], [0, 1], [0; 2]], ..Pool3d::max([2, 2, 1]) }
        }),
        Case::new("max_unpool3d/indices-of-another-size", &[&[1, 2, 3, 4, 6]], |g, v| {
            let (y, indices) = g.pool3d_with_indices(v[0], &Pool3d::max([1; 3]))?;
            g.max_unpool3d(y, indices, &MaxUnpool3d::of([1, 2, 1]).output_size([2, 7, 4]))
        })
        .exact_on_integers()
        .trust_constant_reference(),
        // Most lie outside their windows or the output, and several have the same place.
        Case::new("max_unpool3d/any-indices", &[&[2, 2, 3, 3, 4], &[2, 2, 3, 3, 4]], |g, v| {
            g.max_unpool3d(v[0], v[1], &MaxUnpool3d::of([2; 3]).stride([1; 3]))
        })
        .indices(1, -3..=60)
        .fills([Fill::Integers, Fill::Normal, Fill::SomeNan])
        .exact_on_integers()
        .trust_constant_reference(),
    ]
}
