//! The iterations of one warp of TV-L1 optical flow.

use std::ops::RangeInclusive;

use kinetograph_ref::tvl1 as reference;
use serde::Deserialize;

use super::attributes::positive;
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{
    Bound, Dispatch, Family, Graph, Op, Operand, Recorder, TensorType, Traits, UNIT_ROUNDOFF, Value,
};
use crate::tensor::Tensor;
use crate::{kernel, params};

static KERNEL: Kernel = kernel!("tvl1");

/// Iterations that `tvl1_blocked` makes in workgroup memory, and the sides of its tiles.
const DEPTH: usize = 4;
const INNER: usize = 32 - 2 * DEPTH;

/// What the iterations of one warp of TV-L1 optical flow depend on (Zach, Pock and Bischof 2007), with the names and
/// defaults of OpenCV's `DualTVL1OpticalFlow`; frames are in 0 … 255.
///
/// NaN in a pixel spreads to its neighbours as the iterations go; it ends the iterations of its pair when `epsilon` is
/// not 0.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tvl1 {
    /// Time step of the dual field.
    pub tau: f32,
    /// Weight of the data against smoothness.
    pub lambda: f32,
    /// Tightness of the coupling between the two.
    pub theta: f32,
    /// Iterations after each median.
    pub inner_iterations: usize,
    /// How often a median and the inner iterations are made.
    pub outer_iterations: usize,
    /// Side of the median's window, 3 or 5; 0 or 1 for no median.
    pub median_filtering: usize,
    /// The pair's iterations end when the flow changes by this many pixels or less, root mean square; 0 for never.
    pub epsilon: f32,
}

impl Default for Tvl1 {
    fn default() -> Self {
        Tvl1 {
            tau: 0.25,
            lambda: 0.15,
            theta: 0.3,
            inner_iterations: 30,
            outer_iterations: 10,
            median_filtering: 5,
            epsilon: 0.01,
        }
    }
}

impl Tvl1 {
    fn has_median(&self) -> bool {
        self.median_filtering > 1
    }

    fn iterations(&self) -> usize {
        self.inner_iterations.saturating_mul(self.outer_iterations)
    }

    fn settings(&self) -> reference::Tvl1 {
        reference::Tvl1 {
            tau: f64::from(self.tau),
            lambda: f64::from(self.lambda),
            theta: f64::from(self.theta),
            inner: self.inner_iterations,
            outer: self.outer_iterations,
            median: if self.has_median() { self.median_filtering } else { 0 },
            epsilon: f64::from(self.epsilon),
        }
    }

    /// How the pixels of a pair are shared out.
    fn share(family: Family, height: usize, width: usize) -> Share {
        // A processor goes through a workgroup one vector at a time: few of them with long loops cost least.
        let rows = if family == Family::Uniform { 16 } else { 1 };
        let strips = width.div_ceil(64) * height.div_ceil(rows);
        let tiles = height.div_ceil(16) * width.div_ceil(16);
        Share { rows, strips, tiles, partials: if family == Family::Tiled { tiles } else { 64 * strips } }
    }
}

/// How the pixels of a pair are shared out.
struct Share {
    /// Rows of a strip, which has 64 columns.
    rows: usize,
    strips: usize,
    /// Tiles of 16×16 pixels.
    tiles: usize,
    /// Sums of squared changes, one a tile or one an invocation of a strip.
    partials: usize,
}

