//! Normalisation over a set of axes.

/// Normalises `x`, of shape `dims`: `statistics` gets the elements that share their place along the axes that are
/// not `normalised`, and gives what is subtracted from each of them and what the difference is multiplied by. Then
/// comes `weight` as a factor and `bias` as a summand, both of the lengths of the `affine` axes, then `activate`.
pub fn norm(
    x: &[f32],
    dims: &[usize],
    [normalised, affine]: [&[bool]; 2],
    statistics: impl Fn(&[f64]) -> (f64, f64),
    [weight, bias]: [Option<&[f32]>; 2],
    activate: impl Fn(f64) -> f64,
) -> Vec<f32> {
    // The row-major index of element `i` among those axes alone that are `counted`.
    let place = |i: usize, counted: &dyn Fn(usize) -> bool| {
        let (mut rest, mut at, mut step) = (i, 0, 1);
        for axis in (0..dims.len()).rev() {
            if counted(axis) {
                at += rest % dims[axis] * step;
                step *= dims[axis];
            }
            rest /= dims[axis];
        }
        at
    };
    let row = |i: usize| place(i, &|axis| !normalised[axis]);
    let count: usize = dims.iter().zip(normalised).filter(|(_, n)| !**n).map(|(d, _)| d).product();
    let mut rows: Vec<Vec<f64>> = vec![Vec::new(); count];
    for (i, &value) in x.iter().enumerate() {
        rows[row(i)].push(f64::from(value));
    }
    let found: Vec<(f64, f64)> = rows.iter().map(|r| statistics(r)).collect();
    let one = |(i, &value): (usize, &f32)| {
        let (centre, factor) = found[row(i)];
        let at = place(i, &|axis| affine[axis]);
        let y = (f64::from(value) - centre) * factor;
        let y = y * weight.map_or(1.0, |w| f64::from(w[at])) + bias.map_or(0.0, |b| f64::from(b[at]));
        activate(y) as f32
    };
    x.iter().enumerate().map(one).collect()
}

/// Mean, and `1 / √(variance + eps)`; the variance is the biased one.
pub fn layer(set: &[f64], eps: f64) -> (f64, f64) {
    let n = set.len() as f64;
    let mean = set.iter().sum::<f64>() / n;
    let variance = set.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
    (mean, 1.0 / (variance + eps).sqrt())
}

/// Zero, and `1 / √(mean of the squares + eps)`.
pub fn rms(set: &[f64], eps: f64) -> (f64, f64) {
    let squares = set.iter().map(|x| x * x).sum::<f64>() / set.len() as f64;
    (0.0, 1.0 / (squares + eps).sqrt())
}

/// Zero, and `1 / max(length, eps)`, the length being the root of the sum of squares.
pub fn l2(set: &[f64], eps: f64) -> (f64, f64) {
    let length = set.iter().map(|x| x * x).sum::<f64>().sqrt();
    (0.0, 1.0 / if length < eps { eps } else { length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_by_hand() {
        // Mean 5, variance 16 (and eps 9): deviations −4 and 4, by 5.
        assert_eq!(layer(&[1.0, 9.0], 9.0), (5.0, 0.2));
        // Mean of the squares 12.5, eps 3.5: root 4.
        assert_eq!(rms(&[3.0, -4.0], 3.5), (0.0, 0.25));
        assert_eq!(l2(&[3.0, -4.0], 1.0), (0.0, 0.2));
        assert_eq!(l2(&[3.0, -4.0], 10.0), (0.0, 0.1));
        for f in [layer, rms, l2] {
            let (centre, factor) = f(&[1.0, f64::NAN], 1.0);
            assert!((centre + factor).is_nan());
        }
    }

    #[test]
    fn rows_and_columns() {
        let x = [1.0, 9.0, 3.0, 11.0];
        let statistics = |set: &[f64]| layer(set, 9.0);
        let (weight, bias) = ([10.0, 100.0], [0.0, 1.0]);
        let weight = Some(&weight[..]);
        let y = norm(&x, &[2, 2], [&[false, true]; 2], statistics, [weight, Some(&bias)], |y| y);
        assert!(y.iter().zip([-8.0, 81.0, -8.0, 81.0]).all(|(y, w)| (y - w).abs() < 1e-4), "{y:?}");
        // Columns [1, 3] and [9, 11]: variance 1, eps 3, deviations ∓1 by 2.
        let statistics = |set: &[f64]| layer(set, 3.0);
        let y = norm(&x, &[2, 2], [&[true, false], &[false, true]], statistics, [weight, None], f64::abs);
        assert_eq!(y, [5.0, 50.0, 5.0, 50.0]);
    }
}
