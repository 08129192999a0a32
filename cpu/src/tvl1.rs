//! The iterations of one warp of TV-L1 optical flow: v towards the data, u from v and the dual field, then the dual field
//! after u, and medians of u between, as OpenCV's `DualTVL1OpticalFlow` makes them; or the dual field before u, several
//! times, as scikit-image's `optical_flow_tvl1`.

use fearless_simd::{Level, dispatch};
use rayon::prelude::*;

/// Rows of a task.
const ROWS: usize = 16;

/// Pixels whose medians are found side by side.
const LANES: usize = 16;

/// What the iterations depend on, as in `kinetograph_ref::tvl1::Tvl1`.
#[derive(Debug, Clone, Copy)]
pub struct Tvl1 {
    /// Time step of the dual field.
    pub tau: f32,
    /// Weight of the data.
    pub lambda: f32,
    /// Tightness of the coupling.
    pub theta: f32,
    /// Weight of the change of brightness, a third component of the flow; 0 for two components.
    pub gamma: f32,
    /// Squared gradients of no more than this are none.
    pub flat: f32,
    /// Iterations after a median.
    pub inner: usize,
    /// Medians.
    pub outer: usize,
    /// Side of the median's window: 3, 5, or 0 for none.
    pub median: usize,
    /// Mean squared change, per pixel, at which to stop; 0 for never.
    pub epsilon: f32,
    /// Steps of the dual field after each step towards the data, the flow following each; 0 for one, made last.
    pub dual: usize,
}

/// What the iterations begin with, for N pairs of `[H, W]` pixels and flows of C components.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// H and W.
    pub size: [usize; 2],
    /// `[N, H, W, 3]`: I₁, ∂x, ∂y.
    pub warped: &'a [f32],
    /// `[N, H, W]`.
    pub frame: &'a [f32],
    /// `[N, H, W, C]`.
    pub flow: &'a [f32],
    /// `[N, H, W, 2C]`, zeros if not given.
    pub dual: Option<&'a [f32]>,
    /// `[N]`: pairs that are not 0 are left as they are.
    pub settled: Option<&'a [f32]>,
}

/// What they end with, shaped as the inputs.
#[derive(Debug)]
pub struct Outputs {
    /// The flows.
    pub flow: Vec<f32>,
    /// The dual fields.
    pub dual: Vec<f32>,
    /// 1 where the last change was small enough to stop, or the pair was settled before; else 0.
    pub settled: Vec<f32>,
}

/// Planes of a pair, with `C` components of the flow. Rows are filled up to whole blocks of [`LANES`]; what lies behind the
/// last pixel reaches no pixel.
struct Pair<const C: usize> {
    width: usize,
    /// Elements of a row.
    pitch: usize,
    /// ∂x and ∂y of the warped frame, and ρ(0).
    data: [Vec<f32>; 3],
    /// When an iteration has been made, the last pixel of a row stands once more behind it: it is its own neighbour.
    flow: [Vec<f32>; C],
    /// p₁₁ and p₁₂, p₂₁ and p₂₂, …
    dual: [[Vec<f32>; 2]; C],
}

/// Makes the iterations of all pairs.
pub fn tvl1(inputs: Inputs<'_>, settings: &Tvl1) -> Outputs {
    if settings.gamma == 0.0 { run::<2>(inputs, settings) } else { run::<3>(inputs, settings) }
}

fn run<const C: usize>(inputs: Inputs<'_>, settings: &Tvl1) -> Outputs {
    let Inputs { size: [height, width], warped, frame, flow, dual, settled } = inputs;
    let pixels = height * width;
    let mut outputs = Outputs {
        flow: vec![0.0; flow.len()],
        dual: vec![0.0; 2 * flow.len()],
        settled: vec![0.0; frame.len() / pixels],
    };
    let flows = outputs.flow.par_chunks_mut(C * pixels).zip(outputs.dual.par_chunks_mut(2 * C * pixels));
    flows.zip(&mut outputs.settled).enumerate().for_each(|(n, ((flow_out, dual_out), settled_out))| {
        let of_pair = |each: usize| each * pixels * n..each * pixels * (n + 1);
        let images = [&warped[of_pair(3)], &frame[of_pair(1)], &flow[of_pair(C)]];
        let mut pair = Pair::<C>::new(width, images, dual.map(|d| &d[of_pair(2 * C)]));
        let settled = settled.is_some_and(|s| s[n] != 0.0) || pair.run(settings);
        *settled_out = f32::from(u8::from(settled));
        pair.write(pair.flow.iter(), flow_out);
        pair.write(pair.dual.as_flattened().iter(), dual_out);
    });
    outputs
}

