//! Axes in another order.

/// `x` is of shape `dims`; axis `i` of the result is axis `order[i]` of `x`.
pub fn permute<T: Copy>(x: &[T], dims: &[usize], order: &[usize]) -> Vec<T> {
    let mut y = x.to_vec();
    let mut index = vec![0; dims.len()];
    for (i, &value) in x.iter().enumerate() {
        let mut rest = i;
        for axis in (0..dims.len()).rev() {
            index[axis] = rest % dims[axis];
            rest /= dims[axis];
        }
        let at = order.iter().fold(0, |at, &axis| at * dims[axis] + index[axis]);
        y[at] = value;
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_transposed() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(permute(&x, &[2, 3], &[1, 0]), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(permute(&x, &[1, 2, 3], &[2, 0, 1]), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }
}
