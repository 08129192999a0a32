//! Batched matrix products of tensors by steps.

use rayon::prelude::*;

use crate::Finish;
use crate::permute::strided;
use crate::product::{Left, Right, product};

/// One axis of the product: its length, and steps along it in `a`, `b` and the output.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    /// How many places it has.
    pub length: usize,
    /// The step in `a`.
    pub a: usize,
    /// The step in `b`.
    pub b: usize,
    /// The step in the output.
    pub out: usize,
}

/// A matrix by steps.
#[derive(Clone, Copy)]
struct Strided<'a> {
    data: &'a [f32],
    outer: usize,
    depth: usize,
}

impl Left for Strided<'_> {
    fn read(&self, row: usize, depth: usize, to: &mut [f32]) {
        let from = &self.data[row * self.outer + depth * self.depth..];
        if self.depth == 1 {
            to.copy_from_slice(&from[..to.len()]);
        } else {
            to.iter_mut().enumerate().for_each(|(k, to)| *to = from[k * self.depth]);
        }
    }
}

impl Right for Strided<'_> {
    fn read(&self, depth: usize, column: usize, columns: usize, width: usize, panel: &mut [f32]) {
        if columns < width {
            panel.fill(0.0);
        }
        let length = panel.len() / width;
        if self.outer == 1 {
            for (k, to) in panel.chunks_exact_mut(width).enumerate() {
                to[..columns].copy_from_slice(&self.data[(depth + k) * self.depth + column..][..columns]);
            }
            return;
        }
        for j in 0..columns {
            let from = &self.data[(column + j) * self.outer + depth * self.depth..];
            for k in 0..length {
                panel[k * width + j] = from[k * self.depth];
            }
        }
    }
}

/// `finish(scale · Σ a·b)` of all batches; the output's steps must fill it.
pub fn matmul(
    [a, b]: [&[f32]; 2],
    batches: &[Axis],
    [rows, columns, depth]: [Axis; 3],
    scale: f32,
    finish: Finish<'_>,
) -> Vec<f32> {
    let count: usize = batches.iter().map(|axis| axis.length).product();
    let plane = rows.length * columns.length;
    let mut out = vec![0.0; count * plane];
    let finish = |_: usize, _: usize, y: &mut [f32]| {
        if scale != 1.0 {
            y.iter_mut().for_each(|y| *y *= scale);
        }
        finish(y);
    };
    out.par_chunks_mut(plane.max(1)).enumerate().for_each(|(batch, out)| {
        let (mut rest, mut at_a, mut at_b) = (batch, 0, 0);
        for axis in batches.iter().rev() {
            at_a += rest % axis.length * axis.a;
            at_b += rest % axis.length * axis.b;
            rest /= axis.length;
        }
        let left = Strided { data: &a[at_a..], outer: rows.a, depth: depth.a };
        let right = Strided { data: &b[at_b..], outer: columns.b, depth: depth.b };
        product((&left, &right), depth.length, out, [columns.length, 0, columns.length], finish);
    });
    let mut steps = Vec::new();
    let mut step = count * plane;
    for axis in batches.iter().chain([&rows, &columns]) {
        step /= axis.length.max(1);
        steps.push((axis.out, (axis.length, step as isize)));
    }
    steps.retain(|(_, (length, _))| *length > 1);
    steps.sort_by_key(|(there, _)| std::cmp::Reverse(*there));
    let axes: Vec<_> = steps.into_iter().map(|(_, axis)| axis).collect();
    if axes.is_sorted_by_key(|(_, here)| std::cmp::Reverse(*here)) { out } else { strided(&out, 0, &axes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn axis(length: usize, a: usize, b: usize, out: usize) -> Axis {
        Axis { length, a, b, out }
    }

    #[test]
    fn orders_of_axes() {
        let x = [1.0, 2.0, 3.0, 4.0];
        let (rows, columns, depth) = (axis(2, 2, 0, 2), axis(2, 0, 1, 1), axis(2, 1, 2, 0));
        let of = |axes, scale| matmul([&x, &x], &[], axes, scale, &|_| {});
        assert_eq!(of([rows, columns, depth], 1.0), [7.0, 10.0, 15.0, 22.0]);
        let turned = [rows, axis(2, 0, 2, 1), axis(2, 1, 1, 0)];
        assert_eq!(of(turned, 2.0), [10.0, 22.0, 22.0, 50.0]);
        assert_eq!(of([axis(2, 2, 0, 1), axis(2, 0, 1, 2), depth], 1.0), [7.0, 15.0, 10.0, 22.0]);
    }

    #[test]
    fn batches_lie_anywhere() {
        // Two batches of one row of two elements each; their products lie side by side.
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]);
        let batches = [axis(2, 2, 0, 1)];
        let axes = [axis(1, 0, 0, 0), axis(2, 0, 1, 2), axis(2, 1, 2, 0)];
        assert_eq!(matmul([&a, &b], &batches, axes, 1.0, &|_| {}), [19.0, 43.0, 22.0, 50.0]);
    }
}
