//! Elements of a given rank.

/// `x` is `[outer, length, inner]`; of each row of `length` the element of rank `rank` in rising order, counted from 0,
/// or, if `weight` is not zero, the sum of it and of the next, with weights `1 − weight` and `weight`. Neighbours that
/// are the same, infinite ones too, give themselves; a row with NaN gives NaN.
pub fn quantile(x: &[f32], [length, inner]: [usize; 2], rank: usize, weight: f64) -> Vec<f32> {
    let mut y = Vec::new();
    for block in x.chunks(length * inner) {
        for i in 0..inner {
            let mut row: Vec<f64> = (0..length).map(|k| f64::from(block[k * inner + i])).collect();
            if row.iter().any(|v| v.is_nan()) {
                y.push(f32::NAN);
                continue;
            }
            row.sort_by(f64::total_cmp);
            let lo = row[rank];
            let same = weight == 0.0 || row[rank + 1] == lo;
            y.push(if same { lo } else { lo + weight * (row[rank + 1] - lo) } as f32);
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_and_what_lies_between() {
        let x = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantile(&x, [4, 1], 0, 0.0), [1.0]);
        assert_eq!(quantile(&x, [4, 1], 3, 0.0), [4.0]);
        assert_eq!(quantile(&x, [4, 1], 1, 0.25), [2.25]);
        assert_eq!(quantile(&x, [2, 2], 0, 0.5), [3.5, 1.5]);
    }

    #[test]
    fn infinities_and_nan() {
        let inf = f32::INFINITY;
        assert_eq!(quantile(&[1.0, inf, inf], [3, 1], 1, 0.5), [inf]);
        assert_eq!(quantile(&[1.0, inf, 2.0], [3, 1], 1, 0.5), [inf]);
        assert!(quantile(&[1.0, f32::NAN, 2.0], [3, 1], 0, 0.0)[0].is_nan());
    }
}