/// Planes, or parts of them, cut into pieces of `each` elements side by side.
fn cut<const C: usize>(planes: [&mut [f32]; C], each: usize) -> impl Iterator<Item = [&mut [f32]; C]> {
    let pieces = planes.first().map_or(0, |p| p.len().div_ceil(each));
    let mut planes = planes.map(|p| p.chunks_mut(each));
    (0..pieces).map(move |_| planes.each_mut().map(|p| p.next().unwrap_or_default()))
}

/// Calls `f` with every row of the planes and where it begins, [`ROWS`] of them a task, and adds up what it gives in the
/// order of the rows.
fn for_rows<const C: usize>(
    planes: [&mut [f32]; C],
    pitch: usize,
    f: impl Fn(usize, [&mut [f32]; C]) -> f64 + Sync,
) -> f64 {
    let tasks: Vec<_> = cut(planes, ROWS * pitch).collect();
    let sums = tasks.into_par_iter().enumerate().map(|(task, planes)| {
        let rows = cut(planes, pitch).enumerate();
        rows.map(|(row, planes)| f((task * ROWS + row) * pitch, planes)).sum()
    });
    sums.collect::<Vec<f64>>().into_iter().sum()
}

/// The planes of which rows are written.
fn slices<const C: usize>(planes: &mut [Vec<f32>; C]) -> [&mut [f32]; C] {
    planes.each_mut().map(|p| &mut p[..])
}

impl<const C: usize> Pair<C> {
    fn new(width: usize, [warped, frame, flow]: [&[f32]; 3], dual: Option<&[f32]>) -> Self {
        let pitch = width.next_multiple_of(LANES);
        // Component `k` of pixels that have `each` of them.
        let plane = |x: &[f32], k: usize, each: usize| -> Vec<f32> {
            let row = |row: &[f32]| {
                (0..pitch).map(|i| row.get(i * each + k).copied().unwrap_or(0.0)).collect::<Vec<_>>()
            };
            x.chunks(width * each).flat_map(row).collect()
        };
        let [value, dx, dy] = [0, 1, 2].map(|k| plane(warped, k, 3));
        let frame = plane(frame, 0, 1);
        let flow: [_; C] = std::array::from_fn(|k| plane(flow, k, C));
        let constant = |i: usize| value[i] - dx[i] * flow[0][i] - dy[i] * flow[1][i] - frame[i];
        let constant = (0..frame.len()).map(constant).collect();
        let of_dual = |k| dual.map_or_else(|| vec![0.0; frame.len()], |d| plane(d, k, 2 * C));
        let dual = std::array::from_fn(|k| [of_dual(2 * k), of_dual(2 * k + 1)]);
        Pair { width, pitch, data: [dx, dy, constant], flow, dual }
    }