impl Graph {
    /// Adds the iterations of one warp of TV-L1 optical flow: `warped` `[N, H, W, 3]` is the second frame of each pair
    /// and its derivatives along x and y, sampled where `flow` leads; `frame` `[N, H, W, 1]` the first; `flow`
    /// `[N, H, W, 2]` in pixels along x and y; `dual` `[N, H, W, 4]` the dual field p₁₁, p₁₂, p₂₁, p₂₂, zeros if not given.
    /// Gives the new flow and dual field.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other.
    pub fn tvl1(
        &mut self,
        warped: Value,
        frame: Value,
        flow: Value,
        dual: Option<Value>,
        attributes: &Tvl1,
    ) -> Result<(Value, Value)> {
        let inputs: Vec<Value> = [warped, frame, flow].into_iter().chain(dual).collect();
        let outputs = self.push_all(*attributes, &inputs)?;
        Ok((outputs[0], outputs[1]))
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "tvl1",
    summary: "the iterations of one warp of TV-L1 optical flow: the flow, and the dual field as second output",
    inputs: &[
        Port::new("warped", Layout::Activation),
        Port::new("frame", Layout::Activation),
        Port::new("flow", Layout::Activation),
        Port::optional("dual", Layout::Activation),
    ],
    output: Layout::Activation,
    attributes: "tau=0.25, lambda=0.15, theta=0.3, inner_iterations=30, outer_iterations=10, median_filtering=5 (3, 0), \
                 epsilon=0.01 (0: all iterations)",
    build: |g, v, a| {
        let (flow, dual) = g.tvl1(v[0], v[1], v[2], v.get(3).copied(), &a.read()?)?;
        Ok(vec![flow, dual])
    },
};

params! {
    struct Tvl1Params {
        count: u32,
        height: u32,
        width: u32,
        limit: f32,
        theta: f32,
        step: f32,
        threshold: f32,
        iteration: u32,
        iterations: u32,
        period: u32,
        partials: u32,
        pairs: u32,
        rows: u32,
        u_flips: u32,
        p_flips: u32,
    }
}

/// Pieces of working memory.
const COEFFICIENTS: usize = 0;
const FLOWS: [usize; 2] = [1, 2];
const DUALS: [usize; 2] = [3, 4];
const PARTIALS: usize = 5;
const TOTALS: usize = 6;

impl Op for Tvl1 {
    fn name(&self) -> &'static str {
        "tvl1"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        3..=4
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let [n, h, w, two] = inputs[2].shape.dims("the flow", "[N, H, W, 2]")?;
        for (i, name, channels) in
            [(0, "warped frame", 3), (1, "frame", 1), (2, "flow", 2), (3, "dual field", 4)]
        {
            if let Some(input) = inputs.get(i)
                && *input.shape != [n, h, w, channels]
            {
                return Err(Error::bad_input(format!(
                    "the {name} must be [{n}, {h}, {w}, {channels}], it is {}",
                    input.shape
                )));
            }
        }
        debug_assert_eq!(two, 2);
        positive("tau", self.tau)?;
        positive("lambda", self.lambda)?;
        positive("theta", self.theta)?;
        if !(self.epsilon >= 0.0 && self.epsilon.is_finite()) {
            return Err(Error::bad_input(format!("epsilon {}: 0 or a positive number", self.epsilon)));
        }
        if !matches!(self.median_filtering, 0 | 1 | 3 | 5) {
            return Err(Error::bad_input(format!(
                "median_filtering {}: 0, 1, 3 or 5",
                self.median_filtering
            )));
        }
        if self.iterations() > 1 << 20 {
            return Err(Error::bad_input(format!(
                "inner_iterations {} times outer_iterations {}: at most {} in all",
                self.inner_iterations,
                self.outer_iterations,
                1 << 20
            )));
        }
        Ok(vec![inputs[2].clone(), TensorType::float(&[n, h, w, 4])?])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (mut flow, mut dual) = (Vec::new(), Vec::new());
        self.solve(inputs, |step, state| {
            if step.is_none() {
                flow.extend(state.flow.iter().flatten().map(|x| *x as f32));
                dual.extend(state.dual.iter().flatten().map(|x| *x as f32));
            }
        })?;
        let [n, h, w, _] = inputs[2].shape().dims("the flow", "[N, H, W, 2]")?;
        Ok(vec![Tensor::new(inputs[2].shape(), flow)?, Tensor::new(&[n, h, w, 4], dual)?])
    }

    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Bound>> {
        let (mut of_flow, mut of_dual) = (Vec::new(), Vec::new());
        let settings = self.settings();
        let mut errors = Errors::default();
        self.solve(inputs, |step, state| match step {
            Some((before, step)) => errors.follow(before, step, state, &settings),
            None => {
                let mut last = std::mem::take(&mut errors);
                // Without any iteration everything stays as it is.
                last.flow.resize(state.flow.len(), 0.0);
                last.dual.resize(state.dual.len(), [0.0; 4]);
                of_flow.extend(last.flow.iter().flat_map(|e| [*e; 2]));
                of_dual.extend(last.dual.iter().flatten());
            }
        })?;
        Ok(vec![Bound::Absolute(of_flow), Bound::Absolute(of_dual)])
    }

    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        let pixels = inputs[1].shape.elements() as u64;
        let medians = if self.has_median() { self.outer_iterations as u64 } else { 0 };
        pixels * (60 * self.iterations() as u64 + 500 * medians)
    }

    /// What all iterations read and write: coefficients, flow and dual field.
    fn bytes(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        inputs[1].shape.elements() as u64 * 4 * (10 + 16 * self.iterations() as u64)
    }

    fn scratch(&self, inputs: &[TensorType], traits: Traits) -> Vec<u64> {
        let shape = &inputs[1].shape;
        let (n, pixels) = (shape[0] as u64, shape.elements() as u64);
        let partials = match self.epsilon {
            0.0 => 1,
            _ => n * Tvl1::share(traits.family, shape[1], shape[2]).partials as u64,
        };
        vec![4 * pixels, 2 * pixels, 2 * pixels, 4 * pixels, 4 * pixels, partials, 2 * n]
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [pairs, height, width, _] = r.input(1).dims("the frame", "[N, H, W, 1]")?;
        let count = pairs * height * width;
        let stops = self.epsilon > 0.0;
        let family = r.traits().family;
        let Share { rows, strips, tiles, partials } = Tvl1::share(family, height, width);
        let base = Tvl1Params {
            count: r.u32("pixels", count)?,
            height: r.u32("height", height)?,
            width: r.u32("width", width)?,
            limit: self.lambda * self.theta,
            theta: self.theta,
            step: self.tau / self.theta,
            threshold: self.epsilon * self.epsilon * (height * width) as f32,
            period: if self.has_median() { r.u32("inner_iterations", self.inner_iterations)? } else { 0 },
            partials: r.u32("partial sums", partials)?,
            pairs: r.u32("pairs", pairs)?,
            rows: r.u32("rows", rows)?,
            ..Default::default()
        };
        let side = if self.has_median() { self.median_filtering } else { 3 };
        let launch = |entry, params: &Tvl1Params| {
            Dispatch::new(&KERNEL, entry, params)
                .tune("Side", format!("{side}u"))
                .tune("Depth", format!("{DEPTH}u"))
                .constant("STOPS", u32::from(stops))
                .groups((pairs * strips) as u64)
                .turns(rows)
        };
        let pixels = count.div_ceil(64) as u64;
        use Operand::{Input, Output, Scratch};
        let has_dual = u32::from(r.inputs() > 3);
        r.dispatch(launch("tvl1_begin", &base).constant("HAS_DUAL", has_dual).groups(pixels).bind([
            Input(0),
            Input(1),
            Input(2),
            if has_dual == 1 { Input(3) } else { Operand::Absent },
            Scratch(COEFFICIENTS),
            Scratch(FLOWS[0]),
            Scratch(DUALS[0]),
        ]));
        let (mut u, mut p) = (0usize, 0usize);
        let mut iteration = 0;
        for _ in 0..self.outer_iterations {
            if self.has_median() {
                let params = Tvl1Params { iteration, ..base };
                let (from, to) = (Scratch(FLOWS[u % 2]), Scratch(FLOWS[(u + 1) % 2]));
                r.dispatch(launch("tvl1_median", &params).bind([from, Scratch(TOTALS), to]));
                u += 1;
            }
            let mut left = self.inner_iterations;
            while left > 0 {
                let made = if stops || family != Family::Tiled { 1 } else { left.min(DEPTH) };
                let params = Tvl1Params { iteration, iterations: r.u32("iterations", made)?, ..base };
                let (flow, dual) = (Scratch(FLOWS[u % 2]), Scratch(DUALS[p % 2]));
                if family != Family::Tiled {
                    r.dispatch(launch("tvl1_primal", &params).bind([
                        Scratch(COEFFICIENTS),
                        dual,
                        Scratch(TOTALS),
                        flow,
                        Scratch(PARTIALS),
                    ]));
                    r.dispatch(launch("tvl1_dual", &params).bind([flow, Scratch(TOTALS), dual]));
                } else {
                    let (flow_after, dual_after) = (Scratch(FLOWS[(u + 1) % 2]), Scratch(DUALS[(p + 1) % 2]));
                    r.dispatch(if stops {
                        launch("tvl1_fused", &params)
                            .bind([
                                Scratch(COEFFICIENTS),
                                flow,
                                dual,
                                Scratch(TOTALS),
                                flow_after,
                                dual_after,
                                Scratch(PARTIALS),
                            ])
                            .groups((pairs * tiles) as u64)
                    } else {
                        launch("tvl1_blocked", &params)
                            .bind([Scratch(COEFFICIENTS), flow, dual, flow_after, dual_after])
                            .groups((pairs * height.div_ceil(INNER) * width.div_ceil(INNER)) as u64)
                    });
                    u += 1;
                    p += 1;
                }
                if stops {
                    r.dispatch(
                        launch("tvl1_sum", &params)
                            .bind([Scratch(PARTIALS), Scratch(TOTALS)])
                            .turns(partials.div_ceil(256) + 8)
                            .groups(pairs as u64),
                    );
                }
                iteration += r.u32("iterations", made)?;
                left -= made;
            }
        }
        let params =
            Tvl1Params { iteration, u_flips: r.u32("launches", u)?, p_flips: r.u32("launches", p)?, ..base };
        r.dispatch(
            launch("tvl1_end", &params)
                .groups(pixels)
                .constant("FLIPS", u32::from(family == Family::Tiled))
                .bind([
                    Scratch(FLOWS[0]),
                    Scratch(FLOWS[1]),
                    Scratch(DUALS[0]),
                    Scratch(DUALS[1]),
                    Scratch(TOTALS),
                    Output(0),
                    Output(1),
                ]),
        );
        Ok(())
    }
}

