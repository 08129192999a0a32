//! Tensors added to another at indices along an axis.

/// `x` of shape `dims` with every element of `source`, of shape `source_dims`, added at its own place, but at the index
/// that `index` gives for it along `axis`. An index that names no place adds nothing.
pub fn scatter_add(
    x: &[f32],
    dims: &[usize],
    source: &[f32],
    source_dims: &[usize],
    axis: usize,
    index: impl Fn(&[usize]) -> i32,
) -> Vec<f32> {
    let mut y: Vec<f64> = x.iter().map(|&x| x.into()).collect();
    for (i, &value) in source.iter().enumerate() {
        let mut place = vec![0; source_dims.len()];
        let mut rest = i;
        for a in (0..source_dims.len()).rev() {
            place[a] = rest % source_dims[a];
            rest /= source_dims[a];
        }
        let found = usize::try_from(index(&place)).ok().filter(|found| *found < dims[axis]);
        if let Some(found) = found {
            place[axis] = found;
            y[place.iter().zip(dims).fold(0, |at, (p, d)| at * d + p)] += f64::from(value);
        }
    }
    y.into_iter().map(|y| y as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_and_rows() {
        let x = [10.0, 20.0, 30.0, 40.0];
        let index = [[1, 1, 0], [1, -1, 2]];
        let source = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let y = scatter_add(&x, &[2, 2], &source, &[2, 3], 1, |p| index[p[0]][p[1]]);
        assert_eq!(y, [13.0, 23.0, 30.0, 44.0]);
        let y = scatter_add(&x, &[2, 2], &source, &[3, 2], 0, |p| [1, 1, 0][p[0]]);
        assert_eq!(y, [15.0, 26.0, 34.0, 46.0]);
    }
}