    /// Writes planes pixel by pixel.
    fn write<'a>(&self, planes: impl ExactSizeIterator<Item = &'a Vec<f32>>, out: &mut [f32]) {
        let each = planes.len();
        for (k, plane) in planes.enumerate() {
            let pixels = plane.chunks(self.pitch).flat_map(|row| &row[..self.width]);
            out[k..].iter_mut().step_by(each).zip(pixels).for_each(|(out, x)| *out = *x);
        }
    }

    /// Makes all iterations; gives whether the last change was small enough to stop.
    fn run(&mut self, settings: &Tvl1) -> bool {
        let level = Level::new();
        let pixels = self.flow[0].len() / self.pitch * self.width;
        let enough = f64::from(settings.epsilon).powi(2) * pixels as f64;
        let goes_on = |change: f64| settings.epsilon <= 0.0 || change > enough;
        let mut change = f64::INFINITY;
        if settings.dual > 0 {
            let mut target = self.flow.clone();
            let mut first = None;
            for _ in 0..settings.outer * settings.inner {
                self.aim(&mut target, settings, level);
                let first = first.get_or_insert_with(|| target.clone());
                for step in 0..settings.dual {
                    let flow = if step == 0 { &target } else { &self.flow };
                    ascend(&mut self.dual, flow, self.pitch, settings, level);
                    change = self.follow(&target, first, settings, level);
                }
            }
            return !goes_on(change);
        }
        for _ in 0..settings.outer {
            if !goes_on(change) {
                return true;
            }
            if settings.median > 0 {
                let Pair { flow, width, pitch, .. } = self;
                let moving = flow[..2].par_iter_mut();
                moving.for_each(|x| median(x, [*width, *pitch], settings.median, level));
            }
            for _ in 0..settings.inner {
                if !goes_on(change) {
                    return true;
                }
                change = self.move_flow(settings, level);
                ascend(&mut self.dual, &self.flow, self.pitch, settings, level);
            }
        }
        !goes_on(change)
    }

    /// The flow towards the data and along the divergence of the dual field; gives the sum of squares of how far it went.
    fn move_flow(&mut self, settings: &Tvl1, level: Level) -> f64 {
        let Pair { width, pitch, data, flow, dual } = self;
        let (width, pitch) = (*width, *pitch);
        let zeros = vec![0.0; pitch];
        for_rows(slices(flow), pitch, |at, mut flow| {
            let data = data.each_ref().map(|x| &x[at..at + pitch]);
            let dual = dual_rows(dual, at, &zeros);
            let change = dispatch!(level, _ => move_row(flow.each_mut().map(|u| &mut **u), width, data, dual, settings));
            repeat_last(flow, width);
            change
        })
    }

    /// v: the flow towards the data.
    fn aim(&self, target: &mut [Vec<f32>; C], settings: &Tvl1, level: Level) {
        let Pair { width, pitch, data, flow, .. } = self;
        let (width, pitch) = (*width, *pitch);
        for_rows(slices(target), pitch, |at, mut target| {
            let data = data.each_ref().map(|x| &x[at..at + pitch]);
            let flow = flow.each_ref().map(|x| &x[at..at + pitch]);
            let to = target.each_mut().map(|v| &mut **v);
            dispatch!(level, _ => aim_row(to, flow, data, settings));
            repeat_last(target, width);
            0.0
        });
    }

    /// The flow to where the divergence of the dual field leads from v; gives the sum of squares of how far it is from
    /// `first`.
    fn follow(
        &mut self,
        target: &[Vec<f32>; C],
        first: &[Vec<f32>; C],
        settings: &Tvl1,
        level: Level,
    ) -> f64 {
        let Pair { width, pitch, flow, dual, .. } = self;
        let (width, pitch) = (*width, *pitch);
        let zeros = vec![0.0; pitch];
        for_rows(slices(flow), pitch, |at, mut flow| {
            let [target, first] = [target, first].map(|x| x.each_ref().map(|x| &x[at..at + pitch]));
            let dual = dual_rows(dual, at, &zeros);
            let to = flow.each_mut().map(|u| &mut **u);
            let change = dispatch!(level, _ => follow_row(to, width, target, first, dual, settings.theta));
            repeat_last(flow, width);
            change
        })
    }
}

/// The dual field after the gradients of a flow.
fn ascend<const C: usize>(
    dual: &mut [[Vec<f32>; 2]; C],
    flow: &[Vec<f32>; C],
    pitch: usize,
    settings: &Tvl1,
    level: Level,
) {
    let step = settings.tau / settings.theta;
    for (u, dual) in flow.iter().zip(dual) {
        for_rows(slices(dual), pitch, |at, dual| {
            let here = &u[at..at + pitch];
            // The last row is its own neighbour.
            let below = u.get(at + pitch..at + 2 * pitch).unwrap_or(here);
            dispatch!(level, _ => ascend_row(dual, here, below, step));
            0.0
        });
    }
}

/// Of each component of a dual field: a row of both its planes, and the row above of the second.
type DualRows<'a, const C: usize> = [[&'a [f32]; 3]; C];

/// The rows from `at` on; the first has zeros above it.
fn dual_rows<'a, const C: usize>(
    dual: &'a [[Vec<f32>; 2]; C],
    at: usize,
    zeros: &'a [f32],
) -> DualRows<'a, C> {
    let pitch = zeros.len();
    dual.each_ref().map(|[across, down]| {
        let above = if at == 0 { zeros } else { &down[at - pitch..at] };
        [&across[at..at + pitch], &down[at..at + pitch], above]
    })
}

/// Puts the last pixel of a row behind itself.
fn repeat_last<const C: usize>(row: [&mut [f32]; C], width: usize) {
    for x in row {
        let last = x[width - 1];
        x[width..].fill(last);
    }
}

/// A block of a row, in registers.
type Block = [f32; LANES];

#[inline(always)]
fn block(x: &[f32], at: usize) -> Block {
    std::array::from_fn(|lane| x[at..at + LANES][lane])
}

