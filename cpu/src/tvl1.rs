//! The iterations of one warp of TV-L1 optical flow, as OpenCV's `DualTVL1OpticalFlow` makes them: v towards the data, u from
//! v and the dual field, then the dual field after u, and medians of u between.

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
}

/// Planes of a pair. Rows are filled up to whole blocks of [`LANES`]; what lies behind the last pixel reaches no pixel.
struct Pair {
    width: usize,
    /// Elements of a row.
    pitch: usize,
    /// ∂x and ∂y of the warped frame, and ρ(0).
    data: [Vec<f32>; 3],
    /// Behind the last pixel of a row it stands once more: it is its own neighbour.
    flow: [Vec<f32>; 2],
    /// p₁₁, p₁₂, p₂₁, p₂₂.
    dual: [Vec<f32>; 4],
}

/// Makes the iterations of pairs of `[height, width]` pixels: warped frames `[N, H, W, 3]` (I₁, ∂x, ∂y), frames `[N, H, W]`,
/// flows `[N, H, W, 2]` and dual fields `[N, H, W, 4]`, zeros if not given. Gives the flows and the dual fields.
pub fn tvl1(
    [height, width]: [usize; 2],
    [warped, frame, flow]: [&[f32]; 3],
    dual: Option<&[f32]>,
    settings: &Tvl1,
) -> (Vec<f32>, Vec<f32>) {
    let pixels = height * width;
    let (mut flows, mut duals) = (vec![0.0; flow.len()], vec![0.0; 2 * flow.len()]);
    let outputs = flows.par_chunks_mut(2 * pixels).zip(duals.par_chunks_mut(4 * pixels));
    outputs.enumerate().for_each(|(n, (flow_out, dual_out))| {
        let of_pair = |each: usize| each * pixels * n..each * pixels * (n + 1);
        let inputs = [&warped[of_pair(3)], &frame[of_pair(1)], &flow[of_pair(2)]];
        let mut pair = Pair::new(width, inputs, dual.map(|d| &d[of_pair(4)]));
        pair.run(settings);
        pair.write(&pair.flow, flow_out);
        pair.write(&pair.dual, dual_out);
    });
    (flows, duals)
}

impl Pair {
    fn new(width: usize, [warped, frame, flow]: [&[f32]; 3], dual: Option<&[f32]>) -> Pair {
        let pitch = width.next_multiple_of(LANES);
        // Component `k` of pixels that have `each` of them.
        let plane = |x: &[f32], k: usize, each: usize| -> Vec<f32> {
            let row = |row: &[f32]| {
                (0..pitch).map(|i| row.get(i * each + k).copied().unwrap_or(0.0)).collect::<Vec<_>>()
            };
            x.chunks(width * each).flat_map(row).collect()
        };
        let [value, dx, dy] = [0, 1, 2].map(|k| plane(warped, k, 3));
        let (frame, flow) = (plane(frame, 0, 1), [0, 1].map(|k| plane(flow, k, 2)));
        let constant = |i: usize| value[i] - dx[i] * flow[0][i] - dy[i] * flow[1][i] - frame[i];
        let constant = (0..frame.len()).map(constant).collect();
        let dual = [0, 1, 2, 3].map(|k| dual.map_or_else(|| vec![0.0; frame.len()], |d| plane(d, k, 4)));
        Pair { width, pitch, data: [dx, dy, constant], flow, dual }
    }

    /// Writes planes pixel by pixel.
    fn write(&self, planes: &[Vec<f32>], out: &mut [f32]) {
        for (k, plane) in planes.iter().enumerate() {
            let pixels = plane.chunks(self.pitch).flat_map(|row| &row[..self.width]);
            out[k..].iter_mut().step_by(planes.len()).zip(pixels).for_each(|(out, x)| *out = *x);
        }
    }

    fn run(&mut self, settings: &Tvl1) {
        let level = Level::new();
        let pixels = self.flow[0].len() / self.pitch * self.width;
        let enough = f64::from(settings.epsilon).powi(2) * pixels as f64;
        let goes_on = |change: f64| settings.epsilon <= 0.0 || change > enough;
        let mut change = f64::INFINITY;
        for _ in 0..settings.outer {
            if !goes_on(change) {
                return;
            }
            if settings.median > 0 {
                let Pair { flow, width, pitch, .. } = self;
                flow.par_iter_mut().for_each(|x| median(x, [*width, *pitch], settings.median, level));
            }
            for _ in 0..settings.inner {
                if !goes_on(change) {
                    return;
                }
                change = self.move_flow(settings, level);
                self.ascend(settings, level);
            }
        }
    }

