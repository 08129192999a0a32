//! The nearest entry of a codebook.

/// Gives `distance` a row of `x` and a code, and answers for each row the number of the nearest code: the first
/// of the smallest distances. A distance that is NaN counts as smaller than any other.
pub fn vector_quantize(
    x: &[f32],
    codebook: &[f32],
    channels: usize,
    distance: impl Fn(&[f32], &[f32]) -> f64,
) -> Vec<i32> {
    let mut nearest = Vec::new();
    for row in x.chunks(channels) {
        let (mut best, mut smallest) = (0, f64::INFINITY);
        for (k, code) in codebook.chunks(channels).enumerate() {
            let d = distance(row, code);
            if d < smallest || (d.is_nan() && !smallest.is_nan()) {
                (best, smallest) = (k as i32, d);
            }
        }
        nearest.push(best);
    }
    nearest
}

/// Σ(x − c)².
pub fn euclidean(x: &[f32], code: &[f32]) -> f64 {
    let mut sum = 0.0;
    for (x, c) in x.iter().zip(code) {
        let gap = f64::from(*x) - f64::from(*c);
        sum += gap * gap;
    }
    sum
}

/// Σc² − 2·Σxc, which is Σ(x − c)² without what does not depend on the code.
pub fn expanded(x: &[f32], code: &[f32]) -> f64 {
    dot(code, code) - 2.0 * dot(x, code)
}

/// −Σxc of `x` and `code` divided by their lengths, or by 10⁻¹² where they are shorter than that.
pub fn cosine(x: &[f32], code: &[f32]) -> f64 {
    let length = |v: &[f32]| {
        let length = dot(v, v).sqrt();
        if length < 1e-12 { 1e-12 } else { length }
    };
    -dot(x, code) / (length(x) * length(code))
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_and_the_first_of_equals() {
        let codes = [0.0, 0.0, 3.0, 0.0, 0.0, 5.0, 3.0, 0.0];
        for distance in [euclidean, expanded] {
            // The middle of codes 0 and 1 is as far from both.
            let x = [2.0, 0.0, 0.0, 4.0, 1.5, 0.0, -1.0, -1.0];
            assert_eq!(vector_quantize(&x, &codes, 2, distance), [1, 2, 0, 0]);
        }
        assert_eq!(vector_quantize(&[0.1, 0.0, 0.0, -9.0, 1.0, 2.0], &codes, 2, cosine), [1, 0, 2]);
    }

    #[test]
    fn nan_is_nearest() {
        let codes = [1.0, f32::NAN, 2.0, f32::NAN];
        assert_eq!(vector_quantize(&[2.0, f32::NAN], &codes, 1, euclidean), [1, 0]);
        assert_eq!(vector_quantize(&[f32::INFINITY], &[1.0, 2.0], 1, euclidean), [0]);
        assert_eq!(vector_quantize(&[f32::INFINITY], &[1.0, 2.0], 1, expanded), [0]);
        assert_eq!(vector_quantize(&[f32::INFINITY], &[1.0, f32::INFINITY], 1, expanded), [1]);
    }
}
