//! Local response normalisation, as `torch.nn.functional.local_response_norm`.

/// `x` is `[…, channels]`; each element is divided by `(k + alpha·mean)^beta`, the mean being that of the squares of
/// `size` channels around its own, missing ones counted as zeros. Of an even `size` one more lies before than after.
pub fn local_response_norm(
    x: &[f32],
    channels: usize,
    size: usize,
    alpha: f64,
    beta: f64,
    k: f64,
) -> Vec<f32> {
    let mut y = Vec::with_capacity(x.len());
    for row in x.chunks(channels) {
        for (c, own) in row.iter().enumerate() {
            let mut squares = 0.0;
            for (j, x) in row.iter().enumerate() {
                if j + size / 2 >= c && j < c + size.div_ceil(2) {
                    squares += f64::from(*x) * f64::from(*x);
                }
            }
            y.push((f64::from(*own) / (k + alpha * squares / size as f64).powf(beta)) as f32);
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_counted() {
        let x = [1.0, 2.0, 3.0, 4.0];
        let sums = |size| -> Vec<f32> {
            let y = local_response_norm(&x, 4, size, size as f64, 1.0, 0.0);
            x.iter().zip(y).map(|(x, y)| (x / y).round()).collect()
        };
        assert_eq!(sums(1), [1.0, 4.0, 9.0, 16.0]);
        assert_eq!(sums(2), [1.0, 5.0, 13.0, 25.0]);
        assert_eq!(sums(3), [5.0, 14.0, 29.0, 25.0]);
        assert_eq!(sums(9), [30.0; 4]);
    }

    #[test]
    fn the_power_and_the_constant() {
        assert_eq!(local_response_norm(&[4.0], 1, 5, 5.0, 0.5, 9.0), [4.0 / 5.0]);
    }
}
