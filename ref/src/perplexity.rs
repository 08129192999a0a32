//! How many bins are used, in effect.

/// `exp(−Σ p·ln(p + 10⁻¹⁰))` of the shares `p = count / Σ counts` of each row of `bins` counts. Negative counts are
/// zero; a row without counts gives 1.
pub fn perplexity(counts: &[i32], bins: usize) -> Vec<f32> {
    let of_row = |row: &[i32]| {
        let counts: Vec<f64> = row.iter().map(|&c| f64::from(c.max(0))).collect();
        let total = counts.iter().sum::<f64>().max(1.0);
        let entropy: f64 = counts.iter().map(|c| c / total).map(|p| -p * (p + 1e-10).ln()).sum();
        entropy.exp() as f32
    };
    counts.chunks(bins).map(of_row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_are_used_alike() {
        let y = perplexity(&[5, 5, 0, 5, 0, 7, -3, 0, 0, 0, 0, 0], 4);
        assert!((y[0] - 3.0).abs() < 1e-6 && (y[1] - 1.0).abs() < 1e-6);
        assert_eq!(y[2], 1.0);
    }
}
