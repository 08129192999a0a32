use kinetograph::ops::{
    Coordinates, FilterPadding, GridSample, Interpolation, Resize, Sampling, SamplingPadding, Upfirdn2d,
};
use kinetograph::verify::Case;
use proptest::prelude::*;

use crate::hold;

#[test]
fn resizings_of_any_attributes() {
    let lengths = || prop::array::uniform2(1usize..=12);
    let strategy = (
        (0..Interpolation::ALL.len(), 1usize..=2, lengths(), 1usize..=8, lengths()),
        (prop::array::uniform2(0.3f64..3.0), any::<[bool; 4]>()),
    );
    hold(&strategy, |((mode, n, from, c, to), (factors, [by_size, recompute, align, smooth]))| {
        let mode = Interpolation::ALL[mode];
        let between = matches!(mode, Interpolation::Linear | Interpolation::Cubic);
        let lanczos = mode == Interpolation::Lanczos;
        let factors = [0, 1].map(|a| factors[a].max(1.0 / from[a] as f64));
        let a = Resize {
            mode,
            size: by_size.then(|| to.to_vec()),
            scale_factor: (!by_size).then(|| factors.to_vec()),
            recompute_scale_factor: !by_size && recompute,
            align_corners: between && align,
            antialias: lanczos || (between && smooth),
            cubic_coeff_a: None,
        };
        let case = Case::new("resize/drawn", &[&[n, from[0], from[1], c]], move |g, v| g.resize(v[0], &a));
        if between || lanczos || mode == Interpolation::Area { case } else { case.exact_on_integers() }
    });
}

#[test]
fn grids_of_any_attributes() {
    let modes = [Sampling::Bilinear, Sampling::Nearest, Sampling::Bicubic];
    let paddings = [SamplingPadding::Zeros, SamplingPadding::Border, SamplingPadding::Reflection];
    let meanings = [Coordinates::Normalized, Coordinates::Pixels, Coordinates::Displacement];
    let strategy = (
        (0usize..3, 0usize..3, 0usize..3, any::<[bool; 2]>()),
        (1usize..=2, prop::array::uniform3(1usize..=6), 1usize..=8, prop::array::uniform3(1usize..=5)),
        0.1f32..20.0,
    );
    hold(&strategy, |((mode, padding, meaning, [align_corners, video]), (n, from, c, to), reach)| {
        let mode = if video { modes[mode % 2] } else { modes[mode] };
        let a = GridSample {
            mode,
            padding_mode: paddings[padding],
            align_corners,
            coordinates: meanings[meaning],
            ..GridSample::default()
        };
        let first = if video { 0 } else { 1 };
        let x = [&[n], &from[first..], &[c]].concat();
        let grid = [&[n], &to[first..], &[3 - first]].concat();
        Case::new("grid_sample/drawn", &[&x, &grid], move |g, v| g.grid_sample(v[0], v[1], &a))
            .between(1, -reach, reach)
    });
}

#[test]
fn filters_of_any_attributes() {
    let two = || prop::array::uniform2(1usize..=3);
    let strategy = (
        (
            two(),
            two(),
            prop::array::uniform2(prop::array::uniform2(-2isize..=4)),
            0usize..3,
            any::<[bool; 2]>(),
        ),
        (1usize..=2, prop::array::uniform2(1usize..=5), prop::array::uniform2(0usize..=4), 1usize..=8),
    );
    hold(&strategy, |((up, down, padding, mode, [flip_filter, one_axis]), (n, taps, spare, c))| {
        let padding_mode = [FilterPadding::Zeros, FilterPadding::Reflect, FilterPadding::Replicate][mode];
        let zeros = padding_mode == FilterPadding::Zeros;
        let up = if zeros { up } else { [1; 2] };
        let padding = if zeros { padding } else { padding.map(|p| p.map(|p| p.max(0))) };
        let taps = if one_axis { [taps[0]; 2] } else { taps };
        // As long as the filter demands and, for a reflection, the padding.
        let lengths = [0, 1].map(|a| {
            let cropped: isize = padding[a].iter().map(|p| p.min(&0)).sum();
            let room = (taps[a] + cropped.unsigned_abs()).div_ceil(up[a]);
            let mirrored = padding[a].iter().max().map_or(0, |p| p + 1) as usize;
            spare[a] + room.max(if padding_mode == FilterPadding::Reflect { mirrored } else { 1 })
        });
        let a = Upfirdn2d { up, down, padding, padding_mode, flip_filter, gain: 2.0 };
        let filter: &[usize] = if one_axis { &taps[..1] } else { &taps };
        Case::new("upfirdn2d/drawn", &[&[n, lengths[0], lengths[1], c], filter], move |g, v| {
            g.upfirdn2d(v[0], v[1], &a)
        })
        .weights_from(1)
        .exact_on_integers()
    });
}
