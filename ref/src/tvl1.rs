//! The iterations of one warp of TV-L1 optical flow (Zach, Pock and Bischof 2007), as OpenCV's `DualTVL1OpticalFlow`.

/// What the iterations depend on.
#[derive(Debug, Clone, Copy)]
pub struct Tvl1 {
    /// Time step of the dual field.
    pub tau: f64,
    /// Weight of the data.
    pub lambda: f64,
    /// Tightness of the coupling.
    pub theta: f64,
    /// Iterations after a median.
    pub inner: usize,
    /// Medians.
    pub outer: usize,
    /// Side of the median's window, 0 for none.
    pub median: usize,
    /// Mean squared change, per pixel, at which to stop; 0 for never.
    pub epsilon: f64,
}

/// A pair of frames on its way.
#[derive(Debug, Clone)]
pub struct State {
    /// Pixels along y and x.
    pub size: [usize; 2],
    /// ∂x and ∂y of the warped frame, and ρ(0).
    pub data: Vec<[f64; 3]>,
    /// The magnitudes of the terms of ρ(0), summed.
    pub terms: Vec<f64>,
    /// u.
    pub flow: Vec<[f64; 2]>,
    /// p₁₁, p₁₂, p₂₁, p₂₂.
    pub dual: Vec<[f64; 4]>,
}

/// A step that has been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A median of the flow.
    Median,
    /// An iteration.
    Iteration,
}

impl State {
    /// The state of pair `n` of warped frames `[N, H, W, 3]` (I₁, ∂x, ∂y), frames `[N, H, W]`, flows `[N, H, W, 2]` and
    /// dual fields `[N, H, W, 4]`, zeros if not given.
    pub fn of_pair(
        n: usize,
        size: [usize; 2],
        warped: &[f32],
        frame: &[f32],
        flow: &[f32],
        dual: Option<&[f32]>,
    ) -> State {
        let pixels = size[0] * size[1];
        let at = n * pixels..(n + 1) * pixels;
        let wide = |x: f32| f64::from(x);
        let terms: Vec<[f64; 4]> = at
            .clone()
            .map(|i| {
                let [value, dx, dy] = [0, 1, 2].map(|k| wide(warped[3 * i + k]));
                [value, -dx * wide(flow[2 * i]), -dy * wide(flow[2 * i + 1]), -wide(frame[i])]
            })
            .collect();
        let gradients = at.clone().map(|i| [1, 2].map(|k| wide(warped[3 * i + k])));
        State {
            size,
            data: gradients.zip(&terms).map(|([dx, dy], t)| [dx, dy, t.iter().sum()]).collect(),
            terms: terms.iter().map(|t| t.iter().map(|x| x.abs()).sum()).collect(),
            flow: at.clone().map(|i| [0, 1].map(|k| wide(flow[2 * i + k]))).collect(),
            dual: at.map(|i| [0, 1, 2, 3].map(|k| dual.map_or(0.0, |d| wide(d[4 * i + k])))).collect(),
        }
    }

    /// Makes all iterations and tells of each step, with the state after it.
    pub fn run(&mut self, settings: &Tvl1, mut after: impl FnMut(Step, &State)) {
        let enough = settings.epsilon * settings.epsilon * self.flow.len() as f64;
        let goes_on = |change: f64| settings.epsilon <= 0.0 || change > enough;
        let mut change = f64::INFINITY;
        for _ in 0..settings.outer {
            if !goes_on(change) {
                return;
            }
            if settings.median > 0 {
                self.median(settings.median);
                after(Step::Median, self);
            }
            for _ in 0..settings.inner {
                if !goes_on(change) {
                    return;
                }
                change = self.iterate(settings);
                after(Step::Iteration, self);
            }
        }
    }

