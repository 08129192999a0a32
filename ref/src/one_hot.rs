//! Rows of zeros with a one at an index.

/// A row of `classes` numbers for every index: 1 at the index, 0 elsewhere.
pub fn one_hot(indices: &[i32], classes: usize) -> Vec<f32> {
    let mut y = Vec::new();
    for &index in indices {
        y.extend((0..classes).map(|c| if i64::from(index) == c as i64 { 1.0 } else { 0.0 }));
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_one_or_none() {
        assert_eq!(one_hot(&[1, 0, -1, 2], 2), [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