impl Tvl1 {
    /// Runs the reference on every pair. `watch` sees each step with the state before it and after it, and at the end
    /// of a pair the state alone.
    fn solve(
        &self,
        inputs: &[Tensor],
        mut watch: impl FnMut(Option<(&reference::State, reference::Step)>, &reference::State),
    ) -> Result<()> {
        let [n, height, width, _] = inputs[1].shape().dims("the frame", "[N, H, W, 1]")?;
        let (warped, frame, flow) = (inputs[0].f32s()?, inputs[1].f32s()?, inputs[2].f32s()?);
        let dual = inputs.get(3).map(Tensor::f32s).transpose()?;
        for pair in 0..n {
            let mut state = reference::State::of_pair(pair, [height, width], warped, frame, flow, dual);
            let mut before = state.clone();
            state.run(&self.settings(), |step, after| {
                watch(Some((&before, step)), after);
                before.clone_from(after);
            });
            watch(None, &state);
        }
        Ok(())
    }
}

/// How far the flow, in its length, and each component of the dual field may be off.
#[derive(Default)]
struct Errors {
    flow: Vec<f64>,
    dual: Vec<[f64; 4]>,
}

impl Errors {
    /// What a step makes of them, with u the unit roundoff.
    ///
    /// - A median is off by no more than the most in its window.
    /// - The step towards the data projects: it brings two flows no farther apart. Of its own it errs by
    ///   `δρ/|∇I|`, where ρ is a sum that errs by `δρ = 2u·6·Σ|terms|`, but by no more than its longest, `2λθ|∇I|`.
    /// - The divergence and the differences add what their terms are off by; the norm in the denominator is off by
    ///   no more than the differences, and the quotient by its share of it.
    fn follow(
        &mut self,
        before: &reference::State,
        step: reference::Step,
        after: &reference::State,
        settings: &reference::Tvl1,
    ) {
        let u = 2.0 * UNIT_ROUNDOFF;
        let [height, width] = before.size;
        self.flow.resize(height * width, 0.0);
        self.dual.resize(height * width, [0.0; 4]);
        let old = self.flow.clone();
        if step == reference::Step::Median {
            let reach = settings.median / 2;
            for y in 0..height {
                for x in 0..width {
                    let rows = y.saturating_sub(reach)..(y + reach + 1).min(height);
                    let columns = x.saturating_sub(reach)..(x + reach + 1).min(width);
                    let near = rows.flat_map(|b| columns.clone().map(move |a| b * width + a));
                    self.flow[y * width + x] = near.map(|i| old[i]).fold(0.0, f64::max);
                }
            }
            return;
        }
        let limit = settings.lambda * settings.theta;
        for (i, old) in old.iter().enumerate() {
            let (x, y) = (i % width, i / width);
            let [dx, dy, constant] = before.data[i];
            let [a, b] = before.flow[i];
            let gradient = dx.hypot(dy);
            let terms = before.terms[i] + constant.abs() + (dx * a).abs() + (dy * b).abs();
            let own = (6.0 * u * terms / gradient + 16.0 * u * limit * gradient).min(2.0 * limit * gradient);
            let left = if x > 0 { self.dual[i - 1] } else { [0.0; 4] };
            let above = if y > 0 { self.dual[i - width] } else { [0.0; 4] };
            let p = self.dual[i];
            let divergence = |k: usize| p[2 * k] + left[2 * k] + p[2 * k + 1] + above[2 * k + 1];
            let moved = a.hypot(b) + limit * gradient + 8.0 * settings.theta;
            self.flow[i] = old
                + if own.is_nan() { 0.0 } else { own }
                + settings.theta * divergence(0).hypot(divergence(1))
                + 8.0 * u * moved;
        }
        let step = settings.tau / settings.theta;
        for i in 0..height * width {
            let (x, y) = (i % width, i / width);
            for k in 0..2 {
                let at = after.flow[i][k];
                let far = |inside: bool, other: usize| {
                    let other = if inside { other } else { i };
                    let difference = after.flow[other][k] - at;
                    let off = if inside { self.flow[other] + self.flow[i] } else { 0.0 };
                    (difference, off + u * difference.abs())
                };
                let (dx, off_x) = far(x + 1 < width, i + 1);
                let (dy, off_y) = far(y + 1 < height, i + width);
                let off = off_x.hypot(off_y) + 4.0 * u * dx.hypot(dy);
                let norm = (1.0 + step * (dx.hypot(dy) - off)).max(1.0);
                for (c, off_c) in [(2 * k, off_x), (2 * k + 1, off_y)] {
                    let result = after.dual[i][c].abs();
                    self.dual[i][c] = (self.dual[i][c] + step * (off_c + result * off)) / norm
                        + 16.0 * u * (result + f64::EPSILON);
                }
            }
        }
    }
}
