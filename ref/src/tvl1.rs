//! The iterations of one warp of TV-L1 optical flow (Zach, Pock and Bischof 2007), as OpenCV's `DualTVL1OpticalFlow` and
//! scikit-image's `optical_flow_tvl1`.

/// What the iterations depend on.
#[derive(Debug, Clone, Copy)]
pub struct Tvl1 {
    /// Time step of the dual field.
    pub tau: f64,
    /// Weight of the data.
    pub lambda: f64,
    /// Tightness of the coupling.
    pub theta: f64,
    /// Weight of the change of brightness; 0 for none.
    pub gamma: f64,
    /// Squared gradients of no more than this are none.
    pub flat: f64,
    /// Iterations after a median.
    pub inner: usize,
    /// Medians.
    pub outer: usize,
    /// Side of the median's window, 0 for none.
    pub median: usize,
    /// Mean squared change, per pixel, at which to stop; 0 for never.
    pub epsilon: f64,
    /// Steps of the dual field after each step towards the data, the flow following each; 0 for one, made last.
    pub dual: usize,
}

/// A pair of frames on its way. Without γ the third components stay 0.
#[derive(Debug, Clone)]
pub struct State {
    /// Pixels along y and x.
    pub size: [usize; 2],
    /// ∂x and ∂y of the warped frame, and ρ(0).
    pub data: Vec<[f64; 3]>,
    /// The magnitudes of the terms of ρ(0), summed.
    pub terms: Vec<f64>,
    /// u.
    pub flow: Vec<[f64; 3]>,
    /// v, to which the last step towards the data has led.
    pub target: Vec<[f64; 3]>,
    /// p₁₁, p₁₂, p₂₁, p₂₂, p₃₁, p₃₂.
    pub dual: Vec<[f64; 6]>,
}

/// A step that has been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A median of the flow.
    Median,
    /// v towards the data, and u with it.
    Data,
    /// u = v + θ·div p.
    Flow,
    /// p after u.
    Dual,
}

impl State {
    /// The state of pair `n` of warped frames `[N, H, W, 3]` (I₁, ∂x, ∂y), frames `[N, H, W]`, flows `[N, H, W, C]` of
    /// `channels` C and dual fields `[N, H, W, 2C]`, zeros if not given.
    pub fn of_pair(
        n: usize,
        (size, channels): ([usize; 2], usize),
        warped: &[f32],
        frame: &[f32],
        flow: &[f32],
        dual: Option<&[f32]>,
    ) -> State {
        let pixels = size[0] * size[1];
        let at = n * pixels..(n + 1) * pixels;
        let wide = |x: f32| f64::from(x);
        let own = |i: usize, k: usize| if k < channels { wide(flow[channels * i + k]) } else { 0.0 };
        let terms: Vec<[f64; 4]> = at
            .clone()
            .map(|i| {
                let [value, dx, dy] = [0, 1, 2].map(|k| wide(warped[3 * i + k]));
                [value, -dx * own(i, 0), -dy * own(i, 1), -wide(frame[i])]
            })
            .collect();
        let gradients = at.clone().map(|i| [1, 2].map(|k| wide(warped[3 * i + k])));
        let flow: Vec<[f64; 3]> = at.clone().map(|i| [0, 1, 2].map(|k| own(i, k))).collect();
        let of_dual = |i: usize, k: usize| match dual {
            Some(d) if k < 2 * channels => wide(d[2 * channels * i + k]),
            _ => 0.0,
        };
        State {
            size,
            data: gradients.zip(&terms).map(|([dx, dy], t)| [dx, dy, t.iter().sum()]).collect(),
            terms: terms.iter().map(|t| t.iter().map(|x| x.abs()).sum()).collect(),
            target: flow.clone(),
            flow,
            dual: at.map(|i| [0, 1, 2, 3, 4, 5].map(|k| of_dual(i, k))).collect(),
        }
    }

