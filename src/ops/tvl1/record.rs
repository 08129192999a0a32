//! The launches of the iterations.

use super::{
    COEFFICIENTS, Course, DEPTH, DUALS, FIRST, FLOWS, KERNEL, PARTIALS, Share, TARGET, TOTALS, Tvl1,
    Tvl1Params,
};
use crate::error::Result;
use crate::graph::Operand::{Absent, Input, Output, Scratch};
use crate::graph::{Dispatch, Recorder};

/// What all launches of a warp share.
pub(super) struct Record<'a, 'r> {
    pub(super) op: &'a Tvl1,
    pub(super) r: &'a mut Recorder<'r>,
    pub(super) base: Tvl1Params,
    pub(super) share: Share,
    /// Pairs, height and width.
    pub(super) size: [usize; 3],
}

impl Record<'_, '_> {
    fn launch(&self, entry: &'static str, params: &Tvl1Params) -> Dispatch {
        let side = if self.op.has_median() { self.op.median_filtering } else { 3 };
        let bands = self.op.course(self.r.traits().family) == Course::Bands;
        let launch = Dispatch::new(&KERNEL, entry, params)
            .tune("Side", format!("{side}u"))
            .tune("Depth", format!("{DEPTH}u"))
            .constant("STOPS", u32::from(self.op.epsilon > 0.0))
            .constant("SUMS", u32::from(bands))
            .groups((self.size[0] * self.share.groups) as u64);
        if self.op.channels() == 3 { launch.tune("Channels", "3u").tune("Flow", "vec3<f32>") } else { launch }
    }

    /// Groups of 64 pixels of all pairs.
    fn pixels(&self) -> u64 {
        u64::from(self.base.count).div_ceil(64)
    }

    fn begin(&mut self) {
        let has_dual = self.r.inputs() > 3;
        let launch = self.launch("tvl1_begin", &self.base).constant("HAS_DUAL", u32::from(has_dual));
        self.r.dispatch(launch.groups(self.pixels()).bind([
            Input(0),
            Input(1),
            Input(2),
            if has_dual { Input(3) } else { Absent },
            Scratch(COEFFICIENTS),
            Scratch(FLOWS[0]),
            Scratch(DUALS[0]),
        ]));
    }

    fn end(&mut self, params: &Tvl1Params, flips: bool) {
        let stops = self.op.epsilon > 0.0 && self.op.dual_iterations == 0 && params.iteration > 0;
        let launch = self.launch("tvl1_end", params).groups(self.pixels());
        let launch = launch.constant("FLIPS", u32::from(flips)).constant("STOPS", u32::from(stops));
        self.r.dispatch(launch.bind([
            Scratch(FLOWS[0]),
            Scratch(FLOWS[1]),
            Scratch(DUALS[0]),
            Scratch(DUALS[1]),
            Scratch(TOTALS),
            Output(0),
            Output(1),
        ]));
    }

    /// The totals of the partial sums, which `params.iteration` has left.
    fn sum(&mut self, params: &Tvl1Params) {
        let launch = self.launch("tvl1_sum", params).bind([Scratch(PARTIALS), Scratch(TOTALS)]);
        let turns = self.share.partials.div_ceil(256) + 8;
        self.r.dispatch(launch.turns(turns).groups(self.size[0] as u64));
    }

    fn median(&mut self, iteration: u32, [from, to]: [usize; 2]) {
        let [pairs, height, width] = self.size;
        // A processor goes through a workgroup one vector at a time: few of them with long loops cost least.
        let rows = if self.op.course(self.r.traits().family) == Course::Bands { 16 } else { 1 };
        let params = Tvl1Params { iteration, rows: rows as u32, ..self.base };
        let groups = (pairs * width.div_ceil(64) * height.div_ceil(rows)) as u64;
        let launch = self.launch("tvl1_median", &params).groups(groups).turns(rows);
        self.r.dispatch(launch.bind([Scratch(from), Scratch(TOTALS), Scratch(to)]));
    }

