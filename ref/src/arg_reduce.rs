//! Places of extremes.

/// `x` is `[outer, length, inner]`; for each row of `length` the place of its largest element, or of its smallest: of
/// equals the first. NaN comes before any number.
pub fn arg_reduce(x: &[f32], [length, inner]: [usize; 2], largest: bool) -> Vec<i32> {
    let mut places = Vec::new();
    for block in x.chunks(length * inner) {
        for i in 0..inner {
            let mut best = 0;
            for k in 1..length {
                let (own, so_far) = (block[k * inner + i], block[best * inner + i]);
                let before = if largest { own > so_far } else { own < so_far };
                if before || (own.is_nan() && !so_far.is_nan()) {
                    best = k;
                }
            }
            places.push(best as i32);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_and_nan() {
        let x = [1.0, 3.0, 3.0, -2.0, -2.0];
        assert_eq!(arg_reduce(&x, [5, 1], true), [1]);
        assert_eq!(arg_reduce(&x, [5, 1], false), [3]);
        let x = [1.0, 0.0, f32::INFINITY, -0.0, f32::NAN, 0.0, f32::NAN, 0.0];
        assert_eq!(arg_reduce(&x, [4, 2], true), [2, 0]);
        assert_eq!(arg_reduce(&x, [4, 2], false), [2, 0]);
    }
}
