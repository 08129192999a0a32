//! Gated linear units.

/// Each row of `x` is two halves of `channels` elements: the one times `f` of the other, which is the first half if
/// `gate_first`.
pub fn gated(x: &[f32], channels: usize, gate_first: bool, f: impl Fn(f64) -> f64) -> Vec<f32> {
    let mut y = Vec::new();
    for row in x.chunks(2 * channels) {
        for c in 0..channels {
            let (first, second) = (f64::from(row[c]), f64::from(row[channels + c]));
            y.push(if gate_first { f(first) * second } else { first * f(second) } as f32);
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_half_is_the_gate() {
        let x = [1.0, 2.0, 3.0, 4.0, -1.0, 5.0, 6.0, 7.0];
        let f = |g: f64| 10.0 * g;
        assert_eq!(gated(&x, 2, false, f), [30.0, 80.0, -60.0, 350.0]);
        assert_eq!(gated(&x, 4, true, |g| g + 1.0), [-2.0, 15.0, 24.0, 35.0]);
    }
}