    /// The median of each component over windows of `side`×`side` pixels; those beyond the border are those on it.
    fn median(&mut self, side: usize) {
        let [height, width] = self.size;
        let old = self.flow.clone();
        let reach = side / 2;
        for (i, pixel) in self.flow.iter_mut().enumerate() {
            let (x, y) = (i % width, i / width);
            let rows = (0..side).map(|a| (y + a).saturating_sub(reach).min(height - 1));
            let columns = (0..side).map(|b| (x + b).saturating_sub(reach).min(width - 1));
            for (k, component) in pixel.iter_mut().enumerate() {
                let near =
                    rows.clone().flat_map(|row| columns.clone().map(move |column| row * width + column));
                let mut window: Vec<f64> = near.map(|j| old[j][k]).collect();
                window.sort_by(f64::total_cmp);
                *component = window[side * side / 2];
            }
        }
    }

    /// One iteration; gives the sum of squared changes of the flow.
    fn iterate(&mut self, settings: &Tvl1) -> f64 {
        let [height, width] = self.size;
        let old = self.flow.clone();
        for y in 0..height {
            for x in 0..width {
                let i = y * width + x;
                let p = self.dual[i];
                let left = if x > 0 { self.dual[i - 1] } else { [0.0; 4] };
                let above = if y > 0 { self.dual[i - width] } else { [0.0; 4] };
                let f = towards_data(self.data[i], old[i], settings.lambda * settings.theta);
                for k in 0..2 {
                    let divergence = p[2 * k] - left[2 * k] + p[2 * k + 1] - above[2 * k + 1];
                    self.flow[i][k] = old[i][k] + f * self.data[i][k] + settings.theta * divergence;
                }
            }
        }
        let step = settings.tau / settings.theta;
        for y in 0..height {
            for x in 0..width {
                let i = y * width + x;
                // The last pixel is its own neighbour.
                let right = if x + 1 < width { i + 1 } else { i };
                let below = if y + 1 < height { i + width } else { i };
                for k in 0..2 {
                    let dx = self.flow[right][k] - self.flow[i][k];
                    let dy = self.flow[below][k] - self.flow[i][k];
                    let norm = 1.0 + step * dx.hypot(dy);
                    self.dual[i][2 * k] = (self.dual[i][2 * k] + step * dx) / norm;
                    self.dual[i][2 * k + 1] = (self.dual[i][2 * k + 1] + step * dy) / norm;
                }
            }
        }
        let moved = self.flow.iter().zip(&old);
        moved.map(|(a, b)| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sum()
    }
}

/// By how much of the gradient the flow moves towards ρ = 0, for `limit` = λθ.
fn towards_data([dx, dy, constant]: [f64; 3], [u, v]: [f64; 2], limit: f64) -> f64 {
    let rho = constant + dx * u + dy * v;
    let square = dx * dx + dy * dy;
    if rho.is_nan() {
        rho
    } else if rho < -limit * square {
        limit
    } else if rho > limit * square {
        -limit
    } else if square > f64::from(f32::EPSILON) {
        -rho / square
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Tvl1 =
        Tvl1 { tau: 0.25, lambda: 0.15, theta: 0.3, inner: 1, outer: 1, median: 0, epsilon: 0.0 };

    /// One pixel has no neighbours: the flow moves along the gradient by at most λθ times its length.
    #[test]
    fn one_pixel_goes_towards_the_data() {
        let moved = |value: f32| {
            let mut s = State::of_pair(0, [1, 1], &[value, 2.0, 0.0], &[0.0], &[0.0; 2], None);
            s.run(&SETTINGS, |_, _| {});
            s.flow[0][0]
        };
        assert!((moved(0.1) + 0.05).abs() < 1e-7);
        assert!((moved(9.0) + 0.09).abs() < 1e-7);
        assert!((moved(-9.0) - 0.09).abs() < 1e-7);
        assert!(moved(f32::NAN).is_nan());
    }

    #[test]
    fn it_stops_when_little_moves() {
        let mut steps = 0;
        let mut s = State::of_pair(0, [1, 1], &[0.1, 2.0, 0.0], &[0.0], &[0.0; 2], None);
        let settings = Tvl1 { inner: 30, outer: 10, epsilon: 0.01, median: 3, ..SETTINGS };
        s.run(&settings, |step, _| steps += usize::from(step == Step::Iteration));
        // The first iteration brings ρ to 0, the second finds nothing to do.
        assert_eq!(steps, 2);
    }
}
