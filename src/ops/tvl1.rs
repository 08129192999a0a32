//! The iterations of one warp of TV-L1 optical flow.

mod errors;
mod record;

use std::ops::RangeInclusive;

use kinetograph_cpu::tvl1 as fast;
use kinetograph_ref::tvl1 as reference;
use serde::Deserialize;

use super::attributes::positive;
use super::{Door, Layout, Port};
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::graph::{Bound, Family, Graph, Op, Recorder, Setting, TensorType, Value};
use crate::tensor::Tensor;
use crate::{kernel, params};

use errors::Errors;
use record::Record;

static KERNEL: Kernel = kernel!("tvl1");

/// Iterations that `tvl1_blocked` makes in workgroup memory, and the sides of its tiles.
const DEPTH: usize = 4;
const INNER: usize = 32 - 2 * DEPTH;

/// About how many rows a band of `tvl1_banded` has.
const BAND: usize = 24;

/// The most iterations of a warp.
const MOST_ITERATIONS: usize = 1 << 20;

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
    /// Weight of a change of brightness, the third component of the flow; 0 for none, and two components.
    pub gamma: f32,
    /// A gradient whose squared length is no more than this is taken for none.
    pub flat: f32,
    /// Iterations after each median.
    pub inner_iterations: usize,
    /// How often a median and the inner iterations are made.
    pub outer_iterations: usize,
    /// Steps of the dual field in each iteration, the flow taking up each, as scikit-image has it; 0 for one that is
    /// made last, as OpenCV has it.
    pub dual_iterations: usize,
    /// Side of the median's window, 3 or 5; 0 or 1 for no median.
    pub median_filtering: usize,
    /// The pair's iterations end when the flow changes by this many pixels or less, root mean square; 0 for never. With
    /// `dual_iterations` all are made, but the pair is settled when the flow has come no farther than this from the
    /// first step towards the data: further warps leave it as it is.
    pub epsilon: f32,
}

impl Default for Tvl1 {
    fn default() -> Self {
        Tvl1 {
            tau: 0.25,
            lambda: 0.15,
            theta: 0.3,
            gamma: 0.0,
            flat: f32::EPSILON,
            inner_iterations: 30,
            outer_iterations: 10,
            dual_iterations: 0,
            median_filtering: 5,
            epsilon: 0.01,
        }
    }
}

/// What a warp hands on to the next.
#[derive(Debug, Clone, Copy)]
pub struct Tvl1State {
    /// `[N, H, W, C]`: pixels along x and y, and with `gamma` the change of brightness.
    pub flow: Value,
    /// `[N, H, W, 2C]`: the dual field p₁₁, p₁₂, p₂₁, p₂₂ and with `gamma` p₃₁, p₃₂; zeros if not given.
    pub dual: Option<Value>,
    /// `[N]`: 1 for pairs that are settled, else 0; with both `dual_iterations` and `epsilon`. None is if not given.
    pub settled: Option<Value>,
}

/// Which kernels make the iterations.
#[derive(Clone, Copy, PartialEq)]
enum Course {
    /// A launch for each step.
    Steps,
    /// Bands of rows, a launch an iteration.
    Bands,
    /// Tiles of pixels, a launch an iteration.
    Fused,
    /// Tiles in workgroup memory, several iterations a launch.
    Blocked,
}

impl Tvl1 {
    /// Components of the flow.
    pub fn channels(&self) -> usize {
        if self.gamma == 0.0 { 2 } else { 3 }
    }

    fn has_median(&self) -> bool {
        self.median_filtering > 1
    }

    /// Whether pairs may be settled.
    fn settles(&self) -> bool {
        self.dual_iterations > 0 && self.epsilon > 0.0
    }

    fn iterations(&self) -> usize {
        self.inner_iterations.saturating_mul(self.outer_iterations)
    }

    fn settings(&self) -> reference::Tvl1 {
        reference::Tvl1 {
            tau: f64::from(self.tau),
            lambda: f64::from(self.lambda),
            theta: f64::from(self.theta),
            gamma: f64::from(self.gamma),
            flat: f64::from(self.flat),
            inner: self.inner_iterations,
            outer: self.outer_iterations,
            median: if self.has_median() { self.median_filtering } else { 0 },
            epsilon: f64::from(self.epsilon),
            dual: self.dual_iterations,
        }
    }

