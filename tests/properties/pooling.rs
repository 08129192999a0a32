use kinetograph::ops::{Pool, Pool3d};
use kinetograph::verify::Case;
use proptest::prelude::*;

use crate::{hold, room, three};

#[test]
fn pools_of_any_attributes() {
    let strategy = (
        (three(1..=4), three(1..=4), crate::pairs(3), three(1..=3), three(0..=4)),
        (1usize..=2, 1usize..=9, any::<[bool; 3]>()),
    );
    hold(&strategy, |((kernel, stride, pads, steps, spare), (n, c, [max, ceil, zeros]))| {
        let dilation = if max { steps } else { [1; 3] };
        let padding = std::array::from_fn(|a| {
            let window = dilation[a] * (kernel[a] - 1) + 1;
            pads[a].map(|p: usize| p.min(window - 1))
        });
        let [t, h, w] = room(kernel, dilation, padding, spare);
        let a = Pool3d {
            mode: if max { Pool::Max } else { Pool::Average },
            kernel_size: kernel,
            stride: Some(stride),
            padding,
            dilation,
            ceil_mode: ceil,
            count_include_pad: max || zeros,
            zero_pad: max && zeros,
        };
        let case = Case::new("pool3d/drawn", &[&[n, t, h, w, c]], move |g, v| g.pool3d(v[0], &a));
        if max { case.exact_on_integers() } else { case }
    });
}
