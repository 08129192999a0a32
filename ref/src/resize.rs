//! Resizing along T, H and W.

/// What lies between elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// The element at the rounded-down place of an output's beginning, reckoned in f32 as PyTorch does.
    Nearest,
    /// The element under an output's centre, reckoned in f32 as PyTorch does.
    NearestExact,
    /// A straight line.
    Linear,
    /// Keys' cubic of this coefficient.
    Cubic(f64),
    /// A sinc under a sinc of three times its width.
    Lanczos,
    /// The mean of all that an output touches.
    Area,
}

/// For every output of an axis the elements that it is made of, and their weights.
pub type Weights = Vec<Vec<(usize, f64)>>;

/// How an axis of `from` elements becomes one of `to`.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    /// What lies between elements.
    pub mode: Mode,
    /// Elements of the input.
    pub from: usize,
    /// Elements of the output.
    pub to: usize,
    /// Outputs an element; `to / from` if not given.
    pub scale_factor: Option<f64>,
    /// Whether the outermost centres meet.
    pub align_corners: bool,
    /// Whether what is made smaller is filtered over the width of an output.
    pub antialias: bool,
}

impl Axis {
    /// Steps from output to output, in elements of the input.
    fn scale(&self) -> f64 {
        match self.scale_factor {
            _ if self.align_corners && self.to == 1 => 0.0,
            _ if self.align_corners => (self.from as f64 - 1.0) / (self.to as f64 - 1.0),
            Some(factor) => 1.0 / factor,
            None => self.from as f64 / self.to as f64,
        }
    }

    /// The elements that output `o` is made of, and their weights; what only rounding keeps from zero is left out.
    pub fn weights(&self, o: usize) -> Vec<(usize, f64)> {
        let (scale, last) = (self.scale(), self.from as i64 - 1);
        let some: Vec<(usize, f64)> = if matches!(self.mode, Mode::Nearest | Mode::NearestExact) {
            let middle = if self.mode == Mode::NearestExact { 0.5 } else { 0.0 };
            let at = (o as f32 + middle) * scale as f32;
            vec![((at.floor() as i64).min(last) as usize, 1.0)]
        } else if self.mode == Mode::Area {
            let (first, end) = (o * self.from / self.to, ((o + 1) * self.from).div_ceil(self.to));
            (first..end).map(|i| (i, 1.0 / (end - first) as f64)).collect()
        } else if self.antialias {
            let (centre, width) = (scale * (o as f64 + 0.5), scale.max(1.0));
            let (first, end) = ((centre - 4.0 * width) as i64, (centre + 4.0 * width) as i64);
            let weight = |i: i64| (i as usize, self.filter((i as f64 + 0.5 - centre) / width));
            let all: Vec<(usize, f64)> = (first.max(0)..=end.min(last)).map(weight).collect();
            let sum: f64 = all.iter().map(|(_, w)| w).sum();
            all.into_iter().map(|(i, w)| (i, w / sum)).collect()
        } else {
            let centre = if self.align_corners { scale * o as f64 } else { scale * (o as f64 + 0.5) - 0.5 };
            let below = centre.floor() as i64;
            // Beyond its ends the input goes on as it ends.
            let weight = |i: i64| (i.clamp(0, last) as usize, self.filter(i as f64 - centre));
            (below - 3..=below + 3).map(weight).collect()
        };
        some.into_iter().filter(|(_, w)| w.abs() >= 1e-12).collect()
    }

    /// The weight at a distance.
    fn filter(&self, x: f64) -> f64 {
        let x = x.abs();
        let sinc = |x: f64| {
            if x == 0.0 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) }
        };
        match self.mode {
            Mode::Linear => (1.0 - x).max(0.0),
            Mode::Cubic(a) if x < 1.0 => (a + 2.0) * x.powi(3) - (a + 3.0) * x * x + 1.0,
            Mode::Cubic(a) if x < 2.0 => a * (x.powi(3) - 5.0 * x * x + 8.0 * x - 4.0),
            Mode::Lanczos if x < 3.0 => sinc(x) * sinc(x / 3.0),
            _ => 0.0,
        }
    }
}

/// `x` is `[N, T, H, W, C]`; `weights` are those of every output along T, H and W.
pub fn resize(x: &[f32], dims: [usize; 5], weights: &[Weights; 3]) -> Vec<f32> {
    let [n, t, h, w, c] = dims;
    let mut y = Vec::new();
    for sample in 0..n {
        for of_t in &weights[0] {
            for of_h in &weights[1] {
                for of_w in &weights[2] {
                    for channel in 0..c {
                        let mut sum = 0.0;
                        for (a, u) in of_t {
                            for (b, v) in of_h {
                                for (d, z) in of_w {
                                    let at = (((sample * t + a) * h + b) * w + d) * c + channel;
                                    sum += u * v * z * f64::from(x[at]);
                                }
                            }
                        }
                        y.push(sum as f32);
                    }
                }
            }
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(axis: Axis, x: &[f32]) -> Vec<f32> {
        let one = vec![vec![(0, 1.0)]];
        let weights = (0..axis.to).map(|o| axis.weights(o)).collect();
        resize(x, [1, 1, 1, x.len(), 1], &[one.clone(), one, weights])
    }

    fn axis(mode: Mode, from: usize, to: usize) -> Axis {
        Axis { mode, from, to, scale_factor: None, align_corners: false, antialias: false }
    }

    #[test]
    fn twice_and_half() {
        let x = [0.0, 4.0, 8.0, 0.0];
        assert_eq!(row(axis(Mode::Nearest, 4, 8), &x), [0.0, 0.0, 4.0, 4.0, 8.0, 8.0, 0.0, 0.0]);
        assert_eq!(row(axis(Mode::NearestExact, 4, 2), &x), [4.0, 0.0]);
        assert_eq!(row(axis(Mode::Nearest, 4, 2), &x), [0.0, 8.0]);
        assert_eq!(row(axis(Mode::Linear, 4, 8), &x), [0.0, 1.0, 3.0, 5.0, 7.0, 6.0, 2.0, 0.0]);
        assert_eq!(row(axis(Mode::Linear, 4, 2), &x), [2.0, 4.0]);
        assert_eq!(row(axis(Mode::Area, 4, 3), &x), [2.0, 6.0, 4.0]);
        let aligned = Axis { align_corners: true, ..axis(Mode::Linear, 4, 7) };
        assert_eq!(row(aligned, &x), [0.0, 2.0, 4.0, 6.0, 8.0, 4.0, 0.0]);
        // Triangles four elements wide, cut at the ends: 3, 3, 1 and 1, 3, 3 of 7.
        let smooth = Axis { antialias: true, ..axis(Mode::Linear, 4, 2) };
        assert_eq!(row(smooth, &x), [20.0 / 7.0, 28.0 / 7.0]);
    }

    #[test]
    fn a_cubic_goes_through_its_elements_and_overshoots() {
        let x = [0.0, 0.0, 1.0, 1.0];
        let aligned = Axis { align_corners: true, ..axis(Mode::Cubic(-0.75), 4, 7) };
        let y = row(aligned, &x);
        assert_eq!([y[0], y[2], y[4], y[6]], x);
        assert_eq!((y[1], y[3], y[5]), (-0.09375, 0.5, 1.09375));
    }
}
