//! Reductions over a set of axes.

/// Gives `finish` the elements of `x`, of shape `dims`, that share their place along the axes that are not
/// `reduced`, for every such place in row-major order.
pub fn reduce(x: &[f32], dims: &[usize], reduced: &[bool], finish: impl Fn(&[f64]) -> f64) -> Vec<f32> {
    let count: usize = dims.iter().zip(reduced).filter(|(_, r)| !**r).map(|(d, _)| d).product();
    let mut sets: Vec<Vec<f64>> = vec![Vec::new(); count];
    for (i, &value) in x.iter().enumerate() {
        let (mut rest, mut at, mut step) = (i, 0, 1);
        for axis in (0..dims.len()).rev() {
            if !reduced[axis] {
                at += rest % dims[axis] * step;
                step *= dims[axis];
            }
            rest /= dims[axis];
        }
        sets[at].push(f64::from(value));
    }
    sets.iter().map(|s| finish(s) as f32).collect()
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
    }

    #[test]
    fn nan_wins() {
        assert!(max(&[1.0, f64::NAN, 2.0]).is_nan() && min(&[1.0, f64::NAN, 2.0]).is_nan());
    }
}
