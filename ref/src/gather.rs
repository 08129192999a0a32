//! Elements at indices along an axis.

/// `x` is of shape `dims`, the result of shape `output`, equally many axes. Along `axis` the index that `index` gives for
/// a place of the result says which element of `x` it is; along the others the place is the same. `none` where there is
/// no such element.
pub fn gather<T: Copy>(
    x: &[T],
    dims: &[usize],
    output: &[usize],
    axis: usize,
    index: impl Fn(&[usize]) -> i32,
    none: T,
) -> Vec<T> {
    let count: usize = output.iter().product();
    let mut y = Vec::new();
    for i in 0..count {
        let mut place = vec![0; output.len()];
        let mut rest = i;
        for a in (0..output.len()).rev() {
            place[a] = rest % output[a];
            rest /= output[a];
        }
        let found = usize::try_from(index(&place)).ok().filter(|found| *found < dims[axis]);
        y.push(found.map_or(none, |found| {
            place[axis] = found;
            x[place.iter().zip(dims).fold(0, |at, (p, d)| at * d + p)]
        }));
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_and_rows() {
        let x = [1, 2, 3, 4, 5, 6];
        let index = [[2, 0], [1, 1]];
        assert_eq!(gather(&x, &[2, 3], &[2, 2], 1, |p| index[p[0]][p[1]], 0), [3, 1, 5, 5]);
        let rows = [1, 0, 2, -1];
        assert_eq!(gather(&x, &[2, 3], &[4, 3], 0, |p| rows[p[0]], 9), [4, 5, 6, 1, 2, 3, 9, 9, 9, 9, 9, 9]);
    }
}
