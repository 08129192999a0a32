//! How often indices occur.

/// How often each number below `bins` occurs among the indices; others are not counted.
pub fn bincount(indices: &[i32], bins: usize) -> Vec<i32> {
    let mut counts = vec![0; bins];
    for &index in indices {
        if let Some(count) = usize::try_from(index).ok().and_then(|i| counts.get_mut(i)) {
            *count += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_in_range() {
        assert_eq!(bincount(&[3, 0, 3, -1, 4, i32::MIN, 2], 4), [1, 0, 1, 2]);
    }
}
