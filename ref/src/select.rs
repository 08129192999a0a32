//! Elements of one tensor or another.

/// The element of `a` where the condition holds, else that of `b`. The steps are those of each along the axes of `dims`,
/// zero where it is repeated.
pub fn select<T: Copy>(condition: &[bool], a: &[T], b: &[T], steps: [&[usize]; 3], dims: &[usize]) -> Vec<T> {
    let count: usize = dims.iter().product();
    let place = |linear: usize, steps: &[usize]| {
        let (mut rest, mut at) = (linear, 0);
        for axis in (0..dims.len()).rev() {
            at += rest % dims[axis] * steps[axis];
            rest /= dims[axis];
        }
        at
    };
    (0..count)
        .map(|i| if condition[place(i, steps[0])] { a[place(i, steps[1])] } else { b[place(i, steps[2])] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_a_column() {
        let y = select(&[true, false], &[1, 2, 3], &[9], [&[1, 0], &[0, 1], &[0, 0]], &[2, 3]);
        assert_eq!(y, [1, 2, 3, 9, 9, 9]);
    }
}
