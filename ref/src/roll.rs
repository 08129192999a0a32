//! Elements moved along axes, round their ends.

/// `x` is of shape `dims`; the element at place `i` of an axis comes to place `i + shift`, modulo the axis' length.
pub fn roll<T: Copy>(x: &[T], dims: &[usize], shifts: &[isize]) -> Vec<T> {
    let mut y = x.to_vec();
    for (i, &value) in x.iter().enumerate() {
        let (mut rest, mut at, mut step) = (i, 0, 1);
        for axis in (0..dims.len()).rev() {
            let place = (rest % dims[axis]) as i128 + shifts[axis] as i128;
            at += place.rem_euclid(dims[axis] as i128) as usize * step;
            step *= dims[axis];
            rest /= dims[axis];
        }
        y[at] = value;
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwards_backwards_and_round() {
        assert_eq!(roll(&[1, 2, 3, 4, 5], &[5], &[2]), [4, 5, 1, 2, 3]);
        assert_eq!(roll(&[1, 2, 3, 4, 5], &[5], &[-6]), [2, 3, 4, 5, 1]);
        assert_eq!(roll(&[1, 2, 3, 4, 5, 6], &[2, 3], &[1, 1]), [6, 4, 5, 3, 1, 2]);
    }
}
