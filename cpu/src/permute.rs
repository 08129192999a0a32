//! Elements in another order.

use rayon::prelude::*;

/// Elements of a task, about.
const PART: usize = 1 << 14;

/// A tensor of which element `[i, j, …]` is `x[first + i·stepᵢ + j·stepⱼ + …]`; each axis is its length and its step.
pub fn floats(x: &[f32], first: usize, axes: &[(usize, isize)]) -> Vec<f32> {
    strided(x, first, axes)
}

/// The same of integers.
pub fn integers(x: &[i32], first: usize, axes: &[(usize, isize)]) -> Vec<i32> {
    strided(x, first, axes)
}

pub(crate) fn strided<T: Copy + Send + Sync>(x: &[T], first: usize, axes: &[(usize, isize)]) -> Vec<T> {
    // Axes that go on in the same way are one.
    let mut merged: Vec<(usize, isize)> = Vec::new();
    for &(length, step) in axes.iter().filter(|(length, _)| *length != 1) {
        match merged.last_mut() {
            Some(outer) if outer.1 == step * length as isize => *outer = (outer.0 * length, step),
            _ => merged.push((length, step)),
        }
    }
    let count: usize = axes.iter().map(|(length, _)| length).product();
    let Some((&(inner, step), outer)) = merged.split_last().filter(|_| count > 0) else {
        return x.get(first).map_or_else(Vec::new, |x| vec![*x; count]);
    };
    let start = |i: usize| {
        let (mut rest, mut at) = (i, first as isize);
        for (length, step) in outer.iter().rev() {
            at += (rest % length) as isize * step;
            rest /= length;
        }
        at as usize
    };
    let mut y = vec![x[first]; count];
    if outer.is_empty() && step == 1 {
        y.copy_from_slice(&x[first..][..count]);
        return y;
    }
    let rows = (PART / inner).max(1);
    y.par_chunks_mut(rows * inner).enumerate().for_each(|(part, y)| {
        for (i, y) in y.chunks_mut(inner).enumerate() {
            let at = start(part * rows + i);
            if step == 1 {
                y.copy_from_slice(&x[at..][..inner]);
            } else {
                for (k, y) in y.iter_mut().enumerate() {
                    *y = x[at.wrapping_add_signed(k as isize * step)];
                }
            }
        }
    });
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_parts() {
        let x = [1, 2, 3, 4, 5, 6];
        assert_eq!(strided(&x, 0, &[(3, 1), (2, 3)]), [1, 4, 2, 5, 3, 6]);
        assert_eq!(strided(&x, 0, &[(2, 3), (3, 1)]), x);
        assert_eq!(strided(&x, 2, &[(2, 3), (3, -1)]), [3, 2, 1, 6, 5, 4]);
        assert_eq!(strided(&x, 1, &[(2, 3), (1, 9), (2, 1)]), [2, 3, 5, 6]);
        assert_eq!(strided(&x, 4, &[(1, 1)]), [5]);
        assert_eq!(strided(&x, 1, &[(2, 0), (2, 1)]), [2, 3, 2, 3]);
    }

    #[test]
    fn many_rows() {
        let x: Vec<usize> = (0..300 * 200).collect();
        let y = strided(&x, 0, &[(200, 1), (300, 200)]);
        assert!(y.iter().enumerate().all(|(i, y)| *y == i % 300 * 200 + i / 300));
    }
}
