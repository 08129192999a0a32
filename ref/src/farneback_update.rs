//! A new flow from the polynomial expansions of two frames and the flow so far (Farnebäck 2003), as OpenCV's
//! `calcOpticalFlowFarneback`.

/// How much a pixel counts along an axis of `length` pixels: less near the ends.
pub fn border_weight(at: usize, length: usize) -> f64 {
    let of_distance = |distance: usize| match distance {
        0 | 1 => 0.14,
        2..=4 => 0.4472,
        _ => 1.0,
    };
    of_distance(at) * of_distance(length - 1 - at)
}

/// The weights of a window along an axis, from its centre on: of one side of `winsize / 2`, all `1 / winsize`, or
/// those of a Gaussian whose deviation is 0.3 sides.
pub fn window(winsize: usize, gaussian: bool) -> Vec<f64> {
    let side = winsize / 2;
    if !gaussian {
        return vec![1.0 / winsize as f64; side + 1];
    }
    let sigma = 0.3 * side as f64;
    let weights: Vec<f64> = (0..=side).map(|k| (-((k * k) as f64) / (2.0 * sigma * sigma)).exp()).collect();
    let all = 2.0 * weights.iter().sum::<f64>() - 1.0;
    weights.iter().map(|w| w / all).collect()
}

/// Two frames' expansions `[N, H, W, 5]` and a flow `[N, H, W, 2]`.
#[derive(Debug, Clone, Copy)]
pub struct Frames<'a> {
    /// Of the first frame.
    pub first: &'a [f32],
    /// Of the second.
    pub second: &'a [f32],
    /// Along x and y.
    pub flow: &'a [f32],
    /// N, H, W.
    pub size: [usize; 3],
}

impl Frames<'_> {
    /// Pixel `i`'s expansion in the first frame.
    pub fn own(&self, i: usize) -> [f64; 5] {
        std::array::from_fn(|k| f64::from(self.first[5 * i + k]))
    }

    /// The four pixels of the second frame around the place where the flow of pixel `i` leads, and their bilinear
    /// weights; `None` if the place is not between pixels.
    pub fn around(&self, i: usize) -> Option<[(usize, f64); 4]> {
        let [_, height, width] = self.size;
        let x = (i % width) as f64 + f64::from(self.flow[2 * i]);
        let y = (i / width % height) as f64 + f64::from(self.flow[2 * i + 1]);
        let inside = x >= 0.0 && y >= 0.0 && x < (width - 1) as f64 && y < (height - 1) as f64;
        if !inside {
            return None;
        }
        let (left, top) = (x.floor(), y.floor());
        let (fx, fy) = (x - left, y - top);
        let picture = i / (width * height);
        let at = (picture * height + top as usize) * width + left as usize;
        Some([
            (at, (1.0 - fx) * (1.0 - fy)),
            (at + 1, fx * (1.0 - fy)),
            (at + width, (1.0 - fx) * fy),
            (at + width + 1, fx * fy),
        ])
    }

    /// The expansion of the second frame where the flow of pixel `i` leads.
    fn other(&self, i: usize) -> [f64; 5] {
        match self.around(i) {
            Some(near) => std::array::from_fn(|k| {
                near.iter().map(|(at, weight)| weight * f64::from(self.second[5 * at + k])).sum()
            }),
            None => {
                let own = self.own(i);
                [0.0, 0.0, own[2], own[3], own[4]]
            }
        }
    }

    /// AᵀA (yy, xy, xx) and Aᵀb (y, x) of pixel `i`, from `A·d = b` with A the mean of both frames' quadratic terms.
    fn moments(&self, i: usize) -> [f64; 5] {
        let [_, height, width] = self.size;
        let (r, q) = (self.own(i), self.other(i));
        let weight = border_weight(i % width, width) * border_weight(i / width % height, height);
        let [u, v] = [0, 1].map(|k| f64::from(self.flow[2 * i + k]));
        let a = [[(r[2] + q[2]) / 2.0, (r[4] + q[4]) / 4.0], [(r[4] + q[4]) / 4.0, (r[3] + q[3]) / 2.0]];
        let a = a.map(|row| row.map(|x| x * weight));
        let b = [
            weight * (r[0] - q[0]) / 2.0 + a[0][0] * v + a[0][1] * u,
            weight * (r[1] - q[1]) / 2.0 + a[1][0] * v + a[1][1] * u,
        ];
        let product = |i: usize, j: usize| a[0][i] * a[0][j] + a[1][i] * a[1][j];
        let right = |i: usize| a[0][i] * b[0] + a[1][i] * b[1];
        [product(0, 0), product(0, 1), product(1, 1), right(0), right(1)]
    }

    /// The new flow; `weights` are those of [`window`].
    pub fn update(&self, weights: &[f64]) -> Vec<f32> {
        let [pictures, height, width] = self.size;
        let moments: Vec<[f64; 5]> = (0..pictures * height * width).map(|i| self.moments(i)).collect();
        let mut flow = Vec::with_capacity(moments.len() * 2);
        for i in 0..moments.len() {
            let mut sum = [0.0; 5];
            for (at, weight) in neighbours(i, self.size, weights) {
                for (sum, m) in sum.iter_mut().zip(moments[at]) {
                    *sum += weight * m;
                }
            }
            let [yy, xy, xx, y, x] = sum;
            let determinant = yy * xx - xy * xy + 1e-3;
            flow.push(((yy * x - xy * y) / determinant) as f32);
            flow.push(((xx * y - xy * x) / determinant) as f32);
        }
        flow
    }
}

