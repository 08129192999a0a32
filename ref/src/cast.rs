//! Integers as floats, and floats as integers.

/// The nearest floats.
pub fn to_floats(x: &[i32]) -> Vec<f32> {
    x.iter().map(|&x| x as f32).collect()
}

/// The next integers towards zero; beyond all integers the smallest or the largest, 0 for NaN.
pub fn to_integers(x: &[f32]) -> Vec<i32> {
    x.iter().map(|&x| x as i32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn towards_zero_and_not_beyond() {
        let x = [1.9, -1.9, -0.0, f32::NAN, 3e9, f32::NEG_INFINITY];
        assert_eq!(to_integers(&x), [1, -1, 0, 0, i32::MAX, i32::MIN]);
        assert_eq!(to_floats(&[7, -16_777_217, i32::MAX]), [7.0, -16_777_216.0, 2_147_483_648.0]);
    }
}
