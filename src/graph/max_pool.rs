//! Maxima of windows, at the end of another operator.

use std::ops::Range;

use super::TensorType;
use crate::error::Result;

/// The largest elements of windows of `[N, T, H, W, C]` that have no element in common, NaN where there is one. Three
/// numbers are for the axes T, H, W.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    /// Lengths of a window.
    pub kernel: [usize; 3],
    /// Steps between windows, at least their lengths.
    pub stride: [usize; 3],
    /// Positions before each axis, fewer than a window has.
    pub before: [usize; 3],
    /// How many windows there are. Each has an element; what it has outside the tensor does not count.
    pub windows: [usize; 3],
}

impl MaxPool {
    /// Positions of a whole window.
    pub fn volume(&self) -> usize {
        self.kernel.iter().product()
    }

    /// What a window covers of an axis of this length.
    pub fn members(&self, axis: usize, window: usize, length: usize) -> Range<usize> {
        let (first, before) = (window * self.stride[axis], self.before[axis]);
        first.saturating_sub(before)..(first + self.kernel[axis]).saturating_sub(before).min(length)
    }

    /// The type of the maxima of `[N, T, H, W, C]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is none of that shape.
    pub fn output(&self, [n, _, _, _, c]: [usize; 5]) -> Result<TensorType> {
        let [t, h, w] = self.windows;
        TensorType::float(&[n, t, h, w, c])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_clipped() {
        let pool = MaxPool { kernel: [2; 3], stride: [2, 2, 3], before: [0, 1, 0], windows: [4, 4, 2] };
        let of = |axis, length| (0..4).map(|w| pool.members(axis, w, length)).collect::<Vec<_>>();
        assert_eq!(of(0, 7), [0..2, 2..4, 4..6, 6..7]);
        assert_eq!(of(1, 7), [0..1, 1..3, 3..5, 5..7]);
        assert_eq!(of(2, 7)[..2], [0..2, 3..5]);
    }
}
