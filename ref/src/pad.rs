//! Padding.

/// What lies before and after an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A constant.
    Constant,
    /// The axis reflected at its first and last element, which do not come again: `c b a b c b a`.
    Reflect,
    /// The first and the last element: `a a a b c c c`.
    Replicate,
    /// The axis again and again: `b c a b c a b`.
    Circular,
}

/// `x` of shape `dims` with `padding` elements before and after each axis; `value` is the constant.
pub fn pad<T: Copy>(x: &[T], dims: &[usize], padding: &[[usize; 2]], mode: Mode, value: T) -> Vec<T> {
    let (Some((&length, inner)), Some((&[before, after], padding))) =
        (dims.split_first(), padding.split_first())
    else {
        return x.to_vec();
    };
    let inside: Vec<Vec<T>> =
        x.chunks(x.len() / length).map(|row| pad(row, inner, padding, mode, value)).collect();
    let constant = vec![value; inside[0].len()];
    let mut out = Vec::new();
    for at in 0..before + length + after {
        out.extend_from_slice(source(at, before, length, mode).map_or(&constant, |i| &inside[i]));
    }
    out
}

/// The element of the axis that padded element `at` is.
fn source(at: usize, before: usize, length: usize, mode: Mode) -> Option<usize> {
    match mode {
        Mode::Constant => at.checked_sub(before).filter(|&i| i < length),
        Mode::Reflect if at < before => Some(before - at),
        Mode::Reflect if at - before < length => Some(at - before),
        Mode::Reflect => Some(2 * (length - 1) - (at - before)),
        Mode::Replicate => Some(at.saturating_sub(before).min(length - 1)),
        Mode::Circular => Some((at + length - before) % length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_in_every_mode() {
        let row = |mode, padding| pad(&[1, 2, 3], &[3], &[padding], mode, 9);
        assert_eq!(row(Mode::Constant, [1, 2]), [9, 1, 2, 3, 9, 9]);
        assert_eq!(row(Mode::Reflect, [2, 1]), [3, 2, 1, 2, 3, 2]);
        assert_eq!(row(Mode::Replicate, [4, 1]), [1, 1, 1, 1, 1, 2, 3, 3]);
        assert_eq!(row(Mode::Circular, [2, 3]), [2, 3, 1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn axes_without_an_entry_stay() {
        let y = pad(&[1, 2, 3, 4], &[2, 2], &[[1, 0]], Mode::Constant, 0);
        assert_eq!(y, [0, 0, 1, 2, 3, 4]);
        let y = pad(&[1, 2], &[1, 2], &[[0, 1], [1, 0]], Mode::Replicate, 0);
        assert_eq!(y, [1, 1, 2, 1, 1, 2]);
    }
}
