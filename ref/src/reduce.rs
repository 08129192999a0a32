//! Reductions over a set of axes.

use rayon::prelude::*;

/// Gives `finish` the elements of `x`, of shape `dims`, that share their place along the axes that are not
/// `reduced`, in row-major order, for every such place in row-major order.
pub fn reduce(
    x: &[f32],
    dims: &[usize],
    reduced: &[bool],
    finish: impl Fn(&[f64]) -> f64 + Sync,
) -> Vec<f64> {
    let places = |wanted: bool| {
        let mut places = vec![0];
        for axis in (0..dims.len()).filter(|&a| reduced[a] == wanted) {
            let step: usize = dims[axis + 1..].iter().product();
            places = places.iter().flat_map(|p| (0..dims[axis]).map(move |i| p + i * step)).collect();
        }
        places
    };
    let of_set: Vec<usize> = places(true);
    let set = |first: usize| -> Vec<f64> { of_set.iter().map(|p| f64::from(x[first + p])).collect() };
    places(false).into_par_iter().map(|first| finish(&set(first))).collect()
}

/// The sum.
pub fn sum(set: &[f64]) -> f64 {
    set.iter().sum()
}

/// The mean.
pub fn mean(set: &[f64]) -> f64 {
    sum(set) / set.len() as f64
}

/// The largest; NaN if any is.
pub fn max(set: &[f64]) -> f64 {
    set.iter().fold(f64::NEG_INFINITY, |m, &x| if m.is_nan() || m > x { m } else { x })
}

/// The smallest; NaN if any is.
pub fn min(set: &[f64]) -> f64 {
    set.iter().fold(f64::INFINITY, |m, &x| if m.is_nan() || m < x { m } else { x })
}

/// The product.
pub fn prod(set: &[f64]) -> f64 {
    set.iter().product()
}

/// `(Σ|x|ᵖ)¹ᐟᵖ`; how many are not zero for p = 0, and the largest and smallest |x| for p = ±∞.
pub fn norm(set: &[f64], p: f64) -> f64 {
    let magnitudes: Vec<f64> = set.iter().map(|x| x.abs()).collect();
    if p == f64::INFINITY {
        return max(&magnitudes);
    }
    if p == f64::NEG_INFINITY {
        return min(&magnitudes);
    }
    if p == 0.0 {
        return magnitudes.iter().filter(|m| **m != 0.0).count() as f64;
    }
    magnitudes.iter().map(|m| m.powf(p)).sum::<f64>().powf(1.0 / p)
}

/// The sum of squared differences from the mean, divided by their number less `correction`.
pub fn var(set: &[f64], correction: usize) -> f64 {
    let centre = mean(set);
    let squares: f64 = set.iter().map(|x| (x - centre) * (x - centre)).sum();
    squares / (set.len() - correction) as f64
}

/// `ln Σ exp(x)`; infinite if the largest is.
pub fn logsumexp(set: &[f64]) -> f64 {
    let largest = max(set);
    if !largest.is_finite() {
        return largest;
    }
    largest + set.iter().map(|x| (x - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_columns_and_all() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(reduce(&x, &[2, 3], &[false, true], sum), [6.0, 15.0]);
        assert_eq!(reduce(&x, &[2, 3], &[true, false], mean), [2.5, 3.5, 4.5]);
        assert_eq!(reduce(&x, &[2, 3], &[true, true], max), [6.0]);
        assert_eq!(reduce(&x, &[2, 3], &[false, true], min), [1.0, 4.0]);
        assert_eq!(reduce(&x, &[2, 3], &[false, false], sum), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(reduce(&x, &[1, 3, 2], &[false, true, false], prod), [15.0, 48.0]);
    }

    #[test]
    fn norms() {
        let x = [3.0, -4.0, 0.0];
        let wanted = [(0.0, 2.0), (1.0, 7.0), (2.0, 5.0), (f64::INFINITY, 4.0), (f64::NEG_INFINITY, 0.0)];
        for (p, norm_of_x) in wanted {
            assert_eq!(norm(&x, p), norm_of_x, "{p}");
        }
        assert!((norm(&x, 3.0) - 91f64.cbrt()).abs() < 1e-14);
    }

    #[test]
    fn variances() {
        assert_eq!(var(&[1.0, 2.0, 3.0, 6.0], 0), 3.5);
        assert_eq!(var(&[1.0, 2.0, 3.0, 6.0], 2), 7.0);
    }

    #[test]
    fn log_sums() {
        let ln2 = std::f64::consts::LN_2;
        assert_eq!(logsumexp(&[1000.0, 1000.0]), 1000.0 + ln2);
        assert_eq!(logsumexp(&[f64::NEG_INFINITY; 2]), f64::NEG_INFINITY);
        assert_eq!(logsumexp(&[f64::INFINITY, 1.0]), f64::INFINITY);
    }

    #[test]
    fn nan_wins() {
        let set = [1.0, f64::NAN, 2.0];
        assert!([max, min, prod, logsumexp].iter().all(|f| f(&set).is_nan()));
        assert!(norm(&set, f64::INFINITY).is_nan() && norm(&set, 2.0).is_nan() && var(&set, 1).is_nan());
    }
}
