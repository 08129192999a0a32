//! Parts of tensors.

/// `x` is of shape `dims`; along each axis, the elements that the axis' index range names are taken.
pub fn slice<T: Copy>(x: &[T], dims: &[usize], indices: &[Vec<usize>]) -> Vec<T> {
    let Some((first, rest)) = indices.split_first() else { return x.to_vec() };
    let row: usize = dims[1..].iter().product();
    first.iter().flat_map(|i| slice(&x[i * row..(i + 1) * row], &dims[1..], rest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_column() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(slice(&x, &[2, 3], &[vec![0, 1], vec![0, 2]]), [1.0, 3.0, 4.0, 6.0]);
        assert_eq!(slice(&x, &[2, 3], &[vec![1], vec![1]]), [5.0]);
    }
}