/// By how much of (∇I, γ) the flow moves towards ρ = 0.
#[inline(always)]
fn share<const C: usize>([dx, dy, constant]: &[Block; 3], flow: &[Block; C], settings: &Tvl1) -> Block {
    let (limit, gamma, flat) = (settings.lambda * settings.theta, settings.gamma, settings.flat);
    std::array::from_fn(|lane| {
        let (x, y) = (dx[lane], dy[lane]);
        let brighter = if C > 2 { gamma * flow[2][lane] } else { 0.0 };
        let rho = constant[lane] + x * flow[0][lane] + y * flow[1][lane] + brighter;
        let square = x * x + y * y;
        // 0 times NaN stays NaN.
        let inside = if square > flat { -rho / square } else { 0.0 * rho };
        let below = if rho < -limit * square { limit } else { inside };
        if rho > limit * square { -limit } else { below }
    })
}

/// What (∇I, γ) has along a component of the flow.
#[inline(always)]
fn gradient(data: &[Block; 3], component: usize, settings: &Tvl1) -> Block {
    if component < 2 { data[component] } else { [settings.gamma; LANES] }
}

/// θ·div p of one component; `before` is the element left of the block, and becomes its last.
#[inline(always)]
fn divergence([across, down, above]: [&[f32]; 3], at: usize, before: &mut f32, theta: f32) -> Block {
    let [across, down, above] = [across, down, above].map(|x| block(x, at));
    let left: Block = std::array::from_fn(|lane| if lane == 0 { *before } else { across[lane - 1] });
    *before = across[LANES - 1];
    std::array::from_fn(|lane| theta * (across[lane] - left[lane] + down[lane] - above[lane]))
}

/// Adds the squares of a block's pixels.
#[inline(always)]
fn add_squares(squares: &mut Block, x: &Block, pixels: usize) {
    for lane in 0..LANES {
        squares[lane] += if lane < pixels { x[lane] * x[lane] } else { 0.0 };
    }
}

#[inline(always)]
fn move_row<const C: usize>(
    flow: [&mut [f32]; C],
    width: usize,
    data: [&[f32]; 3],
    dual: DualRows<'_, C>,
    settings: &Tvl1,
) -> f64 {
    let mut squares = [0.0; LANES];
    let mut before = [0.0; C];
    for at in (0..data[0].len()).step_by(LANES) {
        let data = data.map(|x| block(x, at));
        let here = flow.each_ref().map(|u| block(u, at));
        let share = share(&data, &here, settings);
        for k in 0..C {
            let gradient = gradient(&data, k, settings);
            let divergence = divergence(dual[k], at, &mut before[k], settings.theta);
            let by: Block = std::array::from_fn(|lane| share[lane] * gradient[lane] + divergence[lane]);
            let next: Block = std::array::from_fn(|lane| here[k][lane] + by[lane]);
            flow[k][at..at + LANES].copy_from_slice(&next);
            add_squares(&mut squares, &by, width.saturating_sub(at));
        }
    }
    squares.iter().map(|s| f64::from(*s)).sum()
}

#[inline(always)]
fn aim_row<const C: usize>(target: [&mut [f32]; C], flow: [&[f32]; C], data: [&[f32]; 3], settings: &Tvl1) {
    for at in (0..data[0].len()).step_by(LANES) {
        let data = data.map(|x| block(x, at));
        let here = flow.map(|u| block(u, at));
        let share = share(&data, &here, settings);
        for k in 0..C {
            let gradient = gradient(&data, k, settings);
            let next: Block = std::array::from_fn(|lane| here[k][lane] + share[lane] * gradient[lane]);
            target[k][at..at + LANES].copy_from_slice(&next);
        }
    }
}

#[inline(always)]
fn follow_row<const C: usize>(
    flow: [&mut [f32]; C],
    width: usize,
    target: [&[f32]; C],
    first: [&[f32]; C],
    dual: DualRows<'_, C>,
    theta: f32,
) -> f64 {
    let mut squares = [0.0; LANES];
    let mut before = [0.0; C];
    for at in (0..flow[0].len()).step_by(LANES) {
        for k in 0..C {
            let (target, first) = (block(target[k], at), block(first[k], at));
            let divergence = divergence(dual[k], at, &mut before[k], theta);
            let next: Block = std::array::from_fn(|lane| target[lane] + divergence[lane]);
            let by: Block = std::array::from_fn(|lane| next[lane] - first[lane]);
            flow[k][at..at + LANES].copy_from_slice(&next);
            add_squares(&mut squares, &by, width.saturating_sub(at));
        }
    }
    squares.iter().map(|s| f64::from(*s)).sum()
}

