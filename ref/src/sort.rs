//! Rows in order.

use std::cmp::Ordering;

/// `x` is `[outer, length, inner]`; the first `kept` elements of each row of `length` in order, rising or falling, and
/// their places, both `[outer, kept, inner]`. NaN is larger than any number, and equals stay in their order.
pub fn sort(x: &[f32], [length, inner]: [usize; 2], kept: usize, descending: bool) -> (Vec<f32>, Vec<i32>) {
    let (mut values, mut places) = (Vec::new(), Vec::new());
    for block in x.chunks(length * inner) {
        let rows: Vec<Vec<usize>> = (0..inner)
            .map(|i| {
                let mut row: Vec<usize> = (0..length).collect();
                row.sort_by(|&a, &b| {
                    let (a, b) = (block[a * inner + i], block[b * inner + i]);
                    if descending { order(b, a) } else { order(a, b) }
                });
                row
            })
            .collect();
        for rank in 0..kept {
            for (i, row) in rows.iter().enumerate() {
                values.push(block[row[rank] * inner + i]);
                places.push(row[rank] as i32);
            }
        }
    }
    (values, places)
}

fn order(a: f32, b: f32) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_stay_in_order_and_nan_is_largest() {
        let x = [2.0, f32::NAN, -1.0, 2.0, f32::INFINITY];
        let (values, places) = sort(&x, [5, 1], 5, false);
        assert_eq!(values[..4], [-1.0, 2.0, 2.0, f32::INFINITY]);
        assert_eq!(places, [2, 0, 3, 4, 1]);
        let (values, places) = sort(&x, [5, 1], 4, true);
        assert!(values[0].is_nan());
        assert_eq!(places, [1, 4, 0, 3]);
    }

    #[test]
    fn columns() {
        let (values, places) = sort(&[3.0, 1.0, 2.0, 5.0, 1.0, 4.0], [3, 2], 2, false);
        assert_eq!(values, [1.0, 1.0, 2.0, 4.0]);
        assert_eq!(places, [2, 0, 1, 2]);
    }
}
