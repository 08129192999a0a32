//! How far rounding may lead the iterations astray.

use kinetograph_ref::tvl1 as reference;

use crate::graph::UNIT_ROUNDOFF;

/// How far u and v, in their lengths, and each component of the dual field may be off.
#[derive(Default)]
pub(super) struct Errors {
    pub(super) flow: Vec<f64>,
    target: Vec<f64>,
    pub(super) dual: Vec<[f64; 6]>,
}

impl Errors {
    /// What a step makes of them, with u the unit roundoff.
    ///
    /// - A median is off by no more than the most in its window.
    /// - The step towards the data is piecewise linear along n = (∇I, γ): where it divides by g = |∇I|² it brings two
    ///   flows `γ²/g` times as far apart at most, without γ no farther; and by no more than twice its longest, `2λθ|n|`.
    ///   Of its own it errs by `δρ|n|/g`, where ρ is a sum that errs by `δρ = 2u·6·Σ|terms|`, but again by no more than
    ///   twice its longest.
    /// - The divergence and the differences add what their terms are off by; the norm in the denominator is off by
    ///   no more than the differences, and the quotient by its share of it.
    pub(super) fn follow(
        &mut self,
        before: &reference::State,
        step: reference::Step,
        after: &reference::State,
        settings: &reference::Tvl1,
    ) {
        let pixels = before.flow.len();
        self.flow.resize(pixels, 0.0);
        self.target.resize(pixels, 0.0);
        self.dual.resize(pixels, [0.0; 6]);
        match step {
            reference::Step::Median => self.median(before.size, settings.median / 2),
            reference::Step::Data => self.data(before, settings),
            reference::Step::Flow => self.divergence(before, settings),
            reference::Step::Dual => self.ascent(after, settings),
        }
    }

    fn median(&mut self, [height, width]: [usize; 2], reach: usize) {
        let old = self.flow.clone();
        for (i, off) in self.flow.iter_mut().enumerate() {
            let (x, y) = (i % width, i / width);
            let rows = y.saturating_sub(reach)..(y + reach + 1).min(height);
            let columns = x.saturating_sub(reach)..(x + reach + 1).min(width);
            let near = rows.flat_map(|b| columns.clone().map(move |a| b * width + a));
            *off = near.map(|i| old[i]).fold(0.0, f64::max);
        }
    }

    fn data(&mut self, before: &reference::State, settings: &reference::Tvl1) {
        let u = 2.0 * UNIT_ROUNDOFF;
        let limit = settings.lambda * settings.theta;
        for (i, off) in self.flow.iter_mut().enumerate() {
            let [dx, dy, constant] = before.data[i];
            let [a, b, c] = before.flow[i];
            let square = dx * dx + dy * dy;
            let normal = dx.hypot(dy).hypot(settings.gamma);
            let terms = before.terms[i]
                + constant.abs()
                + (dx * a).abs()
                + (dy * b).abs()
                + (settings.gamma * c).abs();
            let own =
                (6.0 * u * terms * normal / square + 16.0 * u * limit * normal).min(2.0 * limit * normal);
            let apart = (settings.gamma * settings.gamma / square).max(1.0) * *off;
            let moved = a.hypot(b).hypot(c) + limit * normal;
            *off = apart.min(*off + 2.0 * limit * normal)
                + if own.is_nan() { 0.0 } else { own }
                + 2.0 * u * moved;
            self.target[i] = *off;
        }
    }

    fn divergence(&mut self, before: &reference::State, settings: &reference::Tvl1) {
        let u = 2.0 * UNIT_ROUNDOFF;
        let width = before.size[1];
        for (i, off) in self.flow.iter_mut().enumerate() {
            let left = if i % width > 0 { self.dual[i - 1] } else { [0.0; 6] };
            let above = if i >= width { self.dual[i - width] } else { [0.0; 6] };
            let p = self.dual[i];
            let of = |k: usize| p[2 * k] + left[2 * k] + p[2 * k + 1] + above[2 * k + 1];
            let third = if settings.gamma == 0.0 { 0.0 } else { of(2) };
            let [a, b, c] = before.target[i];
            let moved = a.hypot(b).hypot(c) + 8.0 * settings.theta;
            *off = self.target[i] + settings.theta * of(0).hypot(of(1)).hypot(third) + 6.0 * u * moved;
        }
    }

    fn ascent(&mut self, after: &reference::State, settings: &reference::Tvl1) {
        let u = 2.0 * UNIT_ROUNDOFF;
        let [height, width] = after.size;
        let step = settings.tau / settings.theta;
        for (i, dual) in self.dual.iter_mut().enumerate() {
            for k in 0..3 {
                let at = after.flow[i][k];
                let far = |inside: bool, other: usize| {
                    let other = if inside { other } else { i };
                    let difference = after.flow[other][k] - at;
                    let off = if inside { self.flow[other] + self.flow[i] } else { 0.0 };
                    (difference, off + u * difference.abs())
                };
                let (dx, off_x) = far(i % width + 1 < width, i + 1);
                let (dy, off_y) = far(i / width + 1 < height, i + width);
                let off = off_x.hypot(off_y) + 4.0 * u * dx.hypot(dy);
                let norm = (1.0 + step * (dx.hypot(dy) - off)).max(1.0);
                for (c, off_c) in [(2 * k, off_x), (2 * k + 1, off_y)] {
                    let result = after.dual[i][c].abs();
                    dual[c] =
                        (dual[c] + step * (off_c + result * off)) / norm + 16.0 * u * (result + f64::EPSILON);
                }
            }
        }
    }
}
