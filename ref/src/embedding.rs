//! Rows of a table, looked up by index.

/// The rows of `table`, each of `channels` elements, that `indices` name; NaN where there is no such row.
pub fn embedding(indices: &[i32], table: &[f32], channels: usize) -> Vec<f32> {
    let mut y = Vec::new();
    for &index in indices {
        let row = usize::try_from(index).ok().and_then(|i| table.chunks(channels).nth(i));
        match row {
            Some(row) => y.extend_from_slice(row),
            None => y.extend(std::iter::repeat_n(f32::NAN, channels)),
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_what_is_none() {
        let table = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(embedding(&[2, 0, 2], &table, 2), [5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
        assert!(embedding(&[-1, 3, i32::MIN, i32::MAX], &table, 2).iter().all(|y| y.is_nan()));
    }
}
