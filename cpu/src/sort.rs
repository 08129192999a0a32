//! Rows in order, or their first elements.

use rayon::prelude::*;

/// Elements of a task, about.
const PART: usize = 1 << 14;

/// A row of which at most this part is kept is looked through once, without sorting it.
const FEW: usize = 8;

/// `x` is `[outer, length, inner]`; the first `kept` elements of each row of `length` in order, rising or falling, and
/// their places, both `[outer, kept, inner]`. NaN is larger than any number, zeros are equal, and equals stay in their order.
pub fn sort(x: &[f32], [length, inner]: [usize; 2], kept: usize, descending: bool) -> (Vec<f32>, Vec<i32>) {
    let blocks = x.len() / (length * inner).max(1);
    let mut values = vec![0.0; blocks * kept * inner];
    let mut places = vec![0; values.len()];
    // As many whole blocks as make a task.
    let some = (PART / (length * inner).max(1)).max(1);
    let outputs = values.par_chunks_mut(some * kept * inner).zip(places.par_chunks_mut(some * kept * inner));
    outputs.zip(x.par_chunks(some * length * inner)).for_each_init(
        Vec::new,
        |keys, ((values, places), x)| {
            let outputs = values.chunks_mut(kept * inner).zip(places.chunks_mut(kept * inner));
            for ((values, places), x) in outputs.zip(x.chunks(length * inner)) {
                for i in 0..inner {
                    let row = x[i..].iter().step_by(inner);
                    first(row, length, kept, descending, keys);
                    for (rank, key) in keys.iter().enumerate() {
                        let place = *key as u32 as usize;
                        values[rank * inner + i] = x[place * inner + i];
                        places[rank * inner + i] = place as i32;
                    }
                }
            }
        },
    );
    (values, places)
}

/// The first `kept` keys of a row, in order. A key is the element's rank among all floats and, below it, its place, so that no
/// two are equal.
fn first<'a>(
    row: impl Iterator<Item = &'a f32>,
    length: usize,
    kept: usize,
    descending: bool,
    keys: &mut Vec<u64>,
) {
    let keyed = row.zip(0u64..).map(|(x, place)| {
        let rank = if descending { !rank(*x) } else { rank(*x) };
        u64::from(rank) << 32 | place
    });
    keys.clear();
    if kept * FEW > length {
        keys.extend(keyed);
    } else {
        // What is beyond the worst of `kept` that were seen cannot be among the first.
        let most = 2 * kept + 64;
        let mut worst = u64::MAX;
        for key in keyed {
            if key < worst {
                keys.push(key);
                if keys.len() == most {
                    worst = *keys.select_nth_unstable(kept - 1).1;
                    keys.truncate(kept);
                }
            }
        }
    }
    keys.sort_unstable();
    keys.truncate(kept);
}

/// An integer for each float, in their order.
fn rank(x: f32) -> u32 {
    if x.is_nan() {
        return u32::MAX;
    }
    // Both zeros are positive then.
    let bits = (x + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_stay_in_order_and_nan_is_largest() {
        let x = [2.0, f32::NAN, -1.0, 2.0, f32::INFINITY, -f32::NAN, -0.0, 0.0];
        let (values, places) = sort(&x, [8, 1], 8, false);
        assert_eq!(places, [2, 6, 7, 0, 3, 4, 1, 5]);
        assert!(values[1].is_sign_negative() && values[6].is_nan());
        assert_eq!(sort(&x, [8, 1], 4, true).1, [1, 5, 4, 0]);
    }

    #[test]
    fn the_first_of_many_are_those_of_the_sorted() {
        let x: Vec<f32> = (0..3 * 1000 * 2).map(|i| ((i * 7919) % 613) as f32 - 300.0).collect();
        for descending in [false, true] {
            let (values, places) = sort(&x, [1000, 2], 1000, descending);
            for kept in [1, 7, 100, 500] {
                let (first, at) = sort(&x, [1000, 2], kept, descending);
                for block in 0..3 {
                    let (from, to) = (block * 2000, block * 2 * kept);
                    assert_eq!(first[to..to + 2 * kept], values[from..from + 2 * kept]);
                    assert_eq!(at[to..to + 2 * kept], places[from..from + 2 * kept]);
                }
            }
        }
        assert_eq!(sort(&[3.0, 1.0, 2.0, 5.0, 1.0, 4.0], [3, 2], 2, false).1, [2, 0, 1, 2]);
    }
}
