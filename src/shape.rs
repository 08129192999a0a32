//! Shapes: the lengths of a tensor's axes.

use std::fmt;
use std::ops::Deref;

use crate::error::{Error, Result};

/// The largest number of axes a tensor may have.
pub const MAX_RANK: usize = 8;

/// The largest number of elements a tensor may have: kernels index with `u32`.
pub const MAX_ELEMENTS: u64 = u32::MAX as u64;

/// The lengths of a tensor's axes, outermost first; the last axis is contiguous.
///
/// A shape has at most [`MAX_RANK`] axes, none of them zero, and at most [`MAX_ELEMENTS`] elements;
/// a scalar has no axes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Shape(Box<[usize]>);

impl Shape {
    /// Checks the lengths and makes a shape of them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for too many axes, an empty axis or too many elements.
    pub fn new(dims: &[usize]) -> Result<Self> {
        let shape = Shape(dims.into());
        if dims.len() > MAX_RANK {
            return Err(Error::bad_input(format!(
                "a tensor of {} axes: at most {MAX_RANK} are supported",
                dims.len()
            )));
        }
        if dims.contains(&0) {
            return Err(Error::bad_input(format!("shape {shape} has an empty axis")));
        }
        let elements = dims.iter().try_fold(1u64, |n, &d| n.checked_mul(d as u64));
        match elements {
            Some(n) if n <= MAX_ELEMENTS => Ok(shape),
            _ => Err(Error::bad_input(format!(
                "shape {shape} has more than {MAX_ELEMENTS} elements, which no kernel can index"
            ))),
        }
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of elements.
    pub fn elements(&self) -> usize {
        self.0.iter().product()
    }

    /// The lengths as an array, or an error that names `what` and the axes wanted, such as `[N, T, H, W, C]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the shape has another number of axes.
    pub fn dims<const N: usize>(&self, what: &str, axes: &str) -> Result<[usize; N]> {
        <[usize; N]>::try_from(&*self.0)
            .map_err(|_| Error::bad_input(format!("{what} must be {axes}, {N} axes; its shape is {self}")))
    }

    /// The shape that two shapes broadcast to, as in PyTorch: axes are aligned at the last, an axis of length 1 or
    /// none repeats.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] naming the axis, counted in the broadcast shape, whose lengths differ.
    pub fn broadcast(&self, other: &Shape) -> Result<Shape> {
        let rank = self.rank().max(other.rank());
        let length = |s: &Shape, axis: usize| (axis + s.rank()).checked_sub(rank).map_or(1, |i| s[i]);
        let dims: Result<Vec<usize>> = (0..rank)
            .map(|axis| match (length(self, axis), length(other, axis)) {
                (x, y) if x == y || y == 1 => Ok(x),
                (1, y) => Ok(y),
                (x, y) => Err(Error::bad_input(format!(
                    "axis {axis} of the broadcast has length {x} on one side and {y} on the other"
                ))),
            })
            .collect();
        Shape::new(&dims?)
    }

    /// Steps, in elements, of a contiguous tensor of this shape along the axes of a shape that it broadcasts to: zero
    /// where it repeats.
    pub fn steps_in(&self, broadcast: &Shape) -> Vec<usize> {
        let missing = broadcast.rank() - self.rank();
        let strides = self.strides();
        (0..broadcast.rank())
            .map(|axis| match axis.checked_sub(missing) {
                Some(i) if self[i] > 1 => strides[i],
                _ => 0,
            })
            .collect()
    }

    /// Steps, in elements, between neighbours along each axis of a contiguous tensor.
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1; self.rank()];
        for i in (0..self.rank().saturating_sub(1)).rev() {
            strides[i] = strides[i + 1] * self.0[i + 1];
        }
        strides
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, d) in self.0.iter().take(MAX_RANK + 1).enumerate() {
            write!(f, "{}{d}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str(if self.0.len() > MAX_RANK + 1 { ", …]" } else { "]" })
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_errors_not_overflows() {
        assert!(Shape::new(&[65_536, 65_536]).is_err());
        assert!(Shape::new(&[65_535, 65_537]).is_ok());
        assert!(Shape::new(&[usize::MAX, usize::MAX]).is_err());
        assert!(Shape::new(&[2, 0]).is_err());
        assert!(Shape::new(&[1; MAX_RANK + 1]).is_err());
        assert_eq!(Shape::new(&[]).unwrap().elements(), 1);
    }

    #[test]
    fn shapes_broadcast_from_the_last_axis() {
        let (a, b) = (Shape::new(&[2, 1, 4, 1]).unwrap(), Shape::new(&[3, 1, 5]).unwrap());
        let both = a.broadcast(&b).unwrap();
        assert_eq!(&*both, [2, 3, 4, 5]);
        assert_eq!((a.steps_in(&both), b.steps_in(&both)), (vec![4, 0, 1, 0], vec![0, 5, 0, 1]));
        let e = Shape::new(&[3, 4]).unwrap().broadcast(&Shape::new(&[5]).unwrap()).unwrap_err();
        assert!(e.to_string().contains("axis 1 of the broadcast"), "{e}");
    }

    #[test]
    fn strides_are_row_major() {
        assert_eq!(Shape::new(&[2, 3, 4]).unwrap().strides(), [12, 4, 1]);
    }
}
