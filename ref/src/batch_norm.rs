//! Normalisation with given statistics of each channel.

/// `activate((x − mean) / √(variance + eps) · weight + bias)`, the channels being the last axis; without weight one,
/// without bias zero.
pub fn batch_norm(
    x: &[f32],
    [mean, variance]: [&[f32]; 2],
    eps: f64,
    [weight, bias]: [Option<&[f32]>; 2],
    activate: impl Fn(f64) -> f64,
) -> Vec<f32> {
    let one = |(i, &value): (usize, &f32)| {
        let c = i % mean.len();
        let y = (f64::from(value) - f64::from(mean[c])) / (f64::from(variance[c]) + eps).sqrt();
        activate(y * weight.map_or(1.0, |w| f64::from(w[c])) + bias.map_or(0.0, |b| f64::from(b[c]))) as f32
    };
    x.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_channels_by_hand() {
        let x = [5.0, 1.0, -1.0, 3.0];
        let statistics: [&[f32]; 2] = [&[1.0, 2.0], &[3.0, 0.0]];
        let y = batch_norm(&x, statistics, 1.0, [None, None], |y| y);
        assert_eq!(y, [2.0, -1.0, -1.0, 1.0]);
        let y = batch_norm(&x, statistics, 1.0, [Some(&[10.0, 1.0]), Some(&[0.0, 7.0])], f64::abs);
        assert_eq!(y, [20.0, 6.0, 10.0, 8.0]);
    }
}
