use super::Case;
use crate::ops::{MaxUnpool2d, Pool2d};

pub(super) fn cases() -> Vec<Case> {
    [("segnet", [2, 6, 8, 8]), ("odd", [1, 7, 9, 3])]
        .map(|(name, input)| {
            Case::new(format!("max_unpool2d/{name}"), &[&input], move |g, v| {
                let (y, indices) = g.pool2d_with_indices(v[0], &Pool2d::max([2; 2]))?;
                g.max_unpool2d(y, indices, &MaxUnpool2d::of([2; 2]).output_size([input[1], input[2]]))
            })
            .exact_on_integers()
            .trust_constant_reference()
        })
        .to_vec()
}
