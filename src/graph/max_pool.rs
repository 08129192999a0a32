//! Maxima of windows, at the end of another operator.

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

    /// The type of the maxima of `[N, T, H, W, C]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when there is none of that shape.
    pub fn output(&self, [n, _, _, _, c]: [usize; 5]) -> Result<TensorType> {
        let [t, h, w] = self.windows;
        TensorType::float(&[n, t, h, w, c])
    }
}
