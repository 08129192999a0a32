//! Normalisation over groups of channels.

/// `x` is `[outer, places, channels]`. For each outer index and each of `groups` equal groups of channels, mean and
/// biased variance over all places become 0 and 1, but for `eps`; then comes the channel's weight as a factor and its
/// bias as a summand, then `activate`.
pub fn group_norm(
    x: &[f32],
    [places, channels, groups]: [usize; 3],
    eps: f64,
    [weight, bias]: [Option<&[f32]>; 2],
    activate: impl Fn(f64) -> f64,
) -> Vec<f32> {
    let size = channels / groups;
    let mut y = vec![0.0; x.len()];
    for outer in 0..x.len() / (places * channels) {
        for group in 0..groups {
            let mut members = Vec::new();
            for place in 0..places {
                for channel in group * size..(group + 1) * size {
                    members.push((channel, (outer * places + place) * channels + channel));
                }
            }
            let n = members.len() as f64;
            let mean = members.iter().map(|&(_, i)| f64::from(x[i])).sum::<f64>() / n;
            let variance = members.iter().map(|&(_, i)| (f64::from(x[i]) - mean).powi(2)).sum::<f64>() / n;
            for (channel, i) in members {
                let z = (f64::from(x[i]) - mean) / (variance + eps).sqrt();
                let w = weight.map_or(1.0, |w| f64::from(w[channel]));
                let b = bias.map_or(0.0, |b| f64::from(b[channel]));
                y[i] = activate(z * w + b) as f32;
            }
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_groups_by_hand() {
        // Two places of four channels. Group 0: 1, 9, 1, 9; mean 5, variance 16. Group 1: 2, 2, 4, 4; mean 3, variance 1.
        let x = [1.0, 9.0, 2.0, 2.0, 1.0, 9.0, 4.0, 4.0];
        let third = |y: f64| (y * 3.0).round() / 3.0;
        let y = group_norm(&x, [2, 4, 2], 0.0, [None, None], |y| y);
        assert_eq!(y, [-1.0, 1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0]);
        let y =
            group_norm(&x, [2, 4, 2], 0.0, [Some(&[1.0, 2.0, 3.0, 4.0]), Some(&[0.0, 1.0, 0.0, 1.0])], third);
        assert_eq!(y, [-1.0, 3.0, -3.0, -3.0, -1.0, 3.0, 3.0, 5.0]);
    }

    #[test]
    fn outer_indices_do_not_meet() {
        let y = group_norm(&[1.0, 3.0, f32::NAN, 7.0, 11.0, 5.0], [2, 1, 1], 0.0, [None, None], |y| y);
        assert_eq!(y[..2], [-1.0, 1.0]);
        assert!(y[2].is_nan() && y[3].is_nan());
        assert_eq!(y[4..], [1.0, -1.0]);
    }
}
