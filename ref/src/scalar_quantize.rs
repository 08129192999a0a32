//! Each channel to one of a few fixed values.

/// How a channel of finite scalar quantization is bounded.
#[derive(Debug, Clone, Copy)]
pub struct Level {
    /// How many values there are.
    pub levels: u32,
    /// Half of what the hyperbolic tangent is stretched to.
    pub half: f64,
    /// What is added before it.
    pub shift: f64,
}

impl Level {
    /// What is rounded, between two whole numbers `levels − 1` apart.
    pub fn bound(self, x: f32) -> f64 {
        let offset = if self.levels.is_multiple_of(2) { 0.5 } else { 0.0 };
        (f64::from(x) + self.shift).tanh() * self.half - offset
    }
}

/// The numbers of the rows of `x`, a row having a channel for each of `levels`; −1 for a row with NaN.
pub fn finite(x: &[f32], levels: &[Level]) -> Vec<i32> {
    let of_row = |row: &[f32]| {
        let (mut index, mut basis) = (0.0, 1.0);
        for (&x, level) in row.iter().zip(levels) {
            index += (level.bound(x).round_ties_even() + f64::from(level.levels / 2)) * basis;
            basis *= f64::from(level.levels);
        }
        if index.is_nan() { -1 } else { index as i32 }
    };
    x.chunks(levels.len()).map(of_row).collect()
}

/// The numbers of the rows of `x`, whose bits are the channels above zero, the first the lowest; −1 for a row with NaN.
pub fn lookup_free(x: &[f32], channels: usize) -> Vec<i32> {
    let of_row = |row: &[f32]| {
        if row.iter().any(|x| x.is_nan()) {
            return -1;
        }
        row.iter().enumerate().map(|(d, &x)| i32::from(x > 0.0) << d).sum()
    };
    x.chunks(channels).map(of_row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_and_four_levels() {
        // tanh from −1 to 1 on −1, 0, 1; and on −2, −1, 0, 1, with 0 at 0.
        let three = Level { levels: 3, half: 1.001, shift: 0.0 };
        let four = Level { levels: 4, half: 1.5015, shift: (0.5f64 / 1.5015).atanh() };
        let x = [-9.0, -9.0, 0.0, 0.0, 9.0, 9.0, 0.4, -9.0, f32::NAN, 1.0];
        assert_eq!(finite(&x, &[three, four]), [0, 1 + 2 * 3, 2 + 3 * 3, 1, -1]);
    }

    #[test]
    fn bits() {
        let x = [1.0, -1.0, 2.0, 0.0, 1e-40, -0.0, f32::NAN, 1.0, 1.0];
        assert_eq!(lookup_free(&x, 3), [5, 2, -1]);
    }
}