#[inline(always)]
fn ascend_row([across, down]: [&mut [f32]; 2], here: &[f32], below: &[f32], step: f32) {
    for at in (0..here.len()).step_by(LANES) {
        let (u, under) = (block(here, at), block(below, at));
        let next = here.get(at + LANES).copied().unwrap_or(u[LANES - 1]);
        let right: Block = std::array::from_fn(|lane| if lane + 1 < LANES { u[lane + 1] } else { next });
        let (mut p, mut q) = (block(across, at), block(down, at));
        for lane in 0..LANES {
            let (dx, dy) = (right[lane] - u[lane], under[lane] - u[lane]);
            let norm = 1.0 + step * (dx * dx + dy * dy).sqrt();
            p[lane] = (p[lane] + step * dx) / norm;
            q[lane] = (q[lane] + step * dy) / norm;
        }
        across[at..at + LANES].copy_from_slice(&p);
        down[at..at + LANES].copy_from_slice(&q);
    }
}

/// An integer in the order of `f32::total_cmp`, and back.
fn ordered(bits: i32) -> i32 {
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}

/// The median over windows of `side`×`side` pixels; those beyond the border are those on it.
fn median(x: &mut [f32], [width, pitch]: [usize; 2], side: usize, level: Level) {
    let (reach, height) = (side / 2, x.len() / pitch);
    // Keys with their border.
    let padded = pitch + 2 * reach;
    let mut keys = Vec::with_capacity((height + 2 * reach) * padded);
    for row in 0..height + 2 * reach {
        let row = row.saturating_sub(reach).min(height - 1);
        let line = x[row * pitch..][..width].iter().map(|x| ordered(x.to_bits() as i32));
        let (first, last) = (x[row * pitch], x[row * pitch + width - 1]);
        keys.extend(std::iter::repeat_n(ordered(first.to_bits() as i32), reach).chain(line));
        keys.resize(keys.len() + padded - reach - width, ordered(last.to_bits() as i32));
    }
    x.par_chunks_mut(pitch).enumerate().for_each(|(row, out)| {
        for (block, out) in out.chunks_mut(LANES).enumerate() {
            let from = &keys[row * padded + block * LANES..];
            let found = match side {
                3 => dispatch!(level, _ => median_block::<9, 6>(from, padded, 3)),
                _ => dispatch!(level, _ => median_block::<25, 14>(from, padded, 5)),
            };
            out.iter_mut().zip(found).for_each(|(out, key)| *out = f32::from_bits(ordered(key) as u32));
        }
    });
}

/// The medians of `ALL` keys, side by side. Of `HELD = ALL / 2 + 2` keys the least and the greatest are not the median, so
/// they make place for one more key, until all have been there.
#[inline(always)]
fn median_block<const ALL: usize, const HELD: usize>(
    keys: &[i32],
    pitch: usize,
    side: usize,
) -> [i32; LANES] {
    let read = |i: usize| -> [i32; LANES] {
        let at = i / side * pitch + i % side;
        std::array::from_fn(|lane| keys[at..at + LANES][lane])
    };
    let mut held: [[i32; LANES]; HELD] = std::array::from_fn(read);
    for (taken, last) in (2..HELD).rev().enumerate() {
        for i in 1..=last {
            put_in_order(&mut held, 0, i);
        }
        for i in 1..last {
            put_in_order(&mut held, i, last);
        }
        // The least is at the front, the greatest at the end, which no later turn looks at.
        if HELD + taken < ALL {
            held[0] = read(HELD + taken);
        }
    }
    held[1]
}

#[inline(always)]
fn put_in_order(held: &mut [[i32; LANES]], a: usize, b: usize) {
    let (x, y) = (held[a], held[b]);
    held[a] = std::array::from_fn(|lane| x[lane].min(y[lane]));
    held[b] = std::array::from_fn(|lane| x[lane].max(y[lane]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_the_middle_of_the_sorted() {
        let (width, height): (usize, usize) = (37, 9);
        let x: Vec<f32> = (0..width * height).map(|i| ((i * 7919) % 101) as f32 - 50.0).collect();
        let pitch = width.next_multiple_of(LANES);
        for side in [3, 5] {
            let mut y = vec![1e9; height * pitch];
            y.chunks_mut(pitch).zip(x.chunks(width)).for_each(|(y, x)| y[..width].copy_from_slice(x));
            median(&mut y, [width, pitch], side, Level::new());
            for i in 0..x.len() {
                let got = &y[i / width * pitch + i % width];
                let near = |a: usize, c: usize, most: usize| (a + c).saturating_sub(side / 2).min(most - 1);
                let mut window: Vec<f32> = (0..side * side)
                    .map(|k| x[near(i / width, k / side, height) * width + near(i % width, k % side, width)])
                    .collect();
                window.sort_by(f32::total_cmp);
                assert_eq!(*got, window[side * side / 2], "{side} {i}");
            }
        }
    }
}