/// The pixels of the window around pixel `i` and their weights; those beyond the border are those on it.
pub fn neighbours(
    i: usize,
    [_, height, width]: [usize; 3],
    weights: &[f64],
) -> impl Iterator<Item = (usize, f64)> {
    let side = weights.len() - 1;
    let (x, y, picture) = (i % width, i / width % height, i / (width * height));
    let weight = move |offset: usize| weights[offset.abs_diff(side)];
    let rows = (0..=2 * side).map(move |a| ((y + a).saturating_sub(side).min(height - 1), weight(a)));
    rows.flat_map(move |(row, w)| {
        (0..=2 * side).map(move |b| {
            let column = (x + b).saturating_sub(side).min(width - 1);
            ((picture * height + row) * width + column, w * weight(b))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_by_hand() {
        assert_eq!(window(4, false), [0.25; 3]);
        let gaussian = window(3, true);
        let tail = (-1.0f64 / 0.18).exp();
        assert!((gaussian[0] - 1.0 / (1.0 + 2.0 * tail)).abs() < 1e-15);
        assert!((gaussian[1] - tail / (1.0 + 2.0 * tail)).abs() < 1e-15);
    }

    #[test]
    fn a_moved_paraboloid_is_found() {
        // f₀ = x² + y² and f₁ = (x − 0.5)² + (y + 0.25)²: the flow is (0.5, −0.25).
        let (h, w) = (15, 17);
        let expansions = |dx: f32, dy: f32| -> Vec<f32> {
            let of = |i: usize| [2.0 * ((i / w) as f32 - dy), 2.0 * ((i % w) as f32 - dx), 1.0, 1.0, 0.0];
            (0..h * w).flat_map(of).collect()
        };
        let (first, second) = (expansions(0.0, 0.0), expansions(0.5, -0.25));
        let flow = vec![0.0; h * w * 2];
        let frames = Frames { first: &first, second: &second, flow: &flow, size: [1, h, w] };
        let found = frames.update(&window(3, false));
        let at = 2 * (7 * w + 8);
        // The determinant is 1, and 0.001.
        assert!((found[at] - 0.5 / 1.001).abs() < 1e-6 && (found[at + 1] + 0.25 / 1.001).abs() < 1e-6);
        // From there on, nothing changes but for the same thousandth.
        let known: Vec<f32> = [0.5, -0.25].repeat(h * w);
        let again = Frames { flow: &known, ..frames }.update(&window(3, false));
        assert!((again[at] - 0.5 / 1.001).abs() < 1e-6);
    }
}
