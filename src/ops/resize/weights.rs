//! What every output of a resized axis is made of.

use super::{Interpolation, Resize};

/// How an axis is resized: lengths, and the steps between outputs in elements of the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) scale: f64,
}

impl Axis {
    pub(super) fn staying(length: usize) -> Axis {
        Axis { from: length, to: length, scale: 1.0 }
    }
}

impl Resize {
    /// The first element that output `o` is made of, and the weights of it and those that follow.
    fn taps(&self, axis: &Axis, o: usize) -> (usize, Vec<f64>) {
        let last = axis.from - 1;
        let at = o as f64;
        match self.mode {
            Interpolation::Nearest | Interpolation::NearestExact => {
                let middle = if self.mode == Interpolation::Nearest { 0.0 } else { 0.5 };
                let place = (o as f32 + middle) * axis.scale as f32;
                ((place as usize).min(last), vec![1.0])
            }
            Interpolation::Area => {
                let (o, from, to) = (o as u64, axis.from as u64, axis.to as u64);
                let first = (o * from / to) as usize;
                let count = ((o + 1) * from).div_ceil(to) as usize - first;
                (first, vec![1.0 / count as f64; count])
            }
            _ if self.antialias => {
                let support = match self.mode {
                    Interpolation::Linear => 1.0,
                    Interpolation::Cubic => 2.0,
                    _ => 3.0,
                };
                let (centre, width) = (axis.scale * (at + 0.5), axis.scale.max(1.0));
                let first = (centre - support * width).floor().max(0.0) as usize;
                let end = ((centre + support * width).ceil() as usize).min(axis.from);
                let weight = |i: usize| self.filter((i as f64 + 0.5 - centre) / width);
                let weights: Vec<f64> = (first..end).map(weight).collect();
                let sum: f64 = weights.iter().sum();
                (first, weights.into_iter().map(|w| w / sum).collect())
            }
            _ => {
                let place = if self.align_corners { axis.scale * at } else { axis.scale * (at + 0.5) - 0.5 };
                let reach: i64 = if self.mode == Interpolation::Linear { 1 } else { 2 };
                let floor = place.floor() as i64;
                let clamped = |i: i64| i.clamp(0, last as i64) as usize;
                let first = clamped(floor + 1 - reach);
                let mut weights = vec![0.0; clamped(floor + reach) - first + 1];
                for i in floor + 1 - reach..=floor + reach {
                    weights[clamped(i) - first] += self.filter(i as f64 - place);
                }
                (first, weights)
            }
        }
    }

    /// The weight of an element at a distance, in elements or, antialiased, in outputs.
    fn filter(&self, distance: f64) -> f64 {
        let x = distance.abs();
        match self.mode {
            Interpolation::Linear => (1.0 - x).max(0.0),
            Interpolation::Cubic => {
                let a = self.cubic();
                match x {
                    x if x < 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
                    x if x < 2.0 => ((x - 5.0) * x + 8.0) * a * x - 4.0 * a,
                    _ => 0.0,
                }
            }
            _ if x >= 3.0 => 0.0,
            _ if x == 0.0 => 1.0,
            _ => {
                let angle = std::f64::consts::PI * x;
                3.0 * angle.sin() * (angle / 3.0).sin() / (angle * angle)
            }
        }
    }

    /// For every output of an axis the first tap and the weights, none of the outermost of them zero, and how many
    /// weights there are at most.
    pub(super) fn rows(&self, axis: &Axis) -> (Vec<(usize, Vec<f64>)>, usize) {
        let row = |o: usize| {
            let (first, weights) = self.taps(axis, o);
            // What only rounding keeps from zero is zero.
            let some = |w: &f64| w.abs() >= 1e-12;
            let before = weights.iter().position(some).unwrap_or(0);
            let end = weights.iter().rposition(some).map_or(0, |i| i + 1);
            let kept = weights[before..end.max(before)].iter().map(|w| if some(w) { *w } else { 0.0 });
            (first + before, kept.collect::<Vec<_>>())
        };
        let rows: Vec<_> = (0..axis.to).map(row).collect();
        let most = rows.iter().map(|(_, w)| w.len()).max().unwrap_or(1).max(1);
        (rows, most)
    }
}
