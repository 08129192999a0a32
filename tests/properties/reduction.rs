use kinetograph::ops::{Cumulation, Cumulative, Quantile, QuantileInterpolation, Reduce, Reduction, Sort};
use kinetograph::verify::{Case, Fill};
use proptest::prelude::*;

use crate::hold;

/// Lengths of up to five axes, of a few hundred elements in all, and for each axis whether it is chosen.
fn shapes() -> impl Strategy<Value = Vec<(usize, bool)>> {
    let axes = prop::collection::vec((prop_oneof![4 => 1usize..=7, 1 => 20usize..=60], any::<bool>()), 1..=5);
    axes.prop_filter("too large", |axes| axes.iter().map(|a| a.0).product::<usize>() < 20_000)
}

fn lengths(axes: &[(usize, bool)]) -> Vec<usize> {
    axes.iter().map(|a| a.0).collect()
}

#[test]
fn reductions_over_any_axes() {
    let modes = prop::sample::select(Reduction::ALL.to_vec());
    let p = prop::sample::select(vec![0.0, 0.5, 1.0, 2.0, 3.0, f32::INFINITY, f32::NEG_INFINITY]);
    hold(&(shapes(), modes, any::<bool>(), p), |(axes, mode, keepdim, p)| {
        let dim: Vec<isize> = (0..axes.len()).filter(|&a| axes[a].1).map(|a| a as isize).collect();
        let a = Reduce { mode, dim, keepdim, p, correction: 0 };
        let case = Case::new("reduce/drawn", &[&lengths(&axes)], move |g, v| g.reduce(v[0], &a));
        if mode == Reduction::Prod { case.between(0, 0.9, 1.1) } else { case }
    });
}

#[test]
fn axes_of_any_shape_in_order() {
    let strategy = (shapes(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>());
    hold(&strategy, |(axes, axis, k, descending)| {
        let axis = axis.index(axes.len());
        let a = Sort { dim: axis as isize, descending, k: Some(k.index(axes[axis].0) + 1) };
        Case::several("sort/drawn", &[&lengths(&axes)], move |g, v| {
            let (values, places) = g.sort(v[0], &a)?;
            Ok(vec![values, places])
        })
        .fills([Fill::Integers, Fill::SomeNan])
    });
}

#[test]
fn any_quantiles() {
    let q = prop::collection::vec(0.0..=1.0, 1..4);
    let interpolation = prop::sample::select(QuantileInterpolation::ALL.to_vec());
    let strategy = (shapes(), any::<prop::sample::Index>(), any::<bool>(), q, interpolation);
    hold(&strategy, |(axes, axis, keepdim, q, interpolation)| {
        // The axis itself says whether it is meant, or all.
        let axis = axis.index(axes.len());
        let dim = axes[axis].1.then_some(axis as isize);
        let a = Quantile { q, dim, keepdim, interpolation };
        Case::new("quantile/drawn", &[&lengths(&axes)], move |g, v| g.quantile(v[0], &a))
    });
}

#[test]
fn sums_and_products_along_any_axis() {
    let modes = prop::sample::select(vec![Cumulation::Sum, Cumulation::Prod]);
    hold(&(shapes(), any::<prop::sample::Index>(), modes), |(axes, axis, mode)| {
        let a = Cumulative { mode, dim: axis.index(axes.len()) as isize };
        let case = Case::new("cumulative/drawn", &[&lengths(&axes)], move |g, v| g.cumulative(v[0], &a));
        if mode == Cumulation::Prod { case.between(0, 0.9, 1.1) } else { case }
    });
}
