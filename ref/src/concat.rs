//! Joining tensors along an axis.

/// Each input is its elements and its row: the length along the joined axis times that of all axes after it.
pub fn concat<T: Copy>(inputs: &[(&[T], usize)], outer: usize) -> Vec<T> {
    let mut y = Vec::with_capacity(inputs.iter().map(|(x, _)| x.len()).sum());
    for o in 0..outer {
        for (x, row) in inputs {
            y.extend_from_slice(&x[o * row..(o + 1) * row]);
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [5.0, 6.0]);
        assert_eq!(concat(&[(&a, 2), (&b, 1)], 2), [1.0, 2.0, 5.0, 3.0, 4.0, 6.0]);
        assert_eq!(concat(&[(&a, 4), (&b, 2)], 1), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }
}