    fn course(&self, family: Family) -> Course {
        match family {
            _ if self.dual_iterations > 0 => Course::Steps,
            Family::Direct => Course::Steps,
            Family::Uniform => Course::Bands,
            // Three components leave no room in workgroup memory.
            Family::Tiled if self.epsilon > 0.0 || self.gamma != 0.0 => Course::Fused,
            Family::Tiled => Course::Blocked,
        }
    }

    /// How the pixels of a pair are shared out.
    fn share(&self, family: Family, height: usize, width: usize) -> Share {
        match self.course(family) {
            Course::Steps => {
                let groups = (height * width).div_ceil(64);
                Share { rows: 1, groups, partials: 64 * groups }
            }
            Course::Bands => {
                let rows = height.div_ceil(((height + BAND / 2) / BAND).max(1));
                let groups = height.div_ceil(rows);
                Share { rows, groups, partials: 8 * groups }
            }
            Course::Fused => {
                let groups = height.div_ceil(16) * width.div_ceil(16);
                Share { rows: 1, groups, partials: groups }
            }
            Course::Blocked => {
                Share { rows: 1, groups: height.div_ceil(INNER) * width.div_ceil(INNER), partials: 0 }
            }
        }
    }
}

/// How the pixels of a pair are shared out.
struct Share {
    /// Rows of a workgroup.
    rows: usize,
    /// Workgroups of an iteration.
    groups: usize,
    /// Sums of squared changes.
    partials: usize,
}

impl Graph {
    /// Adds the iterations of one warp of TV-L1 optical flow: `warped` `[N, H, W, 3]` is the second frame of each pair
    /// and its derivatives along x and y, sampled where the flow of `state` leads; `frame` `[N, H, W, 1]` the first.
    /// Gives the new state.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when attributes and shapes do not fit each other.
    pub fn tvl1(
        &mut self,
        warped: Value,
        frame: Value,
        state: Tvl1State,
        attributes: &Tvl1,
    ) -> Result<Tvl1State> {
        if state.dual.is_none() && state.settled.is_some() {
            return Err(Error::bad_input("tvl1: a pair that may be settled has a dual field"));
        }
        let inputs: Vec<Value> =
            [warped, frame, state.flow].into_iter().chain(state.dual).chain(state.settled).collect();
        let outputs = self.push_all(*attributes, &inputs)?;
        Ok(Tvl1State { flow: outputs[0], dual: Some(outputs[1]), settled: outputs.get(2).copied() })
    }
}

