//! Batched matrix products.

use rayon::prelude::*;

/// A side of the product: a tensor and the order in which its axes are read, the last two being a matrix's.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The elements.
    pub data: &'a [f32],
    /// The lengths of the axes, as they lie.
    pub shape: &'a [usize],
    /// Axis `i` of what is read is axis `order[i]` of the tensor.
    pub order: &'a [usize],
}

impl Side<'_> {
    fn dims(&self) -> Vec<usize> {
        self.order.iter().map(|&axis| self.shape[axis]).collect()
    }

    /// The element at an index of the axes as they are read; batch axes are aligned at the last of them, and one of
    /// length 1 repeats.
    fn at(&self, batch: &[usize], row: usize, column: usize) -> f64 {
        let dims = self.dims();
        let axes = dims.len() - 2;
        let mut index = vec![0; self.shape.len()];
        for (i, &axis) in self.order[..axes].iter().enumerate() {
            index[axis] = if dims[i] == 1 { 0 } else { batch[batch.len() - axes + i] };
        }
        index[self.order[axes]] = row;
        index[self.order[axes + 1]] = column;
        let at = index.iter().zip(self.shape).fold(0, |at, (i, length)| at * length + i);
        f64::from(self.data[at])
    }
}

/// `finish(scale · Σ a·b)` of all batches, its axes then in another order: axis `i` of the result is axis
/// `out_order[i]` of the product. Gives the result's shape too.
pub fn matmul(
    a: Side<'_>,
    b: Side<'_>,
    scale: f64,
    out_order: &[usize],
    finish: impl Fn(f64) -> f64 + Sync,
) -> (Vec<usize>, Vec<f32>) {
    let (a_dims, b_dims) = (a.dims(), b.dims());
    let (a_axes, b_axes) = (a_dims.len() - 2, b_dims.len() - 2);
    let axes = a_axes.max(b_axes);
    let length = |dims: &[usize], own: usize, i: usize| if i + own < axes { 1 } else { dims[i + own - axes] };
    let mut dims: Vec<usize> =
        (0..axes).map(|i| length(&a_dims, a_axes, i).max(length(&b_dims, b_axes, i))).collect();
    let depth = a_dims[a_axes + 1];
    dims.extend([a_dims[a_axes], b_dims[b_axes + 1]]);
    let shape: Vec<usize> = out_order.iter().map(|&axis| dims[axis]).collect();
    let mut y = vec![0.0; shape.iter().product()];
    y.par_iter_mut().enumerate().for_each(|(i, y)| {
        let mut index = vec![0; dims.len()];
        let mut rest = i;
        for (&axis, length) in out_order.iter().zip(&shape).rev() {
            index[axis] = rest % length;
            rest /= length;
        }
        let (batch, cell) = index.split_at(axes);
        let sum: f64 = (0..depth).map(|k| a.at(batch, cell[0], k) * b.at(batch, k, cell[1])).sum();
        *y = finish(scale * sum) as f32;
    });
    (shape, y)
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f32; 4] = [1.0, 2.0, 3.0, 4.0];

    #[test]
    fn two_by_two() {
        let x = Side { data: &X, shape: &[2, 2], order: &[0, 1] };
        let transposed = Side { order: &[1, 0], ..x };
        assert_eq!(matmul(x, x, 1.0, &[0, 1], |s| s), (vec![2, 2], vec![7.0, 10.0, 15.0, 22.0]));
        assert_eq!(matmul(x, transposed, 2.0, &[0, 1], |s| s).1, [10.0, 22.0, 22.0, 50.0]);
        assert_eq!(matmul(x, x, 1.0, &[1, 0], |s| s).1, [7.0, 15.0, 10.0, 22.0]);
    }

    #[test]
    fn batches_repeat() {
        // Two rows of one element each, times one column: the batch of `a` has no counterpart.
        let a = Side { data: &X, shape: &[2, 1, 2], order: &[0, 1, 2] };
        let b = Side { data: &X[2..], shape: &[2, 1], order: &[0, 1] };
        assert_eq!(matmul(a, b, 1.0, &[0, 1, 2], |s| s), (vec![2, 1, 1], vec![11.0, 25.0]));
    }
}