    /// OpenCV's order: the flow takes up the dual field of the iteration before.
    pub(super) fn dual_last(mut self) -> Result<()> {
        let course = self.op.course(self.r.traits().family);
        let stops = self.op.epsilon > 0.0;
        self.begin();
        let (mut u, mut p) = (0usize, 0usize);
        let mut iteration = 0;
        for _ in 0..self.op.outer_iterations {
            if self.op.has_median() {
                if course == Course::Bands && stops && iteration > 0 {
                    self.sum(&Tvl1Params { iteration: iteration - 1, ..self.base });
                }
                self.median(iteration, [FLOWS[u % 2], FLOWS[(u + 1) % 2]]);
                u += 1;
            }
            let mut left = self.op.inner_iterations;
            while left > 0 {
                let made = if course == Course::Blocked { left.min(DEPTH) } else { 1 };
                let params = Tvl1Params { iteration, iterations: made as u32, ..self.base };
                let from = [Scratch(COEFFICIENTS), Scratch(FLOWS[u % 2]), Scratch(DUALS[p % 2])];
                let to = [Scratch(FLOWS[(u + 1) % 2]), Scratch(DUALS[(p + 1) % 2])];
                match course {
                    Course::Steps => self.steps(&params, FLOWS[u % 2]),
                    Course::Bands => {
                        let turns = self.size[2].div_ceil(32) * (self.share.rows + 2) + self.share.partials;
                        let launch = self.launch("tvl1_banded", &params).turns(turns);
                        self.r.dispatch(launch.bind(from.into_iter().chain(to).chain([Scratch(PARTIALS)])));
                    }
                    Course::Fused => {
                        let operands = from.into_iter().chain([Scratch(TOTALS)]).chain(to);
                        let launch = self.launch("tvl1_fused", &params);
                        self.r.dispatch(launch.bind(operands.chain([Scratch(PARTIALS)])));
                    }
                    Course::Blocked => {
                        let launch = self.launch("tvl1_blocked", &params);
                        self.r.dispatch(launch.bind(from.into_iter().chain(to)));
                    }
                }
                if course != Course::Steps {
                    u += 1;
                    p += 1;
                }
                if stops && course != Course::Bands {
                    self.sum(&params);
                }
                iteration += made as u32;
                left -= made;
            }
        }
        if course == Course::Bands && stops && iteration > 0 {
            self.sum(&Tvl1Params { iteration: iteration - 1, ..self.base });
        }
        let params = Tvl1Params { iteration, u_flips: (u % 2) as u32, p_flips: (p % 2) as u32, ..self.base };
        self.end(&params, course != Course::Steps);
        Ok(())
    }

    /// An iteration in place, a launch for each step.
    fn steps(&mut self, params: &Tvl1Params, flow: usize) {
        let launch = self.launch("tvl1_data", params);
        self.r.dispatch(launch.bind([COEFFICIENTS, flow, TOTALS, TARGET].map(Scratch)));
        let launch = self.launch("tvl1_flow", params);
        self.r.dispatch(launch.bind([TARGET, DUALS[0], TOTALS, flow, PARTIALS].map(Scratch)));
        let launch = self.launch("tvl1_dual", params);
        self.r.dispatch(launch.bind([flow, TOTALS, DUALS[0]].map(Scratch)));
    }

    /// scikit-image's order: the dual field follows the flow, from v on, and the flow the dual field.
    pub(super) fn dual_first(mut self) -> Result<()> {
        let (flow, dual) = (FLOWS[0], DUALS[0]);
        let settles = self.op.settles();
        self.begin();
        if settles {
            let has_settled = self.r.inputs() > 4;
            let launch = self.launch("tvl1_enter", &self.base).groups(self.size[0].div_ceil(64) as u64);
            self.r.dispatch(
                launch
                    .constant("HAS_SETTLED", u32::from(has_settled))
                    .bind([if has_settled { Input(4) } else { Absent }, Scratch(TOTALS)]),
            );
        }
        // What tvl1_enter has left is as if of iteration 0; partial sums are made at the end only.
        let params = Tvl1Params { iteration: 1, partials: 0, ..self.base };
        for made in 0..self.op.iterations() {
            let target = if made == 0 && settles { FIRST } else { TARGET };
            let launch = self.launch("tvl1_data", &params);
            self.r.dispatch(launch.bind([COEFFICIENTS, flow, TOTALS, target].map(Scratch)));
            for step in 0..self.op.dual_iterations {
                let launch = self.launch("tvl1_dual", &params);
                let leads = if step == 0 { target } else { flow };
                self.r.dispatch(launch.bind([leads, TOTALS, dual].map(Scratch)));
                let launch = self.launch("tvl1_flow", &params);
                self.r.dispatch(launch.bind([target, dual, TOTALS, flow, PARTIALS].map(Scratch)));
            }
        }
        if settles {
            let params = Tvl1Params { iteration: 1, ..self.base };
            if self.op.iterations() > 0 {
                let launch = self.launch("tvl1_change", &params);
                self.r.dispatch(launch.bind([FIRST, flow, PARTIALS].map(Scratch)));
                self.sum(&params);
            }
            let iteration = if self.op.iterations() > 0 { 2 } else { 1 };
            let params = Tvl1Params { iteration, ..self.base };
            let launch = self.launch("tvl1_settle", &params).groups(self.size[0].div_ceil(64) as u64);
            self.r.dispatch(launch.bind([Scratch(TOTALS), Output(2)]));
        }
        self.end(&Tvl1Params { iteration: 1, ..self.base }, false);
        Ok(())
    }
}