/// The door of the command line.
pub const DOOR: Door = Door {
    name: "tvl1",
    summary: "the iterations of one warp of TV-L1 optical flow: the flow, the dual field as second output, and with \
              dual_iterations and epsilon which pairs are settled as third",
    inputs: &[
        Port::new("warped", Layout::Activation),
        Port::new("frame", Layout::Activation),
        Port::new("flow", Layout::Activation),
        Port::optional("dual", Layout::Activation),
        Port::optional("settled", Layout::Plain),
    ],
    output: Layout::Activation,
    attributes: "tau=0.25, lambda=0.15, theta=0.3, gamma=0 (else three components), flat=1.2e-7, inner_iterations=30, \
                 outer_iterations=10, dual_iterations=0 (n: before the flow), median_filtering=5 (3, 0), epsilon=0.01 \
                 (0: all iterations)",
    build: |g, v, a| {
        let state = Tvl1State { flow: v[2], dual: v.get(3).copied(), settled: v.get(4).copied() };
        let after = g.tvl1(v[0], v[1], state, &a.read()?)?;
        Ok([Some(after.flow), after.dual, after.settled].into_iter().flatten().collect())
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
        gamma: f32,
        nothing: f32,
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
/// v, and the first of them.
const TARGET: usize = 7;
const FIRST: usize = 8;
/// Words of a piece that is bound and not used: one element of the longest.
const ABSENT: u64 = 8;

impl Op for Tvl1 {
    fn name(&self) -> &'static str {
        "tvl1"
    }

    fn arity(&self) -> RangeInclusive<usize> {
        3..=5
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let error = |text: String| Err(Error::bad_input(text));
        let [n, h, w, _] = inputs[2].shape.dims("the flow", "[N, H, W, 2]")?;
        let channels = self.channels();
        let shapes: [(&str, &[usize]); 5] = [
            ("warped frame", &[n, h, w, 3]),
            ("frame", &[n, h, w, 1]),
            ("flow", &[n, h, w, channels]),
            ("dual field", &[n, h, w, 2 * channels]),
            ("list of settled pairs", &[n]),
        ];
        for ((name, shape), input) in shapes.into_iter().zip(inputs) {
            if *input.shape != *shape {
                return error(format!("the {name} must be {shape:?}, it is {}", input.shape));
            }
        }
        if inputs.len() > 4 && !self.settles() {
            return error("pairs are settled with dual_iterations and epsilon only".into());
        }
        positive("tau", self.tau)?;
        positive("lambda", self.lambda)?;
        positive("theta", self.theta)?;
        if !self.gamma.is_finite() {
            return error(format!("gamma {}: 0 or another number", self.gamma));
        }
        for (name, value) in [("epsilon", self.epsilon), ("flat", self.flat)] {
            if !(value >= 0.0 && value.is_finite()) {
                return error(format!("{name} {value}: 0 or a positive number"));
            }
        }
        if !matches!(self.median_filtering, 0 | 1 | 3 | 5) {
            return error(format!("median_filtering {}: 0, 1, 3 or 5", self.median_filtering));
        }
        if self.has_median() && self.dual_iterations > 0 {
            return error(format!(
                "median_filtering {} with dual_iterations {}: one of them must be 0",
                self.median_filtering, self.dual_iterations
            ));
        }
        let steps = self.iterations().saturating_mul(self.dual_iterations.max(1));
        if steps > MOST_ITERATIONS {
            return error(format!(
                "inner_iterations {} times outer_iterations {} (times dual_iterations {}): at most {MOST_ITERATIONS} \
                 in all",
                self.inner_iterations, self.outer_iterations, self.dual_iterations
            ));
        }
        let settled = if self.settles() { Some(TensorType::float(&[n])?) } else { None };
        Ok([inputs[2].clone(), TensorType::float(&[n, h, w, 2 * channels])?]
            .into_iter()
            .chain(settled)
            .collect())
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (mut flow, mut dual, mut settled) = (Vec::new(), Vec::new(), Vec::new());
        let channels = self.channels();
        self.solve(inputs, |seen| {
            if let Seen::End(state, is_settled) = seen {
                flow.extend(state.flow.iter().flat_map(|u| &u[..channels]).map(|x| *x as f32));
                dual.extend(state.dual.iter().flat_map(|p| &p[..2 * channels]).map(|x| *x as f32));
                settled.push(f32::from(u8::from(is_settled)));
            }
        })?;
        let [n, h, w, _] = inputs[2].shape().dims("the flow", "[N, H, W, 2]")?;
        let mut outputs =
            vec![Tensor::new(inputs[2].shape(), flow)?, Tensor::new(&[n, h, w, 2 * channels], dual)?];
        if self.settles() {
            outputs.push(Tensor::new(&[n], settled)?);
        }
        Ok(outputs)
    }

    fn compute(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let [n, height, width, _] = inputs[2].shape().dims("the flow", "[N, H, W, 2]")?;
        let settings = fast::Tvl1 {
            tau: self.tau,
            lambda: self.lambda,
            theta: self.theta,
            gamma: self.gamma,
            flat: self.flat,
            inner: self.inner_iterations,
            outer: self.outer_iterations,
            median: if self.has_median() { self.median_filtering } else { 0 },
            epsilon: self.epsilon,
            dual: self.dual_iterations,
        };
        let given = fast::Inputs {
            size: [height, width],
            warped: inputs[0].f32s()?,
            frame: inputs[1].f32s()?,
            flow: inputs[2].f32s()?,
            dual: inputs.get(3).map(Tensor::f32s).transpose()?,
            settled: inputs.get(4).map(Tensor::f32s).transpose()?,
        };
        let fast::Outputs { flow, dual, settled } = fast::tvl1(given, &settings);
        let dual = Tensor::new(&[n, height, width, 2 * self.channels()], dual)?;
        let mut outputs = vec![Tensor::new(inputs[2].shape(), flow)?, dual];
        if self.settles() {
            outputs.push(Tensor::new(&[n], settled)?);
        }
        Ok(outputs)
    }

    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Bound>> {
        let (mut of_flow, mut of_dual) = (Vec::new(), Vec::new());
        let (settings, channels) = (self.settings(), self.channels());
        let mut errors = Errors::default();
        self.solve(inputs, |seen| match seen {
            Seen::Step(before, step, state) => errors.follow(before, step, state, &settings),
            Seen::End(state, _) => {
                let mut last = std::mem::take(&mut errors);
                // Without any iteration everything stays as it is.
                last.flow.resize(state.flow.len(), 0.0);
                last.dual.resize(state.dual.len(), [0.0; 6]);
                of_flow.extend(last.flow.iter().flat_map(|e| [*e; 3].into_iter().take(channels)));
                of_dual.extend(last.dual.iter().flat_map(|e| &e[..2 * channels]));
            }
        })?;
        let mut bounds = vec![Bound::Absolute(of_flow), Bound::Absolute(of_dual)];
        if self.settles() {
            bounds.push(Bound::Exact);
        }
        Ok(bounds)
    }

    fn flops(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        let pixels = inputs[1].shape.elements() as u64;
        let medians = if self.has_median() { self.outer_iterations as u64 } else { 0 };
        let of_dual = 15 * self.channels() as u64 * self.dual_iterations.max(1) as u64;
        pixels * ((of_dual + 30) * self.iterations() as u64 + 500 * medians)
    }

    /// What all iterations read and write: coefficients, flow and dual field.
    fn bytes(&self, inputs: &[TensorType], _: &[TensorType]) -> u64 {
        let (pixels, channels) = (inputs[1].shape.elements() as u64, self.channels() as u64);
        let of_dual = 4 * channels * self.dual_iterations.max(1) as u64;
        pixels * 4 * (10 + (4 + 2 * channels + of_dual) * self.iterations() as u64)
    }

    fn scratch(&self, setting: &Setting<'_>) -> Vec<u64> {
        let Setting { inputs, traits, .. } = *setting;
        let shape = &inputs[1].shape;
        let (n, pixels) = (shape[0] as u64, shape.elements() as u64);
        // Three components are kept as four.
        let flow = 2 * (self.channels() as u64 - 1) * pixels;
        let course = self.course(traits.family);
        let steps = course == Course::Steps;
        let partials = n * self.share(traits.family, shape[1], shape[2]).partials as u64;
        vec![
            4 * pixels,
            flow,
            if steps && !self.has_median() { ABSENT } else { flow },
            2 * flow,
            if steps { ABSENT } else { 2 * flow },
            match course {
                _ if self.epsilon == 0.0 => 0,
                Course::Bands => 2 * partials,
                _ => partials,
            },
            2 * n,
            if steps { flow } else { 0 },
            if self.settles() { flow } else { 0 },
        ]
    }

    fn record(&self, r: &mut Recorder<'_>) -> Result<()> {
        let [pairs, height, width, _] = r.input(1).dims("the frame", "[N, H, W, 1]")?;
        let family = r.traits().family;
        let share = self.share(family, height, width);
        let base = Tvl1Params {
            count: r.u32("pixels", pairs * height * width)?,
            height: r.u32("height", height)?,
            width: r.u32("width", width)?,
            limit: self.lambda * self.theta,
            theta: self.theta,
            step: self.tau / self.theta,
            gamma: self.gamma,
            nothing: self.flat,
            threshold: self.epsilon * self.epsilon * (height * width) as f32,
            period: if self.has_median() { r.u32("inner_iterations", self.inner_iterations)? } else { 0 },
            partials: r.u32("partial sums", share.partials)?,
            pairs: r.u32("pairs", pairs)?,
            rows: r.u32("rows", share.rows)?,
            ..Default::default()
        };
        let record = Record { op: self, r, base, share, size: [pairs, height, width] };
        if self.dual_iterations > 0 { record.dual_first() } else { record.dual_last() }
    }
}

/// What one sees of the reference.
enum Seen<'a> {
    /// The state before a step, and after it.
    Step(&'a reference::State, reference::Step, &'a reference::State),
    /// The last state of a pair, and whether it is settled.
    End(&'a reference::State, bool),
}

impl Tvl1 {
    /// Runs the reference on every pair.
    fn solve(&self, inputs: &[Tensor], mut watch: impl FnMut(Seen<'_>)) -> Result<()> {
        let [n, height, width, _] = inputs[1].shape().dims("the frame", "[N, H, W, 1]")?;
        let (warped, frame, flow) = (inputs[0].f32s()?, inputs[1].f32s()?, inputs[2].f32s()?);
        let dual = inputs.get(3).map(Tensor::f32s).transpose()?;
        let settled = inputs.get(4).map(Tensor::f32s).transpose()?;
        let size = ([height, width], self.channels());
        for pair in 0..n {
            let mut state = reference::State::of_pair(pair, size, warped, frame, flow, dual);
            let mut is_settled = settled.is_some_and(|s| s[pair] != 0.0);
            if !is_settled {
                let mut before = state.clone();
                is_settled = state.run(&self.settings(), |step, after| {
                    watch(Seen::Step(&before, step, after));
                    before.clone_from(after);
                });
            }
            watch(Seen::End(&state, is_settled));
        }
        Ok(())
    }
}
