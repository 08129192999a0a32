use kinetograph::ops::{AdaptivePool3d, LocalResponseNorm, MaxUnpool3d, Pool, Pool3d};
use kinetograph::verify::Case;
use proptest::prelude::*;

use crate::{hold, room, three};

#[test]
fn pools_of_any_attributes() {
    let strategy = (
        (three(1..=4), three(1..=4), crate::pairs(3), three(1..=3), three(0..=4)),
        (1usize..=2, 1usize..=9, any::<[bool; 5]>()),
    );
    hold(&strategy, |((kernel, stride, pads, steps, spare), (n, c, [max, ceil, zeros, same, places]))| {
        let dilation = if max { steps } else { [1; 3] };
        let padding = std::array::from_fn(|a| {
            let window = dilation[a] * (kernel[a] - 1) + 1;
            pads[a].map(|p: usize| if same { 0 } else { p.min(window - 1) })
        });
        let [t, h, w] = room(kernel, dilation, padding, spare);
        let a = Pool3d {
            mode: if max { Pool::Max } else { Pool::Average },
            kernel_size: kernel,
            stride: Some(stride),
            padding,
            same,
            dilation,
            ceil_mode: ceil,
            count_include_pad: max || zeros,
            zero_pad: max && zeros,
            return_indices: false,
        };
        let case = Case::several("pool3d/drawn", &[&[n, t, h, w, c]], move |g, v| {
            if places && a.mode == Pool::Max && !a.zero_pad {
                let (y, indices) = g.pool3d_with_indices(v[0], &a)?;
                return Ok(vec![y, indices]);
            }
            Ok(vec![g.pool3d(v[0], &a)?])
        });
        if max { case.exact_on_integers() } else { case }
    });
}

#[test]
fn what_any_pooling_finds_goes_back() {
    let strategy = (
        (three(1..=4), three(1..=4), crate::pairs(2), three(0..=4)),
        (1usize..=2, 1usize..=8, any::<bool>(), any::<bool>()),
    );
    hold(&strategy, |((kernel_size, stride, pads, spare), (n, c, ceil_mode, found))| {
        let padding = std::array::from_fn(|a| pads[a].map(|p: usize| p.min(kernel_size[a] - 1)));
        let [t, h, w] = room(kernel_size, [1; 3], padding, spare);
        let stride = Some(stride);
        let pool = Pool3d { kernel_size, stride, padding, ceil_mode, ..Pool3d::default() };
        let input = [n, t, h, w, c];
        Case::new("max_unpool3d/drawn", &[&input], move |g, v| {
            let (y, indices) = g.pool3d_with_indices(v[0], &pool)?;
            let unpool = MaxUnpool3d { kernel_size, stride, padding, output_size: None };
            // Padding may be all that the windows cover but for cells that only the input's own lengths tell of.
            if !found && let Ok(y) = g.max_unpool3d(y, indices, &unpool) {
                return Ok(y);
            }
            g.max_unpool3d(y, indices, &MaxUnpool3d { output_size: Some([t, h, w]), ..unpool })
        })
        .exact_on_integers()
        .trust_constant_reference()
    });
}

#[test]
fn adaptive_pools_of_any_sizes() {
    let strategy = (three(1..=9), three(1..=9), 1usize..=2, 1usize..=9, any::<[bool; 2]>());
    hold(&strategy, |([t, h, w], output, n, c, [max, places])| {
        let a = if max { AdaptivePool3d::max(output) } else { AdaptivePool3d::average(output) };
        let case = Case::several("adaptive_pool3d/drawn", &[&[n, t, h, w, c]], move |g, v| {
            if max && places {
                let (y, indices) = g.adaptive_pool3d_with_indices(v[0], &a)?;
                return Ok(vec![y, indices]);
            }
            Ok(vec![g.adaptive_pool3d(v[0], &a)?])
        });
        if max { case.exact_on_integers() } else { case }
    });
}

#[test]
fn local_response_norms_of_any_attributes() {
    let strategy = (1usize..=12, 1usize..=15, 0f32..4.0, -2f32..2.0, 0.1f32..3.0);
    hold(&strategy, |(channels, size, alpha, beta, k)| {
        Case::new("local_response_norm/drawn", &[&[2, 5, channels]], move |g, v| {
            g.local_response_norm(v[0], &LocalResponseNorm { size, alpha, beta, k })
        })
    });
}