    /// Makes all iterations and tells of each step, with the state after it. With [`Tvl1::dual`] gives whether the flow
    /// has come no farther than ε, root mean square, from the first v.
    pub fn run(&mut self, settings: &Tvl1, mut after: impl FnMut(Step, &State)) -> bool {
        let enough = settings.epsilon * settings.epsilon * self.flow.len() as f64;
        let goes_on = |change: f64| settings.epsilon <= 0.0 || change > enough;
        let mut change = f64::INFINITY;
        let mut first = None;
        for _ in 0..settings.outer {
            if settings.dual == 0 && !goes_on(change) {
                break;
            }
            if settings.median > 0 {
                self.median(settings.median);
                after(Step::Median, self);
            }
            for _ in 0..settings.inner {
                if settings.dual == 0 && !goes_on(change) {
                    break;
                }
                let old = self.flow.clone();
                self.towards_data(settings);
                after(Step::Data, self);
                let first = first.get_or_insert_with(|| self.target.clone());
                let order: &[Step] =
                    if settings.dual == 0 { &[Step::Flow, Step::Dual] } else { &[Step::Dual, Step::Flow] };
                for step in order.iter().cycle().take(2 * settings.dual.max(1)) {
                    if *step == Step::Flow {
                        self.follow(settings)
                    } else {
                        self.ascend(settings)
                    }
                    after(*step, self);
                }
                let from = if settings.dual == 0 { &old } else { &*first };
                let moved = self.flow.iter().flatten().zip(from.iter().flatten());
                change = moved.map(|(a, b)| (a - b).powi(2)).sum();
            }
        }
        !goes_on(change)
    }

    /// The median of u₁ and u₂ over windows of `side`×`side` pixels; those beyond the border are those on it.
    fn median(&mut self, side: usize) {
        let [height, width] = self.size;
        let old = self.flow.clone();
        let reach = side / 2;
        for (i, pixel) in self.flow.iter_mut().enumerate() {
            let (x, y) = (i % width, i / width);
            let rows = (0..side).map(|a| (y + a).saturating_sub(reach).min(height - 1));
            let columns = (0..side).map(|b| (x + b).saturating_sub(reach).min(width - 1));
            for (k, component) in pixel.iter_mut().enumerate().take(2) {
                let near =
                    rows.clone().flat_map(|row| columns.clone().map(move |column| row * width + column));
                let mut window: Vec<f64> = near.map(|j| old[j][k]).collect();
                window.sort_by(f64::total_cmp);
                *component = window[side * side / 2];
            }
        }
    }

    fn towards_data(&mut self, settings: &Tvl1) {
        for (i, u) in self.flow.iter_mut().enumerate() {
            let [dx, dy, _] = self.data[i];
            let f = share(self.data[i], *u, settings);
            for (component, gradient) in u.iter_mut().zip([dx, dy, settings.gamma]) {
                *component += f * gradient;
            }
            self.target[i] = *u;
        }
    }

    fn follow(&mut self, settings: &Tvl1) {
        let width = self.size[1];
        for (i, u) in self.flow.iter_mut().enumerate() {
            let p = self.dual[i];
            let left = if i % width > 0 { self.dual[i - 1] } else { [0.0; 6] };
            let above = if i >= width { self.dual[i - width] } else { [0.0; 6] };
            for (k, component) in u.iter_mut().enumerate() {
                let divergence = p[2 * k] - left[2 * k] + p[2 * k + 1] - above[2 * k + 1];
                *component = self.target[i][k] + settings.theta * divergence;
            }
        }
    }

    fn ascend(&mut self, settings: &Tvl1) {
        let [height, width] = self.size;
        let step = settings.tau / settings.theta;
        for (i, p) in self.dual.iter_mut().enumerate() {
            // The last pixel is its own neighbour.
            let right = if i % width + 1 < width { i + 1 } else { i };
            let below = if i / width + 1 < height { i + width } else { i };
            for k in 0..3 {
                let dx = self.flow[right][k] - self.flow[i][k];
                let dy = self.flow[below][k] - self.flow[i][k];
                let norm = 1.0 + step * dx.hypot(dy);
                p[2 * k] = (p[2 * k] + step * dx) / norm;
                p[2 * k + 1] = (p[2 * k + 1] + step * dy) / norm;
            }
        }
    }
}

