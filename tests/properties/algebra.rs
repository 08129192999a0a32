use kinetograph::ops::Matmul;
use kinetograph::verify::Case;
use proptest::prelude::*;

use crate::hold;

/// Some order of `rank` axes, as dims, and the shape whose axes in that order have these lengths.
fn ordered(lengths: &[usize], order: &[usize]) -> (Vec<usize>, Vec<isize>) {
    let mut shape = vec![1; lengths.len()];
    for (length, &axis) in lengths.iter().zip(order) {
        shape[axis] = *length;
    }
    (shape, order.iter().map(|&axis| axis as isize).collect())
}

fn order(rank: usize) -> impl Strategy<Value = Vec<usize>> {
    Just((0..rank).collect::<Vec<_>>()).prop_shuffle()
}

/// Batches, rows, columns and depth of any length, axes in any order, batch axes of either side that repeat.
#[test]
fn matrix_products_of_any_order() {
    let lengths = (prop::array::uniform2(1usize..=3), 1usize..=40, 1usize..=40, 1usize..=20);
    let strategy = (lengths, (order(4), order(4), order(4)), any::<[bool; 5]>());
    hold(&strategy, |((batch, m, n, k), (a, b, out), [no_a, no_b, few, ta, tb])| {
        let (transpose_a, transpose_b) = (ta, tb);
        let batch_a = if no_a { [1, batch[1]] } else { batch };
        let batch_b = if no_b { vec![] } else { batch.to_vec() };
        let matrix = |rows, columns, transpose| if transpose { [columns, rows] } else { [rows, columns] };
        let (n, m) = if few { (n.min(3), m) } else { (n, m) };
        let (a_shape, dims_a) = ordered(&[&batch_a[..], &matrix(m, k, transpose_a)].concat(), &a);
        let b_lengths = [&batch_b[..], &matrix(k, n, transpose_b)].concat();
        let b_order: Vec<usize> = b.iter().copied().filter(|axis| *axis < b_lengths.len()).collect();
        let (b_shape, dims_b) = ordered(&b_lengths, &b_order);
        let dims_out = out.iter().map(|&axis| axis as isize).collect();
        let attributes = Matmul { transpose_a, transpose_b, dims_a, dims_b, dims_out, ..Matmul::default() };
        Case::new("matmul/drawn", &[&a_shape, &b_shape], move |g, v| g.matmul(v[0], v[1], &attributes))
            .exact_on_integers()
    });
}