    /// The flow towards the data and along the divergence of the dual field; gives the sum of squares of how far it went.
    fn move_flow(&mut self, settings: &Tvl1, level: Level) -> f64 {
        let Pair { width, pitch, data, flow: [u, v], dual } = self;
        let (width, pitch) = (*width, *pitch);
        let zeros = vec![0.0; pitch];
        let tasks = u.par_chunks_mut(ROWS * pitch).zip(v.par_chunks_mut(ROWS * pitch));
        let changes = tasks.enumerate().map(|(task, (u, v))| {
            let mut change = 0.0;
            for (row, (u, v)) in u.chunks_mut(pitch).zip(v.chunks_mut(pitch)).enumerate() {
                let at = (task * ROWS + row) * pitch;
                let data = data.each_ref().map(|x| &x[at..at + pitch]);
                let here = dual.each_ref().map(|x| &x[at..at + pitch]);
                let above = [1, 3].map(|k| if at == 0 { &zeros[..] } else { &dual[k][at - pitch..at] });
                change +=
                    dispatch!(level, _ => move_row([&mut *u, &mut *v], width, data, here, above, settings));
                for x in [u, v] {
                    let last = x[width - 1];
                    x[width..].fill(last);
                }
            }
            change
        });
        changes.collect::<Vec<f64>>().into_iter().sum()
    }

    /// The dual field after the gradients of the flow.
    fn ascend(&mut self, settings: &Tvl1, level: Level) {
        let Pair { pitch, flow, dual, .. } = self;
        let (pitch, all) = (*pitch, flow[0].len());
        let step = settings.tau / settings.theta;
        let [p11, p12, p21, p22] = dual;
        for (u, (across, down)) in flow.iter().zip([(p11, p12), (p21, p22)]) {
            let tasks = across.par_chunks_mut(ROWS * pitch).zip(down.par_chunks_mut(ROWS * pitch));
            tasks.enumerate().for_each(|(task, (across, down))| {
                for (row, (across, down)) in across.chunks_mut(pitch).zip(down.chunks_mut(pitch)).enumerate()
                {
                    let at = (task * ROWS + row) * pitch;
                    let here = &u[at..at + pitch];
                    // The last row is its own neighbour.
                    let below = if at + pitch < all { &u[at + pitch..at + 2 * pitch] } else { here };
                    dispatch!(level, _ => ascend_row([across, down], here, below, step));
                }
            });
        }
    }
}

/// A block of a row, in registers.
type Block = [f32; LANES];

#[inline(always)]
fn block(x: &[f32], at: usize) -> Block {
    std::array::from_fn(|lane| x[at..at + LANES][lane])
}

#[inline(always)]
fn move_row(
    [u, v]: [&mut [f32]; 2],
    width: usize,
    data: [&[f32]; 3],
    here: [&[f32]; 4],
    above: [&[f32]; 2],
    settings: &Tvl1,
) -> f64 {
    let (limit, theta, flat) = (settings.lambda * settings.theta, settings.theta, settings.flat);
    let mut squares = [0.0; LANES];
    let mut last = [0.0; 2];
    for at in (0..u.len()).step_by(LANES) {
        let [dx, dy, constant] = data.map(|x| block(x, at));
        let [p11, p12, p21, p22] = here.map(|x| block(x, at));
        let [above1, above2] = above.map(|x| block(x, at));
        let (mut u_here, mut v_here) = (block(u, at), block(v, at));
        let left = |p: &Block, before: f32| -> Block {
            std::array::from_fn(|lane| if lane == 0 { before } else { p[lane - 1] })
        };
        let (left1, left2) = (left(&p11, last[0]), left(&p21, last[1]));
        last = [p11[LANES - 1], p21[LANES - 1]];
        for lane in 0..LANES {
            let (x, y) = (dx[lane], dy[lane]);
            let rho = constant[lane] + x * u_here[lane] + y * v_here[lane];
            let square = x * x + y * y;
            // 0 times NaN stays NaN.
            let inside = if square > flat { -rho / square } else { 0.0 * rho };
            let below = if rho < -limit * square { limit } else { inside };
            let share = if rho > limit * square { -limit } else { below };
            let divergence1 = p11[lane] - left1[lane] + p12[lane] - above1[lane];
            let divergence2 = p21[lane] - left2[lane] + p22[lane] - above2[lane];
            let du = share * x + theta * divergence1;
            let dv = share * y + theta * divergence2;
            u_here[lane] += du;
            v_here[lane] += dv;
            squares[lane] += if at + lane < width { du * du + dv * dv } else { 0.0 };
        }
        u[at..at + LANES].copy_from_slice(&u_here);
        v[at..at + LANES].copy_from_slice(&v_here);
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
