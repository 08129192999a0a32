//! Tensors a number of times along each axis.

/// `x` is of shape `dims`; the result has it `repeats[a]` times along axis `a`.
pub fn repeat<T: Copy>(x: &[T], dims: &[usize], repeats: &[usize]) -> Vec<T> {
    let (Some((&length, inner)), Some((&times, further))) = (dims.split_first(), repeats.split_first())
    else {
        return x.to_vec();
    };
    let row: usize = inner.iter().product();
    let once: Vec<T> = (0..length).flat_map(|i| repeat(&x[i * row..(i + 1) * row], inner, further)).collect();
    once.repeat(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_twice_and_thrice() {
        assert_eq!(repeat(&[1, 2, 3, 4], &[2, 2], &[2, 1]), [1, 2, 3, 4, 1, 2, 3, 4]);
        assert_eq!(repeat(&[1, 2, 3, 4], &[2, 2], &[1, 3]), [1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4]);
    }
}
