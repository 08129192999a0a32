//! The quadratic polynomial nearest to the neighbourhood of every pixel (Farnebäck 2003).

/// The polynomials 1, a, b, a², b², ab of a neighbour `a` rows down and `b` columns to the right.
fn basis(a: f64, b: f64) -> [f64; 6] {
    [1.0, a, b, a * a, b * b, a * b]
}

/// Solves six linear equations by elimination with pivots.
fn solve(mut matrix: [[f64; 6]; 6], mut right: [f64; 6]) -> [f64; 6] {
    for k in 0..6 {
        let pivot = (k..6).fold(k, |p, i| if matrix[i][k].abs() > matrix[p][k].abs() { i } else { p });
        matrix.swap(k, pivot);
        right.swap(k, pivot);
        for i in (0..6).filter(|i| *i != k) {
            let above = matrix[k];
            let factor = matrix[i][k] / above[k];
            matrix[i].iter_mut().zip(above).for_each(|(x, y)| *x -= factor * y);
            right[i] -= factor * right[k];
        }
    }
    std::array::from_fn(|k| right[k] / matrix[k][k])
}

/// What each neighbour of the `(2n + 1)²` contributes to the six coefficients: the solution of the weighted least
/// squares for a picture that is 1 there and 0 elsewhere. Weights fall as a Gaussian of deviation `sigma`.
pub fn filters(n: usize, sigma: f64) -> Vec<[f64; 6]> {
    let reach = n as i64;
    let near: Vec<[f64; 2]> =
        (-reach..=reach).flat_map(|a| (-reach..=reach).map(move |b| [a as f64, b as f64])).collect();
    let weight = |[a, b]: [f64; 2]| (-(a * a + b * b) / (2.0 * sigma * sigma)).exp();
    let all: f64 = near.iter().map(|p| weight(*p)).sum();
    let mut matrix = [[0.0; 6]; 6];
    for &[a, b] in &near {
        let f = basis(a, b);
        for (row, x) in matrix.iter_mut().zip(f) {
            for (sum, y) in row.iter_mut().zip(f) {
                *sum += weight([a, b]) / all * x * y;
            }
        }
    }
    near.iter().map(|&[a, b]| solve(matrix, basis(a, b).map(|x| weight([a, b]) / all * x))).collect()
}

/// `x` is `[N, H, W]`; gives `[N, H, W, 5]`: the coefficients of a, b, a², b² and ab. Pixels beyond the border are those on
/// it.
pub fn polynomial_expansion(
    x: &[f32],
    [pictures, height, width]: [usize; 3],
    n: usize,
    sigma: f64,
) -> Vec<f32> {
    let filters = filters(n, sigma);
    let mut out = Vec::with_capacity(x.len() * 5);
    for picture in 0..pictures {
        for row in 0..height {
            for column in 0..width {
                let mut sums = [0.0; 5];
                for a in 0..=2 * n {
                    for b in 0..=2 * n {
                        let y_near = (row + a).saturating_sub(n).min(height - 1);
                        let x_near = (column + b).saturating_sub(n).min(width - 1);
                        let value = f64::from(x[(picture * height + y_near) * width + x_near]);
                        let filter = filters[a * (2 * n + 1) + b];
                        for (sum, f) in sums.iter_mut().zip(&filter[1..]) {
                            *sum += value * f;
                        }
                    }
                }
                out.extend(sums.map(|s| s as f32));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polynomial_is_found_again() {
        let (h, w) = (9, 11);
        let picture: Vec<f32> = (0..h * w)
            .map(|i| {
                let (a, b) = ((i / w) as f32 - 4.0, (i % w) as f32 - 5.0);
                7.0 + 3.0 * a - 2.0 * b + 0.5 * a * a - 1.5 * b * b + 0.25 * a * b
            })
            .collect();
        let found = polynomial_expansion(&picture, [1, h, w], 2, 1.1);
        for (x, wanted) in found[(4 * w + 5) * 5..].iter().zip([3.0, -2.0, 0.5, -1.5, 0.25]) {
            assert!((x - wanted).abs() < 1e-5, "{x} {wanted}");
        }
    }

    #[test]
    fn three_pixels_by_hand() {
        // Along one axis 3, 5 and 13: 5 + 5b + 3b², whatever the weights.
        let picture: Vec<f32> = [3.0, 5.0, 13.0].repeat(3);
        let found = polynomial_expansion(&picture, [1, 3, 3], 1, 0.7);
        for (x, wanted) in found[4 * 5..5 * 5].iter().zip([0.0, 5.0, 0.0, 3.0, 0.0]) {
            assert!((x - wanted).abs() < 1e-5, "{x} {wanted}");
        }
    }
}
