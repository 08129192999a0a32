use kinetograph::ops::{Conv3d, ConvTranspose3d, Pad, PaddingMode};
use kinetograph::verify::Case;
use proptest::prelude::*;

use crate::{hold, pairs, room, three};

fn any_mode() -> impl Strategy<Value = PaddingMode> {
    prop::sample::select(vec![
        PaddingMode::Constant,
        PaddingMode::Reflect,
        PaddingMode::Replicate,
        PaddingMode::Circular,
    ])
}

/// The padding, as much of it as the mode finds on axes of these lengths.
fn possible<const N: usize>(
    mode: PaddingMode,
    padding: [[usize; 2]; N],
    length: [usize; N],
) -> [[usize; 2]; N] {
    std::array::from_fn(|a| {
        padding[a].map(|p| match mode {
            PaddingMode::Reflect => p.min(length[a] - 1),
            PaddingMode::Circular => p.min(length[a]),
            _ => p,
        })
    })
}

#[test]
fn convolutions_of_any_attributes() {
    let strategy = (
        (three(1..=3), three(1..=3), pairs(2), three(1..=2), three(0..=4)),
        (1usize..=2, 1usize..=3, 1usize..=5, 1usize..=6, any::<bool>(), any_mode()),
    );
    hold(&strategy, |((kernel, stride, padding, dilation, spare), (n, groups, i, o, bias, padding_mode))| {
        let shortest = if padding_mode == PaddingMode::Constant { padding } else { [[0; 2]; 3] };
        let [t, h, w] = room(kernel, dilation, shortest, spare);
        let padding = possible(padding_mode, padding, [t, h, w]);
        let a = Conv3d { stride, padding, padding_mode, dilation, groups, ..Conv3d::default() };
        let x = [n, t, h, w, i * groups];
        let weight = [kernel[0], kernel[1], kernel[2], i, o * groups];
        let out = [o * groups];
        let shapes: &[&[usize]] = if bias { &[&x, &weight, &out] } else { &[&x, &weight] };
        Case::new("conv3d/drawn", shapes, move |g, v| g.conv3d(v[0], v[1], v.get(2).copied(), &a))
            .weights_from(1)
            .exact_on_integers()
    });
}

/// Groups of one channel, with the channels that four at a time need and others.
#[test]
fn depthwise_convolutions_of_any_attributes() {
    let strategy = (
        (three(1..=3), three(1..=3), pairs(2), three(1..=2), three(0..=6)),
        (1usize..=2, prop::sample::select(vec![1usize, 4, 6, 8, 12]), any::<bool>(), any_mode()),
    );
    hold(&strategy, |((kernel, stride, padding, dilation, spare), (n, groups, bias, padding_mode))| {
        let lengths = room(kernel, dilation, [[0; 2]; 3], spare);
        let [t, h, w] = lengths;
        let padding = possible(padding_mode, padding, lengths);
        let a = Conv3d { stride, padding, padding_mode, dilation, groups, ..Conv3d::default() };
        let x = [n, t, h, w, groups];
        let weight = [kernel[0], kernel[1], kernel[2], 1, groups];
        let out = [groups];
        let shapes: &[&[usize]] = if bias { &[&x, &weight, &out] } else { &[&x, &weight] };
        Case::new("conv3d/drawn-depthwise", shapes, move |g, v| g.conv3d(v[0], v[1], v.get(2).copied(), &a))
            .weights_from(1)
            .exact_on_integers()
    });
}

#[test]
fn paddings_of_any_attributes() {
    let strategy = (
        prop::array::uniform4(1usize..=9),
        prop::array::uniform4(prop::array::uniform2(0usize..=6)),
        any_mode(),
    );
    hold(&strategy, |(shape, padding, mode)| {
        let value = if mode == PaddingMode::Constant { -2.5 } else { 0.0 };
        let padding = possible(mode, padding, shape).to_vec();
        let a = Pad { padding, mode, value };
        Case::new("pad/drawn", &[&shape], move |g, v| g.pad(v[0], &a)).exact_on_integers()
    });
}

#[test]
fn transposed_convolutions_of_any_attributes() {
    let strategy = (
        (three(1..=4), three(1..=4), pairs(2), three(1..=3), three(0..=3), three(1..=4)),
        (1usize..=2, 1usize..=3, 1usize..=4, 1usize..=6, any::<bool>(), any::<bool>()),
    );
    hold(&strategy, |((kernel, stride, cut, dilation, more, lengths), (n, groups, i, o, bias, constant))| {
        let output_padding: [usize; 3] = std::array::from_fn(|a| more[a].min(stride[a].max(dilation[a]) - 1));
        // As much is cut off as leaves an output.
        let padding = std::array::from_fn(|a| {
            let whole = (lengths[a] - 1) * stride[a] + (kernel[a] - 1) * dilation[a] + 1 + output_padding[a];
            let before = cut[a][0].min(whole - 1);
            [before, cut[a][1].min(whole - 1 - before)]
        });
        let a = ConvTranspose3d { stride, padding, output_padding, dilation, groups, ..Default::default() };
        let [t, h, w] = lengths;
        let x = [n, t, h, w, i * groups];
        let weight = [kernel[0], kernel[1], kernel[2], i * groups, o];
        let out = [o * groups];
        let shapes: &[&[usize]] = if bias { &[&x, &weight, &out] } else { &[&x, &weight] };
        let case = Case::new("conv_transpose3d/drawn", shapes, move |g, v| {
            g.conv_transpose3d(v[0], v[1], v.get(2).copied(), &a)
        });
        let case = if constant { case.weights_from(1) } else { case };
        case.exact_on_integers()
    });
}
