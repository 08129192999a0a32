//! Codebooks that follow what is assigned to them.

/// How a codebook follows.
#[derive(Debug, Clone, Copy)]
pub struct Ema {
    /// How much of the averages stays.
    pub decay: f64,
    /// What is added to a code's size.
    pub eps: f64,
}

/// The averages and the codebook after one update, in f64.
#[derive(Debug, Clone)]
pub struct Updated {
    /// Rows of each code.
    pub sizes: Vec<f64>,
    /// The sum of the rows of each code.
    pub sums: Vec<f64>,
    /// Their quotient, the sizes smoothed.
    pub codebook: Vec<f64>,
}

/// Moves the averages `sizes` `[codes]` and `sums` `[codes, channels]` by what the rows of `x` `[rows, channels]` that
/// `indices` assign to each code give, and makes the codebook of them. Rows of no code are left out.
pub fn ema_codebook(x: &[f32], indices: &[i32], sizes: &[f32], sums: &[f32], ema: Ema) -> Updated {
    let (codes, channels) = (sizes.len(), sums.len() / sizes.len());
    let mut counts = vec![0.0; codes];
    let mut totals = vec![0.0; codes * channels];
    for (row, &index) in x.chunks(channels).zip(indices) {
        let Ok(code) = usize::try_from(index) else { continue };
        if code < codes {
            counts[code] += 1.0;
            for (d, &x) in row.iter().enumerate() {
                totals[code * channels + d] += f64::from(x);
            }
        }
    }
    let moved = |old: &[f32], new: &[f64]| -> Vec<f64> {
        old.iter().zip(new).map(|(&old, new)| ema.decay * f64::from(old) + (1.0 - ema.decay) * new).collect()
    };
    let (sizes, sums) = (moved(sizes, &counts), moved(sums, &totals));
    let total: f64 = sizes.iter().sum();
    let smoothed = |code: usize| (sizes[code] + ema.eps) / (total + codes as f64 * ema.eps) * total;
    let codebook = sums.iter().enumerate().map(|(i, sum)| sum / smoothed(i / channels)).collect();
    Updated { sizes, sums, codebook }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_by_hand() {
        let ema = Ema { decay: 0.5, eps: 0.0 };
        let y = ema_codebook(&[1.0, 2.0, 3.0, 8.0], &[1, 1, 0, 7], &[1.0, 2.0], &[5.0, 6.0], ema);
        assert_eq!((y.sizes, y.sums), (vec![1.0, 2.0], vec![4.0, 4.5]));
        assert_eq!(y.codebook, [4.0, 2.25]);
        // Smoothed to (1 + 1) / (3 + 2) · 3 and (2 + 1) / 5 · 3.
        let ema = Ema { decay: 0.5, eps: 1.0 };
        let y = ema_codebook(&[1.0, 2.0, 3.0, 8.0], &[1, 1, 0, -1], &[1.0, 2.0], &[5.0, 6.0], ema);
        assert!((y.codebook[0] - 4.0 / 1.2).abs() < 1e-12 && (y.codebook[1] - 2.5).abs() < 1e-12);
    }
}
