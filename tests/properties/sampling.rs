use kinetograph::ops::{Interpolation, Resize};
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