/// By how much of (∇I, γ) the flow moves towards ρ = 0.
fn share([dx, dy, constant]: [f64; 3], [u, v, brighter]: [f64; 3], settings: &Tvl1) -> f64 {
    let limit = settings.lambda * settings.theta;
    let rho = constant + dx * u + dy * v + settings.gamma * brighter;
    let square = dx * dx + dy * dy;
    if rho.is_nan() {
        rho
    } else if rho < -limit * square {
        limit
    } else if rho > limit * square {
        -limit
    } else if square > settings.flat {
        -rho / square
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Tvl1 = Tvl1 {
        tau: 0.25,
        lambda: 0.15,
        theta: 0.3,
        gamma: 0.0,
        flat: 1e-7,
        inner: 1,
        outer: 1,
        median: 0,
        epsilon: 0.0,
        dual: 0,
    };

    fn pixel(value: f32) -> State {
        State::of_pair(0, ([1, 1], 2), &[value, 2.0, 0.0], &[0.0], &[0.0; 2], None)
    }

    /// One pixel has no neighbours: the flow moves along the gradient by at most λθ times its length.
    #[test]
    fn one_pixel_goes_towards_the_data() {
        let moved = |value: f32, settings: Tvl1| {
            let mut s = pixel(value);
            s.run(&settings, |_, _| {});
            s.flow[0]
        };
        for dual in [0, 2] {
            let settings = Tvl1 { dual, ..SETTINGS };
            assert!((moved(0.1, settings)[0] + 0.05).abs() < 1e-7);
            assert!((moved(9.0, settings)[0] + 0.09).abs() < 1e-7);
            assert!((moved(-9.0, settings)[0] - 0.09).abs() < 1e-7);
            assert!(moved(f32::NAN, settings)[0].is_nan());
        }
        let bright = moved(9.0, Tvl1 { gamma: 3.0, ..SETTINGS });
        assert!((bright[0] + 0.09).abs() < 1e-7 && (bright[2] + 0.135).abs() < 1e-7);
        assert_eq!(moved(0.1, Tvl1 { flat: 4.0, ..SETTINGS })[0], 0.0);
    }

    /// Two pixels: p follows v, then u takes up the divergence of p, once more each.
    #[test]
    fn the_dual_field_may_go_first() {
        let mut s = State::of_pair(0, ([1, 2], 2), &[0.0; 6], &[0.0; 2], &[0.0, 0.0, 1.0, 0.0], None);
        s.run(&Tvl1 { dual: 1, theta: 0.25, ..SETTINGS }, |_, _| {});
        // τ/θ = 1: p₁₁ = (0 + 1) / (1 + 1).
        assert_eq!(s.dual[0], [0.5, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!([s.flow[0][0], s.flow[1][0]], [0.125, 0.875]);
        assert_eq!([s.target[0][0], s.target[1][0]], [0.0, 1.0]);
    }

    #[test]
    fn it_stops_when_little_moves() {
        let mut steps = 0;
        let settings = Tvl1 { inner: 30, outer: 10, epsilon: 0.01, median: 3, ..SETTINGS };
        pixel(0.1).run(&settings, |step, _| steps += usize::from(step == Step::Flow));
        // The first iteration brings ρ to 0, the second finds nothing to do.
        assert_eq!(steps, 2);
        // Of the first v, the first iteration makes nothing more.
        assert!(pixel(0.1).run(&Tvl1 { inner: 5, epsilon: 0.01, dual: 2, ..SETTINGS }, |_, _| {}));
        assert!(!pixel(9.0).run(&Tvl1 { inner: 5, epsilon: 0.01, dual: 2, ..SETTINGS }, |_, _| {}));
    }
}
