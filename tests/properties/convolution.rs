use kinetograph::ops::Conv3d;
use kinetograph::verify::Case;
use proptest::prelude::*;

use crate::{hold, pairs, room, three};

#[test]
fn convolutions_of_any_attributes() {
    let strategy = (
        (three(1..=3), three(1..=3), pairs(2), three(1..=2), three(0..=4)),
        (1usize..=2, 1usize..=3, 1usize..=5, 1usize..=6, any::<bool>()),
    );
    hold(&strategy, |((kernel, stride, padding, dilation, spare), (n, groups, i, o, bias))| {
        let [t, h, w] = room(kernel, dilation, padding, spare);
        let a = Conv3d { stride, padding, dilation, groups, ..Conv3d::default() };
        let x = [n, t, h, w, i * groups];
        let weight = [kernel[0], kernel[1], kernel[2], i, o * groups];
        let out = [o * groups];
        let shapes: &[&[usize]] = if bias { &[&x, &weight, &out] } else { &[&x, &weight] };
        Case::new("conv3d/drawn", shapes, move |g, v| g.conv3d(v[0], v[1], v.get(2).copied(), &a))
            .weights_from(1)
            .exact_on_integers()
    });
}
